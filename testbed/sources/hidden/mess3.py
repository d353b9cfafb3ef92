"""Mess3."""

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.source import Floats, source


@source("mess3")
class Mess3(MachineSource):
    """A chain on three states, seen through a noisy channel.

    The chain moves to each other state with probability x; the symbol is the state arrived at with probability a, each
    other one with (1 - a) / 2.

        T[v, s, s'] = P[s, s'] C[s', v]      (Marzen & Crutchfield 2017; Shai et al. 2024, 2405.15943)

    Its beliefs fill a fractal in the triangle of laws over the states, so no closed form is known: h_l is exact as far
    as beliefs are listed, h and E are bracketed. a = 1 shows the state, a = 1/3 hides it; x = 0 never moves, which
    makes three independent kinds of sequences (not ergodic), x = 1/3 forgets at once.

    >>> import math
    >>> Mess3(x=0.05, a=0.85).conditional_entropies(3).value.round(6).tolist()
    [1.098612, 0.857719, 0.813356, 0.798118]
    """

    vocab_size: ClassVar[int] = 3
    x: float = Field(0.05, ge=0, le=0.5, description="probability of a move to each other state")
    a: float = Field(0.85, ge=0, le=1, description="probability that the symbol names the state arrived at")

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(x=0.15, a=0.6), cls(x=0.0, a=0.8), cls(x=0.1, a=1.0), cls(x=0.5, a=1 / 3)]

    def _make_edges(self) -> Edges:
        move = np.full((3, 3), self.x)
        np.fill_diagonal(move, 1 - 2 * self.x)
        channel = np.full((3, 3), (1 - self.a) / 2)
        np.fill_diagonal(channel, self.a)
        return Edges.from_tensor(np.einsum("st,tv->vst", move, channel))

    def _make_initial(self) -> Floats:
        return np.full(3, 1 / 3) if self.x == 0 else super()._make_initial()
