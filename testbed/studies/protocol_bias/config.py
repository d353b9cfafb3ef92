"""What the study `protocol_bias` is asked: sources, grids, protocols, bounds of its claims. Fixed before the run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import AnySource

Role = Literal["designed", "control"]
ROLES: tuple[Role, ...] = ("designed", "control")
Protocol = Literal["sound", "whole_batches", "tied_steps", "all_positions", "together"]
PROTOCOLS: tuple[Protocol, ...] = ("sound", "whole_batches", "tied_steps", "all_positions", "together")
"""What is trained. Early stopping and the average over a block are read off these."""
Arm = Literal["unmasked", "masked"]
ARMS: tuple[Arm, ...] = ("unmasked", "masked")
LARGEST_D = 10**9


def whole_share(budget: int, length: int) -> float:
    """l floor(T / l) / T: what whole windows of l tokens leave of a step of T tokens.

    The public code's own numbers, T = 32 x 384 tokens:

    >>> [round(whole_share(12288, length), 4) for length in (1024, 1280, 5120, 7680, 15360)]
    [1.0, 0.9375, 0.8333, 0.625, 0.0]
    """
    return length * (budget // length) / budget


class Networks(Config):
    """Transformers on windows of l tokens, over context lengths and dataset sizes."""

    designed: AnySource = Field(description="source on which context helps, ever less")
    control: AnySource = Field(description="source without memory: no optimum but the shortest may appear")
    lengths: tuple[int, ...] = Field((1, 2, 4, 8, 16, 32), min_length=3, description="context lengths l, rising")
    sizes: tuple[int, ...] = Field((300, 1200), min_length=2, description="dataset sizes D, rising")
    control_sizes: tuple[int, ...] = Field((300,), min_length=1, description="those on the control, from `sizes`")
    targets_per_step: int = Field(32, ge=1, le=2**16, description="targets of a step, nominal")
    budget: int = Field(48, ge=1, le=2**30, description="T of `whole_share`, tokens of a step, nominal")
    patience: int = Field(3, ge=1, le=1000, description="validations without a new least loss that end a run")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("lengths", "sizes", "control_sizes"):
            values = getattr(self, name)
            if list(values) != sorted(set(values)) or values[0] < 1 or values[-1] > LARGEST_D:
                raise ValueError(f"{name}: given {values}, must rise within 1 .. {LARGEST_D}")
        if self.lengths[-1] > 4096:
            raise ValueError(f"lengths: given {self.lengths[-1]}, must be at most 4096")
        if not set(self.control_sizes) <= set(self.sizes):
            raise ValueError(f"control_sizes: given {self.control_sizes}, must be among sizes = {self.sizes}")
        if self.budget < self.lengths[-1]:
            raise ValueError(f"budget: given {self.budget}, must hold a window of {self.lengths[-1]} tokens")
        h = self.control.conditional_entropies(self.lengths[-1]).value
        if abs(float(h[0]) - float(h[-1])) > 1e-12:  # type: ignore[index]
            raise ValueError("control: context must tell nothing on it")
        return self

    def source(self, role: Role) -> AnySource:
        """The source of a role."""
        return self.designed if role == "designed" else self.control

    def sizes_of(self, role: Role) -> tuple[int, ...]:
        """The dataset sizes of a role."""
        return self.sizes if role == "designed" else self.control_sizes

    def targets(self, length: int, whole: bool) -> int:
        """Targets of a step: whole windows leave less of it at some l."""
        return max(1, round(self.targets_per_step * (whole_share(self.budget, length) if whole else 1.0)))


class Tables(Config):
    """A learner without a network whose excess is exact: a table for each announced distance."""

    exponent: float = Field(0.5, gt=0, lt=1, description="gamma: P(tau > l) = (1 + l)^-gamma")
    noise: float = Field(0.4, gt=0, lt=0.5, description="probability that the answer is flipped")
    max_lag: int = Field(32768, ge=64, le=2**20, description="largest distance")
    reach: int = Field(64, ge=2, le=2**16, description="distances that tell anything, in the case of finite order")
    longest: int = Field(16384, ge=32, le=2**18, description="longest context")
    sizes: tuple[int, ...] = Field(
        (100_000, 316_228, 1_000_000, 3_162_278, 10_000_000, 31_622_777, 100_000_000),
        min_length=1,
        description="dataset sizes D, rising",
    )
    budget: int = Field(32 * 384, ge=1, le=2**30, description="T of `whole_share`, the public code's")
    lengths: tuple[int, ...] = Field(
        (128, 256, 384, 512, 768, 1024, 1280, 1536, 2048, 3072, 5120, 7680, 10240),
        min_length=2,
        description="context lengths of the public grid, rising",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("sizes", "lengths"):
            values = getattr(self, name)
            if list(values) != sorted(set(values)) or values[0] < 1 or values[-1] > LARGEST_D:
                raise ValueError(f"{name}: given {values}, must rise within 1 .. {LARGEST_D}")
        if not self.reach < self.longest <= self.max_lag:
            raise ValueError(f"longest: given {self.longest}, must lie above reach and within max_lag = {self.max_lag}")
        if not self.lengths[-1] <= min(self.longest, self.budget):
            raise ValueError(f"lengths: given {self.lengths[-1]}, must be within longest and budget")
        return self


class Visible(Config):
    """Fixed models shown windows of other lengths than those that they were trained on."""

    train_length: int = Field(16, ge=2, le=4096, description="l_train, the longest window in training")
    lengths: tuple[int, ...] = Field(
        (1, 2, 4, 8, 16, 24, 32), min_length=3, description="visible lengths, rising, train_length among them"
    )
    windows_per_step: int = Field(32, ge=1, le=2**16, description="windows of a step, of an endless stream")
    n_contexts: int = Field(1024, ge=16, le=2**20, description="fresh windows on which each length is scored")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.lengths) != sorted(set(self.lengths)) or self.lengths[0] < 1 or self.lengths[-1] > 4096:
            raise ValueError(f"lengths: given {self.lengths}, must rise within 1 .. 4096")
        if not self.lengths[0] < self.train_length < self.lengths[-1] or self.train_length not in self.lengths:
            raise ValueError(f"train_length: given {self.train_length}, must lie inside lengths = {self.lengths}")
        return self


class Tuning(Config):
    """The learning rate: least mean held-out loss at the end of training, over replicates that only the tuning sees."""

    learning_rates: tuple[float, ...] = Field((1e-3, 3e-3, 1e-2), min_length=1, description="grid, rising")
    n_seeds: int = Field(2, ge=1, le=1000, description="replicates of each rate")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.learning_rates) != sorted(set(self.learning_rates)) or not self.learning_rates[0] > 0:
            raise ValueError(f"learning_rates: given {self.learning_rates}, must rise from above 0")
        if self.learning_rates[-1] > 1e3:
            raise ValueError(f"learning_rates: given {self.learning_rates}, must be at most 1000")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    shift: float = Field(0.3466, gt=0, lt=10, description="|change of ln l*| that counts: half a doubling")
    share: float = Field(0.5, gt=0, lt=1, description="share of replicates that makes a change the rule")
    delta: float = Field(0.01, gt=0, lt=1, description="smallest difference of losses that matters, nats")
    power: float = Field(0.2, gt=0, lt=5, description="error of a predicted change of ln l* that counts as none")


class Probe(Config):
    """Which point of the grid a cell is. A member's training is held by the cell itself."""

    kind: Literal["member", "tuning", "visible", "visible_tuning", "tables"] = Field(description="what is measured")
    role: Role = Field("designed", description="source")
    protocol: Protocol | None = Field(None, description="how it is trained")
    arm: Arm | None = Field(None, description="whether visible lengths were masked in training")
    seed: int = Field(ge=0, description="replicate: seed of all tokens, their order, and first weights")
    size: int | None = Field(None, description="dataset size D")
    length: int | None = Field(None, description="l")
    learning_rate: float | None = Field(None, description="peak learning rate")
    visible: Visible | None = Field(None, description="settings, of models that are shown other windows")
    tables: Tables | None = Field(None, description="settings, of the learner without a network")
