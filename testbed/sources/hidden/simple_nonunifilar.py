"""The simple nonunifilar source."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.source import source


@source("simple_nonunifilar")
class SimpleNonunifilar(MachineSource):
    """A writes 0s and some time steps to B unseen; B writes 0s and at some time a 1, back to A.

        0 0 0 1 0 0 1 0 0 0 0 1 ...      (a 0 does not say whether A or B comes next)

    Two hidden states, infinitely many causal ones: the number of 0s since the last 1 (Crutchfield 1994). A renewal
    process whose gaps are sums of two geometric ones, so  h = H(gap) / mean gap,  mean gap = 1/p + 1/q.

    >>> import math
    >>> round(SimpleNonunifilar().entropy_rate().value / math.log(2), 9)
    0.677867181
    """

    vocab_size: ClassVar[int] = 2
    p: float = Field(0.5, ge=0, le=1, description="probability to step from A to B")
    q: float = Field(0.5, ge=0, le=1, description="probability that B writes 1")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.p == self.q == 0:
            raise ValueError("p: given 0, and q too; A and B would be apart for ever, so one of them must be positive")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(p=0.1, q=0.8), cls(p=1.0, q=1.0), cls(p=0.0, q=0.5)]

    def _make_edges(self) -> Edges:
        return Edges.from_lists([[(0, 0, 1 - self.p), (0, 1, self.p)], [(0, 1, 1 - self.q), (1, 0, self.q)]])
