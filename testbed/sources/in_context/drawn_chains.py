"""The mean entropy rate of chains drawn at random, and Bayes losses by enumeration: truths shared by these sources."""

import math
from collections.abc import Callable

import numpy as np

from testbed.core import Truth
from testbed.sources.sampled_truth import CHUNK_BYTES, TRUTH_SEED, law_entropies
from testbed.sources.source import Floats, Source, token_dtype
from testbed.sources.stationary import GTH_STATES, next_states, stationary_law

MAX_KERNELS = 2**14
MIN_KERNELS = 64
WORK_ENTRIES = 2**25
MAX_STRINGS = 2**12


def mean_rate(draw: Callable[[np.random.Generator, int], Floats], n_contexts: int, vocab_size: int) -> Truth:
    """E[h] over drawn chains, sampled: the mean of the exact rate sum_c pi(c) H(p(. | c)) of each of them.

    draw(rng, n) gives n chains (n, V^k, V); between 64 and 16384 are drawn, fewer the larger they are.
    """
    entries = n_contexts * max(n_contexts, vocab_size)
    n_kernels = int(np.clip(WORK_ENTRIES // entries, MIN_KERNELS, MAX_KERNELS))
    chunk = max(1, CHUNK_BYTES // (8 * entries))
    rng = np.random.Generator(np.random.Philox(TRUTH_SEED))
    rates = np.empty(n_kernels)
    for first in range(0, n_kernels, chunk):
        kernels = draw(rng, min(chunk, n_kernels - first))
        rates[first : first + chunk] = (stationary_laws(kernels) * law_entropies(kernels)).sum(axis=1)
    return Truth.sampled(rates.mean(), rates.std(ddof=1) / math.sqrt(n_kernels))


def dirichlet_rows(rng: np.random.Generator, concentration: float, shape: tuple[int, ...], vocab_size: int) -> Floats:
    """(*shape, V) independent symmetric Dirichlet laws. Every entry is positive, so that all chains are irreducible."""
    laws = rng.dirichlet(np.full(vocab_size, concentration), size=shape)
    laws = np.maximum(laws, np.finfo(np.float64).tiny)
    return laws / laws.sum(axis=-1, keepdims=True)


def stationary_laws(kernels: Floats) -> Floats:
    """(n, V^k) stationary laws of the chains (n, V^k, V): GTH elimination of all at once, or one by one if large."""
    n, n_contexts, vocab_size = kernels.shape
    if n_contexts > GTH_STATES:
        return np.stack([stationary_law(kernel) for kernel in kernels])
    a = np.zeros((n, n_contexts, n_contexts))
    at = np.arange(n)[:, None, None], np.arange(n_contexts)[:, None], next_states(n_contexts, vocab_size)
    np.add.at(a, at, kernels)
    for last in range(n_contexts - 1, 0, -1):
        a[:, :last, last] /= a[:, last, :last].sum(axis=1)[:, None]
        a[:, :last, :last] += a[:, :last, last, None] * a[:, last, None, :last]
    laws = np.ones((n, n_contexts))
    for state in range(1, n_contexts):
        laws[:, state] = np.einsum("ns,ns->n", laws[:, :state], a[:, :state, state])
    return laws / laws.sum(axis=1, keepdims=True)


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
