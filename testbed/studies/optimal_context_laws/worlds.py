"""Planted worlds: an excess of a known form in place of every learner's, on the arms' own h_l - h.

    each law at home    tables pay 2^l / (2 D), regressions and blunt distances p l / (2 D); sharp distances, keys and
                        pairs lose only what is too rare; trees and screened lags pay nothing for length
    laws exchanged      tables pay by the lag, everything else by the context or far too much by the lag
    no optimum          a negligible excess at every l and D

The right verdict of a claim is the one of its number without noise, where that is clear of its region's end by three
tenths of it; elsewhere any will do.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from testbed.sources.bits import LN2, binary_entropy
from testbed.sources.parity.sparse_parity import SparseParitySource
from testbed.studies.judge import Claim, Evidence, Region, World
from testbed.studies.judge.claim import Word
from testbed.studies.optimal_context_laws.claims import ENDLESS, SWAPPED, THEORY, claims
from testbed.studies.optimal_context_laws.data import Data, Floats
from testbed.studies.optimal_context_laws.evidence import evidence
from testbed.studies.optimal_context_laws.laws import named_lengths
from testbed.studies.optimal_context_laws.measure import distances, geometric_lengths, pair_lengths
from testbed.studies.optimal_context_laws.statements import BLUNT, KEYS, PAIRS, SHARP, TABLE, lag_arm, short_arm

if TYPE_CHECKING:
    from testbed.studies.optimal_context_laws.study import OptimalContextLaws

SHARED, OWN = 0.1, 0.03
"""Standard deviation of ln excess over replicates: in common to all l of a size, and of each alone."""
CLEAR = 0.3
MOST = 0.7  # nats, of any excess
RATIO = 0.6  # by which h_l - h falls on the planted tables' source


def worlds(study: "OptimalContextLaws") -> list[World]:
    """One in which every law holds at home, one in which the laws are exchanged, one without an optimum."""
    return [_world(study, name) for name in (THEORY, SWAPPED, ENDLESS)]


def _world(study: "OptimalContextLaws", name: str) -> World:
    named = claims(study)
    quiet = evidence(study, planted(study, name, None, 8))
    expected: dict[str, Word | None] = {one.id: clear_word(one.region, quiet[one.id].estimate) for one in named}

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def clear_word(region: Region, value: float) -> Word | None:
    """The right verdict on a number known without error; None near an end of the region."""
    if region.two_ended:
        middle, half = (region.lower + region.upper) / 2, (region.upper - region.lower) / 2
        return clear_word(Region(upper=half), abs(value - middle))
    end = region.upper if np.isfinite(region.upper) else region.lower
    if abs(value - end) <= CLEAR * abs(end):
        return None
    return "holds" if region.contains(value, value) else "fails"


def planted(study: "OptimalContextLaws", name: str, rng: np.random.Generator | None, n_replicates: int) -> Data:
    """The arrays of one draw; without a generator, without noise."""
    arms = {}
    for arm, (facts, excesses) in _arms(study, name).items():
        held = {key: np.broadcast_to(values, (n_replicates, *values.shape)) for key, values in facts.items()}
        for key, values in excesses.items():
            shape = (n_replicates, *values.shape)
            factor = np.ones(shape)
            if rng is not None:
                factor = np.exp(SHARED * rng.standard_normal((*shape[:2], 1)) + OWN * rng.standard_normal(shape))
            held[key] = values * factor
        arms[arm] = held
    return Data(range(n_replicates), arms, {arm: settings.sizes for arm, settings in study.arms.items()})


@lru_cache(maxsize=8)
def _arms(study: "OptimalContextLaws", name: str) -> dict[str, tuple[dict[str, Floats], dict[str, Floats]]]:
    """For each arm its facts and its planted excesses, as `measure.measured` names them."""
    found = {TABLE: _table(study, name)}
    for beta in study.lags.exponents:
        found[lag_arm(beta)] = _lags(study, name, beta, None)
    found[short_arm()] = _lags(study, name, study.lags.middle, study.lags.reach)
    for arm, noise in ((BLUNT, study.distance.blunt), (SHARP, study.distance.sharp)):
        found[arm] = _distance(study, name, arm, noise)
    found[KEYS], found[PAIRS] = _keys(study, name), _pairs(study, name)
    return found


def _sizes(sizes: tuple[int, ...]) -> Floats:
    return np.array(sizes, dtype=np.float64)[:, None]


def by_context(lengths: Floats, sizes: tuple[int, ...], scale: float = 1.0) -> Floats:
    """2^l / (2 D), bounded."""
    return np.asarray(np.minimum(scale * 2.0 ** np.minimum(lengths, 60.0) / (2.0 * _sizes(sizes)), MOST))


def by_lag(lengths: Floats, sizes: tuple[int, ...], per_token: float = 1.0) -> Floats:
    """p (l + 1) / (2 D)."""
    return np.asarray(per_token * (lengths + 1.0) / (2.0 * _sizes(sizes)))


def up_to(missing: Floats, lengths: Floats, farthest: Floats, sizes: tuple[int, ...]) -> Floats:
    """What is lost by using no more than the nearest `farthest` (n_sizes,) tokens, and one number."""
    used = np.minimum(lengths.astype(np.int64), farthest[:, None].astype(np.int64))
    return np.asarray(missing[used] - missing[lengths.astype(np.int64)] + 1.0 / (2.0 * _sizes(sizes)))


def _nothing(lengths: Floats, sizes: tuple[int, ...]) -> Floats:
    return np.full((len(sizes), len(lengths)), 1e-7)


def _facts(missing: Floats, lengths: Floats, named: dict[str, Floats]) -> dict[str, Floats]:
    at = lengths.astype(np.int64)
    return {"lengths": lengths, "missing": missing[at]} | {f"law_{law}": l for law, l in named.items()}


def _table(study: "OptimalContextLaws", name: str) -> tuple[dict[str, Floats], dict[str, Floats]]:
    one = study.table
    lengths: Floats = np.arange(one.longest + 1.0)
    depths = np.array(one.depths, dtype=np.float64)
    missing = 0.12 * RATIO**lengths
    lags = lengths[1:]
    sizes = _sizes(one.sizes)[:, 0]
    facts = _facts(missing, lengths, named_lengths(missing, 0.36 * 0.93**lags, 2.0**-lags, 1.0, 1.0, sizes))
    facts |= {"depths": depths, "tree_missing": missing[depths.astype(int)], "rate_of_decay": np.array(RATIO)}
    tree_sizes = tuple(n for n in one.sizes if n <= one.tree_size)
    flat = np.repeat(1.0 / _sizes(tree_sizes), len(depths), axis=1)
    if name == THEORY:
        return facts, {"excess": by_context(lengths, one.sizes), "tree": flat}
    if name == SWAPPED:
        return facts, {"excess": by_lag(lengths, one.sizes, 0.1), "tree": by_context(depths, tree_sizes)}
    return facts, {"excess": _nothing(lengths, one.sizes), "tree": _nothing(depths, tree_sizes)}


def _lags(
    study: "OptimalContextLaws", name: str, beta: float, reach: int | None
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    one = study.lags
    weights = one.amplitude * np.arange(1.0, one.n_lags + 1) ** -beta
    if reach is not None:
        weights[reach:] = 0.0
    missing = np.append(np.cumsum((weights**2 / 8)[::-1])[::-1], 0.0)[: one.longest + 1]
    lengths = geometric_lengths(one.longest).astype(np.float64)
    named = named_lengths(missing, weights[: one.longest] / 2, np.ones(one.longest), 1.0, 1.0, _sizes(one.sizes)[:, 0])
    facts = _facts(missing, lengths, named)
    plain = by_lag(lengths, one.sizes)
    if name == THEORY:
        screened = up_to(missing, lengths, named["horizon"], one.sizes)
        return facts, {"excess": plain, "visible": plain, "screened": screened}
    if name == SWAPPED:
        wrong = by_context(lengths, one.sizes, 4.0)
        if reach is not None:
            wrong = 4.0 * plain + 0.2 * (lengths <= reach)
        return facts, {"excess": wrong, "visible": plain / 4, "screened": 4.0 * plain}
    nothing = _nothing(lengths, one.sizes)
    return facts, {"excess": nothing, "visible": nothing, "screened": nothing}


def _distance(
    study: "OptimalContextLaws", name: str, arm: str, noise: float
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    one = study.distance
    q = distances(one)
    gap = LN2 - float(binary_entropy(noise))
    missing = gap * np.append(1.0, np.maximum(1.0 - np.cumsum(q), 0.0))
    lengths = geometric_lengths(one.longest).astype(np.float64)
    sizes = _sizes(one.sizes)[:, 0]
    seen = slice(0, one.longest)
    named = named_lengths(missing[: one.longest + 1], (1 - 2 * noise) * q[seen], q[seen], 2.0, 1.0, sizes)
    joint = np.arange(one.joint_longest + 1.0)
    joint_sizes = tuple(n for n in one.sizes if n <= one.joint_size)
    facts = _facts(missing, lengths, named)
    facts |= {"joint_lengths": joint, "joint_missing": missing[joint.astype(int)]}
    if name == ENDLESS:
        return facts, {"excess": _nothing(lengths, one.sizes), "joint": _nothing(joint, joint_sizes)}
    if name == SWAPPED:
        wrong = by_context(lengths, one.sizes) if arm == BLUNT else by_lag(lengths, one.sizes, 2000.0)
        return facts, {"excess": wrong, "joint": by_lag(joint, joint_sizes)}
    own = by_lag(lengths, one.sizes, 2.0) if arm == BLUNT else up_to(missing, lengths, named["quanta"], one.sizes)
    return facts, {"excess": own, "joint": by_context(joint, joint_sizes, 50.0)}


def _keys(study: "OptimalContextLaws", name: str) -> tuple[dict[str, Floats], dict[str, Floats]]:
    one = study.keys
    missing: Floats = LN2 * np.power(1.0 + np.arange(2**16 + 1), one.hilberg_exponent - 1.0)
    ages = -np.diff(missing)[: one.longest] / LN2
    lengths = geometric_lengths(one.longest).astype(np.float64)
    sizes = _sizes(one.sizes)[:, 0]
    named = named_lengths(missing[: one.longest + 1], np.ones(one.longest), ages, 1.0, 1.0, sizes)
    facts = _facts(missing, lengths, named)
    if name == THEORY:
        return facts, {"excess": up_to(missing, lengths, named["quanta"], one.sizes)}
    return facts, {"excess": by_lag(lengths, one.sizes, 2000.0) if name == SWAPPED else _nothing(lengths, one.sizes)}


def _pairs(study: "OptimalContextLaws", name: str) -> tuple[dict[str, Floats], dict[str, Floats]]:
    one = study.pairs
    missing = np.asarray(SparseParitySource(variant="B").conditional_entropies(one.longest).value)
    missing = np.maximum(missing - missing[-1], 0.0)
    frequencies = -np.diff(missing) / LN2 / 2
    lengths = pair_lengths(one.longest).astype(np.float64)
    threshold = float(np.log2(one.longest * (one.longest - 1) / 2))
    named = named_lengths(missing, np.zeros(one.longest), frequencies, 1.0, threshold, _sizes(one.sizes)[:, 0])
    facts = _facts(missing, lengths, named)
    if name == THEORY:
        own = up_to(missing, lengths, named["quanta"], one.sizes)
        return facts, {"excess": own + 0.1 * np.maximum(lengths - named["quanta"][:, None], 0.0) / one.longest}
    return facts, {"excess": by_context(lengths, one.sizes, 1e-9) if name == SWAPPED else _nothing(lengths, one.sizes)}
