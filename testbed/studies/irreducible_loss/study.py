"""The study `irreducible_loss`: is the L_inf that a fit of L = L_inf + C / D^b finds the Bayes loss of the window?

Scaling laws are fitted with a constant, and the constant is read as the entropy of text (Ghorbani et al. 2021,
2109.07740; Hoffmann et al. 2022, 2203.15556). Nobody can check that on text. Here the Bayes loss of a window of l
tokens is exact, and so is every loss of the learners without networks: their data are counts, drawn in one go for any
number of targets D, and their loss is a sum over all windows.

    tables          excess V^l (V - 1) / 2D once D is large: a power law with the exponent 1, whose constant is h_l.
                    Read early (D from half a target to 32 for each free number) and late (100 to 6400)
    regression      on lags: its constant is the least loss of its class, which is not h_l
    two sizes       tables of orders 1 .. l on D targets: L_inf + A / N^a + B / D^b
    other stream    trained on p, tested on p^b: the constant is the cross-entropy -sum q ln p, neither stream's entropy
    transformers    stopped where the held-out loss is least

The truth of L_inf is the loss of the window, h_l, not the entropy rate h.

What was fixed when. Learners, sweeps, bounds and the forms of the claims were settled on draws below 100; there it was
seen that early limits fall far below, and that intervals open on a side would count as right, so that only closed ones
do. Of transformers only a smoke run was looked at. The verdicts at laptop scale and above come from draws 1000 on.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.irreducible_loss.config import Bounds, MemberProbe, Probe, Sweeps, Training
from testbed.studies.irreducible_loss.grid import all_cells
from testbed.studies.study import Study, study
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember


@study("irreducible_loss")
class IrreducibleLoss(Study):
    """Does the irreducible loss that scaling laws fit find the Bayes loss, and what moves it?

    Tables, regressions and transformers on sources whose Bayes loss is exact, over dataset size and model size.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "The irreducible loss of scaling laws"
    papers: ClassVar[tuple[str, ...]] = ("2109.07740", "2203.15556")

    sweeps: Sweeps = Field(Sweeps(), description="dataset sizes of learners without networks")
    training: Training = Field(Training(), description="how transformers are trained, and on how much")
    model: ModelConfig = Field(ModelConfig(), description="the transformer")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="steps are the training's, the rate is tuned")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="scoring along training")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    draws: int = Field(8, ge=2, le=10_000, description="sources of each class, for learners without networks")
    two_size_draws: int = Field(
        8,
        ge=2,
        le=10_000,
        description="of these, those on which two sizes are fitted (the rates of hidden chains cost)",
    )
    first_draw: int = Field(0, ge=0, le=500_000, description="number of the first source")

    @property
    def n_replicates(self) -> int:
        return self.draws

    @property
    def trained_draws(self) -> range:
        """Numbers of the sources on which transformers are trained."""
        return range(self.first_draw, self.first_draw + self.training.draws)

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        return all_cells(self, finished)

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.irreducible_loss.measure import measured
        from testbed.studies.irreducible_loss.members import member_record

        for cell in cells:
            if isinstance(cell.probe, Probe):
                yield Record(cell.key, cell.study, cell.resolved(), "done", {}, measured(cell.probe))
            else:
                assert isinstance(cell.probe, MemberProbe)
                assert cell.training is not None
                yield member_record(cell, members[cell.training.training_key])
