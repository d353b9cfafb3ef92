"""The study `attention_sharpness`: how sharp attention must be to copy, and whether its collapse is what harms.

sigmaReparam (Zhai et al. 2023, 2303.06296) bounds logits from above, so that attention entropy has a floor, because
entropy that collapses comes with unstable training. Three questions.

Floor. Theorem 3.1 bounds a row's entropy by the norm of its logits. It is a theorem, so that no row of any head may lie
below (a check); the claims ask how near heads come, and what is left of the floor when the norm is bounded by weights.

Copies. With a logit gap g at most, one of T keys gets the mass e^g / (e^g + T). It is tempting to say that a copy fails
where the mass does, T ~ e^g. But a reader that is trained at T can rescale; what limits it is the noise that the other
keys' values add, and half of the information is lost at T ~ e^(2g) (`laws`). So models are trained at lengths around
that prediction: one head whose logits depend on distance alone and differ by g at most (`distance_logits`), no MLP,
since a head that also scores tokens can write a value's sign into the normaliser and so escape the noise. Where the
readout is not trained at T but carried there from a short window, the mass law holds: the same information arrives, but
not at the size that the readout expects.

Rates. Learning rates from harmless to ruinous without clipping, and one that rises through training, with nothing, with
sigmaReparam, with QK norm, with a soft cap. Two sources: on the coin, whose bias must be counted, attention should be
spread over all keys; on the copy it should sit on one. If collapse is harm, it should be so on both.

What was fixed when. Trials saw seeds 0 to 3. Copies at five gaps: with 300 steps some members at the longer windows
never found the target, so that steps are 500, gaps end at 1.9, and a member that has not reached nine tenths of its gap
is left out: the limit is asked for, not the training. Readouts that were trained each at its own gap had sizes of their
own; now one is carried to all gaps. The sweep, all arms, on seeds 0 and 1, left its design as it was. Of ramps to 0.3
and to 1 the first ended before attention collapsed and the second passed within a few evaluations, so that it ends at
0.6; the coin's excess scattered by a fifth of no context's there, so that a spike is half of it. Shares of replicates
stand in place of mean rates, which a grid makes lumpy. Regions were put before the sweep was seen; 0.3 for ln T* is the
survey's own bound. Lengths count as T - 2, the keys that add noise, since the law is a power of that. Then the seeds
from 100 on were drawn. Seen after that run: shares of which one replicate stood apart had bootstrap bounds from 0 to 1,
and shares that were all alike had none; both now take Chernoff's (`judge.share`), which withholds `coin_collapsed`, of
which no member of twenty failed.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.attention_sharpness.config import Bounds, Copies, Probe, Sweep
from testbed.studies.attention_sharpness.grid import all_cells
from testbed.studies.study import SeededStudy, study
from testbed.training import EvaluationConfig
from testbed.training.member import TrainedMember


@study("attention_sharpness")
class AttentionSharpness(SeededStudy):
    """How sharp must attention be, how sharp may it be, and does its collapse come before the loss?"""

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Sharpness of attention"
    papers: ClassVar[tuple[str, ...]] = ("2303.06296",)

    copies: Copies = Field(Copies(), description="copies under a clamp")
    sweep: Sweep = Field(description="learning rates")
    copy_model: ModelConfig = Field(
        ModelConfig(width=8, depth=1, heads=1, mlp_ratio=0), description="of the copies; its methods are set"
    )
    copy_evaluation: EvaluationConfig = Field(EvaluationConfig(), description="scoring of the copies")
    model: ModelConfig = Field(ModelConfig(), description="of the sweep; its methods are those of the arm")
    sweep_contexts: int = Field(64, ge=2, le=10**6, description="fresh sequences on which the sweep's excess is exact")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    n_seeds: int = Field(8, ge=2, le=10_000, description="replicates: weights and tokens of their own")
    first_seed: int = Field(0, ge=0, le=500_000, description="number of the first replicate")

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        return all_cells(self, finished)

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.attention_sharpness.measure import record_of

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            assert cell.training is not None
            yield record_of(cell, cell.probe, members[cell.training.training_key], self.sweep.probes)
