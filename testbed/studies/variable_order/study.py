"""The study `variable_order`: a context tree of its own for every sequence (Zhou, Tian & Diggavi, 2410.05493).

How many of the past tokens matter depends on which they are, and that has to be found out in context. The Bayes law is
context-tree weighting with the prior by which trees are drawn: a node branches with probability b down to depth D,
every leaf has a Dirichlet(a) law. Sequences begin with D uniform tokens, from which nothing is learnt; source, context-
tree weighting and all rivals share that. Zhou, Tian and Diggavi report that one layer fails, that two or more come near
to context-tree weighting, with modest gains from more, and that attention alone does not suffice; their exact
constructions have D + 2 layers, two layers blend orders by part of what is known. Trees, models and trainings here are
smaller than theirs: statements are about models after so many steps, and say how many.

    excess          KL of a model from context-tree weighting, exact at every position of fresh sequences
    best order      excess of the best single fixed order: the unit of most numbers
    constant blend  blends of all orders whose weights are the same in every sequence, fitted to others (`blends`). Who
                    comes nearer does more than one rule for all sequences; that is not adaptation
    asks nothing    learners that never ask which order did well in the sequence, constant blends among them: weights by
                    how often the present contexts were seen, in any way, and by each order's own confidence. They, on
                    the very sequences on which a model is judged, are the bar of who is said to adapt
    preference      by how much a model weights long contexts more in one sequence than wherever it has counted as much
                    (`preference`). Its slope over sequences, along context-tree weighting's preferences and along the
                    true depth of the sequence's tree, is held to those of all learners that ask nothing, on the same
                    sequences, and to permuted depths. Weights by confidence have slopes too: a slope alone shows little
    controls        one layer; the same model trained on full trees, at steps of its own and a borrowed rate, where the
                    fixed order D is the Bayes law and there is nothing to adapt, asked about random trees
    wrong priors    context-tree weighting with other b, a and D, and prediction by partial matching
    settled         claims on what layers do are not decided where twice the steps, as a whole training, still took off
                    more than a stated part of the best order's excess, by the far end of its interval, nor claims on a
                    difference of arms where its own fall might turn it (`settled`). Gradients are clipped at norm 1, as
                    by default

What was fixed when. Two earlier designs, on four symbols and 48 tokens (replicates 300 to 305 and 400 to 405), were
judged and seen: after 1500 steps two and four layers left as much as a constant blend does, and the last doubling of
steps still took off a third, so that nothing was shown. This design is another one. The task was made smaller, and
trees are such that constant blends leave most for the size of what is to be learnt (b = .3; at b = .5 and at three
symbols a network comes no nearer than they in the time there is); a learned bias for each distance and one that falls
with it took the place of rotations, as with these, or with the former bias alone, some runs stayed long on a plateau.
All that was settled on seeds 10 to 12, 20 and 21.

On seeds 30 and 31, at the steps and batch of the laptop scale and rate .01, it was seen that two layers leave two
thirds of the excess of the log-linear blend and four less than half; that the excess of both rises along the sequence,
so that `falls`, which says what an adaptive learner should do, was expected to fail; and that preferences follow
context-tree weighting's. Bounds are the earlier designs' (`evidence`, `blind`, `deeper`, `modest`, `bare`; `near` is
what .005 nats were of the best order's excess then), `one` asks for the best order's excess where it was one and a half
times that (one layer was seen to leave about as much on seeds 20 and 21), `above` was set before any preference was
measured, and `settled`, as large as the smallest margin, has another unit than before. Attention alone is left to the
larger scales. All of this was fixed before replicates 600 to 609 and the tuning's runs were trained.

The verdicts are judged anew with all numbers of these replicates known, no model trained again. Set only then: a fourth
rate, .16, by the same rule, as one and four layers had taken the highest of three, .04; log-linear blends by counts,
which leave about what four layers do, and by counts and confidence, which leave less than any model, so that what had
been claimed as adaptation is now said of constant weights alone (`two_constant`, `deep_constant`), and `two_unasking`
and `deep_unasking` ask what had been meant; preferences beyond any weights by counts in place of weights that add over
the counts' bins, and the slopes of learners by confidence, which are as large as a network's, among those that are held
against, also along the true depth, with partial matching; `one_nats` and `near_nats`, numbers that were this project's
expectation (.02 and .005 nats); that `near_nats` and `true_depth` are open unless controls are shown to fail; and the
far end of the fall's interval and the fall of the difference in `settled`, where the mean of the fall, below .1, had
let `depth_pays` pass at an effect of .06. What a model trained on full trees leaves on random ones follows from its
having learnt, and has become a check. A run on fresh replicates from 700 on, with as many steps on full trees as on
random ones, has not been made.
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

    Excess over context-tree weighting by position and number of layers, with every fixed order, their blends by
    constant weights, by counts and by confidence, and wrong priors beside it.
    """

    version: ClassVar[int] = 3
    title: ClassVar[str] = "Variable-order chains in context against context-tree weighting"
    papers: ClassVar[tuple[str, ...]] = ("2410.05493",)

    task: Task = Field(Task(), description="the trees and the sequences")
    layers: tuple[int, ...] = Field((1, 2, 4), min_length=3, max_length=8, description="numbers of layers, rising")
    attention_only: bool = Field(True, description="whether two layers without MLP are trained as well")
    full_steps: int = Field(800, ge=1, le=10**8, description="steps on full trees: enough to learn them")
    model: ModelConfig = Field(
        ModelConfig.model_validate({"width": 16, "heads": 4, "methods": ["relative_bias", "kerple_log"]}),
        description="the transformer; its depth is the arm's",
    )
    optimiser: OptimiserConfig = Field(OptimiserConfig(steps=2000), description="its learning rate is tuned")
    sequences_per_step: int = Field(16, ge=1, le=2**16, description="sequences of a step, of an endless stream")
    evaluation: EvaluationConfig = Field(
        EvaluationConfig(n_contexts=16384, n_heldout=1024, path_points=8), description="scoring along training"
    )
    rates: Rates = Field(Rates(), description="how the learning rate is chosen")
    rivals: Rivals = Field(Rivals(), description="learners without a network")
    reading: Reading = Field(Reading(), description="what is read off a trained model")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.layers[:2] != (1, 2) or list(self.layers) != sorted(set(self.layers)) or self.layers[-1] > 64:
            raise ValueError(f"layers: given {self.layers}, must be 1, 2 and more, rising, at most 64")
        if self.optimiser.steps < 2:
            raise ValueError("optimiser.steps: given 1, must be at least 2: the tuning's trainings have half as many")
        if not self.model.mlp_ratio:
            raise ValueError("model.mlp_ratio: given 0; blocks with an MLP are held against blocks without")
        if self.model.depth != ModelConfig().depth:
            raise ValueError(f"model.depth: given {self.model.depth}; the numbers of layers are given by layers")
        if self.optimiser.learning_rate != OptimiserConfig(steps=1).learning_rate:
            raise ValueError(
                f"optimiser.learning_rate: given {self.optimiser.learning_rate:g}; rates are tuned, among"
                " rates.learning_rates"
            )
        if self.evaluation.path_points < 2:
            raise ValueError(
                f"evaluation.path_points: given {self.evaluation.path_points}, must be at least 2: the end is held"
                " against half of the steps"
            )
        return self

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All of them."""
        bare = (Arm(2, "bare"),) if self.attention_only else ()
        return (*map(Arm, self.layers), *bare, Arm(2, "full"))

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """Learners without a network and the tuning first; members of every arm once its rate is chosen."""
        from testbed.studies.variable_order.grid import all_cells

        return all_cells(self, finished)

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.variable_order.measure import blends_record, member_record, rivals_record

        for cell in cells:
            probe = cell.probe
            assert isinstance(probe, Probe)
            if probe.kind in ("learners", "blends"):
                assert probe.task is not None
                assert probe.rivals is not None
                if probe.reading is None:
                    yield rivals_record(cell, probe.task, probe.rivals)
                else:
                    yield blends_record(cell, probe.task, probe.rivals, probe.reading)
            else:
                assert cell.training is not None
                yield member_record(cell, members[cell.training.training_key], context.device)
