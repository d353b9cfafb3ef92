"""Planted worlds: curves of known exponents in place of measured ones, through the same numbers and judge.

Every excess is A D^(-alpha) times exp(0.15 z), z one normal number a replicate and curve, and exp(0.03 z')
for each entry.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.approximation_law.claims import BENT, DERIVED, OPPOSITE, STUDY, claims, evidence
from testbed.studies.approximation_law.config import LAG_LEARNERS, LEARNERS, NETWORKS, Learner
from testbed.studies.approximation_law.data import Curve, Data, Floats, replicates_of
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.approximation_law.study import ApproximationLaw

FAILS = {
    DERIVED: {"c6_noisy", "c6_informed", "c6_network_noise_free", "c6_network_noisy", "c7_intrinsic"},
    OPPOSITE: {"c6_noise_free", "c6_stone", "c7_grows", "c7_rate"},
    BENT: {"c6_network_falls", "c6_power_control", "c6_power_network"},
}
"""Claims that fail in a world; the others hold there, but in the bent one, where nothing is said of them."""


def worlds(study: "ApproximationLaw") -> list[World]:
    """One as the derivations say, one in which each is wrong, one without power laws."""
    return [_world(study, name) for name in FAILS]


def _world(study: "ApproximationLaw", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {}
    for one in named:
        fails = one.id.removeprefix(f"{STUDY}.") in FAILS[name]
        expected[one.id] = "fails" if fails else None if name == BENT else "holds"

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def exponent(name: str, learner: Learner, d: int) -> float:
    """alpha of a learner in a world."""
    if name == BENT:
        return 1.0
    if learner in ("nearest", "plane"):
        return 2.0 / d if name == DERIVED else 1.0 / (1.0 + 0.5 * d)
    if learner == "informed":
        return 1.0 if name == DERIVED else 4.0 / d
    return 4.0 / (4.0 + d) if name == DERIVED else 4.0 / d


def planted(study: "ApproximationLaw", name: str, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw of a world."""

    def noise(shape: tuple[int, ...]) -> Floats:
        shared = rng.standard_normal((shape[0], *(1 for _ in shape[1:])))
        return np.exp(0.15 * shared + 0.03 * rng.standard_normal(shape))

    curves: dict[Learner, dict[int, Curve]] = {}
    for learner in LEARNERS:
        curves[learner] = {}
        sizes = np.array(study.manifolds.sizes[learner], dtype=np.float64)
        x = np.log(sizes / sizes[0])
        for d in study.manifolds.dimensions_of(learner):
            bend = 0.4 * x * (x - x[-1]) if name == BENT else 0.0
            mean = 0.3 * np.exp(-exponent(name, learner, d) * x - bend)
            excess = mean * noise((n_replicates, len(sizes)))
            floor = np.full(n_replicates, 0.0 if learner not in NETWORKS else 1e-6 * mean[-1])
            curves[learner][d] = Curve(sizes, excess, floor, study.bounds.gate)
    lag = study.irrelevant
    lengths = np.array(lag.lengths, dtype=np.float64)
    counted = lag.max_lag * (lengths + 1.0) / (2.0 * lag.size)
    still = np.full(len(lengths), counted[0])
    grows = {one: (one != "selecting") == (name != OPPOSITE) for one in LAG_LEARNERS}
    lags: dict[str, Floats] = {}
    lags |= {one: (counted if grows[one] else still) * noise((n_replicates, len(lengths))) for one in LAG_LEARNERS}
    if name != OPPOSITE:
        lags["logistic"] = counted * np.exp(0.02 * rng.standard_normal((n_replicates, len(lengths))))
    rising = np.linspace(1.0, 3.0, len(lag.extra)) if name != OPPOSITE else np.ones(len(lag.extra))
    extra = 0.05 * rising * noise((n_replicates, len(lag.extra)))
    return Data(replicates_of(range(n_replicates)), study.bounds, curves, lags, extra, {})
