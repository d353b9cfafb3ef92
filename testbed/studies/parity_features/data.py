"""The finished records as labelled arrays (R, n_l, ...), one row a replicate, in the shape of `linear_entropy`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.sources.bits import LN2
from testbed.studies.linear_entropy.data import Data, replicates_of
from testbed.studies.linear_entropy.rise_figure import rises_of
from testbed.studies.parity_features.config import ROLES, Role

if TYPE_CHECKING:
    from testbed.studies.parity_features.study import ParityFeatures

Floats = NDArray[np.float64]


def gather(study: "ParityFeatures", records: Sequence[Record]) -> Data | None:
    """The records of every table, l and replicate that the study names; None if one is missing.

    `Data.arms[role]` holds risk, excess, paired, paired_error (R, n_l) and the arrays of `features_read`, (R, n_l, ...)
    """
    done = [one for one in records if one.status == "done" and one.probe["kind"] == "member"]
    found = {(r.probe["role"], r.probe["spec"]["context_length"], r.probe["seed"]): r for r in done}
    arms: dict[str, dict[str, Floats]] = {}
    rates: dict[str, float] = {}
    for role in ROLES:
        grid = [[found.get((role, l, seed)) for l in study.table(role).lengths] for seed in study.seeds]
        if any(one is None for row in grid for one in row):
            return None
        known = [[one for one in row if one is not None] for row in grid]
        first = known[0][0]
        arms[role] = {
            name: np.array([[float(one.metrics[name]) for one in row] for row in known])  # type: ignore[arg-type]
            for name in ("risk", "excess", "paired", "paired_error")
        } | {
            name: np.array([[one.arrays[name] for one in row] for row in known])
            for name in first.arrays
            if name != "task_excess"
        }
        rates[role] = float(first.probe["spec"]["optimiser"]["learning_rate"])
    return Data(replicates_of(study.seeds), exact_pairs(study), 0.0, arms, rates)


def exact_pairs(study: "ParityFeatures") -> dict[str, tuple[Floats, Floats]]:
    """{role: (S, S_ntp)}, exact, at the lengths."""
    return {role: (study.table(role).entropies, LN2 - study.table(role).risks) for role in ROLES}


def off_by(study: "ParityFeatures", data: Data, role: Role, suffix: str = "") -> Floats:
    """(R,) mean over l of |count - tasks solved|, the threshold chosen on the other replicates for least error."""
    counts = data.arms[role]["dimension" + suffix]  # (R, n_l, n_theta)
    error = np.abs(counts - np.array(study.table(role).n_solved)[:, None]).mean(axis=1)
    others = (error.sum(axis=0) - error) / max(len(error) - 1, 1)
    return np.asarray(np.take_along_axis(error, others.argmin(axis=1)[:, None], axis=1)[:, 0])


def unevenness(data: Data, role: Role) -> Floats:
    """(R,) standard deviation over i of the rise from the first l to the last, over its |mean|."""
    whole = rises_of(data.arms[role]["spectrum"])[0].sum(axis=1)
    return np.asarray(whole.std(axis=1) / np.maximum(np.abs(whole.mean(axis=1)), 1e-12))


def learnt(study: "ParityFeatures", data: Data, role: Role) -> bool:
    """At every l the mean excess is below the gate's share of ln 2."""
    return bool((data.arms[role]["excess"].mean(axis=0) < study.bounds.gate * LN2).all())


def missed_a_task(study: "ParityFeatures", data: Data, role: Role) -> int:
    """Networks whose excess is at least half of what the rarest task is worth, f ln 2 / 2."""
    rarest = float(study.table(role).parities.question_law.min()) * LN2
    return int(np.sum(data.arms[role]["excess"] >= rarest / 2))
