"""The study `loss_properness`: where do training losses end when the truth is known?

A loss that is not proper has its optimum away from the Bayes law, in every context and by an amount that can be solved
for beforehand (`testbed.training.losses`). Each loss is solved on the laws of three sources and then trained on samples
from them: independent tokens, a Markov chain whose every context has a permuted Zipf law, and a cycle, on which all
losses but label smoothing have the same optimum and must agree.

Ren et al. 2023 (2310.04691) report consistently better language modelling with EMO than with cross-entropy, judged by
what the models generate. Here better means closer to the truth: less excess cross-entropy, or less total variation to
the Bayes law. Fixed points speak of a model of enough capacity that is trained to rest; what EMO does to models that
are too small, or short of data, they do not say.

EMO's cost is that of fixed vectors, in the place of the paper's pre-trained read-out, or of the model's own read-out;
then the prediction is the fixed point at the vectors that the trained model has in the end.

What was fixed when. Claims, bounds, sizes and steps were settled on replicates 0 and 1 at fixed rates. The vectors of
EMO's cost (dimension 2, draw 189) are, of the first 300 draws in two and in three dimensions, the ones with the widest
gap between the best and the second-best token over all orders of the law among those whose best token is not always
the likeliest: EMO alone then ends in few steps, and not where total variation does. They were chosen to set EMO's
fixed points apart, not to be typical, and so is the size of what EMO loses there. Verdicts come from replicates from
100 on, rates from replicates of their own, by the loss's own gradient alone.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.loss_properness.config import Arm, Bounds, Design, Training, standard_arms
from testbed.studies.study import Study, study
from testbed.studies.tuning import TUNING_OFFSET, Tuning
from testbed.training import EvaluationConfig
from testbed.training.member import TrainedMember


@study("loss_properness")
class LossProperness(Study):
    """Do trained models end at the Bayes law, or at the biased law that their loss has its optimum at?

    Fixed points of cross-entropy, label smoothing, focal loss, total variation, MixCE, EMO, Brier and spherical scores,
    solved per context and measured after training.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Fixed points of training losses: EMO and others"
    papers: ClassVar[tuple[str, ...]] = ("2310.04691",)

    arms: tuple[Arm, ...] = Field(default_factory=standard_arms, min_length=2, description="losses with their names")
    design: Design = Field(Design(), description="the sources of a replicate")
    model: ModelConfig = Field(description="the transformer")
    training: Training = Field(Training(), description="what all members share")
    tuning: Tuning = Field(Tuning(), description="how the rate of each loss is chosen; tie in shares of the gradient")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="the scoring")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    n_seeds: int = Field(8, ge=2, le=10_000, description="replicates: each has its own laws, data and first weights")
    first_seed: int = Field(0, ge=0, lt=500_000, description="number of the first replicate")

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise ValueError(f"arms: given {names}, each needs a name of its own")
        if not {"cross_entropy", "label_smoothing", "emo_distance"} <= set(names):
            raise ValueError("arms: cross_entropy, label_smoothing and emo_distance are compared and must be there")
        return self

    @property
    def n_replicates(self) -> int:
        return self.n_seeds

    @property
    def seeds(self) -> range:
        """Numbers of the replicates."""
        return range(self.first_seed, min(self.first_seed + self.n_seeds, TUNING_OFFSET))

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """The tuning first; members once their loss's rate is chosen."""
        from testbed.studies.loss_properness.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.loss_properness.measure import member_record

        for cell in cells:
            assert cell.training is not None
            yield member_record(cell, members[cell.training.training_key], context.device)
