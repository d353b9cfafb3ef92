"""What the study `entropy_guided` is asked: sources, lattice, penalty, bounds."""

from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import Source, build

Place = Literal["copy", "coin", "markov"]
PLACES: tuple[Place, ...] = ("copy", "coin", "markov")
DEPTHS: dict[Place, int] = {"copy": 1, "coin": 1, "markov": 2}
"""Layers: as many as the heads that are needed must stand behind each other."""
Form = Literal["none", "window", "row"]
"""No penalty, that with Hmax = ln T, that with Hmax = ln i."""
HMAX = ("window", "row")
LOGS = {"window": "ln T", "row": "ln i"}
"""Hmax and forms of the penalty as the reader sees them."""
Activation = Literal["gelu", "relu", "identity"]
NORMS = ("layer", "none")
BOTH, NEITHER = "layer_gelu", "none_identity"
"""Cells with both nonlinearities, and with softmax alone."""
VOCAB = 2
PSEUDO = 0.5
"""Beta and Dirichlet parameter of coins and chains: V times it is one, so that the begin symbol's key is the prior."""


def cell_title(cell: str) -> str:
    """As the paper writes it: SM softmax, LN layer norm, G, R the activation."""
    norm, activation = cell.split("_")
    parts = ["SM", *(["LN"] if norm == "layer" else []), {"gelu": "G", "relu": "R", "identity": ""}[activation]]
    return " + ".join(part for part in parts if part)


class Arm(NamedTuple):
    """A place, a cell of the lattice, a form of the penalty and its coefficient (0 without one)."""

    place: Place
    cell: str
    form: Form = "none"
    coefficient: float = 0.0


class Sources(Config):
    """Sequences of T binary tokens.

    copy      each repeats the one `lag` before it, but for a share `noise`
    coin      independent, with a bias drawn for each sequence from Beta(1/2, 1/2)
    markov    a chain whose rows are drawn for each sequence from Beta(1/2, 1/2)
    """

    length: int = Field(24, ge=8, le=1024, description="tokens T of a sequence, and keys of its last row")
    lag: int = Field(3, ge=1, le=512, description="of the copy")
    noise: float = Field(0.1, gt=0, lt=0.5, description="share of failed copies")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if 4 * self.lag > self.length:
            raise ValueError(f"lag: given {self.lag}, must be at most a quarter of length {self.length}")
        return self

    def source(self, place: Place) -> Source:
        """The source of this name."""
        tables: dict[Place, dict[str, Any]] = {
            "copy": {"type": "noisy_copy", "lag": self.lag, "noise": self.noise, "vocab_size": VOCAB},
            "coin": {"type": "biased_coin", "concentration": PSEUDO},
            "markov": {"type": "dirichlet_markov", "vocab_size": VOCAB, "order": 1, "concentration": PSEUDO},
        }
        return build(tables[place])


class Network(Config):
    """The transformer, with rotary positions; depth, norm and activation are the cell's."""

    width: int = Field(16, ge=4, le=8192, description="model dimension")
    heads: int = Field(2, ge=2, le=64, description="heads of a layer")
    mlp_ratio: int = Field(2, ge=1, le=16, description="hidden units of the MLP as a multiple of the width")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % (2 * self.heads):
            raise ValueError(f"heads: given {self.heads}, twice that must divide width {self.width}")
        return self


class Lattice(Config):
    """With layer norm and without x activations. `penalised`: the two ends of the lattice alone, or all cells."""

    activations: tuple[Activation, ...] = Field(
        ("gelu", "identity"), min_length=2, max_length=3, description="of the MLP; gelu and identity among them"
    )
    penalised: Literal["ends", "all"] = Field("ends", description="cells that are also trained with the penalty")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.activations)) < len(self.activations) or not {"gelu", "identity"} <= set(self.activations):
            raise ValueError(f"activations: given {self.activations}, must hold gelu and identity, each once")
        return self

    @property
    def cells(self) -> tuple[str, ...]:
        """All, in the paper's order."""
        return tuple(f"{norm}_{one}" for norm in NORMS for one in self.activations)

    @property
    def with_penalty(self) -> tuple[str, ...]:
        """Those that are trained with it too."""
        return self.cells if self.penalised == "all" else (BOTH, NEITHER)


