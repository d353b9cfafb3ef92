"""What the study `mep_extension` is asked: alphabets, lengths, sources, samples, and the bounds of its claims."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config

Kind = Literal["exact", "groups", "counts", "crossing", "closed"]
"""What a cell is; the field of the study that holds its settings has the same name."""
MOST_CELLS = 2**16


class Arm(Config):
    """An alphabet and a model's length."""

    vocab_size: int = Field(2, ge=2, le=256, description="V")
    context_length: int = Field(4, ge=4, le=8, description="T, even: the model's tokens; it is carried to 2T")
    alpha: float = Field(0.5, gt=0, description="Dirichlet parameter of random kernels and laws")
    strength: float = Field(1.0, gt=0, description="standard deviation of the logits of additive chains")
    coupling: float = Field(0.5, gt=0, description="standard deviation of Potts fields and couplings")
    noise: float = Field(0.1, ge=0, lt=1, description="eps: chance of a fair die instead of a sum or a copy")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.context_length % 2:
            raise ValueError(f"context_length: given {self.context_length}, must be even: groups have T / 2 tokens")
        if self.vocab_size ** (2 * self.context_length) > MOST_CELLS:
            raise ValueError(
                f"vocab_size, context_length: V^(2T) = {self.vocab_size ** (2 * self.context_length)} sequences, at"
                f" most {MOST_CELLS}: laws are laid out whole"
            )
        return self


class ExactArm(Arm):
    """Every scheme on exact marginals of every source."""


class GroupsArm(Arm):
    """Small laws for the claims on groups: the triangle, the readings of SMEP, one-way conditionals, growth with n."""

    triangle_vocab_size: int = Field(4, ge=2, le=32, description="V of three groups of one token")
    triangle_alpha: float = Field(0.2, gt=0, description="Dirichlet parameter of their joint law")
    one_way_vocab_size: int = Field(3, ge=2, le=32, description="V of one-way conditionals on three tokens")
    growth_lengths: tuple[int, ...] = Field((4, 5, 6, 7, 8, 10), min_length=2, description="n, rising")
    growth_orders: tuple[int, ...] = Field((2, 3), min_length=1, description="orders of the chains carried on")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if list(self.growth_lengths) != sorted(set(self.growth_lengths)):
            raise ValueError(f"growth_lengths: given {self.growth_lengths}, must rise")
        return self


class CountsArm(Arm):
    """Tables counted in N independent sequences of 2T tokens, with one uniform sequence of weight one beside them."""

    sources: tuple[str, ...] = Field(("markov_1", "markov_2", "markov_3", "logit_2", "potts"), min_length=1)
    schemes: tuple[str, ...] = Field(
        ("windows_3", "chain", "pairs_near", "pairs_all"), min_length=1, description="what is fitted to the counts"
    )
    sizes: tuple[int, ...] = Field((64, 256, 1024, 8192), min_length=1, description="N, rising")
    draws: tuple[int, ...] = Field(
        (1, 1, 1, 4), min_length=1, description="samples of each law at each N; the last decides C18"
    )

    @model_validator(mode="after")
    def _pairs_up(self) -> Self:
        if len(self.draws) != len(self.sizes) or min(self.draws) < 1:
            raise ValueError(f"draws: given {self.draws}, must be one number from 1 for each of sizes = {self.sizes}")
        if list(self.sizes) != sorted(set(self.sizes)):
            raise ValueError(f"sizes: given {self.sizes}, must rise")
        return self


class CrossingArm(Arm):
    """Order-2 chains with a weak memory of the second token: from which N on does the window beat the pair chain?"""

    alpha: float = Field(4.0, gt=0, description="Dirichlet parameter of the kernels")
    bias: tuple[float, float] = Field(
        (0.005, 0.03), description="chains are drawn until h_1 - h_2 lies between these, nats: N is then in range"
    )
    sizes: tuple[int, ...] = Field((32, 64, 128, 256, 512, 1024, 2048, 4096), min_length=2, description="N, rising")
    draws: int = Field(24, ge=1, description="samples of each size")


class ClosedForms(Config):
    """What needs no random law."""

    parity_sizes: tuple[tuple[int, int], ...] = Field(
        ((2, 3), (2, 6), (3, 3), (3, 4)), description="(V, n) where the last token is the sum of the others"
    )
    copy_sizes: tuple[tuple[int, int], ...] = Field(((2, 4), (3, 4)), description="(V, T) of noiseless copies at lag T")
    coverage_lengths: tuple[int, ...] = Field((4, 6, 8, 12, 16), description="T for which groups are enumerated")
    table_lengths: tuple[int, ...] = Field((8, 16, 32, 64), min_length=2, description="T at which tables are counted")
    equation_lengths: tuple[int, ...] = Field((4, 6, 8, 10), min_length=2, description="T at which equations are")
    vocab_size: int = Field(2, ge=2, le=1024, description="V of the counts of equations")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({length for _, length in self.copy_sizes}) != 1:
            raise ValueError(
                f"copy_sizes: given {self.copy_sizes}, must share one T: their tokens are laid side by side"
            )
        for name in ("coverage_lengths", "table_lengths", "equation_lengths"):
            if any(length % 2 or length < 4 for length in getattr(self, name)):
                raise ValueError(f"{name}: given {getattr(self, name)}, must be even, from 4: groups have T / 2 tokens")
        return self


class Bounds(Config):
    """Regions of the claims, from predictions made beforehand, fixed before the runs that decide."""

    exact: float = Field(1e-9, gt=0, description="nats that count as none: rounding and the solvers' tolerance")
    gain: float = Field(0.001, gt=0, description="smallest gain or loss of interest, nats per new token")
    faithful: float = Field(0.01, gt=0, description="loss that counts as faithful, nats per new token")
    skip: float = Field(0.005, gt=0, description="smallest worth of a skip table, nats")
    distance: float = Field(1e-4, gt=0, description="total variation that counts as consistent")
    tilt: float = Field(0.01, gt=0, description="total variation of a marginal that counts as settled")
    linear: float = Field(1.1, gt=1, description="log-log slope that counts as linear")
    growth: float = Field(1.25, gt=1, description="factor by which loss per token may grow from the shortest n")
    rate: float = Field(0.15, gt=0, lt=1, description="share within which r / 2N counts as right")
    crossing: float = Field(1.5, gt=1, description="factor within which the predicted crossing N counts as right")
    few: int = Field(1024, ge=1, description="N at which small sets are held against the window")


class Probe(Config):
    """Which point of the grid a cell is, with everything that its numbers depend on."""

    kind: Kind = Field(description="what is computed")
    arm: str = Field(description="field of the study that the settings come from")
    replicate: int = Field(ge=0, description="number of the replicate: its stream of random numbers")
    settings: ExactArm | GroupsArm | CountsArm | CrossingArm | ClosedForms = Field(description="what is asked")
