"""Random context trees: which of the last D tokens a context's law depends on."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.sources.dyadic import quantise
from testbed.sources.in_context.urn import TREE_STREAM
from testbed.sources.randomness import random_words

Branching = Annotated[float, Field(ge=0, le=1, description="probability that a node of depth below D branches")]


def branching_weight(branching: float) -> int:
    """The probability as an integer over 2^32."""
    return int(quantise([branching, 1.0 - branching])[0])


def tree_rows(
    vocab_size: int, depth: int, weight: int, n_sequences: int, seed: int, first_sequence: int
) -> NDArray[np.int32]:
    """(N, V^D): for every context of D tokens (base V, the last token lowest) the number of its leaf.

    Every node of depth d < D branches, by one more token of the past, with probability weight / 2^32. A leaf
    of depth d is numbered by its d tokens, older ones set to zero: contexts of equal leaf have equal numbers.
    """
    n_inner = sum(vocab_size**d for d in range(depth))
    words = random_words(n_sequences, n_inner, seed, first_sequence, TREE_STREAM)
    branches = words.astype(np.uint64) < weight
    contexts = np.arange(vocab_size**depth, dtype=np.int32)
    rows = np.broadcast_to(contexts, (n_sequences, len(contexts))).copy()
    alive = np.ones(rows.shape, dtype=np.bool_)
    first_node = 0
    for d in range(depth):
        node = contexts % vocab_size**d
        alive_below = alive & branches[:, first_node + node]
        rows = np.where(alive & ~alive_below, node[None, :], rows)
        alive, first_node = alive_below, first_node + vocab_size**d
    return rows
