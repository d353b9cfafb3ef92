"""How far masks let a token reach over the layers, and what the exact law loses that is given what they let through.

One block lets a place see the keys of its mask; L blocks let it see what can be reached in L steps, so that a band of
w keys reaches L (w - 1) tokens back. On a lag copy (T8) the tokens of one phase are a chain: of what is reached, the
nearest of the phase, k lags back, tells all there is, and the law given it is the channel's k-th power. So

    loss(reach) = mean over judged places of H(C^k) - H(C),     k infinite where no token of the phase is reached

is what every model behind the mask loses at least, whatever it learnt. Copies of copies are counted: they are the
tokens of the phase that are reached, say by way of sinks.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.methods import Method
from testbed.models import ModelConfig
from testbed.sources.lags.noisy_copy import NoisyCopySource
from testbed.sources.sampled_truth import law_entropies
from testbed.studies.length_extrapolation.config import NONE, Arm, Task

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

SPREAD = 16
"""Judged places over which the exact loss is averaged, spread over the second half of a sequence."""


@dataclass(frozen=True)
class Reach:
    """What is reached from late places of a window, in tokens back from the one that is predicted.

    steps     furthest token reached without a gap, over all layers
    one_step  the same in one layer
    loss      what the exact law loses that is given the reached tokens alone, nats
    """

    steps: int
    one_step: int
    loss: float


def reach_of(study: "LengthExtrapolation", task: Task, arm: Arm, change: str, ratio: int) -> Reach | None:
    """Of an arm or a change that masks, on a lag copy; None for one that does not, and on other sources."""
    if not isinstance(task.source, NoisyCopySource):
        return None
    methods = arm.methods if change == NONE else study.change(change).on(arm.methods, task.train_length)
    config = study.model_for(task).replace(methods=methods)
    return _reach(task.source, config, task.train_length, ratio * task.train_length)


@lru_cache(maxsize=1024)
def _reach(source: NoisyCopySource, config: ModelConfig, train_length: int, length: int) -> Reach | None:
    visible = visible_keys(config.methods, config, train_length, length)
    if visible is None:
        return None
    places = np.unique(np.linspace(length // 2, length - 1, SPREAD).astype(int))
    one = visible[places]
    over_layers = reached(visible, places, config.depth)
    steps = min(contiguous(row, place) for row, place in zip(over_layers, places, strict=True))
    one_step = min(contiguous(row, place) for row, place in zip(one, places, strict=True))
    losses = [_loss(source, lags_back(row, place, source.lag)) for row, place in zip(over_layers, places, strict=True)]
    return Reach(steps, one_step, float(np.mean(losses)))


def lost_by(study: "LengthExtrapolation", task: Task, arm: Arm, ratio: int) -> float:
    """What the exact law behind the masks that an arm is trained with loses, nats; 0 without masks."""
    reach = reach_of(study, task, arm, NONE, ratio)
    return 0.0 if reach is None else reach.loss


def visible_keys(
    methods: tuple[Method, ...], config: ModelConfig, train_length: int, length: int
) -> NDArray[np.bool_] | None:
    """(T, T): which keys each query sees in one layer, T = length places with the begin symbol; None: all earlier."""
    import torch

    from testbed.models.attention import placed

    at = placed(length, "all", config.geometry(train_length), torch.device("cpu"))
    masks = [mask for one in methods if (mask := one.mask(at)) is not None]
    if not masks:
        return None
    seen = at.query_order_T[:, None] >= at.key_order_T[None, :]
    for mask in masks:
        seen = seen & mask
    return np.asarray(seen.numpy(), dtype=np.bool_)


def reached(visible: NDArray[np.bool_], places: NDArray[np.int64], depth: int) -> NDArray[np.bool_]:
    """(n, T): the places that these can be told of through `depth` layers; what they hold themselves passes by."""
    found = np.zeros((len(places), visible.shape[1]), dtype=np.bool_)
    found[np.arange(len(places)), places] = True
    steps = visible.astype(np.float32)
    for _ in range(depth):
        found = found | (found.astype(np.float32) @ steps > 0)
    return found


def contiguous(row: NDArray[np.bool_], place: int) -> int:
    """How many tokens back from the one predicted at a place are reached without a gap; place p holds token p - 1."""
    back = row[1 : place + 1][::-1]  # the token before the one predicted, then further back
    return int(len(back) if back.all() else np.argmin(back))


def lags_back(row: NDArray[np.bool_], place: int, lag: int) -> int | None:
    """How many lags back the nearest token of the phase is that is reached; None where none is."""
    steps = np.arange(1, place // lag + 1)
    found = steps[row[place + 1 - steps * lag]]
    return int(found[0]) if len(found) else None


def _loss(source: NoisyCopySource, lags: int | None) -> float:
    """H(C^k) - H(C); ln V - H(C) for an infinite k."""
    size = source.vocab_size
    kept = 1.0 - source.noise * size / (size - 1)  # the channel's second eigenvalue

    def entropy(share: float) -> float:
        law = np.full(size, (1.0 - share) / size)
        law[0] += share
        return float(law_entropies(law))

    return entropy(0.0 if lags is None else kept**lags) - entropy(kept)
