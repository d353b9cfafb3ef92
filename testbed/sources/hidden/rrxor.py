"""Random, random, exclusive or."""

from typing import ClassVar, Self

from pydantic import Field

from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.source import source


@source("rrxor")
class RRXOR(MachineSource):
    """Two random bits, then their exclusive or, and again; where a triple begins is not said.

        1 0 1  1 1 0  0 0 0 ...      (states: before the first bit; after it, 0 or 1; after the second, xor 0 or 1)

    h = (H_b(p) + H_b(q)) / 3, and  C_mu = ln 3 + (H_b(p) + H_b(p (1-q) + q (1-p))) / 3  where no state merges with
    another. Fair bits: E = C_mu = log2 3 + 2/3 bits (Crutchfield & Feldman 2003), 36 beliefs (Shai et al. 2024).

    >>> import math
    >>> round(RRXOR().excess_entropy().value / math.log(2), 12)
    2.251629167388
    """

    vocab_size: ClassVar[int] = 2
    p: float = Field(0.5, ge=0, le=1, description="probability that the first bit is 1")
    q: float = Field(0.5, ge=0, le=1, description="probability that the second bit is 1")

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(p=0.2, q=0.7), cls(p=0.5, q=0.0)]

    def _make_edges(self) -> Edges:
        first, second = ((0, 1 - self.p), (1, self.p)), ((0, 1 - self.q), (1, self.q))
        start = [(bit, 1 + bit, weight) for bit, weight in first]
        after = [[(bit, 3 + (seen ^ bit), weight) for bit, weight in second] for seen in (0, 1)]
        return Edges.from_lists([start, *after, [(0, 0, 1.0)], [(1, 0, 1.0)]])
