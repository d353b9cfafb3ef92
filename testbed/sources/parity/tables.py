"""Task tables of the position-weighted multitask sparse parity of Shi et al. 2025 (2502.01481)."""

import numpy as np

from testbed.sources.randomness import random_words
from testbed.sources.source import Floats

Tasks = tuple[tuple[int, ...], ...]

# fmt: off
VARIANT_A: Tasks = (
    (21, 20), (21, 1), (21, 2), (22, 3), (22, 4), (22, 5), (23, 6), (23, 7), (24, 8), (24, 9),
    (25, 10), (25, 11), (26, 12), (26, 13), (27, 14), (27, 15), (28, 16), (29, 17), (30, 18), (30, 19),
    (31, 20), (32, 1), (33, 3), (34, 6), (35, 8), (36, 10), (37, 12), (39, 14), (40, 16), (42, 38),
    (43, 41), (45, 44), (47, 46), (50, 48), (52, 51), (55, 54), (58, 57), (62, 61), (66, 65), (71, 70),
    (77, 76), (84, 83), (93, 92), (103, 102), (118, 87), (137, 25), (165, 20), (209, 34), (293, 128), (522, 353),
)
# fmt: on
"""The 50 tasks of the public code, equally frequent, in the order of its task definitions."""

STORED_BITS_A = 100
"""The public code writes this many bits; its 7 tasks that reach farther have random labels."""

FIRST_BIT_B, LAST_BIT_B = 11, 60
WEIGHT_SHIFT_B, WEIGHT_EXPONENT_B = 0.929, 1.1535
"""Fitted to the nine published Bayes risks, which they reproduce within 1.05e-4 nats; the paper gives no rule."""


def variant_b(seed: int) -> Tasks:
    """(100,) tasks: bits 11 .. 60 are each the farther bit of two.

    The nearer bits are not published. Here they are drawn uniformly, for i = 11, 12, ..., among the pairs of bits
    j1 < j2 < i that no earlier tasks connect, while there are any; and then among all. So the parities of the tasks
    within l bits are as independent as they can be: their rank is 2 (l - 10) up to l = 19 and l - 1 from there on.
    (All 100 cannot be independent: pairs of 60 bits span 59 dimensions, so no rule makes the graph of pairs a forest
    beyond l = 19.)
    """
    words = random_words(1, LAST_BIT_B - FIRST_BIT_B + 1, seed)[0]
    label = list(range(LAST_BIT_B + 1))  # of the connected component of each bit
    tasks: list[tuple[int, ...]] = []
    for word, bit in zip(words, range(FIRST_BIT_B, LAST_BIT_B + 1), strict=True):
        pairs = [(low, high) for high in range(2, bit) for low in range(1, high)]
        apart = [(low, high) for low, high in pairs if label[low] != label[high]] or pairs
        chosen = apart[int(word) * len(apart) >> 32]
        for nearer in chosen:
            tasks.append((bit, nearer))
            label = [label[bit] if one == label[nearer] else one for one in label]
    return tuple(tasks)


def weights_b() -> Floats:
    """(100,) f of each task: (i - 0.929)^-1.1535 for its farther bit i, normalised."""
    farther = np.repeat(np.arange(FIRST_BIT_B, LAST_BIT_B + 1), 2)
    weights = (farther - WEIGHT_SHIFT_B) ** -WEIGHT_EXPONENT_B
    normalised: Floats = weights / weights.sum()
    return normalised
