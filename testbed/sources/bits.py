"""Fair bits and binary entropies."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.sources.randomness import random_words
from testbed.sources.source import Floats

LN2 = math.log(2.0)


def fair_bits(
    n_sequences: int, n_bits: int, seed: int = 0, first_sequence: int = 0, stream: int = 0
) -> NDArray[np.uint8]:
    """(N, n_bits) independent fair bits, 32 of each random word, lowest first."""
    words = random_words(n_sequences, -(-n_bits // 32), seed, first_sequence, stream)
    return np.unpackbits(words.astype("<u4").view(np.uint8), axis=1, count=n_bits, bitorder="little")


def entropy(law: ArrayLike) -> float:
    """-sum p ln p of one law, nats; 0 ln 0 = 0.

    >>> entropy([0.5, 0.5]) == LN2
    True
    """
    positive = np.asarray(law, dtype=np.float64)
    positive = positive[positive > 0]
    return float(-np.sum(positive * np.log(positive))) + 0.0  # never -0.0


def binary_entropy(probability: ArrayLike) -> Floats:
    """H_2(p) = -p ln p - (1 - p) ln(1 - p), nats, elementwise."""
    p = np.asarray(probability, dtype=np.float64)
    q = 1.0 - p
    logs = [np.log(x, out=np.zeros_like(x), where=x > 0) for x in (p, q)]
    return -(p * logs[0] + q * logs[1]) + 0.0
