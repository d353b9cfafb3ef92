"""The even process."""

from typing import ClassVar, Self

from pydantic import Field

from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.source import source


@source("even")
class EvenProcess(MachineSource):
    """1s come in blocks of even length between 0s; from state A a block of two more 1s starts with probability p.

        0 1 1 0 0 1 1 1 1 0 ...      (states A: an even number of 1s so far, B: an odd one)

    No Markov order is enough: after 1s alone the parity is unknown. For 0 < p < 1

        h = H_b(p) / (1 + p),   E = C_mu = H_b(1 / (1 + p))      (Crutchfield & Feldman 2003)

    >>> import math
    >>> EvenProcess(p=0.5).excess_entropy().value / math.log(2)
    0.9182958340544894
    """

    vocab_size: ClassVar[int] = 2
    p: float = Field(0.5, ge=0, le=1, description="probability of a 1 at an even place")

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(p=0.1), cls(p=1.0)]

    def _make_edges(self) -> Edges:
        return Edges.from_lists([[(0, 0, 1 - self.p), (1, 1, self.p)], [(1, 0, 1.0)]])
