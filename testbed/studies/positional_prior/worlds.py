"""Planted worlds: excesses, best slopes and costs with the spread of real runs, through the same numbers and judge.

the matched prior wins    each prior is best on the lags of its shape, RoPE on the single lag; trained models have their
                          best slope a little above that of the exact read-out, which has its least Brier excess at
                          m = a; dropped blocks cost what they cost it, and on the single lag twice as much
the other prior wins      the orders are reversed; the best slope of trained models is the same for all exponents, and
                          that of the exact read-out m = 1 + a; dropped blocks cost twice what they cost the exact
                          read-out, and next to nothing on the single lag

Gaps at the length of training and spreads are about those of the eight replicates from 300 on, RoPE's spread and its
runs that stay half way on the single lag with them, so that calibration says how often claims of this size are decided.
Beyond training the gap of ALiBi and the harmonic bias on power laws is planted larger than it was there, where it was
near the claim's bound.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.positional_prior.claims import MATCHED, OTHER, STUDY, claims
from testbed.studies.positional_prior.config import ARMS, EXPONENTIAL, FALLING, SINGLE, Arm
from testbed.studies.positional_prior.data import Data, Exact, Floats, replicates_of
from testbed.studies.positional_prior.evidence import evidence

if TYPE_CHECKING:
    from testbed.studies.positional_prior.study import PositionalPrior

TOLD, TOLD_SINGLE = 0.2, 0.45
SHARED = 0.06
"""Noise of planted excesses that the arms of a replicate share; relative."""
OWN: dict[str, float] = {
    "nope": 0.02,
    "rope": 0.4,
    "alibi": 0.05,
    "harmonic": 0.07,
    "rope_harmonic": 0.1,
    "kerple_log": 0.12,
    "kerple_power": 0.2,
}
"""An arm's own; relative."""
FALLS = 0.02
"""Relative noise of falling priors on the single lag."""
STUCK, HALF_WAY = 0.25, (0.12, 0.5)
"""Share of runs of RoPE that stay half way on the single lag, and their excess within and beyond T."""
ABOVE, UNREAD = 0.13, {"alibi": 0.96, "harmonic": 1.01}
"""Best slope of trained models less that of the exact read-out; what the latter leaves unread of the single lag."""
DRAWN = (0.4, 0.1)
"""Relative spread of the cost of dropped blocks from draw to draw, at the flattest and at the steepest pi."""
POWER = {
    "nope": (15e-3, 33e-3),
    "rope": (1.45e-3, 40e-3),
    "alibi": (1.5e-3, 4e-3),
    "harmonic": (1.1e-3, 2.5e-3),
    "rope_harmonic": (1.1e-3, 2.3e-3),
    "kerple_log": (1.05e-3, 2.2e-3),
    "kerple_power": (1.15e-3, 2.2e-3),
}
EXPONENT = {
    "nope": (30e-3, 105e-3),
    "rope": (1.4e-3, 110e-3),
    "alibi": (1.15e-3, 1.6e-3),
    "harmonic": (4.2e-3, 13.5e-3),
    "rope_harmonic": (1.8e-3, 6e-3),
    "kerple_log": (2.9e-3, 10e-3),
    "kerple_power": (1.6e-3, 2.5e-3),
}
WORSE = 6.0
"""Times this is the excess beyond T on power laws in the other world."""


def worlds(study: "PositionalPrior") -> list[World]:
    """In each of two worlds, which claims hold is known."""
    return [_world(study, name) for name in (MATCHED, OTHER)]


def expected(study: "PositionalPrior", world: str) -> dict[str, Word | None]:
    """The right verdicts."""
    holds = world == MATCHED
    found: dict[str, Word | None] = {one.id: "holds" if holds else "fails" for one in claims(study)}
    found[f"{STUDY}.slope_tail"] = "fails" if holds else "holds"
    return found


def _world(study: "PositionalPrior", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected(study, name), draw)


def planted_excess(world: str, arm: Arm, source: str) -> tuple[float, float]:
    """At the length of training, and beyond it."""
    if source == SINGLE:
        if world == OTHER:
            return 0.03, 0.03
        return (2e-4, 0.2) if arm in ("rope", "rope_harmonic") else (0.425, 0.58)
    if world == MATCHED:
        return (EXPONENT if source == EXPONENTIAL else POWER)[arm]
    if arm in ("nope", "rope"):
        return 1.1e-3, 10e-3
    inside, beyond = (POWER if source == EXPONENTIAL else EXPONENT)[arm]
    return inside, beyond * (1.0 if source == EXPONENTIAL else WORSE)


def planted(study: "PositionalPrior", world: str, rng: np.random.Generator, n_replicates: int) -> Data:
    """The numbers of one draw of a world."""
    design, n = study.design, n_replicates
    length, rest = design.length, design.longest - design.length
    shared = np.exp(SHARED * rng.standard_normal((n, 1)))

    def noisy(values: Floats, own: float) -> Floats:
        return np.asarray(values * shared * np.exp(own * rng.standard_normal((n, 1))))

    curves: dict[tuple[str, str], Floats] = {}
    for source in design.names:
        for arm in ARMS:
            parts = np.repeat(np.array([planted_excess(world, arm, source)]), [length, rest], axis=1)
            falls = source == SINGLE and arm in FALLING
            curves[arm, source] = (
                parts * np.exp(FALLS * rng.standard_normal((n, 1))) if falls else noisy(parts, OWN[arm])
            )
            if source == SINGLE and not falls and world == MATCHED:
                stuck = rng.random((n, 1)) < STUCK
                curves[arm, source] += stuck * np.repeat(np.array([HALF_WAY]), [length, rest], axis=1)
    told = {source: np.full((n, design.longest), TOLD_SINGLE if source == SINGLE else TOLD) for source in design.names}
    slopes, sweep, exact = np.array(study.slopes.harmonic), {}, {}
    for source in design.names:
        place = design.powers.index(source) if source in design.powers else 0
        a = design.exponents[place]
        best = 0.8 + 0.75 * a
        exact[source] = Exact(best, a if world == MATCHED else 1.0 + a, UNREAD, {})
        if source in design.powers:
            where = (best + ABOVE if world == MATCHED else float(slopes.mean())) + 0.02 * rng.standard_normal((n, 1))
            sweep[source] = noisy(1e-3 + 5e-3 * (slopes[None] - where) ** 2, OWN["harmonic"])
    blocks = {source: _blocks(study, world, source, rng, n) for source in design.names}
    return Data(design, replicates_of(range(n)), curves, told, sweep, slopes, blocks, exact, {}, {}, np.zeros(1))


def _blocks(study: "PositionalPrior", world: str, source: str, rng: np.random.Generator, n: int) -> dict[str, Floats]:
    """Costs that rise with the power of pi, and vary with the blocks that are drawn."""
    share, same = np.linspace(0.2, 1.0, len(study.reading.powers))[None], np.ones((n, 1))
    drawn = np.exp(np.linspace(*DRAWN, len(study.reading.powers))[None] * rng.standard_normal(same.shape))
    ideal = (0.4 if source == SINGLE else 0.035) * share * drawn
    times = {True: 2.0 if world == MATCHED else 1e-3, False: 0.9 if world == MATCHED else 2.0}[source == SINGLE]
    return {
        "cost": times * ideal * np.exp(0.08 * rng.standard_normal(same.shape)),
        "ideal": ideal,
        "bound": 0.5 * share * same,
        "mass": 0.05 * share * same,
        "keys": 0.5 * share * same,
        "as_middle": 0.1 * share * same,
        "most": -0.01 * share * same,
    }
