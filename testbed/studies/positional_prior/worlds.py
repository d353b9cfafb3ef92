"""Planted worlds: excesses, best slopes and costs of known size, through the same numbers and judge.

the matched prior wins    each prior is best on the lags of its shape, RoPE on the single lag; best slopes are those of
                          the exact read-out, which has its least Brier excess at m = a; dropped blocks cost what they
                          cost it, and on the single lag nearly everything
no prior matters          all arms have the same excess everywhere, far from small; the best slope of trained models is
                          the same for all exponents, and that of the exact read-out m = 1 + a; dropped blocks cost more
                          than the bound on tails, and next to nothing on the single lag

What is planted lies well clear of the bounds, so that the worlds try the judge's words and not its power for gaps of a
few times 1e-4 nats; runs of RoPE that stay half way on the single lag are not planted either.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.positional_prior.claims import MATCHED, STUDY, USELESS, claims
from testbed.studies.positional_prior.config import ARMS, EXPONENTIAL, SINGLE, Arm
from testbed.studies.positional_prior.data import Data, Exact, Floats, replicates_of
from testbed.studies.positional_prior.evidence import evidence

if TYPE_CHECKING:
    from testbed.studies.positional_prior.study import PositionalPrior

TOLD, TOLD_SINGLE = 0.2, 0.45
SHARED, OWN = 0.1, 5e-4
"""Noise of planted excesses: of a replicate, shared by its arms, and an arm's own; relative."""


def worlds(study: "PositionalPrior") -> list[World]:
    """In each of two worlds, which claims hold is known."""
    return [_world(study, name) for name in (MATCHED, USELESS)]


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
    if world == USELESS:
        return 0.03, 0.03
    if source == SINGLE:
        return (5e-4, 0.3) if arm in ("rope", "rope_harmonic") else (0.42, 0.6)
    fits = {"alibi", "kerple_power"} if source == EXPONENTIAL else {"harmonic", "kerple_log", "rope_harmonic"}
    if arm in fits:
        return 1e-3, 2e-3
    return (4e-3, 0.05) if arm in ("rope", "nope") else (4e-3, 8e-3)


def planted(study: "PositionalPrior", world: str, rng: np.random.Generator, n_replicates: int) -> Data:
    """The numbers of one draw of a world."""
    design, n = study.design, n_replicates
    length, rest = design.length, design.longest - design.length
    shared = np.exp(SHARED * rng.standard_normal((n, 1)))

    def noisy(values: Floats, own: float = OWN) -> Floats:
        return np.asarray(values * shared * (1 + own * rng.standard_normal((n, 1))))

    curves: dict[tuple[str, str], Floats] = {}
    for source in design.names:
        for arm in ARMS:
            inside, beyond = planted_excess(world, arm, source)
            curves[arm, source] = noisy(np.repeat([inside, beyond], [length, rest])[None])
    told = {source: np.full((n, design.longest), TOLD_SINGLE if source == SINGLE else TOLD) for source in design.names}
    slopes, sweep, exact = np.array(study.slopes.harmonic), {}, {}
    for source in design.names:
        place = design.powers.index(source) if source in design.powers else 0
        a = design.exponents[place]
        best = 0.8 + 0.75 * a
        brier = a if world == MATCHED else 1.0 + a
        exact[source] = Exact({"harmonic": best, "alibi": 0.3}, {"harmonic": brier, "alibi": 0.3}, {})
        if source in design.powers:
            where = (best if world == MATCHED else float(slopes.mean())) + 0.02 * rng.standard_normal((n, 1))
            sweep[source] = noisy(1e-3 + 5e-3 * (slopes[None] - where) ** 2)
    blocks = {source: _blocks(study, world, source, noisy, n) for source in design.names}
    return Data(design, replicates_of(range(n)), curves, told, sweep, slopes, blocks, exact, {}, {}, np.zeros(1))


def _blocks(
    study: "PositionalPrior", world: str, source: str, noisy: Callable[..., Floats], n: int
) -> dict[str, Floats]:
    """Bounds that rise with the power of pi; costs a tenth of them, or more than they are."""
    share = np.linspace(0.2, 1.0, len(study.reading.powers))[None]
    bound = 0.1 * share
    if source == SINGLE:
        cost = share if world == MATCHED else 1e-3 * share
        ideal, bound = 0.4 * share, 1.2 * share
    else:
        cost, ideal = (0.1 if world == MATCHED else 1.5) * bound, 0.1 * bound
    same = np.ones((n, 1))
    return {
        "cost": noisy(cost, 0.05),
        "ideal": noisy(ideal),
        "bound": bound * same,
        "mass": 0.05 * share * same,
        "keys": 0.5 * share * same,
        "as_middle": 0.1 * share * same,
        "most": -0.01 * share * same,
    }
