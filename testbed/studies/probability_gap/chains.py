"""Random chains, the exact law of their blocks, and by how much each statement of appendix A is violated on them.

X is the next token, Y the last m - 1 tokens, Z the one before: a step goes from m - 1 to m tokens of context. Of a
chain of order k the steps are m = 1 .. k, after which nothing changes.

Proved (Jensen, for every law)                                              violated by
    entropy_chain    H(X | Y, Z) <= H(X | Y)                                the largest rise, nats
    averaged_gap     E max grows, E min falls, so E (max - min) grows       the largest of the three reverses
    extremes         sup over contexts grows, inf falls                     the larger reverse
    size             growth of the gap <= sqrt(2 I(X; Z | Y))               the largest excess
Not proved, and false on some laws
    every_context    the gap of each context is at least that of Y alone    mass of contexts with a smaller gap
    most_contexts    ... of contexts that make up half the mass             that mass less 1/2
    every_entropy    H(X | y, z) <= H(X | y) for each context               mass of contexts with a larger entropy
    margin           E (largest - second largest) grows                     the largest fall
    ratio            E (max / min) grows                                    the largest fall
    strict           E (max - min) grows strictly for m <= k                1 if some step is below 1e-10
"""

import numpy as np
from numpy.typing import NDArray

from testbed.measures.probability_gap import GapStatistics, gap_of_laws, gap_statistics
from testbed.studies.probability_gap.config import Chains

Floats = NDArray[np.float64]
PROVED = ("entropy_chain", "averaged_gap", "extremes", "size")
UNPROVED = ("every_context", "most_contexts", "every_entropy", "margin", "ratio", "strict")
STATEMENTS = PROVED + UNPROVED
CURVES = ("gap", "margin", "ratio", "entropy", "violating_mass", "expected_max")
"""Statistics that are kept by context length, for the figures."""
TOLERANCE = 1e-10
"""Violations and steps below this are rounding."""


