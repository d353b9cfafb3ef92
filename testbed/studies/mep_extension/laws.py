"""The laws that are extended: every one of n tokens as a dense array (V,) * n, random ones drawn anew a replicate.

markov_k        order k, stationary, rows of the kernel Dirichlet
logit_k         order k, stationary, p(x_t | past) proportional to exp(b(x_t) + sum_(i <= k) A_i(x_t, x_(t-i)))
potts           exp(sum_i h_i(x_i) + sum_(i<j) J_ij(x_i, x_j)), normal fields and couplings
parity_far      uniform tokens, the last the sum of the first two modulo V, or a fair die with probability eps
parity_run      every token from the third on the sum of the two before it, with the same noise
copy            every token from the (T + 1)-th on a copy of the one T before, with the same noise
hidden          hidden Markov of two states
mixture         of two first-order chains
dirichlet       no structure at all: V^n probabilities from one Dirichlet law
"""

import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from testbed.studies.mep_extension.config import Arm

Floats = NDArray[np.float64]
FIXED = ("parity_far", "parity_run", "copy")
"""Nothing about these is random."""


def names_of(context_length: int) -> tuple[str, ...]:
    """Every source, in the order of figures: chains up to order T + 1, then the others."""
    chains = tuple(f"markov_{order}" for order in range(1, context_length + 2))
    return (
        *chains,
        "logit_2",
        "logit_3",
        "potts",
        "parity_far",
        "parity_run",
        "copy",
        "hidden",
        "mixture",
        "dirichlet",
    )


def law_of(name: str, arm: "Arm", rng: np.random.Generator) -> Floats:
    """The law of the n = 2T tokens of a source."""
    v, n = arm.vocab_size, 2 * arm.context_length
    kind, _, number = name.rpartition("_")
    if kind == "markov":
        return chain_law(markov_kernel(rng, v, int(number), arm.alpha), n)
    if kind == "logit":
        return chain_law(logit_kernel(rng, v, int(number), arm.strength), n)
    if name == "potts":
        return potts_law(rng, v, n, arm.coupling)
    if name == "parity_far":
        return noisy_sum_law(v, n, [(n - 1, (0, 1))], arm.noise)
    if name == "parity_run":
        return noisy_sum_law(v, n, [(t, (t - 2, t - 1)) for t in range(2, n)], arm.noise)
    if name == "copy":
        lag = arm.context_length
        return noisy_sum_law(v, n, [(t, (t - lag,)) for t in range(lag, n)], arm.noise)
    if name == "hidden":
        return hidden_law(rng, v, n)
    if name == "mixture":
        first, second = (chain_law(markov_kernel(rng, v, 1, arm.alpha), n) for _ in range(2))
        return (first + second) / 2
    if name == "dirichlet":
        free = rng.dirichlet(np.full(v**n, arm.alpha)).reshape((v,) * n)
        return 0.99 * free + 0.01 / free.size  # no context so rare that it counts as impossible
    raise ValueError(f"there is no source {name!r}; known: {', '.join(names_of(arm.context_length))}")


def markov_kernel(rng: np.random.Generator, vocab_size: int, order: int, alpha: float) -> Floats:
    """(V,) * (k + 1): p(x_t | last k tokens), oldest first; rows Dirichlet(alpha), mixed with 5 % of the uniform law
    so that the chain is ergodic, and no table so near the boundary that a solver stalls."""
    rows = rng.dirichlet(np.full(vocab_size, alpha), size=(vocab_size,) * order)
    return 0.95 * rows + 0.05 / vocab_size


def logit_kernel(rng: np.random.Generator, vocab_size: int, order: int, strength: float) -> Floats:
    """(V,) * (k + 1): softmax of a bias and one table for each of the last k tokens, normal of deviation `strength`."""
    logits = strength * rng.standard_normal(vocab_size)
    for place in range(order):
        shape = [1] * (order + 1)
        shape[place] = shape[-1] = vocab_size
        logits = logits + strength * rng.standard_normal((vocab_size, vocab_size)).reshape(shape)
    weights = np.exp(logits)
    return weights / weights.sum(axis=-1, keepdims=True)


