"""The mean entropy rate of chains drawn at random, and Bayes losses by enumeration: truths shared by these sources."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from testbed.core import Truth, UndefinedError
from testbed.sources.sampled_truth import CHUNK_BYTES, TRUTH_SEED, law_entropies
from testbed.sources.source import Floats, Source, token_dtype
from testbed.sources.stationary import (
    ELIMINATED_STATES,
    GTH_STATES,
    closed_classes,
    next_states,
    stationary_law,
)

Integers = NDArray[np.int64]
Trees = Callable[[int, int], NDArray[np.integer]]

MAX_KERNELS = 2**14
MIN_KERNELS = 64
WORK_ENTRIES = 2**25
MAX_STRINGS = 2**12
SPIKY = 0.1
"""V a below which chains are drawn with one row at work."""
SMALLEST = 1e-100


def mean_rate(vocab_size: int, n_contexts: int, concentration: float, trees: Trees | None = None) -> Truth:
    """E[h] over chains whose rows are independent Dirichlet(a, ..., a) laws, sampled: an unbiased mean over drawn
    chains of their exact rates h = sum_c pi(c) H(p(. | c)), or of terms with the same mean.

    trees(n, first) gives (n, V^k) which row the contexts of chains first .. first + n - 1 have; each has its own if
    left out. Between 64 and 16384 chains are drawn, fewer the larger they are. For small a nearly all chains are nearly
    deterministic and h is in a few rare ones; those are then drawn more often, see `_tilted`; refused beyond 128
    contexts.
    """
    entries = n_contexts * max(n_contexts, vocab_size)
    spiky = concentration * vocab_size < SPIKY
    if spiky and n_contexts > GTH_STATES:
        raise UndefinedError(
            f"E[h]: with {n_contexts} contexts and a concentration of {concentration:g} it is in chains too rare to be"
            f" drawn; known up to {GTH_STATES} contexts, or from concentration {SPIKY / vocab_size:g} on"
        )
    rate, work, least = (_tilted, WORK_ENTRIES // 8, 1024) if spiky else (_plain, WORK_ENTRIES, MIN_KERNELS)
    n_kernels = int(np.clip(work // entries, least, MAX_KERNELS))  # spiky: logarithms take long
    chunk = max(1, CHUNK_BYTES // (8 * entries))
    rng = np.random.Generator(np.random.Philox(TRUTH_SEED))
    rates = np.empty(n_kernels)
    for first in range(0, n_kernels, chunk):
        n = min(chunk, n_kernels - first)
        rows = np.broadcast_to(np.arange(n_contexts), (n, n_contexts)) if trees is None else trees(n, first)
        rates[first : first + n] = rate(rng, concentration, vocab_size, rows.astype(np.int64))
    return Truth.sampled(rates.mean(), rates.std(ddof=1) / math.sqrt(n_kernels))


def _plain(rng: np.random.Generator, concentration: float, vocab_size: int, rows: Integers) -> Floats:
    """(n,): h of drawn chains."""
    logs = _of_contexts(log_dirichlet_rows(rng, np.full((*rows.shape, vocab_size), concentration)), rows)
    return np.asarray(-(stationary_laws(logs)[..., None] * np.exp(logs) * logs).sum(axis=(1, 2)))


def _tilted(rng: np.random.Generator, concentration: float, vocab_size: int, rows: Integers) -> Floats:
    """(n,): terms whose mean is E[h], of chains in each of which one row has chance at work.

    H(p) = sum over x != y of p_x p_y f(p_x) with f(p) = -ln p / (1 - p), and p_x p_y times the density of
    Dirichlet(a, ..., a) is a / (V (V a + 1)) times that of the same law with a + 1 at x and y. So for a context c, x
    and y drawn uniformly, and the row of c from that law, the mean of

        V^k / (contexts with this row)  (V - 1) a / (V a + 1)  f(p_x)  pi(contexts with this row)      is E[h].
    """
    n, n_contexts = rows.shape
    each = np.arange(n)
    row = rows[each, rng.integers(n_contexts, size=n)]
    x = rng.integers(vocab_size, size=n)
    y = (x + rng.integers(1, vocab_size, size=n)) % vocab_size
    concentrations = np.full((n, n_contexts, vocab_size), concentration)
    concentrations[each, row, x] += 1.0
    concentrations[each, row, y] += 1.0
    logs = log_dirichlet_rows(rng, concentrations)
    laws = stationary_laws(_of_contexts(logs, rows))
    there = rows == row[:, None]
    chance = (laws * there).sum(axis=1) * n_contexts / there.sum(axis=1)
    log_p = np.minimum(logs[each, row, x], -1e-300)  # f(1) = 1
    weight = (vocab_size - 1) * concentration / (vocab_size * concentration + 1)
    return np.asarray(weight * chance * log_p / np.expm1(log_p))


def _of_contexts(logs: Floats, rows: Integers) -> Floats:
    return np.take_along_axis(logs, rows[:, :, None], axis=1)


def dirichlet_rows(rng: np.random.Generator, concentration: float, shape: tuple[int, ...], vocab_size: int) -> Floats:
    """(*shape, V) independent symmetric Dirichlet laws. Every entry is positive, so that all chains are irreducible."""
    laws = rng.dirichlet(np.full(vocab_size, concentration), size=shape)
    laws = np.maximum(laws, np.finfo(np.float64).tiny)
    return laws / laws.sum(axis=-1, keepdims=True)


def log_dirichlet_rows(rng: np.random.Generator, concentrations: Floats) -> Floats:
    """(..., V) logarithms of independent Dirichlet laws with these parameters (..., V), finite however small they are:
    a gamma variable of shape a is one of shape a + 1 times u^(1/a), u uniform (Stuart 1962)."""
    logs = np.log(rng.standard_gamma(concentrations + 1.0)) - rng.standard_exponential(concentrations.shape) / (
        concentrations
    )
    return np.asarray(logs - np.logaddexp.reduce(logs, axis=-1, keepdims=True))


def stationary_laws(log_kernels: Floats) -> Floats:
    """(n, V^k) stationary laws of the chains with logarithms (n, V^k, V), all finite, V^k > 1.

    GTH elimination (see `testbed.sources.stationary`) of all at once, on logarithms where float64 runs out of range;
    beyond 128 contexts one by one.
    """
    if log_kernels.shape[1] > GTH_STATES:
        return np.stack([_law_of_large(logs) for logs in log_kernels])
    laws, in_range = _eliminated(np.exp(log_kernels))
    if not in_range.all():
        laws[~in_range] = _eliminated_logs(log_kernels[~in_range])
    return laws


def _matrices(kernels: Floats, nothing: float) -> Floats:
    """(n, V^k, V^k) from (n, V^k, V), `nothing` where no token leads."""
    n, n_contexts, vocab_size = kernels.shape
    matrices = np.full((n, n_contexts, n_contexts), nothing)
    at = np.arange(n)[:, None, None], np.arange(n_contexts)[:, None], next_states(n_contexts, vocab_size)
    matrices[at] = kernels
    return matrices


def _eliminated(kernels: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Laws, and for which chains they can be relied on: what underflows (1e-308) is nothing beside any divisor."""
    a = _matrices(kernels, 0.0)
    n, n_contexts, _ = a.shape
    in_range = np.ones(n, dtype=np.bool_)
    laws = np.ones((n, n_contexts))
    with np.errstate(all="ignore"):
        for last in range(n_contexts - 1, 0, -1):
            leaves = a[:, last, :last].sum(axis=1)
            in_range &= leaves > SMALLEST
            a[:, :last, last] /= leaves[:, None]
            a[:, :last, :last] += a[:, :last, last, None] * a[:, last, None, :last]
        for state in range(1, n_contexts):
            laws[:, state] = np.einsum("ns,ns->n", laws[:, :state], a[:, :state, state])
        in_range &= laws.max(axis=1) < 1 / SMALLEST
        return laws / laws.sum(axis=1, keepdims=True), in_range


