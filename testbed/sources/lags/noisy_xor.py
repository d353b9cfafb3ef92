"""Each token is the sum modulo V of several earlier ones, with noise: a parity, for bits."""

from typing import Self

from pydantic import Field, field_validator

from testbed.sources.lags.linear_lag import LinearLagSource
from testbed.sources.source import source


@source("noisy_xor")
class NoisyXorSource(LinearLagSource):
    """Token t is the sum modulo V of the tokens at the `taps` before it; with probability `noise` it is another symbol.

        1 0 1 | 0 0 1 0 1 ...        (taps 1 and 3 over bits: x_t = x_(t-1) xor x_(t-3); no noise struck)

    No shorter context helps at all:  h_l = ln V for l < b, then h = H(noise),  E = b (ln V - h),  b the largest tap.
    Two-point correlations are zero except where the recursion without noise returns to its start: with taps 1 and 3 at
    multiples of 7, kappa(7) = (1 - 2 noise)^4.

    >>> NoisyXorSource(taps=(1, 3), noise=0.25).two_point([1, 3, 7]).value
    array([0.    , 0.    , 0.0625])
    """

    taps_: tuple[int, ...] = Field(alias="taps", min_length=1, description="distances of the tokens that are added")

    @field_validator("taps_", mode="after")
    @classmethod
    def _ascending(cls, taps: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(taps)) < len(taps):
            raise ValueError(f"given {taps}; every tap may stand once")
        if min(taps) < 1 or max(taps) > 2**20:
            raise ValueError(f"given {taps}, must lie in 1 .. {2**20}")
        return tuple(sorted(taps))

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(taps=(1, 3), noise=0.1),
            cls(taps=(1, 2), noise=0.05, vocab_size=4),
            cls(taps=(1, 2, 5, 8), noise=0.0),
            cls(taps=(2, 4), noise=1.0),
            cls(taps=(1, 3), noise=0.3, vocab_size=3),
        ]

    @property
    def taps(self) -> tuple[int, ...]:
        return self.taps_
