"""The families of the horizon law: their sources, data, and the exact decay of entropies and correlations.

    copy         at each lag b = 1, 2, 4, .. b bits that are noisy copies alike, of drop d(b) / b each: h_n - h ~
                 n^-gamma at dyadic n, and kappa(b) ~ (2 d(b) / b)^(1/2) ~ b^-beta, beta = (gamma + 1) / 2. With one
                 bit a lag beta would be gamma / 2, and the law's loss D^-1, as that of any learner of a few parameters
    parity       noisy parities of a few degrees, without two-point correlation up to the longest context
    twin         copies at lags of these degrees, of the same noises: the same h_n to the last digit. Both are seen in
                 windows drawn apart: then a context and its law are as likely here as there, and what a table pays has
                 one law. (In one long stream copies come in bursts and parities go through all contexts in turn)
    mixture      copies from random lags (MTD), w_l ~ l^-(1 + a); exponents are read off its curves: over these n they
                 are not yet 1 + a and 1 + 2a
    renewal      gaps of survival n^-t: gamma near t, beta near t - 1; read off the curves
    hierarchy    last leaf of trees of the random hierarchy model, s = 2, rules drawn anew. Trees of a few levels show
                 no power law: h_n - h ends with the tree, and its local slopes differ by more than a half
    santa_fe     bits that belong to keys, drawn anew for each sequence: gamma = 1 - b, and beta = 0

Independent components of a source are learnt apart, each from a stream of its own, and their losses add: a learner that
knows which bits are which. Of components alike one is drawn and its loss counts for all: the same mean.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.sources import Source
from testbed.sources.hierarchical.random_hierarchy import RandomHierarchy
from testbed.sources.lags.linear_lag import LinearLagSource
from testbed.sources.lags.noisy_copy import NoisyCopySource
from testbed.sources.lags.noisy_xor import NoisyXorSource
from testbed.sources.lags.staircase import StaircaseSource
from testbed.sources.lags.staircase_design import PowerLaw, noise_of_drop, uncorrelated_taps
from testbed.sources.power_law.mixture_transition import MixtureTransitionSource
from testbed.sources.power_law.renewal import RenewalSource
from testbed.sources.power_law.santa_fe import SantaFeSource
from testbed.studies.memory_profile.config import Family, Horizon, NetworkFamily
from testbed.studies.memory_profile.exponents import leaf_correlations, linear_risks

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Tokens = NDArray[np.integer]
BURN = 2
"""Reaches of a mixture that its sequences run before they are looked at: they start cold."""


@dataclass(frozen=True, eq=False)
class Stream:
    """What one component gives a learner.

    contexts (D, m), targets (D,)   in the order in which they are seen, oldest token first
    tested (M, m), laws (M, V)      fresh contexts, and the exact law of the next token given all of the past
    """

    vocab_size: int
    contexts: Tokens
    targets: Tokens
    tested: Tokens
    laws: Floats

    @property
    def longest(self) -> int:
        return int(self.contexts.shape[1])


@dataclass(frozen=True, eq=False)
class Drawn:
    """One replicate of a family.

    missing (m + 1,)                h_n - h for n = 0 .. m, nats
    lags (K,), correlations (K,)    |kappa|
    alike                           components that each stream stands for; left out: one each
    """

    streams: list[Stream]
    missing: Floats
    lags: Integers
    correlations: Floats
    alike: tuple[int, ...] = ()

    @property
    def counts(self) -> tuple[int, ...]:
        return self.alike or (1,) * len(self.streams)


def drawn(family: Family, settings: Horizon, seed: int, run: int = 0) -> Drawn:
    """The source of a replicate, data of a run, and its exact curves."""
    return MADE[family](settings, _generator(family, seed), _generator(family, seed, run))


def whole_source(family: NetworkFamily, settings: Horizon, seed: int) -> Source:
    """The source of a replicate with all its components in one token, as a network sees it."""
    rng = _generator(family, seed)
    if family == "renewal":
        return _renewal_source(settings, rng)
    return StaircaseSource(
        lags=settings.parity_degrees,
        noises=(settings.parity_noise,) * len(settings.parity_degrees),
        correlation="off" if family == "parity" else "copy",
        horizon=settings.parity_window,
    )


def _generator(family: Family, *numbers: int) -> np.random.Generator:
    return np.random.default_rng([*b"horizon", *family.encode(), *numbers])


def _renewal_source(settings: Horizon, rng: np.random.Generator) -> RenewalSource:
    return RenewalSource(survival_exponent=float(rng.uniform(*settings.renewal_exponent)), max_gap=settings.renewal_gap)


def stream(
    source: Source, settings: Horizon, rng: np.random.Generator, longest: int, burn: int = 0, each: int | None = None
) -> Stream:
    """Targets at successive places of sequences, `each` in one (left out: m); tested contexts end sequences of their
    own."""
    seed, each = int(rng.integers(2**31)), longest if each is None else each
    n = settings.sizes[-1]
    tokens = np.asarray(source.sample(-(-n // each), burn + longest + each, seed=seed))[:, burn:]
    view = np.lib.stride_tricks.sliding_window_view(tokens, longest + 1, axis=1)
    flat = np.ascontiguousarray(view).reshape(-1, longest + 1)[:n]
    past = np.asarray(source.sample(settings.tested, burn + longest + 1, seed=seed + 1))
    laws = source.predict(past, positions=[burn + longest])[:, 0]
    return Stream(source.vocab_size, flat[:, :-1], flat[:, -1], past[:, burn:-1], laws)


def _missing(source: Source, longest: int) -> Floats:
    h = np.asarray(source.conditional_entropies(longest).value)
    return np.maximum(h - float(source.entropy_rate().value), 0.0)


def _copy(settings: Horizon, rng: np.random.Generator, data: np.random.Generator) -> Drawn:
    gamma = float(rng.uniform(*settings.copy_exponent))
    profile = PowerLaw(exponent=gamma, amplitude=settings.copy_amplitude, n_lags=settings.copy_lags)
    lags, drops = np.array(profile.lags), np.array(profile.drops)
    sources = [
        NoisyCopySource(lag=lag, noise=noise_of_drop(drop / lag))
        for lag, drop in zip(profile.lags, drops.tolist(), strict=True)
    ]
    longest = profile.lags[-1]
    kappa = np.array([float(np.asarray(one.two_point([one.lag]).value)[0]) for one in sources])
    missing = (lags > np.arange(longest + 1)[:, None]) @ drops
    streams = [stream(one, settings, data, longest) for one in sources]
    return Drawn(streams, missing, lags, np.abs(kappa), tuple(profile.lags))


def _parity(settings: Horizon, rng: np.random.Generator, data: np.random.Generator) -> Drawn:
    sources = [
        NoisyXorSource(taps=uncorrelated_taps(degree), noise=settings.parity_noise)
        for degree in settings.parity_degrees
    ]
    return _summed(sources, settings, data)


def _twin(settings: Horizon, rng: np.random.Generator, data: np.random.Generator) -> Drawn:
    sources = [NoisyCopySource(lag=degree, noise=settings.parity_noise) for degree in settings.parity_degrees]
    return _summed(sources, settings, data)


def _summed(sources: Sequence[LinearLagSource], settings: Horizon, data: np.random.Generator) -> Drawn:
    longest = settings.parity_window
    lags = np.arange(1, longest + 1)
    kappa = np.max([np.abs(np.asarray(one.two_point(lags.tolist()).value)) for one in sources], axis=0)
    missing = np.sum([_missing(one, longest) for one in sources], axis=0)
    return Drawn([stream(one, settings, data, longest, each=1) for one in sources], missing, lags, kappa)


def _mixture(settings: Horizon, rng: np.random.Generator, data: np.random.Generator) -> Drawn:
    a = float(rng.uniform(*settings.mixture_exponent))
    source = MixtureTransitionSource(
        vocab_size=2, n_lags=settings.mixture_reach, fresh=settings.mixture_fresh, lag_exponent=a
    )
    one = stream(source, settings, data, settings.longest, burn=BURN * settings.mixture_reach)
    lags = np.arange(1, settings.longest + 1)
    kappa = np.asarray(source.two_point(np.arange(settings.longest + 1).tolist()).value)
    return Drawn([one], linear_risks(kappa, one.tested, one.laws), lags, np.abs(kappa[1:]))


def _renewal(settings: Horizon, rng: np.random.Generator, data: np.random.Generator) -> Drawn:
    source = _renewal_source(settings, rng)
    one = stream(source, settings, data, settings.longest)
    lags = np.arange(1, settings.longest + 1)
    kappa = np.asarray(source.two_point(lags.tolist()).value)
    return Drawn([one], _missing(source, settings.longest), lags, np.abs(kappa))


def _hierarchy(settings: Horizon, rng: np.random.Generator, data: np.random.Generator) -> Drawn:
    source = RandomHierarchy(
        vocab_size=settings.tree_symbols,
        n_rules=settings.tree_rules,
        branching=2,
        depth=settings.tree_levels,
        seed=int(rng.integers(2**31)),
    )
    seed, longest = int(data.integers(2**31)), source.tree_length - 1
    trees = np.asarray(source.sample(settings.sizes[-1], longest + 1, seed=seed))
    past = np.asarray(source.sample(settings.tested, longest + 1, seed=seed + 1))
    laws = source.predict(past, positions=[longest])[:, 0]
    h = np.asarray(source.last_token_entropies(longest).value)
    one = Stream(source.vocab_size, trees[:, :-1], trees[:, -1], past[:, :-1], laws)
    return Drawn([one], h - h[-1], np.arange(1, longest + 1), leaf_correlations(source.tree))


def _santa_fe(settings: Horizon, rng: np.random.Generator, data: np.random.Generator) -> Drawn:
    source = SantaFeSource(n_keys=settings.keys, hilberg_exponent=settings.hilberg)
    one = stream(source, settings, data, settings.key_window)
    p = source.key_weights / source.key_weights.sum()
    same = float(p @ p) / 2  # of independent tokens; bits agree where keys do
    kappa = (float(p @ p) - same) / (1 - same)
    lags = np.arange(1, settings.key_window + 1)
    missing = np.asarray(source.conditional_entropies(settings.key_window).value) - float(source.entropy_rate().value)
    return Drawn([one], missing, lags, np.full(len(lags), kappa))


MADE: dict[Family, Callable[[Horizon, np.random.Generator, np.random.Generator], Drawn]] = {
    "copy": _copy,
    "parity": _parity,
    "twin": _twin,
    "mixture": _mixture,
    "renewal": _renewal,
    "hierarchy": _hierarchy,
    "santa_fe": _santa_fe,
}
