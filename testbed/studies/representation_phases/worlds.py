"""Planted worlds: paths and streams of known shape in place of measured ones, through the same detector and judge.

skew and bottleneck          RankMe falls, rises and falls with skewed tokens and a bottleneck; wide networks only dip
skew alone                   wide ones go through all three as often
phases everywhere            so do those on uniform tokens; and streams have their blocks in place before training
all but skew and bottleneck  all but the narrow ones on skewed tokens do; moments of the bigrams are those of other runs
no phases                    paths only fall; networks are far from the unigrams all along; the belief never comes where
                             S(Z) drops, nor better than before training

What is planted is a share of runs, not a shape of all: a shape that a world has comes in OFTEN of the runs, one that it
has not in SELDOM of them.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.representation_phases.claims import BOTH, EVERY, NONE, REVERSED, SKEW, STUDY, claims
from testbed.studies.representation_phases.config import CORNERS, Corner
from testbed.studies.representation_phases.data import Data, Floats, Runs, Streams
from testbed.studies.representation_phases.evidence import evidence

if TYPE_CHECKING:
    from testbed.studies.representation_phases.study import RepresentationPhases

OFTEN, SELDOM = 0.75, 0.15
"""Shares of runs with the shape of their world, and with one that their world has not."""
JITTER = 0.01
"""Standard deviation of planted jitter of ln RankMe."""
LEGS: dict[str, tuple[float, float, float]] = {
    "phases": (1.0, 0.6, 0.4),
    "dip": (1.0, 0.6, 0.0),
    "fall": (0.5, 0.0, 0.3),
}
POINTS = 36
STEPS: Floats = np.exp(np.linspace(0.0, np.log(2000.0), POINTS)).astype(np.float64)
PAIRED = ("bottleneck", "skew")
FAILS: dict[str, frozenset[str]] = {
    BOTH: frozenset(),
    SKEW: frozenset(),
    EVERY: frozenset({"uniform", "dip_uniform", "layer_untrained"}),
    REVERSED: frozenset({"phases", "uniform", "bottleneck", "skew", "dip_uniform", "memorises"}),
    NONE: frozenset(
        {"phases", "dip_skewed", "dip_unigrams", "memorises", "layer_exact", "layer_paired", "layer_belief"}
    ),
}
NEITHER: dict[str, frozenset[str]] = {
    SKEW: frozenset({"bottleneck"}),
    EVERY: frozenset(PAIRED),
    NONE: frozenset(PAIRED),
}
"""Where both runs have phases equally often: neither word would be right."""


def worlds(study: "RepresentationPhases") -> list[World]:
    """In each of five worlds, which claims hold is known."""
    return [_world(study, name) for name in FAILS]


def _world(study: "RepresentationPhases", name: str) -> World:
    named = claims(study)

    def right(claim: Claim) -> Word:
        short = claim.id.removeprefix(f"{STUDY}.").removesuffix("_bigram").removesuffix("_hidden")
        later = claim.decided_at != study.decided_at
        if later or short in NEITHER.get(name, ()):
            return "undecided"
        return "fails" if short in FAILS[name] else "holds"

    expected: dict[str, Word | None] = {one.id: right(one) for one in named}

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def shares(name: str, corner: Corner) -> tuple[float, float, float]:
    """Of a corner's runs: with all three legs, with a dip alone, with a fall alone."""
    target = corner == "skewed, tight"
    if name == EVERY or (name == REVERSED and not target) or (name in (BOTH, SKEW) and target):
        return OFTEN, 0.0, 1 - OFTEN
    if name == SKEW and corner == "skewed, wide":
        return OFTEN, 0.0, 1 - OFTEN
    if name != NONE and corner.startswith("skewed"):
        return SELDOM, OFTEN, 1 - OFTEN - SELDOM
    return SELDOM, 0.0, 1 - SELDOM


def path(legs: tuple[float, float, float], trough: float = 1 / 3, peak: float = 2 / 3) -> Floats:
    """(P,) ln RankMe that turns at these shares of the points, and is flat over the last of them."""
    ends = np.array([2.0, 2.0 - legs[0], 2.0 - legs[0] + legs[1], 2.0 - legs[0] + legs[1] - legs[2]])
    last = POINTS - 6
    return np.interp(np.arange(POINTS), [0, trough * last, peak * last, last], ends)


def planted(study: "RepresentationPhases", name: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw of a world."""
    runs = {}
    for family in study.families:
        for corner in CORNERS:
            kinds = rng.choice(["phases", "dip", "fall"], n, p=shares(name, corner))
            peaks = rng.uniform(0.5, 0.8, n)
            # in these worlds the moment of the bigrams is another run's, so that re-paired runs fit better
            moments = peaks if name in (BOTH, SKEW, EVERY) else 1.3 - peaks
            shapes = np.stack([path(LEGS[kind], 1 / 3, peak) for kind, peak in zip(kinds, peaks, strict=True)])
            rank: Floats = np.exp(shapes + JITTER * rng.standard_normal(shapes.shape))
            halves: Floats = np.stack([rank, rank], axis=1)
            divergence = np.stack([_divergence(moment, name, rng) for moment in moments])
            level: Floats = np.tile(np.array([0.6, 0.4, 0.2]), (n, 1))
            runs[family, corner] = Runs(STEPS, rank, rank, np.reciprocal(rank), halves, divergence, level)
    return Data(runs, {arm.name: _streams(study, name, rng, n) for arm in study.layers.arms})


def _divergence(moment: float, name: str, rng: np.random.Generator) -> Floats:
    """(4, P) of a run: the unigrams are near at the trough in OFTEN of them; the bigrams nearest at their moment."""
    last, points = POINTS - 6, np.arange(POINTS)
    near = rng.random() < (SELDOM if name == NONE else OFTEN)
    unigram = np.interp(points, [0, last / 4, POINTS - 1], [1.0, 0.02, 0.02]) if near else 1.0 + 0 * points
    bigram = np.interp(points, [0, moment * last, POINTS - 1], [0.4, 0.1, 0.25])
    bayes = np.interp(points, [0, last, POINTS - 1], [1.0, 0.1, 0.1])
    return np.stack([unigram, bigram, bigram, bayes])


def _streams(study: "RepresentationPhases", name: str, rng: np.random.Generator, n: int) -> Streams:
    """A run's collapse is over a block drawn at random, and its belief comes there in OFTEN of the runs of most worlds,
    else in another block; in the last world always in another."""
    depth = study.layers.depth

    def steps(together: float, gain: float) -> tuple[Floats, Floats]:
        drop, rise = 0.02 * rng.standard_normal((2, n, depth))
        first = rng.integers(depth, size=n)
        other = (first + rng.integers(1, depth, size=n)) % depth
        second = np.where(rng.random(n) < together, first, other)
        drop[np.arange(n), first] -= 1.0
        rise[np.arange(n), second] += gain
        start = np.zeros((n, 1))
        return tuple(np.cumsum(np.concatenate([start, one], axis=1), axis=1) for one in (drop, rise))  # type: ignore[return-value]

    none = name == NONE
    trained = steps(0.0 if none else OFTEN, 0.5)
    before = steps(OFTEN if name == EVERY else SELDOM, 0.2)
    gained = rng.random(n) < (SELDOM if none else OFTEN)
    before[1][~gained] += 0.6  # as much is known of the belief before training, from the embedding on
    return Streams(trained[0], trained[1], before[0], before[1], np.full((n, depth + 1), 0.05), np.zeros(n))
