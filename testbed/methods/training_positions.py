"""Positions far apart in short training windows: PoSE, random positions, CREAM."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.core import ConfigError
from testbed.methods.method import Method, method

Positions = NDArray[np.int64]


class TrainingPositions(Method):
    """Base: each training step's windows, all of them alike, stand at increasing positions out of 0 .. L - 1.

    The begin symbol stands at 0 as in evaluation, except with random positions, where it takes the first one drawn.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"training_positions"})
    target_length: int = Field(gt=1, description="L, the length to prepare for")
    seed: int = Field(0, ge=0, description="seed of the positions of each step")

    def training_positions(self, window: int, step: int) -> Positions:
        if window > self.target_length:
            raise ConfigError(f"target_length: given {self.target_length}, shorter than a window of {window}")
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, step]))
        return self.drawn(window, rng)

    def drawn(self, window: int, rng: np.random.Generator) -> Positions:
        """(window,) increasing positions."""
        raise NotImplementedError


@method("pose")
class PoSE(TrainingPositions):
    """Two chunks: the first, U(1 .. ceil(m/2)) tokens, at 0, the second after a skip of U(0 .. L - m) (2309.10400).

    `released_code`: no skip, because the code of 2501.08570 has no training for it, and is plain RoPE at the end.
    """

    released_code: bool = Field(False, description="never skips, as in the code of 2501.08570")

    def drawn(self, window: int, rng: np.random.Generator) -> Positions:
        positions = np.arange(window)
        if self.released_code:
            return positions
        first = int(rng.integers(1, -(-window // 2) + 1))
        positions[first:] += int(rng.integers(0, self.target_length - window + 1))
        return positions


@method("random_positions")
class RandomPositions(TrainingPositions):
    """A sorted sample of m of the positions 0 .. L - 1 (Ruoss et al. 2023, 2305.16843)."""

    def drawn(self, window: int, rng: np.random.Generator) -> Positions:
        return np.sort(rng.choice(self.target_length, size=window, replace=False))


@method("cream")
class CREAM(TrainingPositions):
    """Head and tail of k tokens at both ends of 0 .. L - 1, the middle around a truncated Gaussian centre (2406.07138).

    k alternates between `small` and m/3; the centre has mean L/2 and standard deviation `spread` L, truncated to where
    the middle fits (the paper's constants were not found: readings of ours).
    """

    small: int = Field(4, gt=0, description="k of every other step")
    spread: float = Field(0.2, gt=0, description="standard deviation of the centre, in units of L")

    def drawn(self, window: int, rng: np.random.Generator) -> Positions:
        k = min(self.small if rng.random() < 0.5 else max(window // 3, 1), (window - 1) // 2)
        middle = window - 2 * k
        low, high = k, self.target_length - k - middle
        start = low
        for _ in range(1000):  # rejection: half of all draws or more are inside
            centre = rng.normal(self.target_length / 2, self.spread * self.target_length)
            start = round(centre - middle / 2)
            if low <= start <= high:
                break
        start = min(max(start, low), high)
        tail = np.arange(self.target_length - k, self.target_length)
        return np.concatenate([np.arange(k), np.arange(start, start + middle), tail])
