"""Tables of order l and context-tree weighting on a hidden source of two states, exactly judged."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.predictors import ContextTree, add_constant_law
from testbed.sources import HiddenMarkovSource

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ROW = 1000
"""Targets at successive places of one sequence."""


def hidden_source(switch: float, flip: float) -> HiddenMarkovSource:
    """A bit that switches with probability `switch` a step, seen flipped with probability `flip`.

    h_l - h falls geometrically with l, at a rate that is slow where switches are rare, and every context is possible.
    """
    matrix = np.array([[1 - switch, switch], [switch, 1 - switch]])
    emissions = np.array([[1 - flip, flip], [flip, 1 - flip]])
    return HiddenMarkovSource.from_stochastic_matrix(matrix, emissions)


@lru_cache(maxsize=4)
def block_law(source: HiddenMarkovSource, longest: int) -> Floats:
    """(2^L, 2) joint law of a context of L tokens, oldest first, and the next token."""
    found = source.context_law(longest)
    code = found.contexts.astype(np.int64) @ (1 << np.arange(longest - 1, -1, -1))
    joint = np.empty((2**longest, 2))
    joint[code] = found.probabilities[:, None] * found.laws
    return joint


def context_joint(block: Floats, length: int) -> Floats:
    """(2^l, 2) joint law of the last l tokens and the next one."""
    return np.asarray(block.reshape(-1, 2**length, 2).sum(axis=0))


def risks(block: Floats, lengths: Integers) -> Floats:
    """h_l, nats."""
    found = []
    for length in lengths.tolist():
        joint = context_joint(block, length)
        found.append(-float(np.sum(joint * np.log(joint / joint.sum(axis=1, keepdims=True)))))
    return np.array(found)


def divergence(joint: Floats, laws: Floats) -> float:
    """sum_c p(c) KL(p(. | c) || q(. | c)) of laws (2^l, 2), nats."""
    return float(np.sum(joint * np.log(joint / joint.sum(axis=1, keepdims=True) / laws)))


def dataset(source: HiddenMarkovSource, n_targets: int, longest: int, seed: int) -> tuple[Integers, Integers]:
    """(D,) contexts of L tokens as numbers, the oldest token the highest bit, and (D,) targets."""
    rows = -(-n_targets // ROW)
    tokens = source.sample(rows, longest + ROW, seed=seed).astype(np.int64)
    codes = np.zeros((rows, ROW), dtype=np.int64)
    for back in range(longest, 0, -1):
        codes = 2 * codes + tokens[:, longest - back : longest - back + ROW]
    return codes.ravel()[:n_targets], tokens[:, longest:].ravel()[:n_targets]


def table_excess(block: Floats, codes: Integers, targets: Integers, lengths: Integers) -> Floats:
    """(n_lengths,) exact excess of the table of every order, add one half."""
    found = []
    for length in lengths.tolist():
        flat = (codes & (2**length - 1)) * 2 + targets
        counts = np.bincount(flat, minlength=2 ** (length + 1)).reshape(-1, 2)
        found.append(divergence(context_joint(block, length), add_constant_law(counts, 0.5)))
    return np.array(found)


def tree_excess(block: Floats, codes: Integers, targets: Integers, depths: Integers) -> Floats:
    """(n_depths,) exact excess of context-tree weighting of every depth, against h of that depth."""
    longest = int(depths.max())
    found = []
    contexts = (codes[:, None] >> np.arange(longest - 1, -1, -1)) & 1
    for depth in depths.tolist():
        every = (np.arange(2**depth)[:, None] >> np.arange(depth - 1, -1, -1)) & 1
        fitted = ContextTree(2, depth).fit(contexts, targets)
        found.append(divergence(context_joint(block, depth), fitted.laws(every)))
    return np.array(found)
