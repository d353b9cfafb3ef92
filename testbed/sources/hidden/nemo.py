"""The nemo process."""

from typing import ClassVar, Self

from pydantic import Field

from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.source import source


@source("nemo")
class Nemo(MachineSource):
    """A writes 1 and stays, or 0 and goes to B; B writes 1; C writes a random bit and goes back to A.

        1 1 0 1 0 1 0 1 1 1 ...      (A A A B C A A B C A)

    With a = 1 / (3 - 2 p) the probability of A:  h = a H_b(p) + a (1 - p) H_b(q),  C_mu = H(a, a (1-p), a (1-p)).
    Past and future synchronise at different rates: E < C_mu (fair: 0.5149 and 1.5 bits).
    After the Nemo process of Mahoney, Ellison & Crutchfield 2009; this parametrisation is ours.

    >>> import math
    >>> Nemo().entropy_rate().value / math.log(2)
    0.75
    """

    vocab_size: ClassVar[int] = 2
    p: float = Field(0.5, ge=0, le=1, description="probability that A writes 1 and stays")
    q: float = Field(0.5, ge=0, le=1, description="probability that C writes 1")

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(p=0.2, q=0.9), cls(p=0.0, q=0.5), cls(p=1.0)]

    def _make_edges(self) -> Edges:
        a = [(1, 0, self.p), (0, 1, 1 - self.p)]
        return Edges.from_lists([a, [(1, 2, 1.0)], [(0, 0, 1 - self.q), (1, 0, self.q)]])
