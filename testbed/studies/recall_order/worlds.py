"""Planted worlds: error curves with the spread of earlier runs, through the same numbers and judge.

memory binds               errors fall at the bits that an ideal reader needs, in both orders; repetition takes the
                           effect away; a small state costs the large set first more
.., some do not learn      as before, but each run has learnt in a share of the replicates alone
the second time too        repetition changes nothing
repetition harms both      it takes the effect away by raising both orders' errors
memory does not bind       the order has the opposite effect, repetition changes nothing
nothing is learnt          every answer is a guess
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.recall_order.claims import (
    CLAIMED,
    LASTING,
    PATCHY,
    RAISING,
    REVERSED,
    STUDY,
    UNLEARNT,
    claims,
)
from testbed.studies.recall_order.config import LIMITED, ORDERS, Arm, Order
from testbed.studies.recall_order.data import Data, Floats, Runs
from testbed.studies.recall_order.evidence import evidence

if TYPE_CHECKING:
    from testbed.studies.recall_order.study import RecallOrder

HALVING: dict[Order, float] = {"small_first": 2.4, "large_first": 4.2}
"""Bits at half of a guess's error: a little above what an ideal reader needs of sets of 1 and 5 of 10 elements."""
TWICE, RAISED = 2.0, 6.0
"""Where repetition helps both orders, and where it harms both."""
SPREAD, ALIKE = 0.3, 0.35
"""Of the logarithm of these from run to run, and its correlation between the orders of a replicate: about those of the
halving points of earlier runs with noise in the state, 0.19 to 0.32 and 0.34 to 0.36."""
STEEP = 2.5
"""How fast errors fall: 1 / (2 + 2 (bits / halving bits)^STEEP)."""
NOISE, NARROW_SPREAD = 0.01, 0.1
LEARNING = 0.9
"""Share of runs that learn in the world in which some do not, a little above that of earlier runs of fewer steps."""


def worlds(study: "RecallOrder") -> list[World]:
    """The order matters as the bits needed say, read once or twice too, or the other way, or nothing is learnt."""
    return [_world(study, name) for name in (CLAIMED, PATCHY, LASTING, RAISING, REVERSED, UNLEARNT)]


def _world(study: "RecallOrder", name: str) -> World:
    named = claims(study)
    words: dict[str, Word] = {REVERSED: "fails", UNLEARNT: "undecided"}
    expected: dict[str, Word | None] = {one.id: words.get(name, "holds") for one in named}
    softmax, repeat = f"{STUDY}.softmax", f"{STUDY}.repeat"
    if softmax in expected:
        expected[softmax] = {UNLEARNT: "fails", PATCHY: None}.get(name, "holds")
    if repeat in expected and name in (LASTING, RAISING):
        expected[repeat] = "fails"

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "RecallOrder", name: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw."""
    shared = {arm: rng.standard_normal(n) for arm in study.arms}
    return Data(
        {(arm, order): _runs(study, name, arm, order, shared[arm], rng) for arm in study.arms for order in ORDERS},
        {},
        dict.fromkeys(study.arms, 1e-2),
    )


def _runs(study: "RecallOrder", name: str, arm: Arm, order: Order, shared: Floats, rng: np.random.Generator) -> Runs:
    n, bits = len(shared), np.log2(np.array(study.memory.states, dtype=float))
    other: Order = ORDERS[1 - ORDERS.index(order)]
    halving = HALVING[other if name == REVERSED else order]
    if arm == "twice" and name not in (LASTING, REVERSED):
        halving = RAISED if name == RAISING else TWICE
    own = ALIKE**0.5 * shared + (1.0 - ALIKE) ** 0.5 * rng.standard_normal(n)
    bounded = 0.5 / (1.0 + (bits / (halving * np.exp(SPREAD * own))[:, None]) ** STEEP)
    bounded = bounded + NOISE * rng.standard_normal(bounded.shape)
    worse = 0.15 if (name == REVERSED) == (order == "small_first") else 0.0
    error = np.zeros(n) if arm != "narrow" else 0.2 + worse + NARROW_SPREAD * rng.standard_normal(n)
    excess, whole = 0.004 + 0.008 * rng.random(n), 0.002 * rng.random(n)
    lost = rng.random(n) >= {PATCHY: LEARNING, UNLEARNT: 0.0}.get(name, 1.0)
    excess[lost] = 0.69
    if name == UNLEARNT:
        error = 0.5 + NOISE * rng.standard_normal(n)
    elif arm != "narrow":
        error[lost] = 0.3
    if arm not in LIMITED:
        bounded = bounded[:, :0]
    return Runs(excess, excess, error, whole, bounded, bounded, bounded, bounded)
