"""Each token repeats the one a fixed lag before it, with noise."""

from typing import Self

from pydantic import Field

from testbed.sources.lags.linear_lag import LinearLagSource
from testbed.sources.source import source


@source("noisy_copy")
class NoisyCopySource(LinearLagSource):
    """Token t repeats token t - b; with probability `noise` one of the other symbols stands there instead.

        0 1 1 | 0 1 0 | 0 1 0 ...        (b = 3, one copy of nine failed)

    b interleaved chains:  h_l = ln V for l < b, then h = H(noise),  E = b (ln V - h),  kappa(j b) = kappa(b)^j with
    kappa(b) = 1 - noise V / (V - 1), and 0 between.

    This is source T8 of the length-extrapolation tasks ("lag copy"): what is to be read stands at one known distance,
    so it tests the resolution of positions near and far.

    >>> NoisyCopySource(lag=3, noise=0.25).two_point([1, 3, 6]).value
    array([0.  , 0.5 , 0.25])
    """

    lag: int = Field(ge=1, le=2**20, description="distance b of the token that is repeated")

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(lag=3, noise=0.1),
            cls(lag=2, noise=0.2, vocab_size=5),
            cls(lag=1, noise=0.0),  # constant sequences of either symbol
            cls(lag=2, noise=1.0),  # one cycle 0011
            cls(lag=1, noise=1.0, vocab_size=3),  # never the same symbol twice in a row
            cls(lag=40, noise=0.5),  # nothing to find
        ]

    @property
    def taps(self) -> tuple[int, ...]:
        return (self.lag,)
