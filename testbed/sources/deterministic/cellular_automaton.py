"""Elementary cellular automata, read at one cell."""

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.sources.deterministic.finite import FiniteDeterministicSource
from testbed.sources.source import source


@source("cellular_automaton")
class CellularAutomatonSource(FiniteDeterministicSource):
    """The middle cell of an elementary cellular automaton on a ring, step by step.

        rule 30     111 110 101 100 011 010 001 000        cell' = left xor (cell or right)
                     0   0   0   1   1   1   1   0

    The first row is uniform (`start` = "uniform") or uniform on the rows that recur ("cycle"). Few rules permute the
    rows of a ring, and rule 30 does not: from all rows its sequences are not stationary. Wolfram (1986, Adv. Appl.
    Math. 7) proposed the middle column of rule 30 as a random generator. The seed has `width` bits, so h = 0 and
    E <= width ln 2, with a time-bounded entropy of ln 2 as long as nobody finds a short cut.

    >>> CellularAutomatonSource(width=8).stationary, CellularAutomatonSource(width=8, rule=170).stationary
    (False, True)
    """

    vocab_size: ClassVar[int] = 2

    rule: int = Field(30, ge=0, le=255, description="Wolfram's number of the rule")
    width: int = Field(12, ge=3, le=16, description="cells on the ring")

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(width=8),
            cls(width=9, start="cycle"),
            cls(rule=170, width=5),  # shifts: reads the ring out
            cls(rule=0, width=4),
            cls(rule=110, width=7, start="cycle"),
        ]

    def _make_successors(self) -> NDArray[np.int64]:
        rows = np.arange(2**self.width)
        cells = (rows[:, None] >> np.arange(self.width)) & 1  # cell 0 is the rightmost
        neighbourhood = 4 * np.roll(cells, -1, axis=1) + 2 * cells + np.roll(cells, 1, axis=1)
        return ((self.rule >> neighbourhood & 1) << np.arange(self.width)).sum(axis=1)

    def _make_outputs(self) -> NDArray[np.int64]:
        return np.arange(2**self.width) >> (self.width // 2) & 1
