"""The parity of two unknown bits, learnt by trying every pair: a learner whose cost grows with ln l alone.

Each of the tasks of variant B (`SparseParitySource`) asks for the parity of one pair of bits; the task is seen. Given n
examples of a task, the learner of context l takes the pair of its l bits whose parity agrees with most labels, k of n,
and says that it does so with probability (k + 1/2) / (n + 1). A pair is found once n > log2 of the number of pairs,
about; a task whose bits lie farther away is still answered, by the pair that agrees by chance.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.sources.bits import LN2
from testbed.sources.parity.sparse_parity import SparseParitySource
from testbed.studies.optimal_context_laws.selector import bernoulli_divergence

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def pair_excess(
    source: SparseParitySource, sizes: tuple[int, ...], lengths: Integers, rng: np.random.Generator
) -> Floats:
    """(n_sizes, n_lengths) exact excess on nested sets of targets."""
    frequencies = source.question_weights / source.question_weights.sum()
    n_bits = int(lengths.max())
    found = np.zeros((len(sizes), len(lengths)))
    before = np.zeros(len(frequencies), dtype=np.int64)
    grams = np.zeros((len(frequencies), n_bits, n_bits))
    size_before = 0
    upper = np.triu_indices(n_bits, 1)
    order = np.maximum(upper[0], upper[1]) + 1  # bits that a context must have to see the pair
    for row, size in enumerate(sizes):
        new = rng.multinomial(size - size_before, frequencies)
        size_before = size
        for task, (near, far) in enumerate(sorted(pair) for pair in source.tasks):
            if new[task]:
                bits = 2.0 * rng.integers(0, 2, size=(new[task], n_bits)) - 1.0
                label = bits[:, near - 1] * bits[:, far - 1]
                grams[task] += (bits * label[:, None]).T @ bits
                before[task] += new[task]
            n = before[task]
            agreed = (n + grams[task][upper]) / 2.0
            for at, length in enumerate(lengths.tolist()):
                visible = order <= length
                if not visible.any():
                    continue
                # of pairs that agree equally often the learner takes any: here, one that is wrong if there is one
                best = agreed[visible].max()
                tied = np.flatnonzero(visible & (agreed == best))
                right = len(tied) == 1 and (upper[0][tied[0]], upper[1][tied[0]]) == (near - 1, far - 1)
                chance = np.array((best + 0.5) / (n + 1.0))
                truth = 1.0 if right else 0.5
                cost = float(bernoulli_divergence(truth, chance))
                if not right and far <= length:
                    cost += LN2  # the Bayes risk is 0, and a wrong pair says nothing of it
                found[row, at] += float(frequencies[task]) * cost
    return found
