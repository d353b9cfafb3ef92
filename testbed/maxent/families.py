"""Which positions are constrained together: the schemes of the maximum entropy extensions, each a value in a config.

A model of T tokens is carried to n = 2T (or as far as the scheme reaches). A scheme is a list of cliques: sets of
positions whose joint law is given. R1: every clique lies in T successive positions, so that the model itself can supply
it; R2: some clique does not, and needs gapped tables from elsewhere.

The paper (Cukier 2024, 2408.10277) is known from its abstract alone: the groupings, and what it means by splitting the
third probability, are readings of ours.
"""

import itertools
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from testbed.core import ConfigError, Registry, Tagged, tagged_to_json
from testbed.maxent.checks import whole
from testbed.maxent.constraint import Constraint, Floats, Positions
from testbed.maxent.constraint_set import ConstraintSet
from testbed.maxent.dense import check_cells
from testbed.maxent.faces import complex_rank, regime

Marginals = Callable[[Positions], Floats]
"""Gives the table over any positions that it can supply; see `testbed.maxent.marginals`."""

families: Registry["Family"] = Registry("maxent", "family")
family = families.register
"""Class decorator that gives a family its type name."""


@dataclass(frozen=True)
class FamilySize:
    """sets: tables; cells: their entries; rank: independent equations, normalisation included; largest: positions in
    the largest table; length: positions covered."""

    sets: int
    cells: int
    rank: int
    largest: int
    length: int


class Family(Tagged):
    """A list of cliques for every T."""

    def length(self, context_length: int) -> int:
        """n, the positions that the scheme covers: 2T unless it says otherwise."""
        return 2 * context_length

    @abstractmethod
    def _cliques(self, context_length: int, length: int) -> list[Positions]:
        """The cliques over positions 0 .. length - 1."""

    def cliques(self, context_length: int, length: int | None = None) -> tuple[Positions, ...]:
        """The cliques for a model of T tokens, over `length` positions (`length(T)` if left out)."""
        context_length = whole("context_length", context_length, 2)
        wanted = whole("length", self.length(context_length) if length is None else length, 2)
        return tuple(dict.fromkeys(self._cliques(context_length, wanted)))

    def regime(self, context_length: int, length: int | None = None) -> str:
        """R1 or R2."""
        return regime(self.cliques(context_length, length), context_length)

    def size(self, vocab_size: int, context_length: int, length: int | None = None) -> FamilySize:
        """Counts of tables, cells and independent equations: integers, nothing is laid out."""
        cliques = self.cliques(context_length, length)
        return FamilySize(
            sets=len(cliques),
            cells=sum(vocab_size ** len(clique) for clique in cliques),
            rank=complex_rank(cliques, vocab_size),
            largest=max(len(clique) for clique in cliques),
            length=self.length(context_length) if length is None else length,
        )

    def constraints(
        self,
        marginals: Marginals,
        vocab_size: int,
        context_length: int,
        length: int | None = None,
        allow_disagreement: bool = False,
    ) -> ConstraintSet:
        """The tables of these cliques, from whatever supplies them; ResourceError that names a table too large, before
        any is made."""
        vocab_size, cliques = whole("vocab_size", vocab_size, 2), self.cliques(context_length, length)
        for number, clique in enumerate(cliques):
            check_cells(vocab_size, len(clique), what=f"the table of constraints[{number}] on positions {clique}")
        positions = self.length(context_length) if length is None else length
        given = [Constraint(clique, marginals(clique)) for clique in cliques]
        return ConstraintSet(vocab_size, positions, given, allow_disagreement)


AnyFamily = Annotated[Family, BeforeValidator(families.build), PlainSerializer(tagged_to_json)]
"""A config field that takes any family: a table with its type, a bare type name, or the object itself."""


