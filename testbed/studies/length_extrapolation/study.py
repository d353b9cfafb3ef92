"""The study `length_extrapolation`: what attention methods do beyond the training length, against the exact law.

Members are trained on whole sequences of m tokens. Each is then read at n = m, 2 m, 4 m, ... under every test-time
method, on fresh sequences whose exact Bayes law is known at every position: the measure is KL(P* || model), averaged
over the judged positions of the second half of each sequence, so that no verdict rests on accuracy or on an estimate of
the entropy. Training-free methods share one trained member; methods that need training are arms of their own.

Claims are those of Li et al. 2025 (2501.08570) that trained models can decide (C1, C2, C5, C6, C9), and predictions
against them (P1 to P5, P8 to P12). What is said of scalings is judged with positions in range: with rotary positions
clipped (ReRoPE), or drawn in training; raw rotary positions go out of range at n > m, and a model without positions may
read them off its attention on the begin symbol, so that it stands apart, with the symbol hidden. The recall source has
statements of one token and models of one layer: it is learnt, and its law is the same at every n.

Two tasks are none where sharpening helps: on the averaging source (T7) the best logits are constant, so a multiplier is
an exact no-op; on reliability classes (T7b) the best weights keep one ratio at every n, so every multiplier costs, by
how much is computed without any model (`oracle`) before a verdict rests on it. On the lag copy (T8) the loss of the
exact law given what masks let through is known, so that windows are judged against it alone (`reach`), on models
trained with their masks.

Three things stay outside. Far pointers (T6) are trained and drawn at the full scale alone: what the exact law loses
behind a mask is derived for one fixed lag, where copies of copies can be counted, and not for pointers; a far source
under CosScale is judged in `cosscale`. Fillers (T4) are at the full scale too, and enter `focus`, `mass` and
`mass_loss` there. That InfoScale holds H in random logits of a large spread (P2) is decided on planted ones in
`attention_theory`; `frozen` asks it of trained heads, whose logits are not random, with CosScale's alpha to spread
them.

Two claims are out of the laptop's reach. `boundary` (P9, first half) needs an arm with CosScale near the frozen
boundary and one away from it: with 8 and 16 the retrieving head's sigma is 1.55 and 3.08 times sqrt(2 ln m), both away
by the rule (1.5), and a smaller alpha would have to be trained. In `mass_loss` (P3, for the KL) one replicate of twelve
stays at .16 to .21 nats under every law, so that no interval of a mean is short.

What was fixed when. A first design was run on replicates 300 to 311 and then changed for what it could not decide or
decided on wrong grounds: recall was lost beyond 2 m by every row; claims on scalings rested on rows out of range;
learning rates had been typed by hand. A second was settled on replicates 700 to 707 and run on 500 to 511; after that
run claims were mended, with nothing trained anew: beyond 4 m at least 256 places are judged; `no_op` is parted into
multipliers that go by length and those read off logits; `tax` is judged on the averaging source too; `boundary` asks
for a gain near the boundary too; behind masks InfoScale counts the tokens of the window, and methods worse than no
context are left out of `added_infoscale`; `not_best` is on all heads of the recall source. `added_infoscale` and
`not_best` held only since, on replicates already seen; on fresh ones the first does and the second is undecided.

The present design was fixed before replicates 520 to 531 were drawn, and its verdicts come from these alone. Changed on
replicates 400 to 406: the grid of rates is wider, as 11 of 15 arms had taken its lower edge, and is that of
`dilution_or_position`, with one rule for both (`testbed.studies.tuning`); more steps on the local source, which 2 of 12
members without positions had learnt; four heads for two on recall, where alpha = 16 had been learnt by 2 of 12. Changed
for what the run before had left open: the averaging source has a rotary arm; `within_reach` is asked of models trained
with their mask (put on afterwards, what a mask cost had an interval up to 6 nats) and `reach_cost` is new; `frozen`
looks at the arms with CosScale too, whose heads had spreads of 5 to 7 there with alpha = 16. Margins and regions are as
they were.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.judge import Claim
from testbed.studies.length_extrapolation.claims import claims
from testbed.studies.length_extrapolation.config import (
    EVERY_ARM,
    FAR,
    LEAST_JUDGED,
    MULTIPLIERS,
    NONE,
    Arm,
    Change,
    Task,
    check_names,
    check_ratios,
)
from testbed.studies.length_extrapolation.grid import MemberProbe, OracleProbe, cells_of, changes_of, model_of
from testbed.studies.study import Study, study
from testbed.studies.tuning import Tuning
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember


@study("length_extrapolation")
class LengthExtrapolation(Study):
    """What do attention-scaling and length-extrapolation methods do beyond the training length?

    Transformers are trained on sequences of m tokens and read at longer ones, under every method that needs no
    training, on sources whose Bayes law is known at every position: the measure is the mean exact KL from it. An arm
    that did not learn its task at n = m is not judged.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "Length extrapolation by attention methods"
    papers: ClassVar[tuple[str, ...]] = ("2501.08570",)

    tasks: tuple[Task, ...] = Field(min_length=1, description="sources, with the arms that are trained on each")
    arms: tuple[Arm, ...] = Field(min_length=1, description="transformers as they are trained")
    changes: tuple[Change, ...] = Field(min_length=1, description="test-time methods, tried on the trained members")
    ratios: tuple[int, ...] = Field((1, 2, 4), min_length=2, description="test lengths in units of m; the first is 1")
    n_seeds: int = Field(
        8, ge=2, le=10_000, description="replicates: each has its own weights, training and test tokens"
    )
    first_seed: int = Field(0, ge=0, lt=500_000, description="number of the first replicate: other weights and tokens")
    model: ModelConfig = Field(ModelConfig(), description="the transformer; its methods are those of the arm")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="its steps and learning rate are set elsewhere")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="scoring during training")
    tuning: Tuning = Field(Tuning(), description="how the learning rate of each arm is chosen")
    max_judged: int = Field(64, ge=1, le=2**20, description="judged positions looked at in each half of a sequence")
    n_oracle: int = Field(2000, ge=2, le=2**24, description="sequences over which the exact controls are averaged")
    gate: float = Field(0.05, gt=0, lt=1, description="learnt: excess at n = m below this share of the no-context KL")
    margin: float = Field(gt=0, description="smallest difference of excesses that matters, nats; the same everywhere")
    nope_arm: str = Field("nope", description="the arm without positions, which sees the begin symbol")
    hidden_arm: str = Field("nope_no_begin", description="the arm without positions that does not see it")
    rope_arm: str = Field("rope", description="the arm with rotary positions")
    drawn_arm: str = Field("random_positions", description="the arm with rotary positions drawn in training")
    scaled_arms: tuple[str, ...] = Field(("ssmax_rope",), description="arms with rotary positions and a learnt scaling")
    in_range: str = Field("rerope", description="the change that keeps rotary positions in range")
    normed_arms: tuple[tuple[str, str], ...] = Field(
        (("cosscale", "cosscale_nope"),), min_length=1, description="arms with CosScale: rotary, and without positions"
    )
    scaling: str = Field("infoscale", description="the change by InfoScale")
    log_law: str = Field("log n", description="the change by the logarithm of the number of keys")
    yarn_law: str = Field("yarn temperature", description="the change by the YaRN temperature")
    sphere_law: str = Field("sphere infoscale", description="the change by the exact law on the sphere")
    flat_slope: float = Field(0.1, gt=0, description="entropy is constant up to this slope on ln n, nats")
    relative_margin: float = Field(0.05, gt=0, description="H / ln n is constant up to this share")
    focus: float = Field(0.9, gt=0, le=1, description="share of the mass at n = m that counts as kept")
    shape_margin: float = Field(0.01, gt=0, description="divergence of attention among original tokens that matters")
    mass_margin: float = Field(0.02, gt=0, description="smallest change of mass that matters")
    boundary: float = Field(1.5, gt=1, description="sigma / sqrt(2 ln m) within this factor of 1 is near the boundary")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_ratios(self.ratios)
        check_names(self.tasks, self.arms, self.changes, self.ratios)
        known = {change.name for change in self.changes}
        named = (self.in_range, self.scaling, self.log_law, self.yarn_law, self.sphere_law)
        for name in (*named, *(one.over for one in self.changes if one.over)):
            if name not in known | {NONE}:
                raise ConfigError(f"changes: there is none called {name}; there are {', '.join(sorted(known))}")
        for one in self.changes:
            if one.kind in MULTIPLIERS and len(one.methods) != 1:
                raise ConfigError(f"changes: {one.name} is of kind {one.kind} and must be one method")
        return self

    @property
    def n_replicates(self) -> int:
        return self.n_seeds

    @property
    def seeds(self) -> range:
        """Numbers of the replicates; number i is the seed of its weights and of its tokens."""
        return range(self.first_seed, self.first_seed + self.n_seeds)

    def ratios_of(self, task: Task) -> tuple[int, ...]:
        """Test lengths of a task in units of its m."""
        return task.ratios or self.ratios

    def largest(self, task: Task) -> int:
        """The largest ratio n / m at which a task is tested."""
        return self.ratios_of(task)[-1]

    def change(self, name: str) -> Change:
        """The change of this name."""
        for change in self.changes:
            if change.name == name:
                return change
        raise ConfigError(f"changes: there is none called {name}")

    def arm(self, name: str) -> Arm:
        """The arm of this name."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise ConfigError(f"arms: there is none called {name}")

    def arms_of(self, task: Task) -> tuple[Arm, ...]:
        """The arms that are trained on a task, in the order of the arms."""
        every = EVERY_ARM in task.arms
        return tuple(one for one in self.arms if one.name in task.arms or (every and not one.masked))

    def model_for(self, task: Task) -> ModelConfig:
        """The transformer of a task, its methods still to be set."""
        sizes = {"width": task.width, "heads": task.heads, "depth": task.depth}
        return self.model.replace(**{name: size for name, size in sizes.items() if size is not None})

    def depth_of(self, task: Task) -> int:
        """Blocks of the models of a task."""
        return self.model_for(task).depth

    def head_dim(self, task: Task) -> int:
        """Head dimension of the models of a task."""
        return self.model_for(task).geometry(task.train_length).head_dim

    def looks_at_heads(self, change: str) -> bool:
        """Whether attention is measured head by head under a change."""
        return change == NONE or self.change(change).heads

    def prepare(self) -> None:
        """Build every model with every change, so that a combination that excludes itself is refused beforehand."""
        for task in self.tasks:
            for arm in self.arms_of(task):
                for change, methods in changes_of(self, task, arm):
                    try:
                        model_of(self, task, arm.replace(methods=methods))
                    except ConfigError as error:
                        raise ConfigError(f"changes: {change} on {arm.name}: {error}") from None
        self._check_judged()

    def _check_judged(self) -> None:
        """Raise ConfigError where a replicate has too few judged places beyond 4 m for its excess to mean much."""
        from testbed.studies.length_extrapolation.measure import late_places

        for task in self.tasks:
            for ratio in self.ratios_of(task) if task.arms else ():
                each = late_places(task.source, ratio * task.train_length, self.max_judged) if ratio > FAR else 0
                if ratio > FAR and (judged := each * task.sequences_at(ratio)) < LEAST_JUDGED:
                    raise ConfigError(
                        f"tasks: {task.name} has {judged} judged places in the second halves at {ratio} m, must be at"
                        f" least {LEAST_JUDGED} beyond {FAR} m; with n_beyond = {-(-LEAST_JUDGED // each)} it has"
                    )

    def claims(self) -> tuple[Claim, ...]:
        return claims(self)

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """Exact controls and the tuning first; once an arm's rate is tuned on a task, its members."""
        return cells_of(self, finished)

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.length_extrapolation.measure import member_record
        from testbed.studies.length_extrapolation.oracle import oracle_record

        for cell in cells:
            if isinstance(cell.probe, OracleProbe):
                yield oracle_record(cell, cell.probe)
            else:
                assert isinstance(cell.probe, MemberProbe)
                assert cell.training is not None
                yield member_record(cell, cell.probe, members[cell.training.training_key], context)
