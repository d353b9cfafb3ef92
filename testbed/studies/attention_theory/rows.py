"""Statistics of softmax rows at many temperatures, a block of rows at a time so that it stays in the cache."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BLOCK = 1 << 17  # numbers in a block


@dataclass(frozen=True)
class Tilted:
    """Of softmax(f s) for each row of scores s.

    log_normaliser  ln sum e^(f s)
    mean            sum p s
    weights         e^(f (s - max s)), unnormalised; overwritten by the next call
    total           their sum
    """

    factor: float
    log_normaliser: Floats
    mean: Floats
    weights: Floats
    total: Floats

    @property
    def entropy(self) -> Floats:
        """H = ln Z - f E_p s, nats."""
        return self.log_normaliser - self.factor * self.mean

    def divergence_to(self, other: "Tilted") -> Floats:
        """KL(p || q) to the same rows at another temperature, nats."""
        return (self.factor - other.factor) * self.mean - self.log_normaliser + other.log_normaliser


class Block:
    """Rows of scores (R, n)."""

    def __init__(self, scores: Floats) -> None:
        self.top = scores.max(axis=1)
        self.below = scores - self.top[:, None]
        self._buffer = np.empty_like(self.below)

    def tilted(self, factor: float) -> Tilted:
        """softmax(factor x scores)."""
        weights = np.multiply(self.below, factor, out=self._buffer)
        np.exp(weights, out=weights)
        total = weights.sum(axis=1)
        mean = np.einsum("rn,rn->r", weights, self.below) / total + self.top
        return Tilted(factor, np.log(total) + factor * self.top, mean, weights, total)

    def entropy_and_variance(self, factor: float) -> tuple[Floats, Floats]:
        """(R,) entropy, and variance of the scores under the weights: dH/df = -f Var."""
        found = self.tilted(factor)
        square = np.einsum("rn,rn,rn->r", found.weights, self.below, self.below) / found.total
        return found.entropy, square - (found.mean - self.top) ** 2


def blocks(scores: Floats, n: int) -> Iterator[tuple[slice, Block]]:
    """The first n columns of all rows, block by block, with the rows that each holds."""
    height = max(1, BLOCK // n)
    for first in range(0, len(scores), height):
        rows = slice(first, min(first + height, len(scores)))
        yield rows, Block(scores[rows, :n])


def entropy_keeping_factor(scores: Floats, n: int, target: float, start: float) -> float:
    """The factor f at which the mean entropy of softmax(f s) over the rows is `target`, n keys each; by Newton.

    H falls with f, so there is one. Steps are held within a factor 2; stops at 1e-9 nats.
    """
    factor = start
    for _ in range(60):
        entropy, fall = 0.0, 0.0
        for _rows, block in blocks(scores, n):
            h, variance = block.entropy_and_variance(factor)
            entropy += float(h.sum()) / len(scores)
            fall += factor * float(variance.sum()) / len(scores)
        if abs(entropy - target) < 1e-9:
            return factor
        factor = float(np.clip(factor + (entropy - target) / fall, factor / 2, 2 * factor))
    raise ArithmeticError(f"no factor found at which {n} keys have a mean entropy of {target} nats")
