"""Recall of one bit at an announced distance: tables of one distance each, and one joint table.

The distance tau ~ q is seen, y is the bit tau places back, flipped with probability e (`SelectorLagSource`). A learner
that keeps a table for every distance sees of D examples only the counts, whose law is exact: n ~ Multinomial(D, q), and
of each distance's examples half have either bit. So no tokens need be drawn: the counts are. A Santa Fe process asks
the same of a learner that keeps one number for every age of a key: q is then the law of the age, and e = 0.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.sources.bits import LN2

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def bernoulli_divergence(p: Floats | float, q: Floats) -> Floats:
    """KL(Bernoulli(p) || Bernoulli(q)), nats, 0 < q < 1."""
    p = np.asarray(p, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        one = np.where(p > 0, p * np.log(p / q), 0.0)
        other = np.where(p < 1, (1 - p) * np.log((1 - p) / (1 - q)), 0.0)
    return np.asarray(one + other)


def distance_tables(
    q: Floats, noise: float | Floats, by_bit: bool, sizes: tuple[int, ...], lengths: Integers, rng: np.random.Generator
) -> Floats:
    """(n_sizes, n_lengths) exact excess of a table for every distance up to l, add one half, on nested sets.

    noise is that of all distances or, (K,), of each. q (K,) may sum to less than one: what is missing never comes.
    by_bit: two numbers a distance, the law of y after either bit; else one, the chance that y is the bit. Where tau > l
    the learner has one number for all of them (by_bit), or knows that it knows nothing.
    """
    n_bits = 2 if by_bit else 1
    counts, agreed = np.zeros((n_bits, len(q))), np.zeros((n_bits, len(q)))
    ones = np.zeros(len(q))
    whole = np.append(q, max(0.0, 1.0 - q.sum()))
    found, before = np.empty((len(sizes), len(lengths))), 0
    for row, size in enumerate(sizes):
        new = rng.multinomial(size - before, whole / whole.sum())[:-1]
        before = size
        split = rng.binomial(new, 0.5) if by_bit else new
        for bit, part in enumerate((split, new - split)[:n_bits]):
            right = rng.binomial(part, 1.0 - noise)
            counts[bit] += part
            agreed[bit] += right
            ones += right if bit == 0 else part - right
        chance = (agreed + 0.5) / (counts + 1.0)
        seen = np.cumsum(q * bernoulli_divergence(1.0 - noise, chance).mean(axis=0))
        rest = np.append(1.0, 1.0 - np.cumsum(q))
        hidden = np.zeros(len(q) + 1)
        if by_bit:  # y is fair where its bit is not seen
            unseen = counts.sum() - np.append(0.0, np.cumsum(counts.sum(axis=0)))
            of_ones = ones.sum() - np.append(0.0, np.cumsum(ones))
            hidden = rest * bernoulli_divergence(0.5, (of_ones + 0.5) / (unseen + 1.0))
        found[row] = np.append(0.0, seen)[lengths] + hidden[lengths]
    return found


def joint_table(q: Floats, noise: float, sizes: tuple[int, ...], lengths: Integers, rng: np.random.Generator) -> Floats:
    """(n_sizes, n_lengths) exact excess of one table over (tau, the last l bits), l <= 40, add one half."""
    most = int(lengths.max())
    size = max(sizes)
    tau = 1 + rng.choice(len(q), size=size, p=q / q.sum())
    bits = rng.integers(0, 2**most, size=size)  # bit j - 1 of the number is the bit at lag j
    asked = np.where(tau <= most, bits >> np.minimum(tau - 1, most - 1) & 1, rng.integers(0, 2, size=size))
    y = asked ^ (rng.random(size) < noise)
    found = np.empty((len(sizes), len(lengths)))
    for row, n in enumerate(sizes):
        for at, l in enumerate(lengths.tolist()):
            key = tau[:n] * 2**l + (bits[:n] & (2**l - 1))
            cells, place, counts = np.unique(key, return_inverse=True, return_counts=True)
            ones = np.bincount(place, weights=y[:n], minlength=len(cells))
            law = (ones + 0.5) / (counts + 1.0)
            lag = cells >> l
            known = lag <= l
            bit = (cells >> np.where(known, lag - 1, 0)) & 1
            truth = np.where(known, np.where(bit == 1, 1.0 - noise, noise), 0.5)
            weight = q[lag - 1] / 2.0**l
            missing = np.arange(1, min(l, len(q)) + 1)
            unseen = q[missing - 1] - np.bincount(lag[known], weights=weight[known], minlength=l + 1)[missing]
            gap = LN2 - float(-noise * np.log(noise) - (1 - noise) * np.log1p(-noise)) if 0 < noise < 1 else LN2
            found[row, at] = float(weight @ bernoulli_divergence(truth, law)) + gap * float(unseen.sum())
    return found
