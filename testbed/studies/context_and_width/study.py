"""The study `context_and_width`: does the optimal context length grow with the network's width, the data being fixed?

Shi et al. 2025 (2502.01481, sec. 3) hold that a better model theta_m has the longer optimal context: L_approx is the
smaller, so that R_Bayes may fall for longer before it is outweighed (C10). Here the models are transformers of several
widths, on the sources, windows and datasets of `optimal_context`, R is exact and the excess is the exact mean KL. A
width is a better model where data are plenty and only one that fits more of its sample where they are not; dataset
sizes are chosen on either side of this.

What was fixed when. Claims were fixed beforehand. A first laptop run, on six kernels from 400 on of a source of three
symbols at D = 200 and 1200, decided nothing: both widths had the same best contexts and training was the bottleneck at
the wider. On a source of two symbols, where both are trained to the end, kernels 0 to 4 then showed the wider network
to lose less by a second token at D = 45, and no difference at D = 215, where both take all the order of the source.
From these the larger size was set at 75, where the narrower network should still do best without context and the wider
one not: claims, delta and widths are the first run's. On 48 kernels from 1000 on, by 200 steps, one network of 8 was
not trained to the end, so that no claim could rest on them; steps were raised to 300, and nothing else changed. The
verdicts come from 48 kernels from 2000 on, drawn after that, with a rate tuned for each width on kernels of the
tuning's own. They are open once more: with more steps the tuning prefers a smaller rate, which spares the wider network
from overfitting a few targets and does not train it to the end on endless ones. The scales gpu and full decide.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from testbed.core import ConfigError
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.context_and_width.claims import claims
from testbed.studies.judge import Claim
from testbed.studies.optimal_context.config import Arm, Training, Tuning
from testbed.studies.optimal_context.grid import judged_cells, tuned_learning_rate
from testbed.studies.optimal_context.study import OptimalContext
from testbed.studies.study import Study, study
from testbed.training.member import TrainedMember


class OneWidth(OptimalContext):
    """The study `optimal_context` on one arm and one width: its cells are those of this study."""

    type_name: ClassVar[str] = "context_and_width"


@study("context_and_width")
class ContextAndWidth(Study):
    """Does a wider transformer prefer a longer context, on the same data? Exact Bayes risk, exact excess."""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "The optimal context length against the network's width"
    papers: ClassVar[tuple[str, ...]] = ("2502.01481",)

    widths: tuple[int, ...] = Field((8, 16, 32), min_length=2, max_length=8, description="widths, rising")
    arm: Arm = Field(description="family of sources and dataset sizes")
    n_kernels: int = Field(8, ge=2, le=10_000, description="kernels: the independent replicates")
    first_kernel: int = Field(0, ge=0, lt=500_000, description="number of the first kernel: other kernels, data, seeds")
    training: Training = Field(Training(), description="what all members share but their width")
    tuning: Tuning = Field(Tuning(), description="how the learning rate of each width is chosen")
    delta: float = Field(gt=0, le=1, description="smallest difference of losses that matters, nats; l* is within it")
    estimand: Literal["fixed_budget", "oracle_stop"] = Field(
        "fixed_budget", description="judge the end of the schedule, or the least exact excess on the path"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        heads = self.training.model.heads
        bad = [one for one in self.widths if one < 1 or one > 65_536 or one % heads]
        if list(self.widths) != sorted(set(self.widths)) or bad:
            raise ValueError(f"widths: given {self.widths}, must rise and be multiples of {heads} heads, at most 65536")
        if self.arm.order < 1:
            raise ValueError("arm: its source must have memory")
        return self

    @property
    def n_replicates(self) -> int:
        return self.n_kernels

    def of_width(self, width: int) -> OneWidth:
        """Everything of one width, as the functions of `optimal_context` read it."""
        return OneWidth.model_construct(
            arms=(self.arm.replace(name=self.name_of(width)),),
            n_kernels=self.n_kernels,
            first_kernel=self.first_kernel,
            n_draws=1,
            n_inits=1,
            training=self.training.replace(model=self.training.model.replace(width=width)),
            tuning=self.tuning,
            delta=self.delta,
            estimand=self.estimand,
        )

    @staticmethod
    def name_of(width: int) -> str:
        """Of a width's arm, in records."""
        return f"width-{width}"

    def prepare(self) -> None:
        """Design every kernel, so that one that cannot be is refused before anything is trained."""
        for kernel in range(self.first_kernel, self.first_kernel + self.n_kernels):
            try:
                self.arm.kernel(kernel)
            except ConfigError as error:
                raise ConfigError(f"arm.source.{error}") from None

    def claims(self) -> tuple[Claim, ...]:
        return claims(self.widths, self.delta, self.decided_at)

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """The tuning first; once a width's rate is chosen, its members."""
        cells: list[Cell] = []
        for width in self.widths:
            view = self.of_width(width)
            rate, tuning = tuned_learning_rate(view, view.arms[0], finished)
            cells += tuning
            if rate is not None:
                cells += judged_cells(view, view.arms[0], rate)
        return cells

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.optimal_context.measure import member_record

        for cell in cells:
            assert cell.training is not None
            yield member_record(cell, members[cell.training.training_key])
