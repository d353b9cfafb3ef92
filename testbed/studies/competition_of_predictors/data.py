"""The finished records as arrays over replicates, and what is read off them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.competition_of_predictors.config import CONTINUUM
from testbed.studies.competition_of_predictors.predictors import INFERENCE, NAMES, RETRIEVAL
from testbed.studies.judge import Evidence, Replicates, mean_if_known

if TYPE_CHECKING:
    from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors

Floats = NDArray[np.float64]
BI_RET, BI_INF = NAMES.index("bi_ret"), NAMES.index("bi_inf")
SINGLES = (NAMES.index("uni_ret"), NAMES.index("uni_inf"))
PAIRS, UNIFORM = (BI_RET, BI_INF), NAMES.index("uniform")
PATHS = ("kl_in", "kl_out", "apart", "weights", "weights_log", "left", "left_log")


@dataclass(frozen=True, eq=False)
class Arm:
    """Members of one N: arrays (R, S, 5) and (R, S) of `measure.member_record`, and its numbers (R,)."""

    paths: dict[str, Floats]
    numbers: dict[str, Floats]

    def lead(self, weights: str = "weights") -> Floats:
        """(R, S) weight of retrieval by pairs less that of inference by pairs."""
        return np.asarray(self.paths[weights][..., BI_RET] - self.paths[weights][..., BI_INF])

    def retrieval(self) -> Floats:
        """(R, S) weight of both retrievals."""
        return np.asarray(self.paths["weights"][..., RETRIEVAL].sum(axis=-1))

    def inference(self) -> Floats:
        """(R, S) weight of both inferences."""
        return np.asarray(self.paths["weights"][..., INFERENCE].sum(axis=-1))

    def singles(self) -> Floats:
        """(R, S) weight of both predictors by single tokens less that of both by pairs."""
        weights = self.paths["weights"]
        return np.asarray(weights[..., SINGLES].sum(axis=-1) - weights[..., PAIRS].sum(axis=-1))

    def unexplained(self) -> Floats:
        """(R, S) KL(model || interpolation) as a share of KL(model || p) for the best single predictor p.

        Weights are of least squares, so that it may exceed 1 a little.
        """
        return np.asarray(self.paths["left"] / self.paths["apart"].min(axis=-1))


@dataclass(frozen=True, eq=False)
class Data:
    """Replicates; steps (S,); an arm for each N; gaps (R, n) of Bayes laws over `limit_chains`; the rate."""

    replicates: Replicates
    steps: Floats
    arms: dict[int, Arm]
    gaps: dict[str, Floats]
    rate: float = float("nan")
    paired: Floats = field(default_factory=lambda: np.zeros(0))
    form_error: float = 0.0
    diverged: int = 0

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean of one number a replicate; open where some are not known."""
        return mean_if_known(values, self.replicates)

    def window(self, shares: tuple[float, float]) -> NDArray[np.bool_]:
        """(S,) which points lie within these shares of training; the nearest one if none does."""
        at = self.steps / self.steps[-1]
        inside: NDArray[np.bool_] = (at >= shares[0]) & (at <= shares[1])
        return inside if inside.any() else np.arange(len(at)) == np.argmin(np.abs(at - shares[1]))


def boundary(study: "CompetitionOfPredictors", data: Data, weights: str = "weights") -> Floats:
    """(R, S) ln N*: where, from few chains on, retrieval by pairs ceases to lead inference by pairs.

    Linear between neighbouring ln N; censored at the ends of the grid where it never leads, or always does.
    """
    chains = study.task.chains[1:]
    x = np.log(chains)
    leads = np.stack([data.arms[n].lead(weights) for n in chains], axis=-1)
    found = np.full(leads.shape[:-1], x[-1])
    for i in reversed(range(len(x) - 1)):
        high, low = leads[..., i], leads[..., i + 1]
        crosses = (high > 0) & (low <= 0)
        share = np.divide(high, high - low, out=np.zeros_like(high), where=crosses)
        found = np.where(crosses, x[i] + share * (x[i + 1] - x[i]), found)
    return np.asarray(np.where(leads[..., 0] <= 0, x[0], found))


def censored(study: "CompetitionOfPredictors", found: Floats) -> NDArray[np.bool_]:
    """(R, S) which ln N* of `boundary` lie at an end of the grid: all that is known is a side."""
    ends = np.log([study.task.few, study.task.many])
    return np.asarray((found <= ends[0]) | (found >= ends[1]))


def gather(study: "CompetitionOfPredictors", records: Sequence[Record]) -> Data | None:
    """All of them; None if one is missing."""
    index = {
        (one.probe["kind"], one.probe["chains"], one.probe["seed"]): one
        for one in records
        if one.probe["kind"] != "tuning" and one.status in ("done", "diverged")
    }
    seeds, reading = list(study.seeds), study.reading
    wanted = [("limit", reading.limit_chains[-1], seed) for seed in seeds]
    wanted += [("member", n, seed) for n in study.task.arms for seed in seeds]
    if any(key not in index for key in wanted):
        return None
    limits = [index["limit", reading.limit_chains[-1], seed] for seed in seeds]
    members = {n: [index["member", n, seed] for seed in seeds] for n in study.task.arms}
    every = [one for row in members.values() for one in row]
    done = [one for one in every if one.status == "done"]
    if not done:
        return None
    arms = {n: _arm(row, done[0]) for n, row in members.items()}
    return Data(
        Replicates({"replicate": seeds}, seed=study.first_seed),
        np.asarray(done[0].arrays["step"], dtype=np.float64),
        arms,
        {name: np.stack([one.arrays[name] for one in limits]) for name in ("gap_in", "gap_out")},
        float(every[0].probe["learning_rate"]),
        np.array([_z(one) for one in done]),
        max(_number(one, "form_error") for one in every),
        len(every) - len(done),
    )


def _arm(row: list[Record], pattern: Record) -> Arm:
    """Arrays of one N; nan for members that diverged."""
    paths = {
        name: np.stack([one.arrays.get(name, np.full_like(pattern.arrays[name], np.nan)) for one in row])
        for name in PATHS
    }
    numbers = {name: np.array([_number(one, name) for one in row]) for name in ("gap_in", "gap_out", "single_in")}
    return Arm(paths, numbers)


def _number(record: Record, name: str) -> float:
    return float(record.metrics[name])  # type: ignore[arg-type]


def _z(record: Record) -> float:
    difference, error = _number(record, "paired"), _number(record, "paired_error")
    return difference / error if error > 0 else 0.0


def has_learnt(study: "CompetitionOfPredictors", arm: Arm, chains: int) -> NDArray[np.bool_]:
    """(R,) whether the excess over the Bayes law in the family ends below a share of that of uni_inf."""
    from testbed.studies.gate import learnt

    bayes = BI_INF if chains == CONTINUUM else BI_RET
    return learnt(arm.paths["kl_in"][:, -1, bayes], arm.numbers["single_in"], study.bounds.learnt)
