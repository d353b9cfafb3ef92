"""The study `mep_cost`: what carrying T tokens to 2T costs, in equations, seconds and memory (C8, C9).

Cukier 2024 (2408.10277, known from its abstract: every reading inferred) says that the extension is linear in T and,
though it takes an extra step, faster than standard training at 2T. Here tables, parameters and ranks are counted
exactly against T and V; solvers are timed and their memory traced against T; training steps of a transformer of T
tokens and of one of 2T, of as many tokens, and decoded tokens are timed beside them. Seconds are facts of one machine:
verdicts rest on slopes and on ratios of what was timed in turn within one pass, in processor time, with intervals over
passes; each pass solves for a law of its own. Whether MEP wins is a sign at each T, never one ratio.

Decoding by windows that overlap by T - 1 reads T tokens anew for each new one; windows that overlap by T / 2 read half
a window at once and go on with kept keys; the transformer of 2T keeps its keys and values throughout (`cached`). Both
models are trained for the same number of steps and tokens, not to the same loss, which `mep_against_transformer`
compares; steps and sequences to be decoded are config, and where the totals cross depends on them. Terms against MEP
that are small (its tables, the decoding of GMEP) are left out, so that it may win. The tables of windows cost what is
counted here only where somebody wants tables: a model's own windows are decoded by its own conditionals. Memory is
what the solver's arrays take at their peak (tracemalloc).

What was fixed when. Claims, families and formulas were derived beforehand; lengths, margins and the numbers of
steps and sequences were settled on passes below number 100. Passes 100 to 111 were judged and seen: the only windows
decoded overlapped by T - 1, the dearest choice, and costs were not measured against V. Both were added with their
claims, on fresh passes; the other claims stayed as they were.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.models import ModelConfig
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.mep_cost.config import Bounds, Counts, Probe, Solving, Transformers, Vocabularies
from testbed.studies.study import Study, study
from testbed.training.member import TrainedMember


@study("mep_cost")
class MepCost(Study):
    """Is carrying a model from T tokens to 2T linear in T, and cheaper than a transformer of 2T?

    Counts of tables and equations are exact; seconds and memory are measured, and judged by slopes and ratios alone.
    """

    version: ClassVar[int] = 2
    title: ClassVar[str] = "What maximum entropy costs"
    papers: ClassVar[tuple[str, ...]] = ("2408.10277",)

    counts: Counts = Field(Counts(), description="what is counted")
    solving: Solving = Field(Solving(), description="what is solved")
    vocabularies: Vocabularies = Field(Vocabularies(), description="what is solved over more symbols")
    transformers: Transformers = Field(Transformers(), description="what is trained and decoded")
    model: ModelConfig = Field(
        ModelConfig(width=32, depth=2, heads=4, mlp_ratio=4, methods=("nope",)),  # type: ignore[arg-type]
        description="the transformers; without positions, so that keys can be kept as they are",
    )
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    replicates: int = Field(8, ge=2, le=10_000, description="passes over everything that is timed")
    first_replicate: int = Field(0, ge=0, le=10**6, description="number of the first: other laws")

    @model_validator(mode="after")
    def _check(self) -> Self:
        missing = set(self.solving.dense_lengths) - set(self.transformers.lengths)
        if len(self.shared_lengths) < 3:
            raise ValueError(
                f"transformers.lengths: given {self.transformers.lengths}; must share three lengths with"
                f" solving.dense_lengths, of which {sorted(missing)} are missing"
            )
        names = {method.type_name for method in self.model.methods}
        if names != {"nope"} or self.model.block != "standard":
            raise ValueError(f"model: given {', '.join(sorted(names))}; keys are kept as they are, take methods = nope")
        return self

    @property
    def shared_lengths(self) -> tuple[int, ...]:
        """T at which both all pairs are solved and transformers are timed."""
        return tuple(t for t in self.solving.dense_lengths if t in self.transformers.lengths)

    @property
    def n_replicates(self) -> int:
        return self.replicates

    @property
    def numbers(self) -> range:
        """The numbers of the passes."""
        return range(self.first_replicate, self.first_replicate + self.replicates)

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """One cell for what needs no clock, and two for each pass."""
        closed = Probe(kind="closed", replicate=0, counts=self.counts, model=self.model)
        passes = [
            Probe(kind="pass", replicate=i, solving=self.solving, transformers=self.transformers, model=self.model)
            for i in self.numbers
        ]
        wider = [Probe(kind="vocabulary", replicate=i, vocabularies=self.vocabularies) for i in self.numbers]
        return [Cell(self.type_name, self.version, probe) for probe in (closed, *passes, *wider)]

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.mep_cost.measure import measured

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, measured(cell.probe, context.device))
