"""Linear attention as a recurrence: one state a block, changed at every token, which can be kept in few bits.

    S_t = S_(t-1) + phi(k_t) [v_t, 1]^T                  F x (V + 1) numbers a head
    o_t = phi(q_t)^T S_t[:, :V] / phi(q_t)^T S_t[:, V]

Without rounding this is what the T x T weights of `testbed.methods.linear` give (a property test holds the two
together). Between tokens nothing else is carried on: a network's whole memory is the states of its blocks, and b bits
for each number bound it. A kernel that can vanish (relu, nala) averages over all keys there, for which the plain sum of
values is one more row of the state.

Where a model is not causal every query reads the state after the last token: prefix linear attention with the whole
prompt as prefix (Arora et al. 2024, 2407.05483). Softmax attention is run alike, over a cache that grows: the keys and
values so far, (t + 1) x (K + V) numbers a head.

Axes   E member   B batch   T time   H head   F feature   V value dimension
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import PrivateAttr
from torch import Tensor

from testbed.core import ConfigError
from testbed.methods import AttentionContext
from testbed.methods.linear import (
    LEAST,
    EluAttention,
    LinearAttention,
    NormAwareAttention,
    NormAwareRotary,
    ReluAttention,
    TaylorAttention,
)
from testbed.methods.method import Parameters
from testbed.models.attention import Active
from testbed.models.config import ModelConfig
from testbed.models.transformer import Calibrated, Transformer

Keep = Callable[[int, int, Tensor], Tensor]
"""Block, token t and the state after it, (E, B, H, F, V + 1), or the cache, (E, B, H, t + 1, K + V): what is kept."""


class RecurrentTransformer(Transformer):
    """A transformer whose every block runs token by token over a state or a cache; same weights, same logits.

    keep   what is kept of each state or cache, between all tokens; None: all of it

    Raises ConfigError for methods other than one linear attention, or none, and what is added to embeddings.
    """

    def __init__(self, config: ModelConfig, vocab_size: int, train_length: int, keep: Keep | None = None) -> None:
        check_recurrent(config)
        super().__init__(config, vocab_size, train_length)
        self.keep = keep

    @classmethod
    def of(cls, model: Transformer, keep: Keep | None = None) -> "RecurrentTransformer":
        """The same network, run as a recurrence."""
        return cls(model.config, model.vocab_size, model.geometry.train_length, keep)

    def _active(self, weights: Mapping[str, Tensor], block: int | None, calibrated: Calibrated | None) -> Active:
        active = super()._active(weights, block, calibrated)
        if block is None:
            return active
        linear = next((one for one, _ in active if isinstance(one, LinearAttention)), None)
        running = Running()
        running.begin(linear, block, self.config.causal, self.keep)
        return [*((one, own) for one, own in active if one is not linear), (running, {})]


def check_recurrent(config: ModelConfig) -> None:
    """Raise ConfigError where attention is no recurrence over a state or cache."""
    linear = [one for one in config.methods if isinstance(one, LinearAttention)]
    for one in config.methods:
        acts = one.overrides(*CHANGING) if one not in linear else isinstance(one, NormAwareRotary)
        if acts or one in linear[1:]:
            raise ConfigError(
                f"methods: {one.type_name} acts on attention in a way that a recurrence has no place for; take one of"
                " linear_elu, linear_relu, linear_taylor, nala, or none, and what is added to embeddings"
            )


CHANGING = (
    "reparametrise", "qk", "rotate", "keys", "values", "output", "scale", "query_scale", "mask", "bias", "scores",
    "logits", "normalise", "reweigh", "calibrate",
)  # fmt: skip


class Running(LinearAttention):
    """In place of a block's attention: takes up q, k and v where they pass, and reads them off a state or cache."""

    needs_all_queries: ClassVar[bool] = True  # all queries at once, not some at a time
    _seen: dict[str, Any] = PrivateAttr(default_factory=dict)

    def begin(self, linear: LinearAttention | None, block: int, causal: bool, keep: Keep | None) -> None:
        """What this forward pass of the block is."""
        self._seen.update(linear=linear, block=block, causal=causal, keep=keep)

    def values(self, v_EBHTK: Tensor, at: Any, parameters: Parameters) -> Tensor:
        self._seen["v"] = v_EBHTK
        return v_EBHTK

    def kernel(self, q_EBHTK: Tensor, k_EBHTK: Tensor) -> Tensor:
        return q_EBHTK.new_ones(*q_EBHTK.shape[:4], k_EBHTK.shape[-2])  # of no effect: `output` reads anew

    def scores(self, context: AttentionContext, parameters: Parameters) -> Tensor:
        self._seen["context"] = context
        return super().scores(context, parameters)

    def output(self, o_EBHTK: Tensor, x_EBTD: Tensor, parameters: Parameters) -> Tensor:
        seen, context = self._seen, self._seen["context"]
        q, k = context.q_EBHTK, context.k_EBHTK
        times = context.at.query_order_T.tolist() if seen["causal"] else [k.shape[-2] - 1] * q.shape[-2]
        if seen["linear"] is None:
            return run_cache(q, k, seen["v"], times, seen["block"], seen["keep"])
        phi_q, phi_k = features(seen["linear"], q, k)
        return run(phi_q, phi_k, seen["v"], times, seen["block"], seen["keep"])


