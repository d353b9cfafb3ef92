"""Planted worlds: forgetting and times with the spread of earlier runs, through the same numbers and judge."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.conditioning.claims import AS_CLAIMED, AT_ONE, BY_KIND, KINDS_ALONE, OPPOSITE, STUDY, claims
from testbed.studies.conditioning.config import ARMS, LEARNERS, SHARES, Arm, Learner
from testbed.studies.conditioning.data import Data
from testbed.studies.conditioning.evidence import evidence
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.conditioning.study import Conditioning

SHARED, OWN, PLANTED = 0.05, 0.035, 0.055
"""Spread of forgetting between replicates, of an arm at a level within one, and of an arm of planted matrices; shares
of KL(A || B). As in 24 replicates of an earlier design."""
STEP = 0.1
"""What is planted between arms that differ."""
NOISE, SLOPE, AGEING = 0.26, 0.008, 0.015
"""Spread of ln time from task to task and of slopes between replicates, as in the same replicates; slopes planted."""
LEVEL: dict[str, dict[Arm, float]] = {
    AS_CLAIMED: {"flat": -1, "low": -1, "low_in_kind": -1, "planted_low": -2, "planted_norm": -1},
    OPPOSITE: {"flat": 1, "low": 1, "low_in_kind": 1, "planted_low": 2, "planted_norm": 1},
    BY_KIND: {"flat": -1, "low": -1},
    AT_ONE: {"flat": -1, "low": -1, "low_in_kind": -1, "planted_low": -1},
}
"""Forgetting by arm, in steps; others are at 0. At the highest level alone in `AT_ONE`, but for what is planted."""
SLOPES: dict[str, dict[Learner, float]] = {
    AS_CLAIMED: {"layer": AGEING, "bare": AGEING, "normalised": AGEING},
    OPPOSITE: {"nap": AGEING, "decayed": AGEING},
    BY_KIND: dict.fromkeys(("layer", "bare", "normalised", "nap", "decayed"), -AGEING),
    AT_ONE: {},
}
HOLD = {BY_KIND: (*KINDS_ALONE, "nap_young"), AT_ONE: ("planted", "nap_young", "nap_flat")}


def worlds(study: "Conditioning") -> list[World]:
    """In each of four worlds, which claims hold is known."""
    return [_world(study, name) for name in LEVEL]


def _world(study: "Conditioning", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {one.id: "holds" if name == AS_CLAIMED else "fails" for one in named}
    expected |= {f"{STUDY}.{one}": "holds" for one in HOLD.get(name, ())}

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "Conditioning", name: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw."""
    m, skipped = study.stream.n_tasks, study.stream.skipped
    shared = 0.4 + SHARED * rng.standard_normal((n, 1))
    forgotten = {}
    for arm in ARMS:
        at = np.full(len(SHARES), STEP * LEVEL[name].get(arm, 0.0))
        if name == AT_ONE and not arm.startswith("planted"):
            at[np.array(SHARES) < max(study.bounds.levels)] = 0.0
        own = PLANTED if arm.startswith("planted") else OWN
        forgotten[arm] = shared + at + own * rng.standard_normal((n, len(SHARES)))
    task = np.arange(m)
    logs, elr = {}, {}
    for learner in LEARNERS:
        mean = SLOPES[name].get(learner, 0.0)
        own_slope = mean + (SLOPE * rng.standard_normal((n, 1)) if not learner.startswith("fresh") else 0.0)
        used = 0.4 if name == AS_CLAIMED and learner in ("layer", "nap") else 0.0
        begin = m if name == OPPOSITE else skipped  # so that who ages is not slow as well
        logs[learner] = 3.0 + used + own_slope * (task - begin) + NOISE * rng.standard_normal((n, m))
        elr[learner] = np.full((n, m), -6.0)
    never = {learner: np.zeros((n, m), dtype=np.bool_) for learner in LEARNERS}
    normal = np.random.default_rng(0).standard_normal(64)
    kappa, fresh = (np.exp(spread * rng.standard_normal((n, 36))) for spread in (2.0, 1.0))
    return Data(
        forgotten,
        np.zeros((n, len(SHARES))),
        np.zeros(n),
        kappa,
        kappa,
        fresh,
        np.exp(normal),
        {},
        logs,
        never,
        elr,
    )
