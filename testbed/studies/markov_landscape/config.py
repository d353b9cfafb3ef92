"""What the study `markov_landscape` is asked: panels, variants, grid, bounds. Fixed before the runs that decide."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config

Panel = Literal[
    "one_tied", "one_untied", "two_tied", "two_untied",
    "bare_one_tied", "bare_one_untied", "bare_two_tied", "bare_two_untied",
]  # fmt: skip
PANELS: tuple[Panel, ...] = (
    "one_tied", "one_untied", "two_tied", "two_untied",
    "bare_one_tied", "bare_one_untied", "bare_two_tied", "bare_two_untied",
)  # fmt: skip
"""One and two layers, tied and untied read-out; with layer norm as in the paper's code, and without any (bare)."""
Variant = Literal["plain", "memory_1", "memory_2", "wide", "fast", "long", "quiet"]
VARIANTS: tuple[Variant, ...] = ("plain", "memory_1", "memory_2", "wide", "fast", "long", "quiet")
"""Of a tied layer at one p and q: as on the map; attention to the token itself and one or two before it alone; a wider
start; a higher rate; more steps; more windows a step, hence quieter gradients."""
VARIED: tuple[Panel, ...] = ("one_tied", "bare_one_tied")
MIRRORED: tuple[Variant, ...] = ("plain", "memory_1", "memory_2", "long")
"""Those that are also trained, without norms, on the mirror image 1 - p, 1 - q, which lies below the line: a network
that does not learn there says nothing by staying at the unigrams above it."""
Point = Literal["one_tied", "one_untied", "two_tied"]
POINTS: tuple[Point, ...] = ("one_tied", "one_untied", "two_tied")
"""Bare networks whose Hessian is computed at the unigram point."""
ON_THE_LINE = 1e-9
"""|p + q - 1| up to which a chain is a coin: H(pi) = h there, and the map has no value."""
MOST_POINTS = 30


def side(p: float, q: float) -> int:
    """1 above the line p + q = 1, -1 below it, 0 on it."""
    if abs(p + q - 1.0) <= ON_THE_LINE:
        return 0
    return 1 if p + q > 1.0 else -1


class Grid(Config):
    """The chains: every pair of these numbers is a p and a q."""

    values: tuple[float, ...] = Field(
        (0.1, 0.26, 0.42, 0.58, 0.74, 0.9),
        min_length=2,
        max_length=MOST_POINTS,
        description="values of p and of q, rising, in (0, 1)",
    )
    spot: tuple[float, float] = Field((0.5, 0.8), description="p and q of the variants, above the line")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.values) != sorted(set(self.values)) or not 0 < self.values[0] <= self.values[-1] < 1:
            raise ValueError(f"values: given {self.values}, must rise and lie in (0, 1)")
        if not all(0 < one < 1 for one in self.spot) or side(*self.spot) != 1:
            raise ValueError(f"spot: given {self.spot}, p and q must lie in (0, 1) with p + q > 1")
        sides = {side(p, q) for p in self.values for q in self.values}
        if not {1, -1} <= sides:
            raise ValueError(f"values: given {self.values}, need chains on both sides of p + q = 1")
        return self

    @property
    def mirror(self) -> tuple[float, float]:
        """p and q of the spot's mirror image below the line, of the opposite correlation."""
        p, q = self.spot
        return round(1.0 - p, 9), round(1.0 - q, 9)

    @property
    def chains(self) -> list[tuple[int, int]]:
        """Places (of p, of q) of all chains that are no coins."""
        n = range(len(self.values))
        return [(i, j) for i in n for j in n if side(self.values[i], self.values[j])]


class Recipe(Config):
    """The networks, and how they are trained: the paper's code where nothing else is said in the study's text.

    Depth, norm and tying are the panel's. Gradients are not clipped.
    """

    width: int = Field(8, ge=1, le=1024, description="dimension d")
    heads: int = Field(1, ge=1, le=64, description="attention heads")
    mlp_ratio: int = Field(4, ge=0, le=16, description="hidden units of the feed-forward part, in widths")
    context_length: int = Field(10, ge=2, le=1024, description="tokens of a window; every position is predicted")
    windows_per_step: int = Field(16, ge=1, le=10**6, description="fresh windows of a step")
    steps: int = Field(400, ge=1, le=10**7, description="optimiser steps")
    rate: float = Field(2e-3, gt=0, le=10, description="peak learning rate")
    warmup: float = Field(0.02, ge=0, le=1, description="share of the steps in which the rate rises")
    final_fraction: float = Field(0.2, ge=0, le=1, description="last learning rate as a fraction of the peak")
    weight_decay: float = Field(1e-3, ge=0, le=10, description="decoupled weight decay of the matrices")
    std: float = Field(0.02, gt=0, le=10, description="standard deviation of the first weights")
    wide_std: float = Field(0.5, gt=0, le=10, description="of the wider start")
    fast_rate: float = Field(1e-2, gt=0, le=10, description="the higher rate")
    long_factor: int = Field(4, ge=2, le=1000, description="how many times as many steps the longer run has")
    quiet_factor: int = Field(8, ge=2, le=1000, description="how many times as many windows a step the quieter one has")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads: given {self.heads}, must divide the width, {self.width}")
        return self


class Exact(Config):
    """The network whose Hessian is computed, by automatic differentiation over every string."""

    width: int = Field(2, ge=1, le=8, description="dimension d")
    hidden: int = Field(3, ge=1, le=16, description="hidden units of its feed-forward part")
    length: int = Field(3, ge=1, le=8, description="positions T over which the loss is a mean")
    seed: int = Field(0, ge=0, le=10**6, description="of W_Q, W_K, W_V and W_1, which the unigram point leaves free")


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    stuck: float = Field(0.5, gt=0, lt=1, description="units of H(pi) - h above which a run has not left the unigrams")
    near: float = Field(0.1, gt=0, lt=1, description="units of KL(pi || q) below which a run says pi")
    learnt: float = Field(0.25, gt=0, lt=1, description="units of H(pi) - h below which a run has learnt the chain")
    most: float = Field(0.5, gt=0, lt=1, description="share of runs: most of them")
    rare: float = Field(0.2, gt=0, lt=1, description="share of runs: up to it few of them")
    told: float = Field(0.8, gt=0.5, lt=1, description="share of runs that the line p + q = 1 tells rightly")


class Probe(Config):
    """A cell: the Hessians of a network over the grid, or a member."""

    kind: Literal["point", "map", "variant", "mirror"] = Field(description="what is looked at")
    panel: Panel = Field(description="which network")
    variant: Variant = Field("plain", description="of the spot's runs, which")
    p: float = Field(0.5, gt=0, lt=1, description="P(1 | 0)")
    q: float = Field(0.5, gt=0, lt=1, description="P(0 | 1)")
    place: tuple[int, int] = Field((0, 0), description="places of p and q on the grid")
    number: int = Field(0, ge=0, description="number of the replicate")
    values: tuple[float, ...] = Field((), description="of a cell of Hessians: the grid")
    exact: Exact | None = Field(None, description="likewise: the network")
