"""The finished records as arrays, first axis over replicates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Mean, Replicates
from testbed.studies.memory_profile.config import ARMS, FAMILIES, LEARNERS, LENGTHS, NETWORK, POWERS, ArmName, Family
from testbed.studies.memory_profile.profiles import drawn_lags
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.memory_profile.study import MemoryProfile

SEED = 41
"""Of the resampling behind means over replicates."""
Arrays = dict[str, Floats]


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from; R replicates, S sources, P points, W window, D sizes.

    arms        by name: lags (R, S, 3), step (P,), path (R, S, P), final (R, S), steps (R, S; infinite where never),
                profile (R, S, W + 1), rate (R, S), excess_entropy (R, S), worth ()
    rates       learning rate by arm
    families    by name: loss_LEARNER (R, D), best over context lengths; length_LEARNER (R, D), the best; tabular
                (R, D); worth (R,); and of families of two exponents gamma, beta (R,); missing, lags, correlations as
                they are measured
    """

    arms: dict[ArmName, Arrays]
    rates: dict[ArmName, float]
    families: dict[Family, Arrays]


def gather(study: "MemoryProfile", records: Sequence[Record]) -> Data | None:
    """Every record that the study names; None if one is missing or diverged."""
    done = [one for one in records if one.status == "done"]
    members = {
        (one.probe["arm"], one.probe["seed"], one.probe["place"]): one for one in done if one.probe["kind"] == "member"
    }
    found = {(one.probe["family"], one.probe["seed"]): one for one in done if one.probe["kind"] == "horizon"}
    arms: dict[ArmName, Arrays] = {}
    rates: dict[ArmName, float] = {}
    for arm in ARMS:
        n = len(drawn_lags(study.profiles, arm == "exchangeable", study.first_seed))
        rows = [[members.get((arm, seed, place)) for place in range(n)] for seed in study.seeds]
        known = [[one for one in row if one is not None] for row in rows]
        if any(len(row) < n for row in known):
            return None
        arms[arm] = arm_arrays(known, study.bounds.share, study.optimiser.steps)
        rates[arm] = float(known[0][0].probe["learning_rate"])
    families: dict[Family, Arrays] = {}
    for family in FAMILIES:
        mine = [found.get((family, seed)) for seed in study.seeds]
        whole = [one for one in mine if one is not None]
        if len(whole) < len(mine):
            return None
        families[family] = family_numbers(family, whole)
    networks = {
        (one.probe["family"], one.probe["seed"], one.probe["size"]): one.metrics["stopped_excess"]
        for one in done
        if one.probe["kind"] == NETWORK
    }
    for family in study.networks.families:
        grid = [[networks.get((family, seed, size)) for size in study.horizon.sizes] for seed in study.seeds]
        if any(value is None for row in grid for value in row):
            return None
        missing = families[family]["missing"]
        unseen = missing[:, min(study.networks.window, missing.shape[1] - 1)]
        families[family][f"loss_{NETWORK}"] = np.array(grid, dtype=np.float64) + unseen[:, None]
    return Data(arms, rates, families)


def arm_arrays(rows: list[list[Record]], share: float, steps: int) -> Arrays:
    """An arm's numbers from its records."""

    def stacked(name: str) -> Floats:
        return np.array([[one.arrays[name] for one in row] for row in rows])

    profile, path, step = stacked("profile"), stacked("path"), rows[0][0].arrays["step"]
    worth = np.asarray((profile[..., 0] - profile[..., -1]).mean())
    return {
        "lags": np.array([[one.probe["lags"] for one in row] for row in rows]),
        "step": step,
        "path": path,
        "final": np.array([[float(one.metrics["excess"]) for one in row] for row in rows]),  # type: ignore[arg-type]
        "steps": crossing(step, path, float(worth), share),
        "profile": profile,
        "rate": stacked("rate"),
        "excess_entropy": stacked("excess_entropy"),
        "worth": worth,
    }


def crossing(step: Floats, path: Floats, worth: float, share: float) -> Floats:
    """(...,) the step at which excess (..., P) first falls below share x worth, on a straight line between points; at
    step 0 it is worth what context is. Infinite where it never does."""
    whole = np.concatenate([np.full((*path.shape[:-1], 1), worth), path], axis=-1)
    at = np.concatenate([[0.0], step])
    below = whole < share * worth
    first = np.argmax(below, axis=-1)
    last = np.maximum(first - 1, 0)
    low = np.take_along_axis(whole, first[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(whole, last[..., None], axis=-1)[..., 0]
    part = (high - share * worth) / np.where(high > low, high - low, 1.0)
    return np.where(below.any(axis=-1), at[last] + part * (at[first] - at[last]), np.inf)


def family_numbers(family: Family, records: list[Record]) -> Arrays:
    """A family's numbers from its records."""

    def stacked(name: str) -> Floats:
        return np.array([one.arrays[name] for one in records])

    missing = stacked("missing")
    seen = missing[:, 0] - (missing[:, -1] if family == "santa_fe" else 0.0)  # there the window is all the past
    numbers = {"tabular": stacked("tabular"), "missing": missing, "worth": seen}
    numbers |= {"lags": stacked("lags"), "correlations": stacked("correlations")}
    for learner in LENGTHS:
        losses = stacked(learner)
        lengths = records[0].arrays[f"{learner}_lengths"]
        numbers |= {f"loss_{learner}": losses.min(axis=-1), f"length_{learner}": lengths[losses.argmin(axis=-1)]}
    numbers |= {f"loss_{learner}": stacked(learner) for learner in ("tree", "screened")}
    if family in POWERS:
        numbers |= {"gamma": stacked("gamma"), "beta": stacked("beta")}
    return numbers


def learners_on(one: Arrays) -> list[str]:
    """The learners whose losses a family's numbers hold."""
    return [name for name in (*LEARNERS, NETWORK) if f"loss_{name}" in one]


def mean(values: Floats) -> Mean:
    """Over replicates."""
    return Mean(values, Replicates.grid({"replicate": len(values)}, seed=SEED))
