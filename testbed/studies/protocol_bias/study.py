"""The study `protocol_bias`: what a training protocol does to the optimal context length that is read off it.

Shi et al. 2025 (2502.01481) read l* off grids in which several things vary with l or D beside l and D themselves: a
step holds int(T / l) whole windows; steps, hence compute, are tied to the data; losses are averaged over all positions
of a block; training ends when the validation loss rises. Each is switched on alone here, paired with a sound protocol
on the same data and first weights: the same steps and targets a step for all l and D, one target a window at full
context, judged at the end. Losses are exact: R(l) of the source plus the mean exact KL.

    networks    transformers on a Santa Fe process, and on independent tokens, where nothing but the shortest is best
    tables      a learner without a network whose excess is exact: there block averages lengthen l* by a known factor
    visible     fixed models shown shorter and longer windows than in training, with visible lengths masked in training
                (the target at a position drawn for each window) or not

D and a step count targets. Whole batches keep the share l floor(T / l) / T of a step's. Where all positions train, the
targets lie in blocks of l + 1, so that there are fewer windows of longer contexts, as where text is cut into blocks.
All factors together leave out early stopping, as a path holds losses at full context alone.

What was fixed when. Sources, sizes, steps and the networks' depth were settled on replicates below 10, with positions
that are learnt, as the excess hardly rises with l where they are rotations. There it was seen that windows must be
fewer where each holds more targets, or longer contexts are given more data; that tied steps and early stopping move l*
at the smallest D; and that training on blocks and reading their average move it in opposite ways at the larger one:
hence the claims on either. Directions of the first two were left open, margins were not changed. Fourteen replicates,
from 100 on, then left eight claims open, at a rate that lay at the lower edge of its grid, and two claims had been set
after the first of them were seen. Claims, bounds, sources, sizes and steps have not changed since; the grid of rates
was widened below the choice, and the number of replicates set by what a laptop affords. Verdicts come from
replicates from 200 on at laptop scale, drawn after that. Larger sizes, 1,000 to 5,000, were looked at on replicates
below 10 and left out: l* then lies mostly at the longest contexts of the grid.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.methods.learned import LearnedPositions
from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.protocol_bias.config import Bounds, Networks, Probe, Tables, Tuning, Visible
from testbed.studies.study import SeededStudy, study
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember


@study("protocol_bias")
class ProtocolBias(SeededStudy):
    """Which context length is best, and how much of the answer is the protocol's?

    Whole batches, tied steps, block averages and early stopping, each alone, on sources whose risks are exact; fixed
    models at other visible lengths.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "What the protocol does to the optimal context length"
    papers: ClassVar[tuple[str, ...]] = ("2502.01481",)

    networks: Networks = Field(description="transformers, over context length and dataset size")
    tables: Tables = Field(Tables(), description="the learner without a network")
    visible: Visible = Field(Visible(), description="fixed models at other visible lengths")
    n_seeds: int = Field(12, ge=2, le=10_000, description="replicates: each has its own tokens and first weights")
    first_seed: int = Field(0, ge=0, lt=500_000, description="number of the first replicate")
    model: ModelConfig = Field(ModelConfig(depth=1, methods=(LearnedPositions(),)), description="the transformer")
    visible_model: ModelConfig = Field(
        ModelConfig(depth=1), description="the transformer that is shown other lengths: its positions go beyond"
    )
    optimiser: OptimiserConfig = Field(OptimiserConfig(steps=400), description="its learning rate is tuned")
    visible_steps: int = Field(600, ge=1, le=10**8, description="steps of the models that are shown other lengths")
    evaluation: EvaluationConfig = Field(
        EvaluationConfig(n_contexts=512, n_heldout=512, path_points=20, path_spacing="even"),
        description="scoring; each point of the path is a validation",
    )
    tuning: Tuning = Field(Tuning(), description="how the learning rate is chosen")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    visible_seeds: int | None = Field(
        None, ge=2, le=10_000, description="replicates of models that are shown other lengths; left out: n_seeds"
    )

    @property
    def seeds_of_visible(self) -> range:
        """Those of them whose models are shown other lengths."""
        return self.seeds[: self.visible_seeds]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.visible_seeds is not None and self.visible_seeds > self.n_seeds:
            raise ValueError(f"visible_seeds: given {self.visible_seeds}, must be at most n_seeds = {self.n_seeds}")
        return self

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """Tables and tuning first; members once their rate is tuned."""
        from testbed.studies.protocol_bias.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.protocol_bias.measure import member_record, tables_record, visible_record

        for cell in cells:
            probe = cell.probe
            assert isinstance(probe, Probe)
            if probe.kind == "tables":
                yield tables_record(cell, probe)
                continue
            assert cell.training is not None
            member = members[cell.training.training_key]
            record = visible_record if probe.kind.startswith("visible") else member_record
            yield record(cell, member, context.device)
