"""Planted worlds: excess and preferences in place of measured ones, through the same numbers and judge.

orders adapted          two layers and more have less excess than all learners that ask no evidence and prefer orders as
                        the evidence says, more layers the more so; one layer and models trained on full trees do
                        neither; none is near
one order for all       every model is about as far as a fixed order or farther and prefers nothing; a deeper one is
                        behind, and models trained on full trees follow the evidence
two layers do as more do    as the first, but that two layers do as more do, and all are near
orders weighted by their confidence     two layers and more beat constant weights, but neither come nearer than learners
                        that ask no evidence nor have larger slopes; more layers are behind
training not over       as the first, but that half of the steps left much more excess
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.variable_order.blends import CONSTANT, FITTED, UNASKING
from testbed.studies.variable_order.claims import (
    ADAPTIVE,
    ALIKE,
    CONFIDENT,
    FIXED,
    OF_EVIDENCE,
    OF_MORE,
    STILL,
    STUDY,
    claims,
)
from testbed.studies.variable_order.data import ArmData, Data
from testbed.studies.variable_order.evidence import evidence, on_layers

if TYPE_CHECKING:
    from testbed.studies.variable_order.config import Arm
    from testbed.studies.variable_order.study import VariableOrder

GAP, COUNTED, OTHER = 0.02, 0.05, 0.023
"""Excess of the best order, which is the second, of counting symbols, and of the other orders."""
CONSTANT_BLEND, ASKING_NOTHING = 0.9 * GAP, 0.6 * GAP
"""Excess of the best constant blend, and of the best fitted learner that asks no evidence."""
NOISE = 0.04
"""Of every excess, relative, and of every slope, for each replicate."""
OWN_NOISE = 0.02
"""Likewise of the excess that is held against half of the steps."""
ASKED_NOTHING = 0.25
"""Largest slope of who asks no evidence."""
CHANCE = 0.1
SEQUENCES, SEEN = 1000, 40
"""On which rivals and models are measured."""


def worlds(study: "VariableOrder") -> list[World]:
    """Every claim holds in one and fails in another."""
    return [_world(study, name) for name in (ADAPTIVE, FIXED, ALIKE, CONFIDENT, STILL)]


def _expected(study: "VariableOrder", world: str, claim: str) -> Word | None:
    """Nothing is said of layers before their time."""
    name = claim.removeprefix(f"{STUDY}.")
    if name in ("near", "near_nats"):
        return "holds" if world == ALIKE else "fails"
    if world == FIXED:
        return "fails"
    if world == STILL and name in on_layers(study):
        return "undecided"
    failing = {ALIKE: OF_MORE, CONFIDENT: OF_EVIDENCE}.get(world, ())
    return "fails" if name in failing else "holds"


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
    blends = dict.fromkeys(UNASKING, 1.1 * GAP) | dict.fromkeys(CONSTANT, 1.1 * CONSTANT_BLEND)
    blends |= {FITTED[-1]: 1.1 * ASKING_NOTHING, CONSTANT[-1]: CONSTANT_BLEND, "sure": ASKING_NOTHING}
    positions |= {name: np.full(p, gap) for name, gap in blends.items()}
    gaps_there = {name: np.full((n, p), gap) for name, gap in blends.items()}
    unasking = {name: np.zeros((n, 2)) for name in UNASKING}
    unasking["confident_log"] = ASKED_NOTHING + 0.3 * NOISE * rng.standard_normal((n, 2))
    more = 1.6 if world == STILL else 1.002
    half = {name: more * arm.own.mean() * np.ones(study.rates.n_seeds) for name, arm in arms.items()}
    bayes = np.linspace(-1.0, 1.0, SEEN) * np.ones((n, 1))
    return Data(
        tuple(range(n)),
        arms,
        rows,
        positions,
        gaps_there,
        unasking,
        bayes,
        errors={name: np.full(p, 0.01 * GAP) for name in positions},
        half=half,
        weights=dict.fromkeys(CONSTANT, np.full(orders, 1.0 / orders)),
        full_below=0.2,
    )


def _excess(arm: "Arm", world: str) -> float:
    """In units of the best order's."""
    if world == FIXED:
        known = {"bare_2": 0.8, "full_2": 0.8, "trees_1": 0.8, "trees_2": 1.25}
        return known.get(arm.name, 1.7) if arm.kind != "bare" else 0.55
    two, more = {ALIKE: (0.045, 0.055), CONFIDENT: (0.66, 0.78)}.get(world, (0.5, 0.34))
    return {"bare_2": 1.3, "full_2": 1.3, "trees_1": 1.4, "trees_2": two}.get(arm.name, more)


def _slope(arm: "Arm", world: str) -> float:
    if arm.kind == "full":
        return 0.6 if world == FIXED else 0.0
    if world == FIXED or arm.layers == 1:
        return 0.0
    if world == CONFIDENT:
        return (0.6 if arm.layers == 2 else 0.4) * ASKED_NOTHING
    if arm.layers > 2:
        return 0.8
    return 0.85 if world == ALIKE else 0.5


def _arm(study: "VariableOrder", arm: "Arm", world: str, rng: np.random.Generator, n: int) -> ArmData:
    p, orders = study.task.scored, study.task.depth + 1
    slopes = _slope(arm, world) + NOISE * rng.standard_normal((n, 2))
    mean = _excess(arm, world) * GAP * np.exp(NOISE * rng.standard_normal((n, 1)))
    first, second = {FIXED: (0.9, 1.1), CONFIDENT: (0.95, 1.05)}.get(world, (1.1, 0.9))
    tilt = np.where(np.arange(p) < p // 2, first, second)
    excess = mean * tilt / tilt.mean()
    gaps = np.array([COUNTED, GAP, *(OTHER,) * (orders - 2)])
    shape = np.ones((n, 1, p))
    return ArmData(
        excess=excess,
        to_orders=(excess + GAP)[:, None, :] * np.ones((n, orders, p)),
        to_counts=0.5 * excess,
        to_sure=0.4 * excess,
        gap_orders=gaps[None, :, None] * shape,
        weights=np.full((n, orders), 1.0 / orders),
        preference=slopes[:, :1] * np.linspace(-1.0, 1.0, SEEN),
        follows=slopes[:, 0],
        depth=slopes[:, 1],
        chance=np.full(n, CHANCE),
        own=_excess(arm, world) * GAP * p / study.task.length * (1 + OWN_NOISE * rng.standard_normal(n))
        if arm.kind != "full"
        else np.full(n, 0.1),
        path_step=np.array([1.0, 2.0]),
        path_excess=mean * np.array([1.1, 1.0]),
    )
