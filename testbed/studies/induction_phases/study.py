"""The study `induction_phases`: uniform, in-context unigram, in-context bigram (Edelman et al. 2024, 2402.11004).

Every sequence is written by a chain of its own, drawn from a prior. Two layers of attention learn to read it: the
paper sees the loss fall in steps, from the level of the uniform law to that of the counts of symbols and on to that of
the counts of pairs, which with Dirichlet(1) rows and a uniform start is the Bayes law at every position.

    levels          exact for K = 2, by sums over states of counts; for others means of exact conditional losses
    divergences     of each closed-form predictor from the model, at every position of fresh sequences, along training
    straight way    from uniform to bigram passes the unigram law at a known divergence: only a model that comes nearer
                    has been a unigram predictor; the loss alone cannot tell
    controls        doubly stochastic chains, whose counts tell next to nothing; one layer; K = 8, where adding one to
                    counts is worse than uniform: the more symbols, the nearer stationary laws are to uniform, and the
                    more counts must be smoothed. A model learns its own smoothing, so that the phase is looked for
                    with the one that suits counts best as well

A model that averages evenly over the past and sees its own token knows the counts and the last symbol; the least loss
of such laws lies below the unigram level, and for K = 2 both it and its law are exact. They are set beside the unigrams
wherever the paper's text would have the latter. That unigrams are nearest of three predictors does not say that the
model is one: a fourth may be nearer.

    plateau         log steps that the loss takes through a band of its fall around a level, against the bands of the
                    same width right above and right below: slower than both. Slower than on average would not do, for
                    every loss that comes to rest is so towards its end
    doubly          unigrams plus one on either side, or with their best smoothing on either side: as counts smoothed
                    without end are the uniform law, the latter come in between by a little even where they tell nothing

What was fixed when. Lengths and steps were settled on runs 0 to 3. Runs 100 to 111 were judged with other claims; on
them it was seen that phases come in order for K = 2 and 3, and for K = 8 with smoothed unigrams; that with K = 2 the
law of the counts and the last symbol is nearest for longer than unigrams are; that doubly stochastic chains pass
unigrams plus one as far away as the straight way does, while those with the best smoothing are nearest for a while in
all runs; that slowness, taken against the average, grows to the end of the fall; and that, taking the smallest rate
within .005 nats of the least, one layer ended at the level of the counts and the last symbol, with the other rates
below it. The claims on these, their bounds, and the rule by which rates are alike (5e-4 nats) were then set anew.
Runs 300 to 311 were judged with these, an order having to hold at every point of the path, which single points at the
border of two phases broke in some of them; with twelve runs no order could be decided. For this the claims on order
spare a twentieth of the points, and runs are twice as many. Verdicts at laptop scale come from runs 400 on, no number
of which was looked at before.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.induction_phases.config import Arms, Bounds, Probe, Rates, Reading
from testbed.studies.induction_phases.grid import all_cells
from testbed.studies.study import SeededStudy, study
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember


@study("induction_phases")
class InductionPhases(SeededStudy):
    """Does a transformer learn to read chains by way of counting symbols?

    Attention-only models on chains drawn for each sequence, with the divergence of every closed-form predictor from
    the model along training.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Phases on the way to in-context bigrams"
    papers: ClassVar[tuple[str, ...]] = ("2402.11004",)

    arms: Arms = Field(Arms(), description="laws of chains, depths, lengths and steps")
    model: ModelConfig = Field(
        ModelConfig(width=16, heads=1, mlp_ratio=0), description="the transformer; its depth is the arm's"
    )
    optimiser: OptimiserConfig = Field(
        OptimiserConfig(final_fraction=1.0), description="steps are the arm's, the rate is tuned"
    )
    sequences_per_step: int = Field(64, ge=1, le=10**6, description="fresh sequences of a step")
    evaluation: EvaluationConfig = Field(
        EvaluationConfig(n_contexts=16_384, n_heldout=4096, path_points=40), description="scoring along training"
    )
    rates: Rates = Field(Rates(), description="how the learning rate is chosen")
    reading: Reading = Field(Reading(), description="what is read off along training")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    n_seeds: int = Field(12, ge=2, le=10_000, description="replicates: each has its own sequences and first weights")
    first_seed: int = Field(0, ge=0, le=500_000, description="number of the first replicate")

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        return all_cells(self, finished)

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.induction_phases.measure import levels_record, member_record

        for cell in cells:
            probe = cell.probe
            assert isinstance(probe, Probe)
            if probe.kind == "levels":
                assert probe.chains is not None
                assert probe.reading is not None
                yield levels_record(cell, probe.chains, probe.length, probe.reading)
            else:
                assert cell.training is not None
                yield member_record(cell, members[cell.training.training_key], context.device)
