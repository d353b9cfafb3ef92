"""`TrainingSpec`: everything that decides what a member learns, and `Shape`: what an ensemble must share."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config, sha256_of
from testbed.models import ModelConfig
from testbed.sources import AnySource
from testbed.sources.masked import FILLINGS
from testbed.training.losses import AnyLoss, CrossEntropy

TRAINER_VERSION = 1
"""Raised when an unchanged spec would train to something else."""


class DataConfig(Config):
    """A dataset of D targets: a target is a token with the tokens before it in its sequence."""

    n_targets: int | None = Field(None, gt=0, description="dataset size D; left out: an endless stream")
    max_context: int = Field(
        ge=0, description="longest context l of the study; the same targets serve every l up to it"
    )
    targets_per_sequence: int = Field(1, ge=1, description="targets at successive positions of one sequence")
    batch: Literal["sampled", "distinct", "sequences", "masked"] = Field(
        "sampled",
        description="sampled: draw targets each step; distinct: each distinct window once, weighted by its counts of"
        " next tokens (full batch; an endless stream then means the exact law); sequences: whole sequences of"
        " max_context + 1 tokens, scored where the source judges (n_targets and targets_per_step count sequences);"
        " masked: whole sequences of max_context tokens, some of them hidden and scored there (a model that sees both"
        " sides)",
    )
    masked_sites: int = Field(1, ge=1, description="masked: tokens hidden in a sequence, drawn anew each time it is")
    masked_share: float | None = Field(
        None, gt=0, le=1, description="masked: share of the tokens in place of their number, say 0.15; at least one"
    )
    targets_per_step: int = Field(64, ge=1, description="targets drawn a step (not for distinct windows)")
    seed: int = Field(0, ge=0, description="seed of the sequences and of the order in which targets are drawn")

    @model_validator(mode="after")
    def _check_sites(self) -> Self:
        given = ["masked_sites"] * (self.masked_sites != 1) + ["masked_share"] * (self.masked_share is not None)
        if given and self.batch != "masked":
            value = getattr(self, given[0])
            raise ValueError(f"{given[0]}: given {value}, but data.batch = {self.batch} hides no token")
        if len(given) == 2:
            raise ValueError("masked_sites and masked_share both say how many tokens are hidden: give one of them")
        return self

    @property
    def n_masked(self) -> int:
        """Tokens hidden in each sequence of max_context tokens."""
        if self.masked_share is None:
            return self.masked_sites
        return max(1, round(self.masked_share * self.max_context))


class OptimiserConfig(Config):
    """AdamW with warm-up and a cosine schedule."""

    learning_rate: float = Field(3e-3, gt=0, description="peak learning rate")
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay of the matrices")
    clip: float | None = Field(
        1.0,
        gt=0,
        description="largest gradient norm; None: no clipping (in TOML, which has no None, a number out of reach)",
    )
    steps: int = Field(1000, ge=1, description="optimiser steps")
    warmup_steps: int = Field(20, ge=0, description="steps of linear warm-up")
    final_fraction: float = Field(0.0, ge=0, le=1, description="last learning rate as a fraction of the peak")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean gradient")
    beta2: float = Field(0.95, ge=0, lt=1, description="decay of the mean squared gradient")
    epsilon: float = Field(1e-8, gt=0, description="added to the root mean square")
    project: bool = Field(False, description="after each step, bring the blocks' matrices back to their first norm")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="of a step's arithmetic; weights, optimiser state and scoring stay float32",
    )
    compile: bool = Field(
        False, description="torch.compile the step: faster after tens of seconds; only rounding differs"
    )

    remarks: ClassVar[frozenset[str]] = frozenset({"compile"})


class EvaluationConfig(Config):
    """How a member is scored."""

    evaluation_budget: int = Field(
        2_000_000, ge=1, description="positions (contexts x (l + 1) x 64 members) up to which the excess is exact"
    )
    n_contexts: int = Field(16_384, ge=2, description="fresh windows for cross-entropy, and for a sampled excess")
    n_heldout: int = Field(16_384, ge=2, description="held-out windows, on which choices are made")
    path_points: int = Field(12, ge=1, le=1000, description="evaluations along training")
    path_spacing: Literal["log", "even"] = Field(
        "log", description="of these evaluations: log, from the 64th part of the steps on; even, as a validation is"
    )
    keep_weights: bool = Field(
        False,
        description="keep the weights at each of these evaluations, to measure more along training",
    )


class TrainingSpec(Config):
    """One member: source, data, model, optimiser and seeds. Equal specs are trained once."""

    source: AnySource = Field(description="law of the tokens")
    context_length: int = Field(ge=0, description="l: the member sees a begin symbol and l tokens")
    data: DataConfig
    model: ModelConfig = Field(ModelConfig(), description="the transformer")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="the optimiser")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="the scoring")
    loss: Literal["last", "all", "one"] = Field(
        "last",
        description="train on the last position, on all of them, or on one of each window, drawn anew each time it is"
        " seen: then the model knows windows of every length up to l",
    )
    objective: AnyLoss = Field(
        CrossEntropy(), description="what a position loses: cross-entropy, or a training loss by name or as a table"
    )
    initial_seed: int = Field(0, ge=0, description="seed of the initial weights")

    member_fields: ClassVar[frozenset[str]] = frozenset(
        {
            "source",
            "context_length",
            "initial_seed",
            "data.seed",
            "data.n_targets",
            "data.targets_per_sequence",
            "optimiser.learning_rate",
            "optimiser.weight_decay",
            "optimiser.clip",
        }
    )
    """What may differ between members of one ensemble."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.context_length > self.data.max_context:
            raise ValueError(
                f"context_length: given {self.context_length}, must be at most data.max_context {self.data.max_context}"
            )
        self._check_source()
        if self.loss != "last" and self.data.batch == "distinct":
            raise ValueError("loss: distinct batches score the last position only; take batch = sampled")
        counting = [one.type_name for one in self.model.methods if one.counts_windows]
        if self.model.norm.counts_windows(self.model.width):
            counting.append(self.model.norm.type_name)
        if self.data.batch == "distinct" and counting:
            raise ValueError(
                f"model: {counting[0]} counts every window of a step alike, but distinct ones have weights;"
                " take data.batch = sampled"
            )
        if self.data.batch == "distinct" and not self.objective.takes_weights:
            raise ValueError(
                f"objective: {self.objective.type_name} is not defined for the law of targets that a distinct window"
                " has; take data.batch = sampled"
            )
        if self.loss != "last" and not self.model.causal:
            raise ValueError("loss: a model that is not causal sees the targets of all positions but the last")
        if self.model.mask_symbol and self.data.batch != "masked":
            raise ValueError(
                f"model.mask_symbol: data.batch = {self.data.batch} hides no token; take data.batch = masked"
            )
        return self

    def _check_source(self) -> None:
        source, length = self.source, self.data.max_context + 1
        if source.takes_inputs:
            raise ValueError(f"source: {source.type_name} has real-valued inputs, which the transformer does not read")
        if self.data.batch == "masked":
            self._check_masked()
        elif self.data.batch == "sequences":
            if self.loss != "last" or self.data.targets_per_sequence != 1:
                raise ValueError("loss, data.targets_per_sequence: whole sequences are scored where the source judges")
            if self.context_length != self.data.max_context:
                raise ValueError(
                    f"context_length: given {self.context_length}; whole sequences have data.max_context ="
                    f" {self.data.max_context} tokens before the last"
                )
            if not source.writes_length(length):
                raise ValueError(f"data.max_context: {source.type_name} writes no sequences of {length} tokens")
        elif not (source.stationary and source.judges_all):
            raise ValueError(
                f"source: windows are cut out of a stationary stream whose every token is judged; {source.type_name} is"
                f" {'stationary' if source.stationary else 'not stationary'} and judges"
                f" {'every token' if source.judges_all else 'some positions only'}; take data.batch = sequences"
            )

    def _check_masked(self) -> None:
        source, data, length = self.source, self.data, self.data.max_context
        if self.model.causal or not self.model.mask_symbol:
            raise ValueError(
                "model: masked tokens need both sides and a symbol; take causal = false, mask_symbol = true"
            )
        if self.loss != "last" or data.targets_per_sequence != 1:
            raise ValueError("loss, data.targets_per_sequence: masked sequences are scored at the hidden tokens alone")
        if self.context_length != length:
            raise ValueError(
                f"context_length: given {self.context_length}; masked sequences have data.max_context = {length} tokens"
            )
        if length < 1 or not source.writes_length(length):
            raise ValueError(f"data.max_context: {source.type_name} writes no sequences of {length} tokens")
        if data.n_masked > length:
            raise ValueError(f"data.masked_sites: given {data.n_masked}, a sequence has {length} tokens")
        # only where it may matter: the answer can need the source's machine
        most = source.most_masked() if source.vocab_size**data.n_masked > FILLINGS else None
        if most is not None and data.n_masked > most:
            raise ValueError(
                f"data.masked_sites: given {data.n_masked}; the exact law of {source.type_name} is known for at most"
                f" {most} masked tokens in a sequence"
            )

    @property
    def sequence_length(self) -> int:
        """Tokens of a whole sequence: the l that a member sees, and the last, its target, unless targets are hidden."""
        return self.context_length + (self.data.batch != "masked")

    @property
    def training_key(self) -> str:
        """SHA-256 of the spec and of every version its result depends on."""
        versions = {
            "trainer": TRAINER_VERSION,
            "model": type(self.model).version,
            "source": type(self.source).version,
            "methods": [type(one).version for one in self.model.methods],
        }
        return sha256_of({"spec": self.identity(), "versions": versions})


@dataclass(frozen=True)
class Shape:
    """What the members of one ensemble have in common; specs of equal shape train together."""

    key: str

    @classmethod
    def of(cls, spec: TrainingSpec) -> "Shape":
        """The one function that packing uses: all of the spec but its member fields, and the vocabulary size."""
        shared = _without(spec.resolved(), spec.member_fields)
        return cls(sha256_of({"shared": shared, "vocab_size": spec.source.vocab_size}))


def _without(values: dict[str, Any], removed: frozenset[str], prefix: str = "") -> dict[str, Any]:
    kept = {}
    for name, value in values.items():
        path = prefix + name
        if path not in removed:
            kept[name] = _without(value, removed, path + ".") if isinstance(value, dict) else value
    return kept