def random_kernel(settings: Chains, rng: np.random.Generator) -> Floats:
    """(V^k, V), the oldest token most significant.

    Copying chains: p(x | past) = (1 - e) 1[x = relabelled token k places back] + e / V, e uniform on 0.05 .. 0.95.
    """
    size, order = settings.vocab_size, settings.order
    if settings.kind == "random":
        rows = rng.dirichlet(np.full(size, settings.concentration), size=size**order)
        return (rows + 1e-9) / (1.0 + size * 1e-9)  # no row is degenerate in float64, so the chain is irreducible
    noise, relabelled = rng.uniform(0.05, 0.95), rng.permutation(size)
    oldest = relabelled[np.arange(size**order) // size ** (order - 1)]
    return (1.0 - noise) * np.eye(size)[oldest] + noise / size


def stationary_block(kernel: Floats, length: int) -> Floats:
    """(V,) * length: the law of `length` successive tokens of the stationary chain with this (V^k, V) kernel.

    The stationary law of states solves pi (P - 1) = 0 with sum pi = 1.
    """
    n_states, size = kernel.shape
    order = round(np.log(n_states) / np.log(size))
    moves = np.zeros((n_states, n_states))
    states = np.repeat(np.arange(n_states), size)
    following = (states * size + np.tile(np.arange(size), n_states)) % n_states
    np.add.at(moves, (states, following), kernel.reshape(-1))
    equations = np.vstack([moves.T[:-1] - np.eye(n_states)[:-1], np.ones(n_states)])
    law = np.linalg.solve(equations, np.eye(n_states)[-1])
    law = np.clip(law, 0.0, None) / np.clip(law, 0.0, None).sum()
    while law.size < size ** max(length, order):
        law = (law.reshape(-1, n_states, 1) * kernel).reshape(-1)
    law = law.reshape(-1, size**length).sum(axis=0)
    return np.asarray((law / law.sum()).reshape((size,) * length))


def violations(found: GapStatistics, entropy_mass: Floats, order: int) -> Floats:
    """(n_statements,): how far each statement is violated, in the table's measure; 0 where it holds.

    entropy_mass  (M + 1,): of contexts whose entropy exceeds that without their oldest token
    """
    steps = slice(1, order + 1)

    def rise(values: Floats) -> Floats:
        return np.diff(values)[:order]

    growth, learnt = rise(found.gap), -rise(found.entropy)
    depth = {
        "entropy_chain": rise(found.entropy).max(),
        "averaged_gap": max((-growth).max(), (-rise(found.expected_max)).max(), rise(found.expected_min).max()),
        "extremes": max((-rise(found.supremum)).max(), rise(found.infimum).max()),
        "size": (growth - np.sqrt(2.0 * np.clip(learnt, 0.0, None))).max(),
        "every_context": found.violating_mass[steps].max(),
        "most_contexts": found.violating_mass[steps].max() - 0.5,
        "every_entropy": entropy_mass[steps].max(),
        "margin": (-rise(found.margin)).max(),
        "ratio": (-rise(found.ratio)).max(),
        "strict": float(growth.min() < TOLERANCE),
    }
    values = np.array([depth[name] for name in STATEMENTS])
    return np.where(values > TOLERANCE, values, 0.0)


def rising_entropy(block: Floats) -> Floats:
    """(M + 1,): mass of the contexts of m tokens after which X is less certain than without the oldest of them."""
    size = block.shape[0]
    joint, before, found = block, None, []
    tables = []
    while True:
        tables.append(joint.reshape(-1, size))
        if joint.ndim == 1:
            break
        joint = joint.sum(axis=0)
    for table in tables[::-1]:
        mass = table.sum(axis=1)
        laws = table / np.maximum(mass, 1e-300)[:, None]
        own = -(laws * np.log(np.maximum(laws, 1e-300))).sum(axis=1)
        found.append(0.0 if before is None else float(mass[own > np.tile(before, size) + TOLERANCE].sum()))
        before = own
    return np.array(found)


def chain_arrays(settings: Chains, rng: np.random.Generator) -> dict[str, Floats]:
    """Arrays of one replicate:

    violation          (n_statements, n_chains)
    learner            (2, n_chains): rise of the mean entropy, and reverse of the averaged gap, of the learner
    gap, margin, ...   (n_chains, k + 2): contexts of 0 .. k + 1 tokens
    """
    depths, learner, curves = [], [], []
    for _ in range(settings.n_chains):
        block = stationary_block(random_kernel(settings, rng), settings.order + 2)
        found = gap_statistics(block)
        depths.append(violations(found, rising_entropy(block), settings.order))
        learner.append(learner_violations(block, settings.learner_tokens, rng))
        curves.append([getattr(found, name) for name in CURVES])
    by_name = np.array(curves)
    return {
        "violation": np.array(depths).T,
        "learner": np.array(learner).T,
        **{name: by_name[:, i] for i, name in enumerate(CURVES)},
    }


def learner_violations(block: Floats, n_tokens: int, rng: np.random.Generator) -> tuple[float, float]:
    """A learner whose laws at different m come from no one joint law: (count + 1) / (total + V) in every context.

    Longer contexts are seen less often and so pulled harder towards the uniform law. Averaged over the true law of
    contexts: the largest rise of its entropy, and the largest fall of its gap, from one m to the next.
    """
    size = block.shape[0]
    counts = rng.multinomial(n_tokens, block.reshape(-1) / block.sum()).reshape(block.shape).astype(np.float64)
    weights, laws = [], []
    for m in range(block.ndim):
        older = tuple(range(block.ndim - 1 - m))
        table = counts.sum(axis=older).reshape(-1, size)
        weights.append(block.sum(axis=older).reshape(-1, size).sum(axis=1))
        laws.append((table + 1.0) / (table.sum(axis=1, keepdims=True) + size))
    found = gap_of_laws(weights, laws)
    rise, fall = float(np.diff(found.entropy).max()), float((-np.diff(found.gap)).max())
    return max(rise, 0.0), max(fall, 0.0)
