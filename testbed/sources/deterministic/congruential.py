"""Linear congruential generators, of which the top bits are seen."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.sources.deterministic.finite import FiniteDeterministicSource
from testbed.sources.source import source


@source("congruential")
class CongruentialSource(FiniteDeterministicSource):
    """s' = a s + c (mod 2^m); the token is the top k bits of s.

        m = 4, k = 2, a = 5, c = 3, s = 1      s: 1 8 11 10 5 12 15 14 9 ...      tokens: 0 2 2 2 1 3 3 3 2 ...

    With an odd multiplier the map permutes the states, and sequences from a uniform seed are stationary; with c odd and
    a = 1 (mod 4) all states are one cycle (Hull & Dobell 1962), so that the source is ergodic. The lowest bit seen has
    period 2^(m - k + 1) at most (Knuth, TAOCP 2, 3.2.1): learnable structure at long range, with h = 0 and
    E <= m ln 2. Its time-bounded entropy is k ln 2 for learners who do not do arithmetic.

    >>> source = CongruentialSource(modulus_bits=4, output_bits=2, multiplier=5, increment=3)
    >>> float(source.excess_entropy().value / np.log(2))
    4.0
    """

    modulus_bits: int = Field(12, ge=1, le=16, description="m: states are 0 .. 2^m - 1")
    output_bits: int = Field(1, ge=1, le=16, description="k: V = 2^k")
    multiplier: int = Field(1664525, ge=0, description="a, taken mod 2^m")
    increment: int = Field(1013904223, ge=0, description="c, taken mod 2^m")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.output_bits > self.modulus_bits:
            raise ValueError(
                f"output_bits: given {self.output_bits}, but states have modulus_bits = {self.modulus_bits} bits"
            )
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(modulus_bits=8),
            cls(modulus_bits=6, output_bits=3),
            cls(modulus_bits=5, multiplier=3, increment=0),  # several cycles
            cls(modulus_bits=6, output_bits=2, multiplier=6, increment=1),  # no permutation
            cls(modulus_bits=6, output_bits=2, multiplier=6, increment=1, start="cycle"),
        ]

    @property
    def vocab_size(self) -> int:
        return 2**self.output_bits

    def _make_successors(self) -> NDArray[np.int64]:
        size = 2**self.modulus_bits
        return (self.multiplier % size * np.arange(size) + self.increment % size) % size

    def _make_outputs(self) -> NDArray[np.int64]:
        return np.arange(2**self.modulus_bits) >> (self.modulus_bits - self.output_bits)
