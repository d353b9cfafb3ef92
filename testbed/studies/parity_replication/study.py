"""The study `parity_replication`: the authors' parity experiment again, by their protocol and by a sound one.

Shi et al. 2025 (2502.01481) show on "position-weighted multitask sparse parity" that a network of context l trained on
D samples has a best l which grows with D. Their public code ties the number of steps to D, stops early on validation
loss and reports the best epoch. One seed of it was seen to stop on the plateau at ln 2, before long contexts are
learnt. So here every member is trained twice: by the released protocol, and by one whose steps do not depend on D,
whose learning rate and weight decay are tuned for each D, and which is judged at the end. Losses are R(l), exact, plus
the exact mean KL on fresh samples; and each path is read at three stopping rules at once, so that what the stop does is
paired.

What is scaled down at laptop scale, and what is not. The network (400 to 64 wide), the tasks (50 to 12, two of them
beyond the stored bits, as 7 of 50 are in the public table) and the batch (10,000 to 250) are smaller, and D spans 4 to
16 batches, where the public grid has 5 to 200; learning rate, weight decay, clipping and patience are the released
ones. The scales gpu and full are the authors' own: variant A, 400 units, batches of 10,000. Tasks are drawn
independently where the code deals them out in turn, and samples may repeat, which at these lengths they hardly do.
Table 1 and assumption A3 are exact and need no training.

The later version of the paper trains another network (v4, Table 1): one transformer on tokens for all visible lengths,
3 layers of width 208 with an MLP of 832, rotary base 4000, 60 bits and the question; half of the samples are whole, of
the others 10 to 60 bits are visible and the rest marked as hidden (`far_bits_hidden`). It is an arm here, judged at
every visible length by the exact law; of its own size at the scales gpu and full, far smaller at laptop scale. Heads,
optimiser, rate and steps are not published. Before the bits stands the begin symbol of every sequence here, and its
head is one matrix over all symbols, not an MLP with one output: it is read over the two answers alone.

What was fixed when. Claims, rules and the released settings were fixed beforehand. Tasks, sizes, steps and delta were
settled on seeds 0 and 1; settings are chosen on seeds of their own. A first run with five seeds from 100 on, one rate
and two decays, left eight of the claims undecided. Nothing but the number of seeds and the grid of settings was changed
after it, and the verdicts come from the twelve seeds from 200 on. The paper's own network came later: its tasks, size
and steps were settled on seeds 0 and 1, where networks learnt every task of endless samples, and at D = 1000 lost least
with all bits visible; its verdicts come from the first ten of the same twelve seeds.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.core import ConfigError
from testbed.models.mlp_config import MLPConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.judge import Claim
from testbed.studies.parity_replication.claims import claims
from testbed.studies.parity_replication.config import Protocol, ProtocolName, Role, TaskSet, Transformer
from testbed.studies.parity_replication.grid import all_cells
from testbed.studies.parity_replication.transformer_grid import ShownProbe, shown_cells
from testbed.studies.study import SeededStudy, study
from testbed.training.member import TrainedMember


@study("parity_replication")
class ParityReplication(SeededStudy):
    """Which context length is best on multitask sparse parity, and how much of the answer is the training protocol's?

    MLPs on tasks whose risks are exact, over context length and dataset size, by the public code's protocol and by a
    sound one; Table 1 and assumption A3 exactly.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "The parity experiment again"
    papers: ClassVar[tuple[str, ...]] = ("2502.01481",)

    designed: TaskSet = Field(description="tasks of every depth: longer contexts solve more of them")
    control: TaskSet = Field(description="tasks within the shortest context: longer ones add nothing")
    model: MLPConfig = Field(MLPConfig(), description="the network")
    transformer: Transformer = Field(description="the paper's own network, one for all visible lengths")
    released: Protocol = Field(description="the public code's protocol, judged at its early stop")
    sound: Protocol = Field(description="a protocol whose steps do not depend on D, judged at its end")
    batch_size: int = Field(ge=1, le=10**7, description="samples a step")
    clip: float | None = Field(1.0, gt=0, le=1e6, description="largest gradient norm; None: no clipping")
    patience: int = Field(25, ge=1, le=10**6, description="epochs without a new least validation loss that end a run")
    most_epochs: int = Field(200, ge=1, le=10**6, description="epochs that end a run in any case")
    n_validation: int = Field(ge=2, le=10**8, description="validation samples, scored after every epoch")
    n_contexts: int = Field(ge=2, le=10**8, description="fresh samples on which a member is judged")
    n_seeds: int = Field(8, ge=2, le=10_000, description="replicates: each has its own samples, order and weights")
    first_seed: int = Field(0, ge=0, lt=500_000, description="number of the first replicate")
    n_tuning_seeds: int = Field(2, ge=1, le=1000, description="replicates on which a protocol's setting is chosen")
    delta: float = Field(gt=0, le=1.0, description="smallest difference of losses that matters, nats")
    linear_within: float = Field(0.02, gt=0, lt=1, description="linear: residuals of at most this share of the range")
    learnt_below: float = Field(0.1, gt=0, lt=0.6, description="a task counts as learnt below this excess, nats")

    @model_validator(mode="after")
    def _check(self) -> Self:
        shortest = self.control.risks[0]
        if any(abs(risk - shortest) > 1e-12 for risk in self.control.risks):
            raise ConfigError("control: its risk must not depend on the context length, or an optimum may appear")
        risks = self.designed.risks
        if not risks[-1] < risks[0]:
            raise ConfigError("designed: its longest context must solve more tasks than its shortest")
        if not set(self.control.sizes) <= set(self.designed.sizes):
            raise ConfigError("control.sizes: must be among designed.sizes, whose settings the control takes over")
        for role in ("designed", "control"):
            least = min(self.task_set(role).sizes)
            if least < 2:
                raise ConfigError(f"{role}.sizes: given {least}, must be at least 2")
        return self

    @property
    def seeds_of_transformer(self) -> range:
        """Those of them on which the paper's own network is trained."""
        return self.seeds[: self.transformer.n_seeds]

    def task_set(self, role: Role) -> TaskSet:
        """The set of tasks of a role."""
        return self.designed if role == "designed" else self.control

    def protocol(self, name: ProtocolName) -> Protocol:
        """The protocol of a name."""
        return self.released if name == "released" else self.sound

    def claims(self) -> tuple[Claim, ...]:
        return claims(self)

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """The choices of settings first; once a protocol's setting is chosen, its members."""
        return [*all_cells(self, finished), *shown_cells(self, finished)]

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.parity_replication.measure import records_of
        from testbed.studies.parity_replication.transformer_measure import shown_record

        for cell in cells:
            if cell.training is not None:
                yield shown_record(cell, members[cell.training.training_key], context.device)
        yield from records_of([cell for cell in cells if not isinstance(cell.probe, ShownProbe)], context)
