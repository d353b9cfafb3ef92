"""The study `variable_order`: a context tree of its own for every sequence (Zhou, Tian & Diggavi, 2410.05493).

How many of the past tokens matter depends on which they are, and that has to be found out in context. The Bayes law is
context-tree weighting with the prior by which trees are drawn: a node branches with probability b down to depth D,
every leaf has a Dirichlet(a) law. Sequences begin with D uniform tokens, from which nothing is learnt; source, context-
tree weighting and all rivals share that. Zhou, Tian and Diggavi report that one layer fails, that two or more come near
to context-tree weighting, with modest gains from more, and that attention alone does not suffice; exact constructions
need D + 2 layers, two layers blend orders by part of what is known.

    excess          KL of a model from context-tree weighting, exact at every position of fresh sequences; its unit is
                    the excess of the best single fixed order, which is how much there is to be adapted
    interpolation   a blend of all orders with weights by how often each context was seen, fitted: all that a learner
                    can do that never asks which order does well in this sequence
    coefficient     partial regression coefficient of context-tree weighting on a model's laws, beside the uniform law,
                    every order and the interpolation: 1 for the former, 0 for each of the latter and all their blends
    controls        one layer, at more steps; the same model trained on full trees, where the fixed order D is the Bayes
                    law and there is nothing to adapt, asked about random trees
    wrong priors    context-tree weighting with other b, a and D, and prediction by partial matching

What was fixed when. The trees were taken such that two fixed orders are about equally good, which leaves most to be
adapted; sizes, steps and rates to try were settled on replicates 0 and 1. On replicate 0 it was seen that two layers
have less than half of the best fixed order's excess while their coefficient is little above 0 and the interpolation the
nearest law, also at four times the steps that were tried first; that four layers have a larger coefficient, well below
one half; and that a model trained on full trees has none. Claims on what two layers and more do with evidence
(`two_blend`, `two_nearest`, `depth_evidence`) were then set in the place of one that asked the same of all depths; the
latter's bound stayed, for the most layers alone (`deep_evidence`). The bound of `two_blend` lies above the coefficient
of partial matching, which weighs by how many different symbols followed, and far below those of wrong priors. The
rivals' numbers, `mismatch` among them, are the source's own and were known.

A first run for verdicts, on replicates 300 to 305, tuned its rates over 250 steps. They came out too high for a whole
training: three of six models did not learn the full trees, so that nothing was decided on those, and four layers were
no nearer than two and spread widely. After that run, with its verdicts seen, rates are tuned over 500 steps, on another
grid; trainings have 1500 steps in place of 1600, those on full trees 1000 in place of 800. Claims and bounds stayed,
some in other words. Verdicts on models at laptop scale come from replicates from 400 on, no number of which was looked
at before.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.study import SeededStudy, study
from testbed.studies.variable_order.config import Arm, Bounds, Probe, Rates, Reading, Rivals, Task
from testbed.training import EvaluationConfig, OptimiserConfig
from testbed.training.member import TrainedMember


@study("variable_order")
class VariableOrder(SeededStudy):
    """Does a transformer find out in context how many of the past tokens matter, as context-tree weighting does?

    Excess over context-tree weighting by position and number of layers, with every fixed order, their interpolation and
    wrong priors beside it.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Variable-order chains in context against context-tree weighting"
    papers: ClassVar[tuple[str, ...]] = ("2410.05493",)

    task: Task = Field(Task(), description="the trees and the sequences")
    layers: tuple[int, ...] = Field((1, 2, 4), min_length=3, max_length=8, description="numbers of layers, rising")
    longer: int = Field(2, ge=1, le=100, description="how many times as many steps one layer gets")
    full_steps: int = Field(1000, ge=1, le=10**8, description="steps on full trees: enough to learn them")
    model: ModelConfig = Field(ModelConfig(width=24, heads=2), description="the transformer; its depth is the arm's")
    optimiser: OptimiserConfig = Field(OptimiserConfig(steps=1500), description="its learning rate is tuned")
    sequences_per_step: int = Field(20, ge=1, le=2**16, description="sequences of a step, of an endless stream")
    evaluation: EvaluationConfig = Field(
        EvaluationConfig(n_contexts=8192, n_heldout=1024, path_points=16), description="scoring along training"
    )
    rates: Rates = Field(Rates(), description="how the learning rate is chosen")
    rivals: Rivals = Field(Rivals(), description="learners without a network")
    reading: Reading = Field(Reading(), description="what is read off a trained model")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.layers[:2] != (1, 2) or list(self.layers) != sorted(set(self.layers)) or self.layers[-1] > 64:
            raise ValueError(f"layers: given {self.layers}, must be 1, 2 and more, rising, at most 64")
        if not self.model.mlp_ratio:
            raise ValueError("model.mlp_ratio: given 0; blocks with an MLP are held against blocks without")
        return self

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All of them."""
        return (*map(Arm, self.layers), Arm(2, "bare"), Arm(2, "full"))

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """Rivals and the tuning first; members of every arm once its rate is chosen."""
        from testbed.studies.variable_order.grid import all_cells

        return all_cells(self, finished)

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.variable_order.measure import member_record, rivals_record

        for cell in cells:
            probe = cell.probe
            assert isinstance(probe, Probe)
            if probe.kind == "rivals":
                assert probe.task is not None
                assert probe.rivals is not None
                yield rivals_record(cell, probe.task, probe.rivals)
            else:
                assert cell.training is not None
                yield member_record(cell, members[cell.training.training_key], context.device)
