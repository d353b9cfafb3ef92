"""Planted worlds: arrays of known shape in place of measured ones, through the same numbers and judge.

beliefs held, side by side             trained streams give every belief, the last one of RRXOR the law alone; untrained
                                       ones give little; a product's beliefs are factored. All holds but joint_learnt
random features, and a joint product   streams are no better before training than after, and are flattered by held-out
                                       sequences; the product's interaction is read off. All fails but joint_learnt
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.belief_geometry.claims import HELD, RANDOM, STUDY, claims
from testbed.studies.belief_geometry.data import Data, Floats, replicates_of
from testbed.studies.belief_geometry.evidence import evidence, factored_rank
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.belief_geometry.study import BeliefGeometry

NOISE = 0.004
"""Spread of a planted number over replicates."""


def worlds(study: "BeliefGeometry") -> list[World]:
    """Both, with the right verdicts."""
    return [_world(study, name) for name in (HELD, RANDOM)]


def _world(study: "BeliefGeometry", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name == HELD, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    expected: dict[str, Word | None] = {}
    for one in named:
        turned = one.id == f"{STUDY}.joint_learnt"
        expected[one.id] = "holds" if turned != (name == HELD) else "fails"
    return World(name, expected, draw)


def planted(study: "BeliefGeometry", held: bool, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw of a world."""

    def near(*values: float) -> Floats:
        """(R, n), each within NOISE of its value."""
        return np.array(values) + NOISE * rng.standard_normal((n_replicates, len(values)))

    arms = {}
    for arm in study.arms:
        shown = arm.name == study.headline or arm.is_product
        last = 0.45 if arm.name == study.spread else 0.98
        untrained = 0.3 if held else 0.97 if arm.name == study.headline else 0.6
        arrays = {
            "streams": near(0.2, last, 0.98) if held else near(0.2, 0.6, 0.6),
            "streams_untrained": near(0.2, untrained, untrained),
            "by_sequence_untrained": near(untrained if held else untrained + 0.2)[:, 0],
            "logits": near(0.9 if held else 0.6)[:, 0],
            "bound": np.ones(n_replicates) if shown else near(0.45)[:, 0],
            "window": near(0.3)[:, 0],
            "excess": np.abs(30 * study.bounds.excess * near(*[0.0 if held else 0.2] * 3)),
        }
        if arm.is_product:
            rank = factored_rank(study)
            joint = np.concatenate([np.linspace(0.2, 0.6, rank), np.linspace(0.6, 1.0, rank + 1)[1:]])
            factored = np.minimum(joint, 0.6)
            arrays |= {
                "rank": (factored if held else joint) * near(0.95),
                "rank_joint": np.tile(joint, (n_replicates, 1)),
                "crossed": near(0.1, 0.1, 0.1) if held else near(0.1, 0.9, 0.9),
                "crossed_untrained": near(0.1, 0.3, 0.3),
                "crossed_window": near(0.3)[:, 0],
                "crossed_bound": near(0.6)[:, 0],
            }
        arms[arm.name] = arrays
    return Data(replicates_of(range(n_replicates)), arms, {}, {})