def run(
    phi_q: Tensor, phi_k: Tensor, v_EBHTV: Tensor, times: list[int], block: int = 0, keep: Keep | None = None
) -> Tensor:
    """(E, B, H, n, V): what n queries read of the state, query i after token times[i]."""
    written = torch.cat([v_EBHTV, torch.ones_like(v_EBHTV[..., :1])], dim=-1)
    state = phi_k.new_zeros(*phi_k.shape[:3], phi_k.shape[-1], written.shape[-1])
    read: dict[int, Tensor] = {}
    for t in range(phi_k.shape[-2]):
        state = state + phi_k[..., t, :, None] * written[..., t, None, :]
        if keep is not None:
            state = keep(block, t, state)
        read |= {i: phi_q[..., i, None, :] @ state for i, at in enumerate(times) if at == t}
    out = torch.cat([read[i] for i in range(len(times))], dim=-2)
    return out[..., :-1] / out[..., -1:].clamp(min=LEAST)


def run_cache(
    q: Tensor, k: Tensor, v_EBHTV: Tensor, times: list[int], block: int = 0, keep: Keep | None = None
) -> Tensor:
    """(E, B, H, n, V): likewise of the cache, by softmax attention."""
    size = q.shape[-1]
    rows = torch.cat([k, v_EBHTV], dim=-1)
    cache = rows[..., :0, :]
    read: dict[int, Tensor] = {}
    for t in range(k.shape[-2]):
        cache = torch.cat([cache, rows[..., t : t + 1, :]], dim=-2)
        if keep is not None:
            cache = keep(block, t, cache)
        for i in (i for i, at in enumerate(times) if at == t):
            scores = q[..., i, None, :] @ cache[..., :size].transpose(-1, -2) * size**-0.5
            read[i] = scores.softmax(dim=-1) @ cache[..., size:]
    return torch.cat([read[i] for i in range(len(times))], dim=-2)


def features(linear: LinearAttention, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """phi(q), phi(k) with phi(q) . phi(k) = the kernel; where that can vanish, with one small constant feature more."""
    if isinstance(linear, EluAttention):
        return F.elu(q) + 1.0, F.elu(k) + 1.0
    if isinstance(linear, TaylorAttention):
        return _taylor(q), _taylor(k)
    if isinstance(linear, ReluAttention):
        return _never_zero(q.relu()), _never_zero(k.relu())
    if isinstance(linear, NormAwareAttention):
        phi_q, phi_k = linear.features(q, k)
        return _never_zero(phi_q), _never_zero(phi_k)
    raise ConfigError(f"methods: the features of {linear.type_name} are not known here")


def _taylor(x: Tensor) -> Tensor:
    """[1, x / K^(1/4), x x^T / (sqrt(2) sqrt(K))]."""
    size = x.shape[-1]
    pairs = (x[..., :, None] * x[..., None, :]).flatten(-2) * (2.0 * size) ** -0.5
    return torch.cat([torch.ones_like(x[..., :1]), x * size**-0.25, pairs], dim=-1)


def _never_zero(phi: Tensor) -> Tensor:
    return torch.cat([phi, torch.full_like(phi[..., :1], LEAST**0.5)], dim=-1)


def state_numbers(config: ModelConfig) -> int:
    """Numbers that the states of all blocks hold, of a linear attention.

    >>> state_numbers(ModelConfig(width=16, heads=4, depth=2, methods=("linear_elu",)))     # 2 x 4 x 4 x (4 + 1)
    160
    """
    check_recurrent(config)
    linear = next((one for one in config.methods if isinstance(one, LinearAttention)), None)
    if linear is None:
        raise ConfigError("methods: a cache of softmax attention grows; the state of linear attention has a size")
    standard, head_dim = config.block == "standard", config.geometry(1).head_dim
    value = head_dim if standard else config.expansion * config.width
    n_features = features(linear, torch.zeros(head_dim), torch.zeros(head_dim))[1].shape[-1]
    return config.depth * (config.heads if standard else 1) * n_features * (value + 1)
