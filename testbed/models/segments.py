"""Linear attention read part by part: between two parts nothing is handed on but the states of all blocks.

    o_i = [phi(q_i)^T S + sum_(j <= i of this part) phi(q_i)^T phi(k_j) v_j] / the same with 1 in place of v_j
    S <- S + sum_(j of this part) phi(k_j) [v_j, 1]^T

All blocks read a part before any reads the next, so that what is handed on, `hand`, is a function of the states of all
of them together. A last token of a part reads what was not handed on yet. With states handed on as they are the logits
are those of the T x T weights and of `testbed.models.recurrent`, which runs token by token (property tests); here a
part is one product, and there are gradients.

Axes   E member   B batch   T time   H head   F feature   V value dimension
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor

from testbed.core import ConfigError
from testbed.methods.linear import LEAST, LinearAttention
from testbed.methods.method import Parameters
from testbed.models.attention import Active, Watch
from testbed.models.recurrent import Running, check_recurrent, features
from testbed.models.transformer import Calibrated, Transformer

States = list[Tensor]
"""Of every block, (E, B, H, F, V + 1)."""
Hand = Callable[[int, States], States]
"""The number of the cut and the states there: what is handed on in their place."""


class SegmentedTransformer(Transformer):
    """A causal transformer of linear attention that reads its windows in parts; same weights, same logits.

    cuts   places after which a part ends, the begin symbol at 0, rising
    hand   what is handed on at each cut; None: the states as they are

    Raises ConfigError for other attention, for models that are not causal, and for cuts that leave a part empty.
    """

    def __init__(self, model: Transformer, cuts: tuple[int, ...], hand: Hand | None = None) -> None:
        config = model.config
        check_recurrent(config)
        linear = [one for one in config.methods if isinstance(one, LinearAttention)]
        if not linear or not config.causal:
            raise ConfigError("methods: states are handed on by a causal model of linear attention, which this is not")
        if list(cuts) != sorted(set(cuts)) or (cuts and cuts[0] < 0):
            raise ConfigError(f"cuts: given {cuts}, must rise from 0 on")
        super().__init__(config, model.vocab_size, model.geometry.train_length)
        self.linear, self.cuts, self.hand = linear[0], cuts, hand
        self._states: States = []
        self._last = False

    def logits(
        self,
        weights: Mapping[str, Tensor],
        tokens_EBT: Tensor,
        read: Literal["last", "all"] | Tensor = "last",
        positions_T: Tensor | None = None,
        calibrated: Calibrated | None = None,
        watch: Watch | None = None,
        training: bool = False,
    ) -> Tensor:
        """(E, B, V) at the last place."""
        if not isinstance(read, str) or read != "last" or positions_T is not None:
            raise ConfigError("read: windows that are read in parts are read out at their last place alone")
        states: States = []
        for number in range(len(self.cuts) + 1):
            z_EBV, states = self.part(weights, tokens_EBT, number, states, training)
            if self.hand is not None and number < len(self.cuts):
                states = self.hand(number, states)
        return z_EBV

    def part(
        self, weights: Mapping[str, Tensor], tokens_EBT: Tensor, number: int, states: States, training: bool = False
    ) -> tuple[Tensor, States]:
        """Logits (E, B, V) at the last place of one part, and the states there, given those handed to it; [] to the
        first. After the last part they are left as they were handed to it: nothing reads them."""
        T = tokens_EBT.shape[-1]
        start, stop = list(pairwise((0, *(one + 1 for one in self.cuts), T)))[number]
        if not start < stop:
            raise ConfigError(f"cuts: given {self.cuts}, must end before the last place of a window of {T}")
        self._states, self._last = list(states), number == len(self.cuts) and number > 0
        places_T = torch.arange(start, stop, device=tokens_EBT.device)
        z_EBV = super().logits(weights, tokens_EBT[..., start:stop], "last", places_T, training=training)
        return z_EBV, self._states

    def _active(self, weights: Mapping[str, Tensor], block: int | None, calibrated: Calibrated | None) -> Active:
        active = super()._active(weights, block, calibrated)
        if block is None:
            return active
        reading = PartReading()
        reading.begin_part(self.linear, block, self._states, self._last)
        return [*((one, own) for one, own in active if one is not self.linear), (reading, {})]


class PartReading(Running):
    """In place of a block's attention: reads the state that was handed on and the keys of this part, and adds to it."""

    def begin_part(self, linear: LinearAttention, block: int, states: States, last: bool) -> None:
        """What this forward pass of the block is; `states` is changed in place, unless the part is the last."""
        self._seen.update(linear=linear, block=block, states=states, last=last)

    def output(self, o_EBHTK: Tensor, x_EBTD: Tensor, parameters: Parameters) -> Tensor:
        seen: dict[str, Any] = self._seen
        context, states, block = seen["context"], seen["states"], seen["block"]
        phi_q, phi_k = features(seen["linear"], context.q_EBHTK, context.k_EBHTK)
        written = torch.cat([seen["v"], torch.ones_like(seen["v"][..., :1])], dim=-1)
        weights_EBHTT = (phi_q @ phi_k.transpose(-1, -2)).masked_fill(~context.visible_TT, 0.0)
        out = weights_EBHTT @ written
        if block < len(states):
            out = out + phi_q @ states[block]
        if not seen["last"]:
            state = phi_k.transpose(-1, -2) @ written
            states[block : block + 1] = [state + states[block] if block < len(states) else state]
        return out[..., :-1] / out[..., -1:].clamp(min=LEAST)
