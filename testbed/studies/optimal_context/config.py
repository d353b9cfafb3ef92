"""What the study `optimal_context` is asked: arms, sizes, replicates, margins. All of it fixed before the run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.models import ModelConfig
from testbed.sources import AnySource
from testbed.sources.chain import DyadicChain
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig

Role = Literal["designed", "drawn", "control"]
EXTRA_CONTEXT = 3  # context lengths run to k + 3


class Arm(Config):
    """One family of sources: kernel number i is the source with its seed raised by i."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="name in figures and records")
    role: Role = Field(description="designed: claims rest on it; drawn: shown beside; control: no context helps")
    source: AnySource = Field(description="source of kernel 0; kernel i has its seed raised by i")
    sizes: tuple[int, ...] = Field(min_length=1, description="dataset sizes D, distinct targets at the judged position")
    n_kernels: int | None = Field(None, ge=1, description="kernels of this arm, where other than the study's")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not isinstance(self.source, DyadicChain):
            raise ValueError(f"source: given {self.source.type_name}, must be a chain of known order")
        if "seed" not in type(self.source).model_fields:
            raise ValueError(f"source: {self.source.type_name} has no seed, so its kernels cannot be replicated")
        if list(self.sizes) != sorted(set(self.sizes)):
            raise ValueError(f"sizes: given {self.sizes}, must rise")
        if self.role == "control" and self.order != 0:
            raise ValueError(f"source: the control must be of order 0, not {self.order}")
        return self

    @property
    def chain(self) -> DyadicChain:
        assert isinstance(self.source, DyadicChain)
        return self.source

    @property
    def order(self) -> int:
        return self.chain.order

    @property
    def max_context(self) -> int:
        return self.order + EXTRA_CONTEXT

    @property
    def lengths(self) -> range:
        """Context lengths 0 .. k + 3."""
        return range(self.max_context + 1)

    def kernel(self, index: int) -> DyadicChain:
        """The source of kernel number `index`."""
        if index == 0:
            return self.chain
        return self.chain.replace(seed=self.source.seed + index)  # type: ignore[attr-defined]


class Tuning(Config):
    """The learning rate of each arm: least normalised regret on held-out cross-entropy over the four corner cells."""

    learning_rates: tuple[float, ...] = Field((1e-3, 3e-3, 1e-2), min_length=3, description="grid, rising")
    n_kernels: int = Field(2, ge=1, description="kernels that only the tuning sees")
    max_extensions: int = Field(2, ge=0, description="times the grid may grow when its edge is chosen")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.learning_rates) != sorted(set(self.learning_rates)):
            raise ValueError(f"learning_rates: given {self.learning_rates}, must rise")
        return self


class Training(Config):
    """What all members of the study share."""

    model: ModelConfig = Field(ModelConfig(), description="the transformer")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="the optimiser; its learning rate is tuned")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="the scoring")
    batch: Literal["distinct", "sampled"] = Field("distinct", description="full batch of distinct windows, or sampled")
    targets_per_step: int = Field(256, ge=1, description="targets drawn a step (sampled batches)")
    targets_per_sequence: int = Field(1, ge=1, description="targets at successive positions of one sequence")

    def data(self, seed: int, n_targets: int | None, max_context: int) -> DataConfig:
        return DataConfig(
            n_targets=n_targets,
            max_context=max_context,
            targets_per_sequence=self.targets_per_sequence,
            batch=self.batch,
            targets_per_step=self.targets_per_step,
            seed=seed,
        )
