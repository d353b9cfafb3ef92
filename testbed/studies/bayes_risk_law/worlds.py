"""Planted worlds: every class a power law with a bounded state, or a straight line with an unbounded one.

The curves go through the same fits, rule, numbers and judge as those of a study.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.bayes_risk_law.claims import OTHER_WORLD, POWER_WORLD, claims
from testbed.studies.bayes_risk_law.classes import KINDS, POWERS, Floats, window_of
from testbed.studies.bayes_risk_law.config import Reading, Rule
from testbed.studies.bayes_risk_law.data import Data
from testbed.studies.bayes_risk_law.evidence import evidence
from testbed.studies.bayes_risk_law.measure import read, state_grid
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.bayes_risk_law.study import BayesRiskLaw

LIBRARY = 192
"""Planted curves of each class and world, fitted once; a draw of the world takes some of them, none twice."""
REVERSED = ("rejected_", "r_squared")
"""Claims that hold in the world without power laws."""


def worlds(study: "BayesRiskLaw") -> list[World]:
    """One in which every claim of a power law and a bounded state is true, one in which none is."""
    return [_world(study, name) for name in (POWER_WORLD, OTHER_WORLD)]


def _world(study: "BayesRiskLaw", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {}
    for claim in named:
        turned = claim.id.rpartition(".")[2].startswith(REVERSED)
        expected[claim.id] = "holds" if turned == (name == OTHER_WORLD) else "fails"

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        kinds = {}
        for kind in KINDS:
            whole = library(kind, name == POWER_WORLD, study.reading, study.rule)
            rows = rng.choice(LIBRARY, size=n_replicates, replace=n_replicates > LIBRARY)
            kinds[kind] = {key: values[rows] if len(values) == LIBRARY else values for key, values in whole.items()}
        numbers = evidence(study, Data(kinds))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


@lru_cache(maxsize=64)
def library(name: str, power: bool, reading: Reading, rule: Rule) -> dict[str, Floats]:
    """Arrays as of `measure.measured`, of LIBRARY planted curves."""
    kind = KINDS[name]
    rng = np.random.default_rng([*name.encode(), power])
    lengths = window_of(kind, reading.start, reading.longest, reading.points).astype(np.float64)
    late = window_of(kind, reading.late_start, reading.longest, reading.points).astype(np.float64)
    gamma = rng.uniform(0.7, 2.0, (LIBRARY, 1))
    reach = rng.uniform(1.05, 1.3, (LIBRARY, 1)) * max(float(lengths.max()), float(late.max()))

    def risk(x: Floats) -> Floats:
        return np.asarray(0.5 + 0.3 * (x / x.min()) ** -gamma if power else 0.5 + 0.3 * (1 - x / reach))

    doublings = np.log2(state_grid(reading).astype(np.float64))
    growth = rng.uniform(0.8, 1.2, (LIBRARY, 1))
    bounded = 5.0 - 4.0 * 0.7 ** (growth * doublings)  # rises ever less
    unbounded = growth * doublings**2
    unbounded[:, 1] = unbounded[:, 2]  # but not at every doubling
    arrays = {
        "lengths": lengths,
        "late": late,
        "risk": risk(lengths),
        "late_risk": risk(late) if name in POWERS else np.empty((LIBRARY, 0)),
        "first": np.full(LIBRARY, 1.0),
        "rate": np.full(LIBRARY, 0.5 if power else 0.3),
        "width": np.zeros(LIBRARY),
        "truth": gamma[:, 0],
        "state_lengths": state_grid(reading).astype(np.float64),
        "states": bounded if power else unbounded,
    }
    return arrays | read(arrays, reading, rule, rng)
