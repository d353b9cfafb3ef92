"""Matching brackets of bounded depth."""

import itertools
from typing import Self

from pydantic import Field, model_validator

from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.source import source

MAX_STACKS = 2**16


@source("matching_parentheses")
class MatchingParentheses(MachineSource):
    """Brackets of k types that match, at most D deep.

    At depth d one more opens with probability o_d, of any type alike; else the innermost open one closes. At depth 0
    one must open, at depth D one must close.

        ( [ ] ( ( ) ) ) [ ] ...      (k = 2: ( is 0, [ is 1, ) is 2, ] is 3; the state is the stack of open brackets)

    A stretch of a Dyck word that begins at any depth. Unifilar, of period two in the depth. With pi_d the law of the
    depth  h = sum over d of pi_d (H_b(o_d) + o_d ln k),  o_0 = 1, o_D = 0: closing brackets cost no entropy for their
    type.

    >>> import math
    >>> MatchingParentheses(max_depth=2).entropy_rate().value / math.log(2)
    0.5
    """

    max_depth: int = Field(3, ge=1, le=4096, description="D, the deepest nesting")
    n_types: int = Field(1, ge=1, le=1024, description="k, types of brackets")
    open_probability: float | tuple[float, ...] = Field(
        0.5, description="probability to open one more at depth 1 .. D - 1: one number, or one for each of these depths"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self.open_probability
        if isinstance(given, tuple) and len(given) != self.max_depth - 1:
            raise ValueError(
                f"open_probability: given {len(given)} numbers; depths 1 .. {self.max_depth - 1} need one each"
            )
        for depth, value in enumerate(self.open_probabilities):
            if not 0 <= value <= 1:
                raise ValueError(f"open_probability: given {value} at depth {depth}, must lie in 0 .. 1")
        n_stacks = 1
        for _ in range(self.max_depth):
            n_stacks = 1 + self.n_types * n_stacks
            if n_stacks > MAX_STACKS:
                raise ValueError(
                    f"max_depth: {self.n_types} types nested {self.max_depth} deep make more than {MAX_STACKS} stacks"
                )
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(),
            cls(max_depth=2, n_types=2, open_probability=0.3),
            cls(max_depth=4, open_probability=(0.9, 0.5, 0.1)),
            cls(max_depth=1),
            cls(max_depth=3, open_probability=1.0),
        ]

    @property
    def vocab_size(self) -> int:
        """2 k: opening brackets 0 .. k - 1, closing ones k .. 2 k - 1."""
        return 2 * self.n_types

    @property
    def open_probabilities(self) -> tuple[float, ...]:
        """o_0 .. o_D."""
        given = self.open_probability
        inner = given if isinstance(given, tuple) else (given,) * (self.max_depth - 1)
        return (1.0, *inner, 0.0)

    def _make_edges(self) -> Edges:
        types = range(self.n_types)
        stacks = [stack for depth in range(self.max_depth + 1) for stack in itertools.product(types, repeat=depth)]
        number = {stack: state for state, stack in enumerate(stacks)}
        rows = []
        for stack in stacks:
            opening = self.open_probabilities[len(stack)]
            row = [(kind, number[(*stack, kind)], opening / self.n_types) for kind in types] if opening > 0 else []
            if opening < 1:
                row.append((self.n_types + stack[-1], number[stack[:-1]], 1 - opening))
            rows.append(row)
        return Edges.from_lists(rows)