class Penalty(Config):
    """The regulariser: c per row, tolerance tau, theta at the start; see the method `entropy_guided`."""

    coefficient: float = Field(1e-3, gt=0, le=1e3, description="c of the claims")
    paper: float = Field(1e-5, gt=0, le=1e3, description="the paper's c; its dose depends on the rows of a step")
    others: tuple[float, ...] = Field(
        (1e-4, 1e-2), max_length=16, description="further c, for the figure; rising, fewer replicates"
    )
    tolerance: float = Field(0.2, gt=0, lt=0.5, description="tau, the paper's")
    theta: float = Field(0.5, ge=0, le=1, description="theta at the start, ours; the paper does not say")
    n_seeds: int = Field(16, ge=2, le=10_000, description="replicates with a penalty, the first; at most all")
    n_others: int = Field(8, ge=2, le=10_000, description="replicates at the further c")

    @model_validator(mode="after")
    def _check(self) -> Self:
        every = (self.coefficient, self.paper, *self.others)
        if len(set(every)) < len(every):
            raise ValueError(f"others: given {self.others}, must differ from coefficient and paper and each other")
        if any(not 0 < one <= 1e3 for one in self.others):
            raise ValueError(f"others: given {self.others}, must lie in 0 .. 1000, 0 left out")
        return self

    def methods(self, form: Form, coefficient: float) -> list[Any]:
        """Attention methods of an arm."""
        if form == "none":
            return ["rope"]
        table = {"type": "entropy_guided", "coefficient": coefficient, "maximum": form}
        return ["rope", table | {"tolerance": self.tolerance, "theta": self.theta}]


class Training(Config):
    """What all members share but the rate; gradients are not clipped."""

    steps: int = Field(300, ge=1, le=10**7, description="optimiser steps with one layer")
    deep_steps: int = Field(400, ge=1, le=10**7, description="with two")
    warmup_steps: int = Field(20, ge=0, le=10**6, description="of linear warm-up")
    sequences_per_step: int = Field(16, ge=1, le=10**6, description="fresh sequences of a step")

    def of(self, place: Place) -> int:
        """Steps on a source."""
        return self.steps if DEPTHS[place] == 1 else self.deep_steps


class Bounds(Config):
    """Regions of the claims; the study's text tells what was fixed when."""

    predicts: float = Field(0.6, gt=0.5, lt=1, description="share of pairs in one order: overload tells KL; 1/2 chance")
    tied: float = Field(0.2, gt=0, lt=1, description="share of pairs tied in overload, above which they decide nothing")
    most: float = Field(0.5, gt=0, lt=1, description="share of runs: most of them")
    raised: float = Field(2e-3, gt=0, lt=1, description="nats: KL is raised, or harmed")
    helped: float = Field(0.1, gt=0, lt=1, description="share of the twin's KL by which it is lower")
    less: float = Field(0.05, gt=0, lt=1, description="share of rows: less overload")
    still: float = Field(1e-3, gt=0, lt=1, description="nats: KL stays")
    apart: float = Field(0.2, gt=0, lt=10, description="nats of head entropy: further from ln i")
    spike: float = Field(2.0, gt=1, le=100, description="times the least KL so far: a spike, if by `jump` as well")
    jump: float = Field(0.01, gt=0, lt=1, description="nats")
    gate: float = Field(0.1, gt=0, lt=1, description="share of what context tells: KL below which a cell has learnt")


class Probe(Config):
    """A cell of the run: one member, for the choice of a rate or judged."""

    kind: Literal["rate", "member"] = Field(description="rate: seen by its choice alone")
    place: Place = Field(description="source")
    lattice: str = Field(description="cell of the lattice")
    form: Form = Field("none", description="of the penalty")
    coefficient: float = Field(0.0, description="c")
    seed: int = Field(0, ge=0, description="replicate: seed of sequences and of first weights")
    learning_rate: float = Field(description="peak learning rate")
    n_sequences: int | None = Field(None, description="fresh sequences looked at; none of a member that only tunes")
