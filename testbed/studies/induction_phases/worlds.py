"""Planted worlds: models that go by way of the unigram law, and models that go straight from uniform to bigram.

Divergences are squared distances in a plane, with the unigram law at the right angle between uniform and bigram. The
curves go through the same readings and the same judge as those of a study.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.induction_phases.claims import COUNTING, REVERSED, STRAIGHT, claims
from testbed.studies.induction_phases.config import ARMS, LAWS, Name
from testbed.studies.induction_phases.data import Data, Floats, Level
from testbed.studies.induction_phases.evidence import evidence
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases

POINTS = 192
FALL, UNIGRAM, LAST = 0.14, 0.07, 0.03
"""Excess of the uniform law, of unigrams, and of counts with the last symbol."""
_LAST_AT = ((LAST / FALL) ** 0.5 * (FALL - UNIGRAM) ** 0.5, (1 - (LAST / FALL) ** 0.5) * UNIGRAM**0.5)
"""Where the latter's law lies on the straight way; in the world of counting no model comes near it."""


def worlds(study: "InductionPhases") -> list[World]:
    """One in which every model counts symbols on its way, one in which none does."""
    return [_world(study, name) for name in (COUNTING, STRAIGHT)]


def _world(study: "InductionPhases", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {}
    for claim in named:
        turned = claim.id.rpartition(".")[2] in REVERSED
        expected[claim.id] = "holds" if turned == (name == STRAIGHT) else "fails"

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(name == COUNTING, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(counting: bool, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw."""
    arms = {name: _arm(name, counting, rng, n) for name in ARMS}
    gain = 0.0 if counting else 0.05
    levels = {name: _level(gain if name == "doubly" else -0.01 if counting else 0.01, rng) for name in LAWS}
    return Data(tuple(range(n)), arms, levels, levels)


def _arm(name: Name, counting: bool, rng: np.random.Generator, n: int) -> dict[str, Floats]:
    by_way = counting != (name == "doubly")
    legs = np.sqrt([FALL - UNIGRAM, UNIGRAM])
    steps = np.geomspace(10, 800, POINTS)
    share = np.sort(
        np.clip(np.linspace(-0.1, 1.1, POINTS) + 0.003 * rng.standard_normal((n, POINTS)), 0.0, 1.0), axis=1
    )
    level = UNIGRAM if counting else LAST
    excess = _fall(share, level)
    if by_way:  # along the two legs, or along the hypotenuse: the place follows from the distance to the bigram
        first = excess >= UNIGRAM
        x = np.where(first, np.sqrt(np.maximum(excess - UNIGRAM, 0.0)), 0.0)
        y = np.where(first, 0.0, legs[1] - np.sqrt(excess))
    else:
        part = np.sqrt(excess / FALL)
        x, y = part * legs[0], (1 - part) * legs[1]
    arm = {
        "step": steps,
        "excess": (legs[1] - y) ** 2 + x**2,
        "uniform": (legs[0] - x) ** 2 + y**2,
        "unigram": x**2 + y**2,
        "bigram": (legs[1] - y) ** 2 + x**2,
        "level_uniform": np.full(n, FALL),
        "level_unigram": np.full(n, UNIGRAM),
        "straight_unigram": np.full(n, (FALL - UNIGRAM) * UNIGRAM / FALL),
        "counts_last": (_LAST_AT[0] - x) ** 2 + (_LAST_AT[1] - y) ** 2 + (0.1 if counting else 0.0),
        "final": _final(name, counting) + 5e-4 * rng.standard_normal(n),
    }
    return arm | {"smoothed": arm["unigram"]}


def _fall(share: Floats, level: float, half: float = 0.05, slow: float = 2.0) -> Floats:
    """A loss that falls evenly over 0 .. 1 but for a band around a level, where it takes `slow` times as long."""
    top, bottom = level + half * FALL, level - half * FALL
    times = np.cumsum([0.0, FALL - top, slow * (top - bottom), bottom])
    return np.interp(share, times / times[-1], [FALL, top, bottom, 0.0])


def _final(name: Name, counting: bool) -> float:
    if name.startswith("one"):
        return UNIGRAM if counting else LAST - 0.003
    return 0.005 if counting else 0.05


def _level(gain: float, rng: np.random.Generator) -> Level:
    rows = gain + 0.02 * rng.standard_normal((1000, 2))
    return Level(0.5, 0.5, np.array([0.5 + UNIGRAM]), 0.0, 0.48, 0.0, True, 0.5 + UNIGRAM, 0.5 + LAST, rows)