@family("windows")
class Windows(Family):
    """Windows of T successive tokens that overlap by s; s = T - 1 is sliding-window decoding.

    Decomposable: q* = p(first window) prod p(block | s tokens before it). The last window is cut short where T - s does
    not divide n - T, so that every token keeps its place in its block.
    """

    overlap: int | None = Field(None, ge=0, description="tokens shared by successive windows, s < T; T - 1 if left out")

    def _cliques(self, context_length: int, length: int) -> list[Positions]:
        stride = context_length - _overlap(self.overlap, context_length)
        windows = [tuple(range(min(context_length, length)))]
        while windows[-1][-1] < length - 1:
            start = windows[-1][0] + stride
            windows.append(tuple(range(start, min(start + context_length, length))))
        return windows


@family("pairs")
class Pairs(Family):
    """All pairs of positions up to a lag (GMEP): a Potts law; with `prefix`, the first T tokens' joint law too."""

    max_lag: int | None = Field(None, ge=1, description="largest distance of a pair; all pairs if left out")
    prefix: bool = Field(False, description="constrain the block of the first T tokens as well")

    def _cliques(self, context_length: int, length: int) -> list[Positions]:
        lag = length if self.max_lag is None else self.max_lag
        pairs = [pair for pair in itertools.combinations(range(length), 2) if pair[1] - pair[0] <= lag]
        block = [tuple(range(min(context_length, length)))] if self.prefix else []
        return [*block, *pairs]

    def size(self, vocab_size: int, context_length: int, length: int | None = None) -> FamilySize:
        """By formula, so that millions of pairs can be counted: rank 1 + n (V - 1) + pairs (V - 1)^2."""
        if self.prefix:
            return super().size(vocab_size, context_length, length)
        context_length, vocab_size = whole("context_length", context_length, 2), whole("vocab_size", vocab_size, 1)
        n = whole("length", self.length(context_length) if length is None else length, 2)
        pairs = sum(n - lag for lag in range(1, min(self.max_lag or n, n - 1) + 1))
        rank = 1 + n * (vocab_size - 1) + pairs * (vocab_size - 1) ** 2
        return FamilySize(sets=pairs, cells=pairs * vocab_size**2, rank=rank, largest=2, length=n)


class Grouped(Family):
    """Successive groups of positions, some of whose unions are constrained; covers the groups' total length."""

    @abstractmethod
    def group_sizes(self, context_length: int) -> tuple[int, ...]:
        """Positions in each group."""

    def length(self, context_length: int) -> int:
        return sum(self.group_sizes(context_length))

    def groups(self, context_length: int) -> list[Positions]:
        """The groups' positions."""
        ends = list(itertools.accumulate(self.group_sizes(context_length), initial=0))
        return [tuple(range(a, b)) for a, b in itertools.pairwise(ends)]

    @abstractmethod
    def _unions(self, groups: list[Positions]) -> list[Positions]:
        """The cliques as unions of groups."""

    def _cliques(self, context_length: int, length: int) -> list[Positions]:
        natural = self.length(context_length)
        if length != natural:
            raise ConfigError(f"length: given {length}; {self.type_name} with these groups covers {natural} positions")
        return [tuple(sorted(union)) for union in self._unions(self.groups(context_length))]