def _eliminated_logs(log_kernels: Floats) -> Floats:
    """The same on logarithms: sums and products of positive numbers are all that it takes."""
    a = _matrices(log_kernels, -np.inf)
    n, n_contexts, _ = a.shape
    laws = np.zeros((n, n_contexts))
    for last in range(n_contexts - 1, 0, -1):
        a[:, :last, last] -= np.logaddexp.reduce(a[:, last, :last], axis=1)[:, None]
        a[:, :last, :last] = np.logaddexp(a[:, :last, :last], a[:, :last, last, None] + a[:, last, None, :last])
    for state in range(1, n_contexts):
        laws[:, state] = np.logaddexp.reduce(laws[:, :state] + a[:, :state, state], axis=1)
    return np.asarray(np.exp(laws - np.logaddexp.reduce(laws, axis=1, keepdims=True)))


def _law_of_large(logs: Floats) -> Floats:
    """(V^k,) of one chain (V^k, V). Where transitions below 1e-12 hold it together, iterating does not see them."""
    kernel = np.exp(logs)
    if len(closed_classes(np.where(kernel > 1e-12, kernel, 0.0))) == 1:
        with np.errstate(all="ignore"):  # elimination may run out of range
            found = stationary_law(np.maximum(kernel, np.finfo(np.float64).tiny))
        if np.isfinite(found).all():
            return found
    if len(kernel) > ELIMINATED_STATES:
        raise UndefinedError(
            f"E[h]: chains of {len(kernel)} contexts that only transitions of probability below 1e-12 hold together are"
            f" solved up to {ELIMINATED_STATES} contexts; a larger concentration has none of them"
        )
    law: Floats = _eliminated_logs(logs[None])[0]
    return law


def enumerable(vocab_size: int, length: int) -> bool:
    """Whether all strings that a loss at position `length` - 1 depends on are few enough to be listed."""
    return vocab_size ** max(length - 1, 0) <= MAX_STRINGS


def enumerated_losses(source: Source, length: int) -> Truth:
    """(length,): Bayes loss of every position, exact: the sum of p(s) H(p(. | s)) over all strings s before it."""
    if length == 0:
        return Truth.exact(np.empty(0))
    numbers = np.arange(source.vocab_size ** (length - 1))
    strings = np.zeros((len(numbers), length), dtype=token_dtype(source.vocab_size))
    for t in range(length - 1):
        strings[:, t] = numbers // source.vocab_size**t % source.vocab_size
    probabilities = np.exp(source.log_probs(strings)[:, :-1].sum(axis=1))
    return Truth.exact(probabilities @ law_entropies(source.predict(strings)))
