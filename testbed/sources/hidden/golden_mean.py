"""The golden mean process."""

from typing import ClassVar, Self

from pydantic import Field

from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.source import source


@source("golden_mean")
class GoldenMean(MachineSource):
    """No two 1s in a row: after a 1 comes a 0, after a 0 comes a 1 with probability p.

        0 0 1 0 1 0 0 ...      (order-1 Markov, states A: free, B: just saw a 1)

    h = H_b(p) / (1 + p),  E = H_b(p / (1 + p)) - h,  C_mu = H_b(1 / (1 + p))      (Crutchfield & Feldman 2003, sec. IV)

    >>> import math
    >>> GoldenMean(p=0.5).entropy_rate().value / math.log(2)
    0.6666666666666666
    """

    vocab_size: ClassVar[int] = 2
    p: float = Field(0.5, ge=0, le=1, description="probability of a 1 after a 0")

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(p=0.9), cls(p=0.0), cls(p=1.0)]

    def _make_edges(self) -> Edges:
        return Edges.from_lists([[(0, 0, 1 - self.p), (1, 1, self.p)], [(0, 0, 1.0)]])
