"""The sources of a replicate: chains whose unigrams are Zipf or uniform exactly, with a wanted amount of information.

    p(i, j) = u_i exp(a z_ij) v_j,      z = sum_k c_k x_ik y_jk with x, y standard normal

u and v are found by Sinkhorn's iteration so that both margins are as wanted, and a by bisection so that the mutual
information of p is. Of a chain of order 1 both margins are the unigram law, which is thereby stationary; of a hidden
chain the states' law is uniform, and the tokens' is the unigram law. What a token tells is thus the same in all corners
of the 2 x 2: a skewed source is not one with less to learn.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources import Source
from testbed.sources.hidden.hidden_markov import HiddenMarkovSource
from testbed.sources.markov import MarkovSource
from testbed.studies.representation_phases.config import Corner, Family, FamilyName, LayerArm

Floats = NDArray[np.float64]

SWEEPS, ROUNDING, HALVINGS, LARGEST = 10_000, 1e-9, 16, 64.0
"""Of Sinkhorn's iteration, at most; relative error of a margin at which it ends; of the bisection; the largest a."""


def zipf(vocab_size: int, exponent: float) -> Floats:
    """p_i ~ i^-s: the harmonic law at s = 1, uniform at 0."""
    weights = np.arange(1, vocab_size + 1.0) ** -exponent
    return np.asarray(weights / weights.sum())


def mutual_information(joint: Floats) -> float:
    """I of a joint law (m, n), nats."""
    independent = joint.sum(axis=1)[:, None] * joint.sum(axis=0)
    seen = joint > 0
    return float(np.sum(joint[seen] * np.log(joint[seen] / independent[seen])))


def coupled(interaction: Floats, strength: float, left: Floats, right: Floats, start: Floats | None = None) -> Floats:
    """(m, n) joint law ~ u_i exp(a z_ij) v_j with margins left (m,), exactly, and right (n,) to rounding.

    start   (n,) a first v, which is overwritten with the last one
    """
    kernel = np.exp(strength * (interaction - interaction.max()))
    v = np.ones(len(right)) if start is None else start
    for _ in range(SWEEPS):
        u = left / (kernel @ v)
        change = right / (u @ kernel) / v
        v *= change
        if np.ptp(change) < ROUNDING * change.max():
            break
    return np.asarray(kernel * (left / (kernel @ v))[:, None] * v)


def informative(interaction: Floats, left: Floats, right: Floats, information: float) -> Floats:
    """The joint law of these margins whose mutual information is as wanted.

    Raises ConfigError where it cannot be reached.
    """
    z, v = interaction / interaction.std(), np.ones(len(right))
    low, high = 0.0, 1.0
    while mutual_information(coupled(z, high, left, right, v)) < information:
        low, high = high, 2 * high
        if high > LARGEST:
            raise ConfigError(
                f"information: given {information} nats, out of reach for {len(left)} and {len(right)} values"
            )
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if mutual_information(coupled(z, middle, left, right, v)) < information:
            low = middle
        else:
            high = middle
    return coupled(z, high, left, right, v)


def _normal(m: int, n: int, decay: float, rng: np.random.Generator) -> Floats:
    """z of falling coefficients c_k ~ k^-decay, so that a narrow network can learn a part of it."""
    rank = min(m, n)
    coefficients = np.arange(1, rank + 1.0) ** -decay
    return np.asarray((rng.standard_normal((m, rank)) * coefficients) @ rng.standard_normal((n, rank)).T)


@lru_cache(maxsize=4096)
def _moves(n_states: int, memory: float, seed: int) -> Floats:
    """Joint law of successive states, the same for every vocabulary."""
    rng = np.random.Generator(np.random.Philox(key=[seed, 1]))
    states = np.full(n_states, 1.0 / n_states)
    return informative(_normal(n_states, n_states, 0.0, rng), states, states, memory)


def rows(joint: Floats) -> Floats:
    """p(j | i)."""
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def law_of(family: Family, name: FamilyName, corner: Corner, exponent: float, seed: int) -> Source:
    """The source of a replicate in a corner; corners of one vocabulary share the interactions z."""
    exponent = exponent if corner.startswith("skewed") else 0.0
    symbols = family.size(corner).vocab_size
    if name == "bigram":
        return _bigram(symbols, exponent, family.information, seed)
    return _hidden(symbols, exponent, family.information, family.memory, family.n_states, seed)


@lru_cache(maxsize=4096)
def _bigram(vocab_size: int, exponent: float, information: float, seed: int) -> Source:
    rng = np.random.Generator(np.random.Philox(key=seed))
    unigram = zipf(vocab_size, exponent)
    return MarkovSource(rows(informative(_normal(vocab_size, vocab_size, 0.5, rng), unigram, unigram, information)))


@lru_cache(maxsize=4096)
def _hidden(vocab_size: int, exponent: float, information: float, memory: float, n_states: int, seed: int) -> Source:
    rng = np.random.Generator(np.random.Philox(key=seed))
    states = np.full(n_states, 1.0 / n_states)
    moves = _moves(n_states, memory, seed)
    written = informative(_normal(n_states, vocab_size, 0.0, rng), states, zipf(vocab_size, exponent), information)
    return HiddenMarkovSource(matrix=rows(moves), emissions=rows(written))


def layer_source(arm: LayerArm, seed: int) -> Source:
    """The arm's source; of drawn chains, that of the replicate, as a machine."""
    if arm.source is not None:
        return arm.source
    return _chain(arm.vocab_size, arm.order, arm.rate_share * float(np.log(arm.vocab_size)), seed)


@lru_cache(maxsize=4096)
def _chain(vocab_size: int, order: int, rate: float, seed: int) -> Source:
    chain = MarkovSource.random(vocab_size, order, entropy_rate=rate, seed=seed)
    # states are the last `order` symbols, oldest first; writing x moves on by one
    n = vocab_size**order
    kernel = chain.kernel.reshape(n, vocab_size)
    transitions = np.zeros((vocab_size, n, n))
    for state in range(n):
        for symbol in range(vocab_size):
            after = (state * vocab_size + symbol) % n
            transitions[symbol, state, after] = kernel[state, symbol]
    return HiddenMarkovSource(transitions)
