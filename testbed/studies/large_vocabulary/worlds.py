"""Planted worlds: laws of known places instead of trained ones, through the same numbers and judge.

at the fixed point          the tail goes where the fixed point says, the filter costs
the filter changes nothing  equal laws
the whole tail is raised    every rare token is over-estimated, at a cost

Unfiltered transformers have an error of their own in every world, which what is filtered shares.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.large_vocabulary.claims import (
    HARMLESS,
    HOLDS,
    PREDICTED,
    RAISED,
    STUDY,
    claims,
    evidence,
    predicted_tenths,
)
from testbed.studies.large_vocabulary.config import ARMS, FORMS, ROLES, Role
from testbed.studies.large_vocabulary.data import Data, Floats, replicates_of

if TYPE_CHECKING:
    from testbed.studies.large_vocabulary.study import LargeVocabulary

COST = 0.05
"""Nats that a filter costs where it does."""
NOISE = 1e-4
"""Of planted excess, nats."""
SHAPE = np.array([0.0, -0.1, -0.1, -0.2, -0.1, 0.1, 0.2, 0.3, 0.4, 0.6])
"""ln(q / p) by tenths, as the fixed point of a small vocabulary has it."""
LOST = np.array([0.5, -0.4, -1.0, -1.2, -1.3, -1.3, -1.3, -1.3, -1.3, -1.3])
RISEN = np.linspace(-0.1, 1.0, 10)
UNFILTERED = np.linspace(-0.04, 0.15, 10)
"""ln(q / p) by tenths of plain transformers, off in the direction of the fixed point."""


def worlds(study: "LargeVocabulary") -> list[World]:
    """In each of three worlds, which claims hold is known."""
    return [_world(study, name) for name in (PREDICTED, HARMLESS, RAISED)]


def _world(study: "LargeVocabulary", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {
        one.id: "holds" if one.id.removeprefix(f"{STUDY}.") in HOLDS[name] else "fails" for one in named
    }

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "LargeVocabulary", world: str, rng: np.random.Generator, n: int) -> Data:
    """One draw of a world: excess and tenths of the flows and of transformers."""
    base = 0.01 + 0.002 * rng.random(n)  # of a replicate, shared by what is paired
    cost = {PREDICTED: COST, HARMLESS: 0.0, RAISED: COST}[world]

    def noisy(level: float) -> Floats:
        return base + level + NOISE * rng.standard_normal(n)

    def tenths(shape: Floats) -> Floats:
        return np.asarray(shape + 0.005 * rng.standard_normal((n, 10)))

    flows = {}
    for role in ROLES:
        levels = [0.0 if form == "whole" else cost * (role != "flat") for form in FORMS]
        moved = {PREDICTED: SHAPE if role == "small" else LOST, HARMLESS: np.zeros(10), RAISED: RISEN}[world]
        shapes = [np.zeros(10) if form == "whole" else moved for form in FORMS]
        raised = 0.0 if world == HARMLESS else 0.3
        flows[role] = {
            "excess": np.stack([noisy(one) for one in levels], axis=1),
            "decile": np.stack([tenths(one) for one in shapes], axis=1),
            "raised": np.stack([(form != "whole") * raised + 0.01 * rng.standard_normal(n) for form in FORMS], axis=1),
        }
    exact: dict[Role, dict[str, Floats]] = {
        "small": {"rest_decile": SHAPE},
        "large": {"decile": np.stack([np.zeros(10), LOST, LOST])},
    }
    members = {}
    for source, arms in ARMS.items():
        for arm in arms:
            level = cost if arm not in ("plain", "never") else 0.0
            shape = {PREDICTED: LOST, HARMLESS: np.zeros(10), RAISED: RISEN}[world]
            if arm == "full" and world == PREDICTED:
                level = 0.2 * cost
            if arm == "quarter" and world == PREDICTED:
                shape = predicted_tenths(study)
            members[source, arm] = {
                "excess": noisy(level),
                "decile": tenths(UNFILTERED + (shape if arm not in ("plain", "never") else 0.0)),
            }
    return Data(replicates_of(range(n)), flows, exact, {}, members, {}, {}, np.zeros(1))
