"""The finished records as arrays over replicates, by arm, and what is read off a curve of losses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.judge import Mean, Replicates

if TYPE_CHECKING:
    from testbed.studies.optimal_context_laws.study import OptimalContextLaws

Floats = NDArray[np.float64]
NEAR = 1.5
"""The parabola through a minimum is fitted to the neighbours whose loss is at most so many times the least."""


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from: arms[arm][name], first axis over replicates (`measure.measured`)."""

    numbers: Sequence[int]
    arms: dict[str, dict[str, Floats]]
    sizes: dict[str, tuple[int, ...]]

    def mean(self, values: Floats) -> Mean:
        """Evidence on a mean over replicates."""
        return Mean(values, Replicates({"replicate": list(self.numbers)}, seed=0))

    def losses(self, arm: str, learner: str = "excess") -> Floats:
        """(R, n_sizes, n_lengths) loss above the entropy rate, nats."""
        one = self.arms[arm]
        missing = one[{"tree": "tree_missing", "joint": "joint_missing"}.get(learner, "missing")]
        return np.asarray(missing[:, None] + one[learner])

    def lengths(self, arm: str, learner: str = "excess") -> Floats:
        """(n_lengths,) the context lengths of those losses."""
        name = {"tree": "depths", "joint": "joint_lengths"}.get(learner, "lengths")
        return np.asarray(self.arms[arm][name][0])


def gather(study: "OptimalContextLaws", records: Sequence[Record]) -> Data | None:
    """The records of every arm and replicate that the study names; None if one is missing."""
    done = {(r.probe["arm"], r.probe["replicate"]): r.arrays for r in records if r.status == "done"}
    arms: dict[str, dict[str, Floats]] = {}
    for arm in study.arms:
        mine = [done.get((arm, number)) for number in study.numbers]
        if any(one is None for one in mine):
            return None
        present = [one for one in mine if one is not None]
        arms[arm] = {name: np.stack([one[name] for one in present]) for name in present[0]}
    return Data(study.numbers, arms, {arm: settings.sizes for arm, settings in study.arms.items()})


def others_best(losses: Floats) -> NDArray[np.intp]:
    """(R, n_sizes) for each replicate the place of the least mean loss of all others: chosen without looking at it."""
    rest = losses.sum(axis=0, keepdims=True) - losses
    return np.asarray(np.argmin(rest, axis=-1))


def at_places(losses: Floats, places: NDArray[np.intp]) -> Floats:
    """(R, n_sizes) losses at places (R, n_sizes)."""
    return np.take_along_axis(losses, places[..., None], axis=-1)[..., 0]


def place_of(lengths: Floats, wanted: Floats) -> NDArray[np.intp]:
    """The nearest length of the grid, on a logarithmic scale, to each of those wanted."""
    gaps = np.abs(np.log1p(wanted)[..., None] - np.log1p(lengths))
    return np.asarray(np.argmin(gaps, axis=-1))


def regrets(losses: Floats, places: NDArray[np.intp]) -> Floats:
    """(R, n_sizes) what the chosen places cost above the best, over the least mean loss of that size."""
    best = at_places(losses, others_best(losses))
    return np.asarray((at_places(losses, places) - best) / losses.mean(axis=0).min(axis=-1))


def optima(losses: Floats, lengths: Floats) -> Floats:
    """(...) ln(1 + l*) of losses (..., n_lengths): the vertex of a parabola in ln(1 + l) through the least loss and its
    neighbours up to NEAR times that, weighted by one over what they lose; the place itself where no parabola opens
    upwards."""
    x = np.log1p(lengths)
    flat = losses.reshape(-1, len(lengths))
    found = np.empty(len(flat))
    for row, curve in enumerate(flat):
        at = int(np.argmin(curve))
        low = high = at
        while low > 0 and (at - low < 1 or curve[low - 1] <= NEAR * curve[at]):
            low -= 1
        while high < len(x) - 1 and (high - at < 1 or curve[high + 1] <= NEAR * curve[at]):
            high += 1
        found[row] = x[at]
        if 0 < at < len(x) - 1:
            part = slice(low, high + 1)
            bend, slope, _ = np.polyfit(x[part] - x[at], curve[part], 2, w=1.0 / curve[part])
            if bend > 0:
                found[row] = np.clip(x[at] - slope / (2 * bend), x[low], x[high])
    return found.reshape(losses.shape[:-1])


def slopes(sizes: Sequence[int], values: Floats, which: NDArray[np.bool_] | None = None) -> Floats:
    """(R,) least-squares slope of values (R, n_sizes) on ln D, over some of the sizes."""
    kept = np.ones(len(sizes), dtype=np.bool_) if which is None else which
    x = np.log(np.array(sizes, dtype=np.float64))[kept]
    centred = x - x.mean()
    return np.asarray(values[:, kept] @ centred / (centred @ centred))
