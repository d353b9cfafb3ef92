"""The study `competition_of_predictors`: what a transformer is that reads one of N Markov chains, or a new one.

Park et al. 2024 (2412.01003) train on sequences of N chains with Dirichlet rows and explain the model by four
predictors: what it counts, single tokens or pairs, and what it does with the counts, retrieve one of the N chains or
infer the rows of any. All four are known in closed form (`predictors`), and so are the exact divergences of a model to
them at every point of training, on the family and on chains that it never saw; their weights in the model are least
squares on the simplex, of laws (the paper's interpolation) and of log-odds beside it. The uniform law takes part as a
fifth, so that what is not learnt yet is not counted as one of the four.

    N = 1                the control where retrieval is right at once and nothing is left to infer
    few chains           retrieval by pairs, which is the family's Bayes law exactly
    between              inference first, then retrieval takes over: transience
    many chains          inference still, though the Bayes law of the family would lose less
    continuum            the control where retrieval is impossible: a chain of its own for every sequence, whose Bayes
                         law is inference by pairs; its retrievals are of a family that it never saw

The learning rate stays constant after its warm-up, so that a point of the path is a training of that many steps, and it
is one for all N. Families of one replicate are nested. Divergences on new chains are to their exact Bayes law.

What was fixed when. Sizes, steps, the N between and the early and late parts of training were settled on replicates 0
to 2, at N = 1 to 256 and widths 16 to 64, mostly at a rate of 6e-3, untuned. There it was seen that single tokens come
first, that at N = 16 inference by pairs is ahead for some hundred steps and retrieval by pairs thousands of steps
later, that at N = 4 and 8 inference is never ahead, and that the step at which pairs are learnt varies much between
replicates; then the regions were set. A first run for verdicts, on replicates 100 to 104, counted rates within .002
nats as alike and 4.5 % to 18 % of training as early. Its rate came to lie at the lower edge of the grid, and at N = 16
single tokens still prevailed in most of the early part, so that claims on early and late compared them with pairs.
After that run, with its scores seen, the tie became 2e-4, by which the same trials take the next rate, 6e-3, and the
early part became what the config has now; regions stayed.

A second run, on replicates 200 to 207, found some claims unable to fail; they were mended with its numbers known.
`singles_first`: the uniform law became a fifth predictor, for without it a uniform model reads as single tokens; all
weights are of five since, those of the other claims too. `interpolated`: a share of the best single predictor's
divergence, between, in place of a bound in nats that either predictor by pairs alone met there; one half was set with
divergences from the single predictors in the other direction known. `left`: net of the continuum's own excess.
`boundary` and `same_boundary`: undecided where more than a quarter of N* lie at an end of the grid. `limit`, that the
Bayes law of ever more chains tends to inference, was withdrawn as a claim: 64 chains lie at its bound already, and no
other has a reason; its numbers stay. Regions of the others, early, late and tie stayed. Verdicts at laptop scale come
from replicates 300 on, no number of which was seen before, the rate from replicates that only the tuning sees.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.competition_of_predictors.config import Bounds, Probe, Reading, Task
from testbed.studies.study import SeededStudy, study
from testbed.studies.tuning import Tuning
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember


@study("competition_of_predictors")
class CompetitionOfPredictors(SeededStudy):
    """Which of four closed-form predictors is a transformer on N Markov chains, and when?

    Weights and exact divergences along training, the phase diagram over N and steps, and transience, with one chain and
    the continuum as controls.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "Competition of four predictors on mixtures of Markov chains"
    papers: ClassVar[tuple[str, ...]] = ("2412.01003",)

    task: Task = Field(Task(), description="the chains, and how many")
    reading: Reading = Field(Reading(), description="what is read along training")
    model: ModelConfig = Field(ModelConfig(), description="the transformer")
    optimiser: OptimiserConfig = Field(
        OptimiserConfig(final_fraction=1.0), description="its learning rate is tuned, and constant"
    )
    evaluation: EvaluationConfig = Field(
        EvaluationConfig(n_contexts=2048, n_heldout=2048, path_points=16),
        description="scoring; weights are kept at each point of the path",
    )
    sequences_per_step: int = Field(16, ge=1, le=2**16, description="sequences of a step, of an endless stream")
    tuning: Tuning = Field(Tuning(n_seeds=3), description="how the one learning rate is chosen")
    tuning_steps: int = Field(600, ge=1, le=10**8, description="steps of the tuning")
    n_seeds: int = Field(6, ge=2, le=10_000, description="replicates: families, tokens and first weights of their own")
    first_seed: int = Field(0, ge=0, le=500_000, description="number of the first replicate")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.optimiser.final_fraction != 1.0:
            raise ValueError(
                f"optimiser.final_fraction: given {self.optimiser.final_fraction}, must be 1: at a rate that falls, a"
                " point of the path would not be a training of that many steps"
            )
        return self

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """Bayes laws and the tuning first; members once their rate is chosen."""
        from testbed.studies.competition_of_predictors.grid import all_cells

        return all_cells(self, finished)

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.competition_of_predictors.measure import limit_record, member_record, tuning_record

        for cell in cells:
            probe = cell.probe
            assert isinstance(probe, Probe)
            if probe.kind == "limit":
                yield limit_record(cell, probe)
                continue
            assert cell.training is not None
            member = members[cell.training.training_key]
            yield tuning_record(cell, member) if probe.kind == "tuning" else member_record(cell, member, context.device)
