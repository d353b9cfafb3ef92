"""The study `mep_against_transformer`: a model of T tokens carried to 2T against a transformer trained at 2T.

Claims C10 and C17 on Cukier 2024 (2408.10277, known from its abstract: every reading inferred),
and its third regime of tables, those of a trained model. A transformer is trained on windows of T tokens and carried to
2T by every set that its own tables can feed (`extensions`); another of the same shape is trained on windows of 2T, with
as many steps and as many tokens. Both are held against the exact law of 2T tokens, beside smoothed back-off and all
pairs counted in the tokens that the second model sees, and the six baselines: unigram, neighbour-pair chain, sliding
window, Kirkwood's product, conditional maximum entropy, and the true law, which loses nothing. On chains of low order a
window of T - 1 tokens is enough; where a copy comes from T tokens back, or the state is hidden, it is not, and no set
within T tokens can be (C2's theorem). Tables of a model need not agree with each other: models stopped early show what
that costs under each policy (C17). Models that see N windows again and again ask whether bias against r / 2N predicts
from which N on the window beats the neighbour-pair chain, as it does for counts.

What was fixed when. Claims, roles of sources, policies and the prediction were derived beforehand. Sources, sizes,
steps and margins were settled on replicates below 100; verdicts at laptop scale and above come from replicates drawn
for them. On those tried, too, margins were set below what was seen there (gain from 0.005 to 0.002, harmless from 0.01
to 0.001 and of absolute differences, whose sign was found to change). Rates are tuned for each source and each of the
two lengths alike, on replicates that nothing else sees; models stopped early take the rate of their finished twin, with
a schedule of their own length. A first run on 100 to 109 was judged and seen: the models of 2T had taken the least of
three rates on every source, and no gate was on them. The grid was widened to both sides, the gate laid on both lengths,
replicates raised from 10 to 16, and all of it run again on fresh ones; claims and margins are those of the first run.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.judge import Claim
from testbed.studies.mep_against_transformer.claims import claims
from testbed.studies.mep_against_transformer.config import Bounds, Budget, Few, Probe, Role, Task, default_model
from testbed.studies.mep_against_transformer.grid import cells
from testbed.studies.study import Study, study
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember

MOST_CELLS = 2**16


@study("mep_against_transformer")
class MepAgainstTransformer(Study):
    """Is a transformer of T tokens, carried to 2T by laws of largest entropy, as good as one trained at 2T?

    Same shape, same steps, same number of tokens; the truth is the exact law. Asked where the last T - 1 tokens suffice
    and where they cannot; with the tables' disagreements measured, and beside estimates from counts.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "A model carried to 2T against one trained at 2T"
    papers: ClassVar[tuple[str, ...]] = ("2408.10277",)

    tasks: tuple[Task, ...] = Field(min_length=1, description="sources, with what a window can know of them")
    context_length: int = Field(6, ge=4, le=16, description="T, even")
    budget: Budget = Field(Budget(), description="training of both models")
    few: Few = Field(Few(), description="models that see few windows")
    model: ModelConfig = Field(default_factory=default_model, description="the transformer, the same at T and 2T")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="its steps and learning rate are set elsewhere")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="scoring during training")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    replicates: int = Field(8, ge=2, le=10_000, description="independent seeds of weights, tokens and redrawn laws")
    first_replicate: int = Field(0, ge=0, le=500_000, description="number of the first: other weights and tokens")

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [task.name for task in self.tasks]
        if len(set(names)) != len(names):
            raise ValueError(f"tasks: names must differ, given {', '.join(names)}")
        for role in ("window suffices", "window cannot"):
            if not self.of_role(role):
                raise ConfigError(f"tasks: none has the role {role!r}; claims rest on both")
        if not any(task.pairwise for task in self.of_role("window cannot")):
            raise ConfigError("tasks: none that a window cannot do has a law of pairs (pairwise); a claim rests on it")
        if self.context_length % 2:
            raise ValueError(f"context_length: given {self.context_length}, must be even: windows overlap by T / 2")
        for task in self.tasks:
            size = task.source.vocab_size ** (2 * self.context_length)
            if size > MOST_CELLS:
                raise ValueError(
                    f"context_length: {task.name} has V^(2T) = {size} sequences, at most {MOST_CELLS}: laws are laid"
                    " out whole"
                )
            if task.redrawn and "seed" not in type(task.source).model_fields:
                raise ValueError(
                    f"tasks: {task.name}: {task.source.type_name} has no seed by which it could be redrawn"
                )
        return self

    @property
    def n_replicates(self) -> int:
        return self.replicates

    @property
    def numbers(self) -> range:
        """The numbers of the replicates."""
        return range(self.first_replicate, self.first_replicate + self.replicates)

    def of_role(self, role: Role) -> tuple[Task, ...]:
        """The tasks of a role."""
        return tuple(task for task in self.tasks if task.role == role)

    def claims(self) -> tuple[Claim, ...]:
        return claims(self)

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """The tuning and the models of few windows first; a task's models once their rates are tuned."""
        return cells(self, finished)

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.mep_against_transformer.measure import member_record

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            assert cell.training is not None
            yield member_record(cell, cell.probe, members[cell.training.training_key], context)
