"""The study `normalisers`: what norms lose where the symbols of a batch come in bursts.

Two order-1 chains take turns, with mean stays of B tokens, so that the Bayes law is exact. In the family `burst` each
chain has symbols of its own that it prefers: the longer the stays, the more the shares of symbols in a batch fluctuate.
In `flat` the same matrices are balanced to uniform stationary laws, and these shares hardly move with B (both exactly:
`draws.fluctuation`). The law of one symbol is the same for all B. What changes beside the fluctuation is how much
context tells, in both families: longer stays are easier to notice. Models have two blocks, as `flat` shows its regime
in pairs of symbols alone. Gradients are not clipped; rates are chosen for every norm, family and stay apart.

    stays       batch norm and layer norm in both families at every stay. Batch norm is evaluated with its running
                statistics; what it loses with those of fresh batches of the size that it was trained on is recorded:
                they hold tokens that are still to come, and what it gains from these leaves it when it is used
    statistics  at the longest stay of `burst`, with more sequences a step: the same steps, sequences and first weights,
                but batch norm's means and variances over parts of the step (ghost batch norm). Only the fluctuation of
                its statistics changes; source, gradient noise and what context tells do not
    PowerNorm   (2003.07845) at the longest stay of `burst`. As released, it divides every place by its own root mean
                square before its running scales: RMS norm with a channel scale. RMS norm, which has no statistics, had
                closed 97 % of batch norm's gap in an earlier design, and no norm at all more than all of it, so that
                the released form says nothing of running statistics. Hence two comparisons that differ in these alone:
                PowerNorm without the scaling, as in the paper's Algorithm 2, against batch norm; and as released,
                against batch norm behind the same scaling, both over RMS norm. RMS norm and none stand beside them

Not covered: Normalize-and-Project, B = T, chains that are drawn per sequence.

What was fixed when. An earlier design, one block and rates from the middle stay alone, was run on replicates 0 to 4,
300 to 311 and 400 to 423 and seen in full; there batch norm's gap grew with the stay in `burst` by .003 nats a
doubling, in `flat` a third of what context tells was left at B = 64, and gap and fluctuation could not be told apart.
Noise of planted worlds is that of its replicates. Of the design that stands here two, three or eight replicates below
100 were seen at untuned rates: at B = 64 batch norm had about twice layer norm's excess in `burst` and a third more in
`flat`, where a fifth of what context tells was left; both forms of PowerNorm were near layer norm, batch norm behind
the scaling was where batch norm is; with statistics over two sequences batch norm did not learn at all, with 16 it had
twice layer norm's excess. The number of blocks, steps, the gate on runs and the sizes 4 and 16 (2 and 16 before) come
from these looks; the regions of the slope and of PowerNorm are the earlier design's, half the gap was set before them.
Not yet run at laptop scale: its replicates are to start at 500.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.normalisers.config import CORE, EVERYWHERE, Bounds, Bursts, Family, NormName, Parts, Probe, Reading
from testbed.studies.study import SeededStudy, study
from testbed.studies.tuning import Tuning
from testbed.training import EvaluationConfig
from testbed.training.member import TrainedMember


@study("normalisers")
class Normalisers(SeededStudy):
    """Which norm survives bursts of symbols, and is it the fluctuation of its statistics?

    Excess over the exact Bayes filter of regime-switching chains, by norm, by stay, and by how many sequences share
    statistics.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Norms against bursts of symbols"
    papers: ClassVar[tuple[str, ...]] = ("2003.07845",)

    bursts: Bursts = Field(Bursts(), description="sources and steps")
    parts: Parts = Field(Parts(), description="second part: statistics over parts of a step")
    others: tuple[NormName, ...] = Field(("none",), max_length=8, description="norms beside those of the claims")
    model: ModelConfig = Field(
        ModelConfig(width=16, depth=2, heads=2), description="the transformer; the norm is the arm's"
    )
    warmup_steps: int = Field(20, ge=0, le=10**6, description="steps of linear warm-up")
    tuning: Tuning = Field(
        Tuning(learning_rates=(1.7e-3, 3.5e-3, 7e-3, 1.4e-2), n_seeds=3, tie=0.0),
        description="how rates are chosen: least mean excess, for every norm, family, stay and size apart",
    )
    evaluation: EvaluationConfig = Field(
        EvaluationConfig(n_contexts=16_384, n_heldout=64, path_points=1), description="the scoring"
    )
    reading: Reading = Field(Reading(), description="what is looked at")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if known := [one for one in self.others if one in CORE]:
            raise ValueError(f"others: given {known[0]}, which claims are about already")
        plain = ModelConfig()
        for name in ("norm", "methods", "block"):
            if getattr(self.model, name) != getattr(plain, name):
                raise ValueError(f"model.{name}: arms are compared at the plain one; leave it out")
        return self

    @property
    def arms(self) -> tuple[NormName, ...]:
        """All norms."""
        return (*CORE, *self.others)

    def stays_of(self, family: Family, arm: NormName) -> tuple[float, ...]:
        """The stays at which a norm is trained: all, the longest, or none."""
        if arm in EVERYWHERE:
            return self.bursts.stays
        return self.bursts.stays[-1:] if family == "burst" else ()

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        from testbed.studies.normalisers.grid import all_cells

        return list(all_cells(self, finished))

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.normalisers.measure import member_record

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            assert cell.training is not None
            yield member_record(cell, members[cell.training.training_key], context.device)
