"""A variable-order chain: one context tree, the same in every sequence."""

from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.sources.chain import DyadicChain
from testbed.sources.dyadic import quantise
from testbed.sources.in_context.drawn_chains import dirichlet_rows
from testbed.sources.in_context.trees import Branching, branching_weight, tree_rows
from testbed.sources.in_context.urn import Ratio, check_urns
from testbed.sources.source import source


@source("fixed_context_tree")
class FixedContextTreeSource(DyadicChain):
    """One context tree and its laws, drawn by `seed` and the same in every sequence: an order-D chain with merged rows.

    The tree is drawn as in `context_tree`, with independent Dirichlet laws at its leaves. All truths are exact; h_l
    falls wherever some leaf is deeper than l.

    >>> FixedContextTreeSource(vocab_size=2, depth=4, branching=0.75, seed=0).n_leaves
    5
    """

    vocab_size: int = Field(ge=2, le=65536, description="number of symbols V")
    depth: int = Field(ge=0, le=20, description="longest context D")
    branching: Branching = 0.5
    concentration: Ratio = Field(1, description="Dirichlet parameter a of every leaf's law, rational")
    seed: int = Field(0, ge=0, lt=2**64, description="seed of the tree and of its laws")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_urns(self.vocab_size, self.depth, "depth")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(vocab_size=2, depth=4, branching=0.75, seed=1), cls(vocab_size=3, depth=2, seed=2)]

    @property
    def order(self) -> int:
        return self.depth

    @property
    def leaves(self) -> NDArray[np.int32]:
        """(V^D,): the number of every context's leaf, contexts in base V with the last token lowest."""
        return tree_rows(self.vocab_size, self.depth, branching_weight(self.branching), 1, self.seed, 0)[0]

    @property
    def n_leaves(self) -> int:
        """The number of different laws."""
        return len(np.unique(self.leaves))

    def _make_weights(self) -> NDArray[np.uint64]:
        rng = np.random.Generator(np.random.Philox(self.seed))
        concentration = float(Fraction(str(self.concentration)))
        rows = dirichlet_rows(rng, concentration, (self.vocab_size**self.depth,), self.vocab_size)
        shape = (self.vocab_size,) * (self.depth + 1)
        return quantise(rows[self.leaves]).astype(np.uint64).reshape(shape)
