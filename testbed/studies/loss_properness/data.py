"""The finished records as arrays, one row a replicate, and the numbers that are made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Replicates, mean_if_known
from testbed.studies.loss_properness.config import KINDS, NOISY, Kind

if TYPE_CHECKING:
    from testbed.studies.loss_properness.study import LossProperness

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Laws:
    """Laws of one loss on one source, of all replicates: weight (R, n); bayes, predicted, trained (R, n, V)."""

    weight: Floats
    bayes: Floats
    predicted: Floats
    trained: Floats

    def distance(self, one: Floats, other: Floats) -> Floats:
        """(R,) mean total variation between two laws of each context."""
        return np.asarray(np.sum(self.weight * 0.5 * np.abs(one - other).sum(axis=-1), axis=1))

    @property
    def to_predicted(self) -> Floats:
        """(R,) total variation between the trained law and the predicted one."""
        return self.distance(self.trained, self.predicted)

    @property
    def to_bayes(self) -> Floats:
        """(R,) total variation between the trained law and the Bayes law."""
        return self.distance(self.trained, self.bayes)

    @property
    def excess(self) -> Floats:
        """(R,) mean KL(Bayes || trained), nats."""
        return self._divergence(self.trained)

    @property
    def predicted_excess(self) -> Floats:
        """(R,) mean KL(Bayes || predicted), nats; infinite where a token that comes is given nothing."""
        return self._divergence(self.predicted)

    def _divergence(self, law: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(self.bayes > 0, self.bayes * np.log(self.bayes / law), 0.0)
        return np.asarray(np.sum(self.weight * terms.sum(axis=-1), axis=1))

    def shift(self) -> tuple[Floats, Floats]:
        """(R,) sum over contexts of w (trained - Bayes) . (predicted - Bayes), and of w |predicted - Bayes|^2."""
        bias = self.predicted - self.bayes
        along = ((self.trained - self.bayes) * bias).sum(axis=-1)
        return np.sum(self.weight * along, axis=1), np.sum(self.weight * (bias**2).sum(axis=-1), axis=1)


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    laws[arm, kind]     laws of all replicates
    residual[arm, kind] (R,) share of the first gradient that is left
    paths[arm, kind]    (n_points,) steps and (R, n_points) excess along training
    rates               chosen learning rates by arm
    paired              (n,) z-scores of cross-entropy = h_l + excess
    identity            largest distance between the excess that was scored and that of the laws kept
    """

    replicates: Replicates
    laws: dict[tuple[str, Kind], Laws]
    residual: dict[tuple[str, Kind], Floats]
    paths: dict[tuple[str, Kind], tuple[Floats, Floats]]
    rates: dict[str, float]
    paired: Floats
    identity: float

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates of (R,) values; open where some are not known."""
        return mean_if_known(values, self.replicates)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    def over_sources(self, arm: str, name: str) -> Floats:
        """(R,) mean over the noisy sources of a number of `Laws`."""
        return np.asarray(np.mean([getattr(self.laws[arm, kind], name) for kind in NOISY], axis=0))

    def moved(self, arm: str) -> Floats:
        """(R,) how far from the Bayes law (0) to the predicted one (1), over the noisy sources."""
        parts = [self.laws[arm, kind].shift() for kind in NOISY]
        return np.asarray(sum(along for along, _ in parts) / sum(size for _, size in parts))

    def at_rest(self, arm: str, gate: float) -> bool:
        """Whether what is left of the gradient is below the gate on every source, on average."""
        return all(float(self.residual[arm, kind].mean()) < gate for kind in KINDS)


def replicates_of(seeds: Sequence[int]) -> Replicates:
    """Replicates by their numbers."""
    return Replicates({"replicate": list(seeds)}, seed=0)


def gather(study: "LossProperness", records: Sequence[Record]) -> Data | None:
    """The records of every loss, source and replicate that the study names; None if one is missing or diverged."""
    done = [one for one in records if one.status == "done" and one.probe["kind"] == "member"]
    found = {(one.probe["arm"], one.probe["source"], one.probe["seed"]): one for one in done}
    laws: dict[tuple[str, Kind], Laws] = {}
    residuals, paths, rates, z, identity = {}, {}, {}, [], 0.0
    for arm in study.arms:
        for kind in KINDS:
            mine = [found.get((arm.name, kind, seed)) for seed in study.seeds]
            known = [one for one in mine if one is not None]
            if len(known) < len(mine):
                return None
            arrays = {name: np.stack([one.arrays[name] for one in known]) for name in known[0].arrays}
            one = Laws(*(arrays[name] for name in ("weight", "bayes", "predicted", "trained")))
            laws[arm.name, kind] = one
            scored = _metric(known, "excess")
            identity = max(identity, float(np.abs(one.excess - scored).max()))
            residuals[arm.name, kind] = _metric(known, "residual")
            paths[arm.name, kind] = arrays["path_step"][0], arrays["path_excess"]
            rates[arm.name] = float(known[0].probe["learning_rate"])
            z.append(_metric(known, "paired") / np.maximum(_metric(known, "paired_error"), 1e-9))
    return Data(replicates_of(study.seeds), laws, residuals, paths, rates, np.concatenate(z), identity)


def _metric(records: Sequence[Record], name: str) -> Floats:
    return np.array([float(one.metrics[name]) for one in records])  # type: ignore[arg-type]
