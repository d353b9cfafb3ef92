"""Broadcasting on a tree: a symbol is handed down from the root, with errors on every edge."""

from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.sources.dyadic import quantise
from testbed.sources.hierarchical.branching import Branching, ChannelBranching
from testbed.sources.hierarchical.tree_source import TreeSource
from testbed.sources.source import source


@source("broadcast_tree")
class BroadcastTree(TreeSource):
    """Broadcast on a tree: each child copies its parent through the Potts channel; the leaves are the tokens.

        1  ->  1 0  ->  1 1 0 1        Ising, depth 2, with errors on the edges to the second child and the last leaf

        p(child = y | parent = x) = theta [x = y] + (1 - theta) / V

    V = 2 is the Ising model with edge flip (1 - theta) / 2, theta = -1 / (V - 1) a uniform proper colouring (no child
    has its parent's symbol), theta = 0 independent tokens. Leaves whose lowest common ancestor is k levels up have
    correlation theta^(2 k): a power of their distance. What the leaves tell of a far root does not vanish with depth if
    s theta^2 > 1 (Kesten & Stigum 1966), for V = 2 only then. As languages: Gaitonde et al. 2026 (2605.13687). Every
    conditional follows from belief propagation in O(n); H(tree) is the sum of its position losses, h = H(tree) / T.

    >>> round(BroadcastTree(theta=0.8, branching=2).kesten_stigum, 4)
    1.28
    """

    vocab_size: int = Field(2, ge=2, le=256, description="number of symbols V")
    theta: float = Field(0.8, le=1, description="correlation of child and parent, -1 / (V - 1) .. 1")

    @model_validator(mode="after")
    def _check_theta(self) -> Self:
        lowest = -1.0 / (self.vocab_size - 1)
        if not self.theta >= lowest - 1e-9:
            raise ValueError(f"theta: given {self.theta}, must be at least -1 / (V - 1) = {lowest:.9g}")
        return self

    @classmethod
    def colouring(cls, vocab_size: int, **parameters: object) -> Self:
        """Uniform proper colourings: a child never has its parent's symbol."""
        return cls(vocab_size=vocab_size, theta=-1.0 / (vocab_size - 1), **parameters)  # type: ignore[arg-type]

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(theta=0.8, depth=3),
            cls(theta=0.6, depth=2, phase="random"),
            cls.colouring(3, branching=3, depth=1, phase="random"),
            cls(theta=0.0, depth=2, phase="random"),  # independent tokens
            cls(theta=1.0, depth=2, phase="random"),  # all leaves alike
            cls(vocab_size=4, theta=0.5, depth=3),
        ]

    @cached_property
    def channel_weights(self) -> NDArray[np.int64]:
        """(V, V) integer weights over 2^32 of the child, a row for each parent."""
        if self.theta == 0:  # rows rounded alike, so that tokens are independent whatever V is
            return quantise(np.full((self.vocab_size, self.vocab_size), 1.0 / self.vocab_size))
        share = max(0.0, (1.0 - self.theta) / self.vocab_size)
        stay = 1.0 - (self.vocab_size - 1) * share
        channel = np.full((self.vocab_size, self.vocab_size), share)
        np.fill_diagonal(channel, stay if stay > 1e-8 else 0.0)
        return quantise(channel)

    @property
    def kesten_stigum(self) -> float:
        """s theta^2; above 1 the leaves tell of the root at any depth."""
        return self.branching * self.theta**2

    def _make_levels(self) -> list[Branching]:
        return [ChannelBranching(self.channel_weights, self.branching)] * self.depth
