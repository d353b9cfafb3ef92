"""What is computed at each cell: streams of a source before every estimator and coder, corrections, extrapolations."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.measures.entropy import ESTIMATORS, entropy_profiles
from testbed.measures.entropy.upper_bounds import Extrapolation, coding_rate, extrapolate
from testbed.predictors.back_off import back_off_code_lengths
from testbed.predictors.context_tree import context_tree_weighting
from testbed.sources import Source
from testbed.sources.randomness import derive_seed
from testbed.studies.estimator_court.config import Correction, Extrapolated, Probe, Streams
from testbed.studies.tables import Floats

CODERS = {"context-tree weighting": context_tree_weighting, "back-off": back_off_code_lengths}
NAMES = tuple(ESTIMATORS)
BASIS = "chao_wang_jost"
"""Whose h_k are extrapolated over the trusted orders."""
FEWEST_ORDERS = 4
"""Points that an extrapolation needs."""


def measured(probe: Probe) -> dict[str, Floats]:
    """The arrays of a cell; its tokens depend on arm, length and the numbers of the streams alone."""
    if isinstance(probe.settings, Streams):
        return stream_arrays(probe.settings, probe.arm, probe.first)
    if isinstance(probe.settings, Correction):
        return correction_arrays(probe.settings, probe.arm, probe.first)
    return extrapolated_arrays(probe.settings, probe.arm, probe.first)


def stream(source: Source, arm: str, n_tokens: int, number: int) -> NDArray[Any]:
    """Stream `number` of an arm; arms and lengths share no random numbers."""
    seed = derive_seed(0, arm, n_tokens)
    return np.ascontiguousarray(source.sample(1, n_tokens, seed=seed, first_sequence=number)[0])


# ------------------------------------------------------------------------------------------------------------ streams
def stream_arrays(settings: Streams, arm: str, first: int) -> dict[str, Floats]:
    """Arrays of R streams, E estimators (`NAMES`), orders 0 .. K, C coders (`CODERS`); nan where not asked for:

    truth, rate       (K + 1,), (): h_k and h
    estimates         (R, E, K + 1)
    half              (R, E, K + 1) half-widths of the intervals
    deficit, trust    (R, K + 1), (R,): coverage deficit and trust limit
    coded             (R, C) nats a token that the coders needed
    bayes             (R,) what the exact law given the whole past needs; on average at least h
    limit, curved     (R, C) where their rates seem to go, and whether those points determine that
    order_limit       (R,) where h_k of the trusted orders seem to go
    """
    chosen, size = settings.source, settings.size
    source, orders = chosen.source, chosen.max_order
    rows: dict[str, list[Any]] = {name: [] for name in ("estimates", "half", "deficit", "trust", "order_limit")}
    rows |= {name: [] for name in ("coded", "limit", "curved", "bayes")}
    for number in range(first, first + size.replicates):
        interval = "jackknife" if number - first < size.n_intervals else "none"
        tokens = stream(source, arm, size.n_tokens, number)
        profiles = entropy_profiles(tokens, orders, NAMES, source.vocab_size, interval, size.blocks)
        rows["estimates"].append([one.values for one in profiles])
        rows["half"].append([(one.upper - one.lower) / 2 for one in profiles])
        rows["deficit"].append(profiles[0].coverage_deficit)
        rows["trust"].append(profiles[0].trust_limit)
        rows["order_limit"].append(_order_limit(profiles[NAMES.index(BASIS)].values, profiles[0].trust_limit))
        for name, values in zip(("coded", "limit", "curved"), _coded(settings, tokens), strict=True):
            rows[name].append(values)
        rows["bayes"].append(-float(source.log_probs(tokens[None]).mean()) if size.coders else np.nan)
    truth = source.conditional_entropies(orders)
    if truth.kind != "exact":
        raise ValueError(f"{chosen.label}: h_k are of kind {truth.kind}, need exact ones")
    return {
        "truth": np.asarray(truth.value, dtype=np.float64),
        "rate": np.array(float(source.entropy_rate().value)),
        **{name: np.array(values, dtype=np.float64) for name, values in rows.items()},
    }


def _order_limit(values: Floats, trusted: int) -> float:
    if trusted + 1 < FEWEST_ORDERS:
        return np.nan
    return extrapolate(np.arange(1, trusted + 2), values[: trusted + 1]).limit


def _coded(settings: Streams, tokens: NDArray[Any]) -> tuple[list[float], list[float], list[float]]:
    if not settings.size.coders:
        nothing = [np.nan] * len(CODERS)
        return nothing, nothing, nothing
    rates, found = [], []
    for coder in CODERS.values():
        coded = coding_rate(tokens, settings.source.source.vocab_size, settings.source.depth, coder)
        rates.append(coded.rate)
        found.append(extrapolate(coded.lengths, coded.rates))
    return rates, [one.limit for one in found], [float(one.determined) for one in found]


# --------------------------------------------------------------------------------------------------------- corrections
def correction_arrays(settings: Correction, arm: str, first: int) -> dict[str, Floats]:
    """Errors of h_k in units of the bias of first order, (S_(k+1) - S_k) / 2N for S_j grams of j tokens:

    plug_in, corrected    (R,) estimate less h_k, by plug-in and by Miller and Madow
    rarest                () expected count of the rarest (k + 1)-gram
    factor                () what dependence makes of the bias of first order; 1 where k tokens are all the memory

    From each estimate the mean of -ln p(token | k before it) over the same windows is taken, whose expectation is h_k
    exactly: what the stream has drawn by chance is in both, so that the difference is the bias with little noise.
    """
    source, k, size = settings.source, settings.order, settings.source.vocab_size
    longer, shorter = word_log_probs(source, k + 1), word_log_probs(source, k)
    given = longer - np.repeat(shorter, size)  # ln p(token | k before it), by the word's number in base V
    found = []
    for number in range(first, first + settings.replicates):
        tokens = stream(source, arm, settings.n_tokens, number)
        profiles = entropy_profiles(tokens, k, ["plug_in", "miller_madow"], source.vocab_size, "none")
        words = np.zeros(len(tokens) - k, dtype=np.int64)
        for i in range(k + 1):
            words = words * size + tokens[i : len(tokens) - k + i]
        realised = -float(given[words].mean())
        found.append([one.values[k] - realised for one in profiles])
    unit = (size ** (k + 1) - size**k) / (2.0 * (settings.n_tokens - k))
    plug_in, corrected = np.array(found).T / unit
    return {
        "plug_in": plug_in,
        "corrected": corrected,
        "rarest": np.array(settings.n_tokens * np.exp(longer.min())),
        "factor": np.array(dependence_factor(source) if settings.role == "dependent" else 1.0),
    }


def word_log_probs(source: Source, length: int) -> Floats:
    """(V^length,): ln of the probability of every word, numbered in base V with the oldest token first."""
    if length == 0:
        return np.zeros(1)
    words = np.indices((source.vocab_size,) * length).reshape(length, -1).T
    return np.asarray(source.log_probs(np.ascontiguousarray(words).astype(np.uint16)).sum(axis=1))


def dependence_factor(source: Source) -> float:
    """By what plug-in's bias of h_0 is larger than (V - 1) / 2N on a chain of order 1 with transitions P:

        sum_x s_x / p_x / (V - 1),    s_x = N var(frequency of x) = p_x (1 - p_x) + 2 sum_(m >= 1) (p_x P^m_xx - p_x^2)

    since the bias of second order is -1/2 sum_x var(frequency of x) / p_x. For two states of eigenvalue l it is
    (1 + l) / (1 - l). The sum over m of P^m_xx - p_x is Z_xx - 1, Z = (I - P + 1 p)^-1 (Kemeny & Snell 1960).
    """
    size = source.vocab_size
    pairs = np.stack([np.arange(size), np.zeros(size, dtype=np.int64)], axis=1).astype(np.uint16)
    transitions = np.asarray(source.predict(pairs)[:, 1], dtype=np.float64)
    system = np.vstack([transitions.T - np.eye(size), np.ones(size)])
    law = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0]
    potential = np.linalg.inv(np.eye(size) - transitions + law)
    variance = law * (1 - law) + 2 * law * (np.diag(potential) - 1.0)
    return float((variance / law).sum() / (size - 1))


# ------------------------------------------------------------------------------------------------------ extrapolations
def extrapolated_arrays(settings: Extrapolated, arm: str, first: int) -> dict[str, Floats]:
    """The ansatz on exact numbers, and on coded streams:

    rate, limit, exponent, determined    () h, and what is fitted to H(n) / n
    lengths, blocks                      (P,) n, H(n) / n
    coded, coded_limit                   (R,) rate of each stream by back-off of depth 0, and where its rates go
    """
    source = settings.source
    lengths = np.unique(np.geomspace(settings.first, settings.last, settings.points).round().astype(np.int64))
    blocks = np.asarray(source.block_entropies(settings.last).value)[lengths - 1] / lengths
    found: Extrapolation = extrapolate(lengths, blocks)
    coded, limits = [], []
    for number in range(first, first + settings.replicates):
        tokens = stream(source, arm, settings.n_tokens, number)
        rates = coding_rate(tokens, source.vocab_size, 0, back_off_code_lengths)
        coded.append(rates.rate)
        limits.append(extrapolate(rates.lengths, rates.rates).limit)
    return {
        "rate": np.array(float(source.entropy_rate().value)),
        "limit": np.array(found.limit),
        "exponent": np.array(found.exponent),
        "determined": np.array(float(found.determined)),
        "lengths": lengths.astype(np.float64),
        "blocks": blocks,
        "coded": np.array(coded, dtype=np.float64),
        "coded_limit": np.array(limits, dtype=np.float64),
    }