def chain_law(kernel: Floats, length: int) -> Floats:
    """The law of `length` successive tokens of the stationary chain with this kernel of positive entries."""
    vocab_size, order = kernel.shape[-1], kernel.ndim - 1
    blocks = stationary_block(kernel)
    for _ in range(length - order):
        blocks = blocks[..., None] * kernel
    return blocks.sum(axis=tuple(range(length, blocks.ndim))).reshape((vocab_size,) * length)


def stationary_block(kernel: Floats) -> Floats:
    """(V,) * k: the stationary law of k tokens, from pi P = pi and sum pi = 1."""
    vocab_size, order = kernel.shape[-1], kernel.ndim - 1
    states = vocab_size**order
    step = np.zeros((vocab_size, states // vocab_size, states // vocab_size, vocab_size))
    for oldest in range(vocab_size):
        rest = np.arange(states // vocab_size)
        step[oldest, rest, rest] = kernel[oldest].reshape(-1, vocab_size)
    system = step.reshape(states, states).T - np.eye(states)
    system[-1] = 1.0
    pi = np.linalg.solve(system, np.eye(states)[-1])
    return np.asarray(pi).reshape((vocab_size,) * order)


def potts_law(rng: np.random.Generator, vocab_size: int, length: int, coupling: float) -> Floats:
    """A Potts law with normal fields and couplings of deviation `coupling` between all pairs."""
    logits = np.zeros((vocab_size,) * length)
    for i in range(length):
        logits = logits + coupling * _along(rng.standard_normal(vocab_size), (i,), length)
    for pair in itertools.combinations(range(length), 2):
        logits = logits + coupling * _along(rng.standard_normal((vocab_size, vocab_size)), pair, length)
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def _along(table: Floats, positions: tuple[int, ...], length: int) -> Floats:
    """A table laid along some of `length` axes, rising."""
    shape = [1] * length
    for position in positions:
        shape[position] = table.shape[0]
    return table.reshape(shape)


def noisy_sum_law(vocab_size: int, length: int, rules: list[tuple[int, tuple[int, ...]]], noise: float) -> Floats:
    """Uniform tokens but for those named: each is the sum modulo V of earlier ones, with probability `noise` a fair
    die instead. A rule: (position, positions summed)."""
    symbols = np.indices((vocab_size,) * length)
    ruled = dict(rules)
    law = np.ones((vocab_size,) * length)
    for t in range(length):
        if t in ruled:
            right = symbols[t] == sum(symbols[s] for s in ruled[t]) % vocab_size
            law = law * np.where(right, 1.0 - noise + noise / vocab_size, noise / vocab_size)
        else:
            law = law / vocab_size
    return law


def noise_loss(vocab_size: int, noise: float) -> float:
    """ln V - H(token | what it is the sum of), nats: what a predictor that sees no dependence loses on such a token."""
    rest = noise / vocab_size
    right = 1.0 - noise + rest
    entropy = -right * np.log(right) - ((vocab_size - 1) * rest * np.log(rest) if rest > 0 else 0.0)
    return float(np.log(vocab_size) - entropy)


def hidden_law(rng: np.random.Generator, vocab_size: int, length: int) -> Floats:
    """A hidden Markov law of two sticky states, stationary, with Dirichlet emissions."""
    leave = rng.uniform(0.05, 0.25, size=2)
    move = np.array([[1 - leave[0], leave[0]], [leave[1], 1 - leave[1]]])
    emit = 0.98 * rng.dirichlet(np.full(vocab_size, 0.5), size=2) + 0.02 / vocab_size
    joint = leave[::-1] / leave.sum()  # (..., state)
    for t in range(length):
        joint = joint[..., None, :] * emit.T
        joint = joint @ move if t < length - 1 else joint
    return np.asarray(joint.sum(axis=-1))
