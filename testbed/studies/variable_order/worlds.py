"""Planted worlds: excess and coefficients in place of measured ones, through the same numbers and judge.

orders adapted                two layers and more have far less excess than the best fixed order and less than constant
                              blends, one layer and models trained on full trees have more; none is near the Bayes law
one order for all             every model is about as far as a fixed order or farther, and nearest to one; a deeper one
                              is behind; attention alone is ahead
weighting from two layers on  as the first, but that two layers follow the evidence as more do, and are near
training not over             as the first, but that the last doubling of steps halved every excess
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.variable_order.claims import ADAPTIVE, FIXED, OF_BLENDS, STILL, STUDY, WEIGHTING, claims
from testbed.studies.variable_order.data import ArmData, Data
from testbed.studies.variable_order.evidence import evidence, on_layers

if TYPE_CHECKING:
    from testbed.studies.variable_order.config import Arm
    from testbed.studies.variable_order.study import VariableOrder

GAP, COUNTED, OTHER = 0.06, 0.15, 0.07
"""Excess of the best order, which is the first, of counting symbols, and of the other orders."""
BLENDED = 0.03
"""Excess of the interpolation."""
CONSTANT_BLEND = 0.65 * GAP
"""Excess of the better constant blend."""
NOISE = 0.06
"""Of every excess, relative, and of every coefficient, for each replicate."""
SEQUENCES = 1000


def worlds(study: "VariableOrder") -> list[World]:
    """Every claim holds in the first and fails in one of the others."""
    return [_world(study, name) for name in (ADAPTIVE, FIXED, WEIGHTING, STILL)]


def _expected(study: "VariableOrder", world: str, claim: str) -> Word | None:
    """Nothing is said of how a model blends that is no nearer than a fixed order, nor of layers before their time."""
    name = claim.removeprefix(f"{STUDY}.")
    if name == "near":
        return "holds" if world == WEIGHTING else "fails"
    if world == FIXED:
        return "undecided" if name == "two_blend" else "fails"
    if world == STILL and name in on_layers(study):
        return "undecided"
    return "fails" if world == WEIGHTING and name in OF_BLENDS else "holds"


def _world(study: "VariableOrder", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, {one.id: _expected(study, name, one.id) for one in named}, draw)


def planted(study: "VariableOrder", world: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw."""
    arms = {arm.name: _arm(study, arm, world, rng, n) for arm in study.arms}
    p, orders = study.task.scored, study.task.depth + 1
    gaps = [COUNTED, GAP, *(OTHER,) * (orders - 2)]
    rows = {f"order_{i}": gap * (1 + 0.3 * rng.standard_normal(SEQUENCES)) for i, gap in enumerate(gaps)}
    positions = {f"order_{i}": np.full(p, gap) for i, gap in enumerate(gaps)}
    blends = {"linear": 1.3 * CONSTANT_BLEND, "loglinear": CONSTANT_BLEND}
    positions |= {name: np.full(p, gap) for name, gap in blends.items()}
    constant = {name: np.full((n, p), gap) for name, gap in blends.items()}
    return Data(tuple(range(n)), arms, rows, positions, constant, full_below=0.2)


def _excess(arm: "Arm", world: str) -> float:
    """In units of the best order's."""
    if world == FIXED:
        known = {"bare_2": 0.8, "full_2": 0.8, "trees_1": 1.1, "trees_2": 1.25}
        return known.get(arm.name, 2.0)
    two, more = (0.07, 0.05) if world == WEIGHTING else (0.5, 0.34)
    return {"bare_2": 1.3, "full_2": 1.3, "trees_1": 2.3, "trees_2": two}.get(arm.name, more)


def _coefficient(arm: "Arm", world: str) -> float:
    if arm.kind == "full":
        return 0.6 if world == FIXED else 0.0
    if arm.layers > 2:
        return {FIXED: 0.0, WEIGHTING: 0.75}.get(world, 0.8)
    return 0.95 if world == WEIGHTING else 0.1


def _arm(study: "VariableOrder", arm: "Arm", world: str, rng: np.random.Generator, n: int) -> ArmData:
    p, orders = study.task.scored, study.task.depth + 1
    coefficient = _coefficient(arm, world) + NOISE * rng.standard_normal((n, 5))
    excess = _excess(arm, world) * GAP * np.exp(NOISE * rng.standard_normal((n, 1)))
    gaps = np.array([COUNTED, GAP, *(OTHER,) * (orders - 2)])
    shape = np.ones((n, 1, p))
    away = -0.3 * GAP if world == FIXED else GAP
    return ArmData(
        excess=np.broadcast_to(excess, (n, p)),
        to_orders=(excess + away)[:, :, None] * np.ones((n, orders, p)),
        to_interpolation=np.broadcast_to(excess * (1.5 if world == WEIGHTING else 0.5), (n, p)),
        gap_orders=gaps[None, :, None] * shape,
        gap_interpolation=np.full((n, p), BLENDED),
        gap_ppm=np.full((n, p), 1.1 * GAP),
        adaptivity=coefficient[:, :4],
        late=coefficient[:, 4],
        own=np.full(n, 0.1),
        path_step=np.array([1.0, 2.0]),
        path_excess=excess * np.array([2.0 if world == STILL else 1.0, 1.0]),
    )
