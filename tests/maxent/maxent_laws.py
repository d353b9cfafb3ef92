"""Random laws and slow twins for the tests of maximum entropy."""

import itertools

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from testbed.maxent import Constraint, ConstraintSet, marginal_of

Floats = NDArray[np.float64]
ALL_PAIRS_OF_4 = list(itertools.combinations(range(4), 2))


def entropy(law: Floats) -> float:
    positive = law[law > 0]
    return float(-(positive * np.log(positive)).sum())


def divergence(p: Floats, q: Floats) -> float:
    """KL(p || q), nats."""
    some = p > 0
    return float(np.sum(p[some] * np.log(p[some] / q[some])))


def golden_joint() -> Floats:
    """V = 3, n = 4: p proportional to 1 + ((7a + 11b + 13c + 17d + 5abc + 3bd) mod 10)."""
    a, b, c, d = np.indices((3,) * 4)
    weights = 1.0 + (7 * a + 11 * b + 13 * c + 17 * d + 5 * a * b * c + 3 * b * d) % 10
    return weights / weights.sum()


def golden_kernel() -> Floats:
    """V = 3, order 2, older symbol first: p(c | a, b) proportional to 1 + ((2a + 3b + 5c + abc) mod 7)."""
    a, b, c = np.indices((3,) * 3)
    weights = 1.0 + (2 * a + 3 * b + 5 * c + a * b * c) % 7
    return weights / weights.sum(axis=-1, keepdims=True)


def stationary_block(kernel: Floats, length: int) -> Floats:
    """The law of `length` successive tokens of the stationary chain, by powers of its transition matrix."""
    vocab_size, order = kernel.shape[0], kernel.ndim - 1
    state = np.full((vocab_size,) * order, float(vocab_size) ** -order)
    for _ in range(4000):
        state = (state[..., None] * kernel).sum(axis=0)
    law = state
    while law.ndim < length:
        law = law[..., None] * kernel
    return law


def constraints_of(law: Floats, cliques, **options) -> ConstraintSet:
    """The constraints that `law` meets on these cliques."""
    given = [Constraint(clique, marginal_of(law, tuple(clique))) for clique in cliques]
    return ConstraintSet(law.shape[0], law.ndim, given, **options)


def random_law(seed: int, vocab_size: int, length: int, concentration: float = 1.0) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(vocab_size**length, concentration)).reshape((vocab_size,) * length)


def slow_law(constraints: ConstraintSet, sweeps: int = 20000) -> Floats:
    """Proportional fitting with whole arrays, in probabilities, nothing clever."""
    q = np.full((constraints.vocab_size,) * constraints.length, float(constraints.vocab_size) ** -constraints.length)
    for _ in range(sweeps):
        before = q
        for one in constraints.constraints:
            others = tuple(i for i in range(constraints.length) if i not in one.positions)
            found = q.sum(axis=others, keepdims=True)
            target = np.expand_dims(one.table, others)
            q = q * np.divide(target, found, out=np.zeros_like(found), where=found > 0)
        if np.abs(q - before).max() < 1e-16:
            break
    return q


@st.composite
def cliques_of(draw, length: int, most: int = 5) -> list[tuple[int, ...]]:
    """A few sets of positions of a short sequence, nested and repeated ones included."""
    one = st.sets(st.integers(0, length - 1), min_size=1, max_size=3).map(lambda found: tuple(sorted(found)))
    return draw(st.lists(one, min_size=1, max_size=most))


@st.composite
def laws(draw) -> Floats:
    """Random joint laws of 3 to 5 tokens over 2 or 3 symbols, Dirichlet."""
    vocab_size, length = draw(st.sampled_from([(2, 3), (2, 4), (2, 5), (3, 3)]))
    return random_law(draw(st.integers(0, 10**6)), vocab_size, length, draw(st.sampled_from([0.5, 1.0, 3.0])))
