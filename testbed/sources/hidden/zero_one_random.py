"""Zero, one, random."""

from typing import ClassVar, Self

from pydantic import Field

from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.source import source


@source("zero_one_random")
class ZeroOneRandom(MachineSource):
    """0, then 1, then a random bit, and again; where a triple begins is not said.

        0 1 1  0 1 0  0 1 0 ...      (states: the three phases)

    h = H_b(p) / 3,   E = C_mu = ln 3: past and future each tell the phase, and nothing else of each other.

    >>> import math
    >>> ZeroOneRandom().excess_entropy().value / math.log(3)
    1.0
    """

    vocab_size: ClassVar[int] = 2
    p: float = Field(0.5, ge=0, le=1, description="probability that the random bit is 1")

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(p=0.1), cls(p=1.0)]

    def _make_edges(self) -> Edges:
        return Edges.from_lists([[(0, 1, 1.0)], [(1, 2, 1.0)], [(0, 0, 1 - self.p), (1, 0, self.p)]])
