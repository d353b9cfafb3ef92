"""The study `optimal_context`: which context length is best for which dataset size, and does it agree with theory?

Claim (Shi et al. 2025, 2502.01481, sec. 3): the loss of a model of context l is R_Bayes(l) + L_approx(l, D), one
falling and one rising in l, so that an optimal l* exists and grows with the dataset size D.

Here R_Bayes(l) = h_l is known exactly, and the excess is the exact mean KL of each trained transformer. Members of
context l are trained and judged on windows of a begin symbol plus l tokens, all on the same D targets.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from testbed.core import ConfigError
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.judge import Claim
from testbed.studies.optimal_context.claims import claims
from testbed.studies.optimal_context.config import Arm, Training, Tuning
from testbed.studies.optimal_context.grid import Probe, judged_cells, tuned_learning_rate, untrained_cells
from testbed.studies.study import Study, study
from testbed.training.member import TrainedMember


@study("optimal_context")
class OptimalContext(Study):
    """Optimal context length against dataset size, on Markov sources whose entropies are known exactly."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Optimal context length against dataset size"
    papers: ClassVar[tuple[str, ...]] = ("2502.01481",)

    arms: tuple[Arm, ...] = Field(min_length=2, description="families of sources; one designed and one control needed")
    n_kernels: int = Field(8, ge=2, description="kernels of each arm: the independent replicates")
    first_kernel: int = Field(0, ge=0, lt=500_000, description="number of the first kernel: other kernels, data, seeds")
    n_draws: int = Field(1, ge=1, le=1000, description="data draws of each kernel")
    n_inits: int = Field(1, ge=1, le=1000, description="initialisations of each data draw")
    training: Training = Field(Training(), description="what all members share")
    tuning: Tuning = Field(Tuning(), description="how the learning rate of each arm is chosen")
    delta: float = Field(gt=0, description="smallest difference of losses that matters, nats; l* is reported within it")
    estimand: Literal["fixed_budget", "oracle_stop"] = Field(
        "fixed_budget", description="judge the end of the schedule, or the least exact excess on the path"
    )
    beyond: float = Field(30.0, gt=0, description="largest D over the one where the table learner reaches k, at least")

    @model_validator(mode="after")
    def _check(self) -> Self:
        roles = [arm.role for arm in self.arms]
        for role in ("designed", "control"):
            if roles.count(role) != 1:
                raise ValueError(f"arms: given {roles.count(role)} of role {role}, must be one")
        if len({arm.name for arm in self.arms}) != len(self.arms):
            raise ValueError(f"arms: names must differ, given {', '.join(arm.name for arm in self.arms)}")
        if any(arm.role == "designed" and arm.order < 1 for arm in self.arms):
            raise ValueError("arms: the designed arm must have memory")
        return self

    @property
    def n_replicates(self) -> int:
        return self.n_kernels

    def kernels_of(self, arm: Arm) -> range:
        """The kernel numbers of an arm."""
        n_kernels = self.n_kernels if arm.n_kernels is None else arm.n_kernels
        return range(self.first_kernel, self.first_kernel + n_kernels)

    def arm(self, name: str) -> Arm:
        """The arm of this name."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise ConfigError(f"arms: there is none called {name}")

    def prepare(self) -> None:
        """Design every kernel, so that one that cannot be is refused before anything is trained."""
        for number, arm in enumerate(self.arms):
            laws = set()
            for kernel in self.kernels_of(arm):
                try:
                    laws.add(arm.kernel(kernel).fingerprint)
                except ConfigError as error:
                    raise ConfigError(f"arms.{number}.source.{error}") from None
            if len(laws) == 1 < len(self.kernels_of(arm)):
                raise ConfigError(f"arms.{number}.source: its seed changes nothing, so its kernels are no replicates")

    def claims(self) -> tuple[Claim, ...]:
        return claims(self.delta, self.decided_at)

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """References, source checks and tuning first; once an arm's rate is tuned, its members."""
        cells: list[Cell] = []
        for arm in self.arms:
            cells += untrained_cells(self, arm)
            rate, tuning = tuned_learning_rate(self, arm, finished)
            cells += tuning
            if rate is not None:
                cells += judged_cells(self, arm, rate)
        return cells

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.optimal_context.measure import member_record, reference_record, source_record

        for cell in cells:
            probe = cell.probe
            assert isinstance(probe, Probe)
            arm = self.arm(probe.arm)
            if probe.kind == "source":
                yield source_record(cell, arm, probe)
            elif probe.kind == "reference":
                yield reference_record(cell, arm, self.training, probe)
            else:
                assert cell.training is not None
                yield member_record(cell, members[cell.training.training_key])
