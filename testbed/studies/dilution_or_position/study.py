"""The study `dilution_or_position`: by how much do many keys and far positions each cost a model beyond its length?

Claim C7 of Li et al. 2025 (2501.08570): attention score dilution, not insufficient training, is the main obstacle to
long context. Both are set by hand. Of a sequence of n tokens either all are shown or m of them, those included that the
answer rests on; and they stand either at their true positions or at positions of a training window (`places`). The four
corners give each factor's Shapley value of the excess KL and the interaction (`shapley`). The reference is the exact
Bayes law, which on the recall source is the same at all corners; a check holds it so.

Members are trained on whole sequences of m tokens alone. On the averaging source C7 must fail: its best attention has
weights in a ratio that is the same at every length, which added keys do not dilute. It first shows that it would see
attention of another temperature: an exact head whose logits are multiplied loses more than the margin. (Where all
statements count alike, T7, the logits are constant and no multiplier does anything: no control.) Arms without positions
are controls too: positions change nothing there, so that all they lose is dilution's, and no share is in question. A
lag copy (T8) is no control here: its answer rests on the order of the tokens, so neither may sites be left out at
random nor may several share a place. In more than one block the corner of many near keys holds something else that was
not trained, several keys at one position in the earlier blocks, and its cost counts as dilution's.

What was fixed when. Claims, corners and the rule for interactions were derived beforehand. Sources, sizes, steps and
margins were settled on replicates 0 to 2 and 900 to 907, those of the averaging source on 910 to 919. A run with
replicates 100 to 107 left claims undecided that a few more would decide, and learning rates at the edge of their grid;
one with replicates 200 to 211 had more of them and a wider grid. A review of it then changed what is said, not towards
any verdict: the rule for interactions takes what each factor does alone, arms without positions lost their verdicts,
`scaling_only` leaves out what is so by construction, and the averaging source, on which no temperature could have cost
anything, gave way to T7b. The run on replicates 220 to 231 chose rates by a rule of its own, and gave the two arms of
`begin` rates that differed by a factor of two, so that its answer could be the rates'. Replicates 240 to 251 were
judged with rates by the rule and the grid of `length_extrapolation` (`testbed.studies.tuning`), and `scaling_only`
asked by the measure of `scaling_removes`, half of what is to be removed: that nothing at all is removed had a power of
.03 to .06 in four of the worlds in which it is true, as the noise of many keys' cost was as large as the margin; as
asked now it has .98 and over there. There each of the two arms of `begin` chose a rate of its own again (.003 with the
symbol seen, .008 with it hidden), and with the symbol seen dilution was .252 nats at .003 where it had been .114 at
.006. So the two are now tuned as one, by the mean over both; nothing else was changed, and the verdicts come from
replicates 260 to 271. How large dilution is depends on how sharp training made the heads, so steps are few and the same
for all arms of a task, but for drawn positions, which need more.

What stays open. Shares stay undecided wherever the interaction exceeds the smaller factor; which factor is the larger
does not depend on the split there, and the reasons say it.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.dilution_or_position.claims import claims
from testbed.studies.dilution_or_position.config import Arm, Change, Role, Task, check_names
from testbed.studies.dilution_or_position.grid import Probe, changes_of, member_cells, tuned_learning_rate
from testbed.studies.dilution_or_position.places import groups_of, needed_sites
from testbed.studies.judge import Claim
from testbed.studies.study import Study, study
from testbed.studies.tuning import Tuning
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember


@study("dilution_or_position")
class DilutionOrPosition(Study):
    """Does a longer context fail by its many keys (dilution) or by its far positions?

    Each is set without the other, on trained transformers: m or n keys are shown, at positions of a training window or
    at true ones. Shapley values share what n tokens cost beyond m; the reference is the exact Bayes law.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "Dilution or position shift"
    papers: ClassVar[tuple[str, ...]] = ("2501.08570",)

    tasks: tuple[Task, ...] = Field(min_length=1, description="sources, with the arms that are trained on each")
    arms: tuple[Arm, ...] = Field(min_length=1, description="transformers as they are trained")
    changes: tuple[Change, ...] = Field((), description="test-time methods, tried on the trained members")
    ratios: tuple[int, ...] = Field((1, 4, 16), min_length=2, description="lengths in units of m; the first is 1")
    n_seeds: int = Field(8, ge=2, description="replicates: each has its own initial weights, training and test tokens")
    first_seed: int = Field(0, ge=0, lt=500_000, description="number of the first replicate: other weights and tokens")
    model: ModelConfig = Field(ModelConfig(), description="the transformer; its methods are those of the arm")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="its steps and learning rate are set elsewhere")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="scoring during training")
    tuning: Tuning = Field(Tuning(), description="how the learning rate of each arm is chosen")
    gate: float = Field(0.05, gt=0, lt=1, description="learnt: excess at n = m below this share of the no-context KL")
    margin: float = Field(gt=0, description="smallest effect that matters, nats")
    out_of_range: tuple[str, ...] = Field(("rope",), description="arms whose positions go out of range")
    begin_seen: str = Field("nope", description="the arm without positions that sees the begin symbol")
    begin_hidden: str = Field("nope_no_begin", description="the arm without positions from which it is hidden")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.ratios[0] != 1 or list(self.ratios) != sorted(set(self.ratios)):
            raise ValueError(f"ratios: given {self.ratios}, must rise from 1")
        check_names(self.tasks, self.arms, self.changes, self.ratios)
        if not self.of_role("recall"):
            raise ConfigError("tasks: none has the role recall, on which the claims rest")
        return self

    @property
    def n_replicates(self) -> int:
        return self.n_seeds

    @property
    def seeds(self) -> range:
        """Numbers of the replicates; number i is the seed of its weights and of its tokens."""
        return range(self.first_seed, self.first_seed + self.n_seeds)

    def of_role(self, role: Role) -> tuple[Task, ...]:
        """The tasks of a role."""
        return tuple(task for task in self.tasks if task.role == role)

    def arm(self, name: str) -> Arm:
        """The arm of this name."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise ConfigError(f"arms: there is none called {name}")

    def arms_of(self, task: Task) -> tuple[Arm, ...]:
        """The arms that are trained on a task."""
        return tuple(self.arm(name) for name in task.arms)

    def prepare(self) -> None:
        """Build every model with every change and the places of some sequences, so that what cannot be is refused."""
        import numpy as np

        for arm in self.arms:
            for change, methods in changes_of(self, arm):
                try:
                    self.model.replace(methods=methods)
                except ConfigError as error:
                    raise ConfigError(f"changes: {change} on {arm.name}: {error}") from None
        for task in self.tasks:
            m, tokens = task.train_length, task.source.sample(2, task.train_length)
            try:
                groups_of(needed_sites(task.source, tokens), m, m, np.random.default_rng(0))
            except ConfigError as error:
                raise ConfigError(f"tasks: {task.name}: {error}") from None

    def tuned_together(self, task: Task, arm: Arm) -> list[Arm]:
        """The arms whose learning rate is one: those that `begin` compares, else the arm alone."""
        pair = [one for one in self.arms_of(task) if one.name in (self.begin_seen, self.begin_hidden)]
        return pair if arm in pair else [arm]

    def claims(self) -> tuple[Claim, ...]:
        return claims(self)

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """The tuning first; once an arm's rate is tuned on a task, its members."""
        cells: list[Cell] = []
        for task in self.tasks:
            for arm in self.arms_of(task):
                rate, tuning = tuned_learning_rate(self, task, arm, finished)
                cells += [cell for cell in tuning if cell.probe.arm == arm.name]  # type: ignore[attr-defined]
                if rate is not None:
                    cells += member_cells(self, task, arm, rate)
        return cells

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.dilution_or_position.measure import member_record

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            assert cell.training is not None
            yield member_record(cell, cell.probe, members[cell.training.training_key], context)