class ThreeGroups(Grouped):
    """Three successive groups; each has T // 2 positions unless their sizes are given.

    If every pair of groups is to fit in T tokens, the three reach at most 3T / 2, not 2T.
    """

    sizes: tuple[int, int, int] | None = Field(None, description="positions in each group; T // 2 each if left out")

    def group_sizes(self, context_length: int) -> tuple[int, ...]:
        sizes = (context_length // 2,) * 3 if self.sizes is None else self.sizes
        if min(sizes) < 1:
            raise ConfigError(f"sizes: given {sizes}, every group needs a position")
        return sizes


@family("triangle")
class Triangle(ThreeGroups):
    """All three pairs of three groups, AB, BC and AC (MEP): no closed form."""

    def _unions(self, groups: list[Positions]) -> list[Positions]:
        a, b, c = groups
        return [a + b, b + c, a + c]


@family("star")
class Star(ThreeGroups):
    """One of three groups with each of the others: p(centre | b) p(centre | c) / p(centre), normalised, for its law.

    centre = last predicts the last group from both before it; middle is the chain AB, BC.
    """

    centre: Literal["first", "middle", "last"] = "last"

    def _unions(self, groups: list[Positions]) -> list[Positions]:
        place = ("first", "middle", "last").index(self.centre)
        return [groups[place] + other for i, other in enumerate(groups) if i != place]


@family("blocks")
class Blocks(Grouped):
    """All pairs of m groups: four groups of T // 2 are what it takes to reach 2T with tables of T positions."""

    n_groups: int = Field(4, ge=2, description="number of groups m")
    group_size: int | None = Field(None, ge=1, description="positions in a group; T // 2 if left out")

    def group_sizes(self, context_length: int) -> tuple[int, ...]:
        return (context_length // 2 if self.group_size is None else self.group_size,) * self.n_groups

    def _unions(self, groups: list[Positions]) -> list[Positions]:
        return [a + b for a, b in itertools.combinations(groups, 2)]


@family("symmetrised")
class Symmetrised(ThreeGroups):
    """Readings of SMEP for groups L, M, R, whose original tables are LM, MR and the third, LR.

    both_ways       conditionals both ways: for positive tables the same as the joint, so LM, MR, LR
    split_right     the third by halves of R: L r1, L r2
    split_left      the third by halves of L: l1 R, l2 R
    split_both      the third by halves of both: four tables
    two_sided       windows about a central block, to the left and to the right; the cliques of `windows` where T - s
                    divides (n - T) / 2, else cut short at both ends and not at the last alone
    no_third        LM, MR: L and R independent given M

    In KL: no_third >= split_both >= split_left, split_right >= both_ways: nested sets of constraints.
    """

    reading: Literal["both_ways", "split_right", "split_left", "split_both", "two_sided", "no_third"] = "both_ways"
    overlap: int | None = Field(None, ge=0, description="of the reading two_sided; T - 1 if left out")

    def length(self, context_length: int) -> int:
        return 2 * context_length if self.reading == "two_sided" else super().length(context_length)

    def _cliques(self, context_length: int, length: int) -> list[Positions]:
        if self.reading == "two_sided":
            return two_sided_windows(context_length, length, _overlap(self.overlap, context_length))
        return super()._cliques(context_length, length)

    def _unions(self, groups: list[Positions]) -> list[Positions]:
        left, middle, right = groups
        lefts = _halves(left) if self.reading in ("split_left", "split_both") else [left]
        rights = _halves(right) if self.reading in ("split_right", "split_both") else [right]
        third = [] if self.reading == "no_third" else [a + b for a in lefts for b in rights]
        return [left + middle, middle + right, *third]


def two_sided_windows(context_length: int, length: int, overlap: int) -> list[Positions]:
    """Windows of T from a central one outwards, those at the ends cut short."""
    stride = context_length - overlap
    centre = max(length - context_length, 0) // 2
    found = [(centre, min(centre + context_length, length))]
    while found[-1][1] < length:
        start = found[-1][0] + stride
        found.append((start, min(start + context_length, length)))
    end = found[0][1]
    while found[0][0] > 0:
        end -= stride
        found.insert(0, (max(end - context_length, 0), end))
    return [tuple(range(a, b)) for a, b in found]


def _overlap(overlap: int | None, context_length: int) -> int:
    shared = context_length - 1 if overlap is None else overlap
    if not 0 <= shared < context_length:
        raise ConfigError(f"overlap: given {shared}, must lie in 0 .. {context_length - 1} for T = {context_length}")
    return shared


def _halves(group: Positions) -> list[Positions]:
    if len(group) < 2:
        raise ConfigError(f"sizes: a group of {len(group)} position cannot be split in two")
    return [group[: len(group) // 2], group[len(group) // 2 :]]
