"""What the study `variable_order` is asked: trees, arms, rivals, reading, bounds. What was fixed when: `study`."""

from itertools import pairwise
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import Source
from testbed.sources.in_context import ContextTreeSource
from testbed.sources.in_context.trees import Branching
from testbed.sources.in_context.urn import Ratio
from testbed.studies.tuning import Tuning

RIVAL_SEED = 2_000_000
"""Seed of the sequences on which rivals are measured; those that weights are fitted to have the next one."""
QUARTERS = 4
"""Parts of a sequence behind its first D tokens, as equal as can be."""


class Task(Config):
    """Random context trees: every sequence has its own."""

    vocab_size: int = Field(2, ge=2, le=64, description="number of symbols V")
    depth: int = Field(2, ge=1, le=8, description="longest context D")
    branching: Branching = 0.3
    concentration: Ratio = Field("1/8", description="Dirichlet parameter a of every leaf's law")
    length: int = Field(32, ge=8, le=4096, description="tokens of a sequence, every one of them predicted")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.branching in (0.0, 1.0):
            raise ValueError(f"branching: given {self.branching}; with one tree only there is no order to adapt")
        if self.length < self.depth + 2 * QUARTERS:
            raise ValueError(f"length: given {self.length}, must be at least depth + {2 * QUARTERS}")
        self.source  # noqa: B018 - refuses trees that are too large
        return self

    @property
    def source(self) -> ContextTreeSource:
        """A tree and its laws for each sequence; the first D tokens are uniform, and nothing is counted there."""
        return ContextTreeSource(
            vocab_size=self.vocab_size,
            depth=self.depth,
            branching=self.branching,
            concentration=self.concentration,
        )

    @property
    def full_source(self) -> ContextTreeSource:
        """The control: every tree is the full one, so that the law of order D is the Bayes law."""
        return self.source.replace(branching=1.0)

    @property
    def scored(self) -> int:
        """Positions that verdicts are about: all but the first D, whose law everybody knows."""
        return self.length - self.depth


class Arm(NamedTuple):
    """A way to train.

    layers    blocks of the transformer
    kind      trees; bare: without MLP; full: on full trees, then asked about random ones
    """

    layers: int
    kind: Literal["trees", "bare", "full"] = "trees"

    @property
    def name(self) -> str:
        """As records have it."""
        return f"{self.kind}_{self.layers}"

    @property
    def said(self) -> str:
        """In words."""
        more = {"trees": "", "bare": ", attention only", "full": ", trained on full trees"}[self.kind]
        return f"{self.layers} layer{'s' * (self.layers > 1)}{more}"


class Mismatch(Config):
    """Context-tree weighting with a prior that is not the source's."""

    branching: Branching
    concentration: float = Field(gt=0, le=1e6, description="Dirichlet parameter a")
    depth: int = Field(ge=0, le=20, description="longest context D")

    @property
    def said(self) -> str:
        """In words."""
        return f"b = {self.branching:g}, a = {self.concentration:g}, D = {self.depth}"


class Rivals(Config):
    """Learners without a network, and on what they are measured."""

    mismatches: tuple[Mismatch, ...] = Field(
        (
            Mismatch(branching=0.5, concentration=0.5, depth=2),
            Mismatch(branching=0.1, concentration=0.125, depth=2),
            Mismatch(branching=0.9, concentration=0.125, depth=2),
            Mismatch(branching=0.3, concentration=0.125, depth=4),
        ),
        min_length=1,
        max_length=16,
        description="priors of context-tree weighting that are not the source's",
    )
    n_sequences: int = Field(4096, ge=8, le=10**6, description="sequences on which rivals are measured")
    n_fitted: int = Field(2048, ge=8, le=10**6, description="sequences that interpolation and blends are fitted to")
    fit_steps: int = Field(60, ge=1, le=10_000, description="steps of that fit")
    edges: tuple[int, ...] = Field(
        tuple(range(1, 31)),
        min_length=1,
        max_length=64,
        description="counts from which log-linear blends by counts have a weight of its own, rising",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.edges[0] < 1 or self.edges[-1] > 10**6 or list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"edges: given {self.edges}, must rise, from 1 on, to at most 1000000")
        return self


class Reading(Config):
    """What is read off a trained model."""

    n_sequences: int = Field(1024, ge=2, le=10**6, description="fresh sequences of each replicate")
    n_shuffles: int = Field(400, ge=10, le=10**5, description="permutations of their true depths")
    chance: float = Field(0.99, gt=0.5, lt=1, description="share of permutations that a slope must be above")


class Rates(Tuning):
    """The learning rate of each arm: of those whose excess at half of its steps is within `tie` of the least, the
    smallest."""

    learning_rates: tuple[float, ...] = Field((2.5e-3, 1e-2, 4e-2, 0.16), min_length=1, max_length=16)
    n_seeds: int = Field(3, ge=1, le=1000, description="replicates of each rate")
    tie: float = Field(2e-4, ge=0, le=10, description="nats within which rates are alike")


class Bounds(Config):
    """Regions of the claims; excess in units of the best fixed order's."""

    one: float = Field(1.0, ge=1, le=100, description="one layer: excess at least")
    near: float = Field(0.07, gt=0, le=1, description="more layers are near with an excess of at most that")
    near_nats: float = Field(0.005, gt=0, le=1, description="likewise, nats; added when numbers were seen")
    one_nats: float = Field(0.02, gt=0, le=1, description="one layer: excess at least, nats; added likewise")
    above: float = Field(
        0.1, gt=0, lt=1, description="slope of who asks the evidence, above the largest of who does not: at least"
    )
    evidence: float = Field(0.5, gt=0, lt=1, description="slope of who follows it for the greater part: at least")
    blind: float = Field(0.25, gt=0, lt=1, description="slope of who does not: at most")
    deeper: float = Field(0.1, gt=0, lt=1, description="slope of the most layers above that of two: at least")
    modest: float = Field(0.25, gt=0, lt=1, description="difference between two layers and the most: at most")
    bare: float = Field(0.1, gt=0, lt=10, description="attention only: excess above that of blocks with MLP")
    ppm: float = Field(0.1, gt=0, lt=10, description="partial matching: excess above that of two layers, at least")
    settled: float = Field(
        0.1,
        gt=0,
        le=1,
        description="what twice the steps took off, in the best fixed order's excess: at most, by the interval's end",
    )


class Probe(Config):
    """A cell: the learners without a network, constant blends on the sequences of one replicate, or a member."""

    kind: Literal["learners", "blends", "tuning", "member"] = Field(description="what is looked at")
    arm: str = Field("", description="which arm")
    seed: int = Field(0, ge=0, description="replicate: seed of sequences and of first weights")
    rate: float | None = Field(None, description="learning rate")
    task: Task | None = Field(None, description="the trees; none of a member that only tunes")
    rivals: Rivals | None = Field(None, description="what a model is held against; none of a member that only tunes")
    reading: Reading | None = Field(None, description="what is read off; of members that are judged")


def quarters(scored: int) -> list[slice]:
    """Parts of the scored positions."""
    edges = [scored * i // QUARTERS for i in range(QUARTERS + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


def source_of(task: Task, arm: Arm) -> Source:
    """What an arm is trained on."""
    return task.full_source if arm.kind == "full" else task.source
