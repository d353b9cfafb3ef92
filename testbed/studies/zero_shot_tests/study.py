"""The study `zero_shot_tests`: can a text's perplexity tell who wrote it, and with what probability of error?

Radvand et al. 2025 (2501.02406) test whether model A wrote a text by its log-perplexity less the mean entropy of the
model's laws along it, and bound both errors by concentration. Here model and writers are sources with exact laws, so
that the statistic, its bounds and the best exponents are exact too: tails of long texts against the bound of Azuma and
Hoeffding, error probabilities summed over all texts against the predicted exponents, and writers that the test cannot
see. Nothing is trained.

Which way Stein's lemma goes: with A's authorship as the null and its rejection probability fixed, the best exponent of
taking B's text for A's is the rate of KL(A || B). (The other way round holds where B is the null.)

What was fixed when. Pairs, lengths, regions and margins were chosen on replicates below 1000; the verdicts at laptop
scale and above come from replicates with higher numbers, drawn for them.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.study import Study, study
from testbed.studies.zero_shot_tests.config import Bounds, Exact, Probe, Tails, Texts
from testbed.training.member import TrainedMember


@study("zero_shot_tests")
class ZeroShotTests(Study):
    """Can log-perplexity tell whether a model wrote a text, how fast do its errors fall, and what does it miss?

    Asked of sources with exact laws as models and as writers. Nothing is trained.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Who wrote it: tests by perplexity"
    papers: ClassVar[tuple[str, ...]] = ("2501.02406",)

    tails: tuple[Tails, ...] = Field(min_length=2, description="sources that read their own texts")
    independent: Exact = Field(Exact(kind="independent"), description="pairs of laws of independent tokens")
    chain: Exact = Field(Exact(kind="chain"), description="pairs of chains")
    drift: Texts = Field(Texts(role="drift"), description="writers that the test sees")
    blind: Texts = Field(Texts(role="blind"), description="writers that it does not see")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    first_replicate: int = Field(0, ge=0, le=2**39, description="number of the first replicate: other random numbers")

    @model_validator(mode="after")
    def _check(self) -> Self:
        labels = [one.label for one in self.tails]
        if len(set(labels)) != len(labels):
            raise ValueError(f"tails: labels must differ, given {', '.join(labels)}")
        if {one.role for one in self.tails} != {"mixing", "slow"}:
            raise ValueError("tails: the claims need a mixing source and a slow one")
        for name, one in (("independent", self.independent), ("chain", self.chain)):
            if one.kind != name:
                raise ValueError(f"{name}.kind: given {one.kind!r}, must be {name!r}")
        for role, arm in (("drift", self.drift), ("blind", self.blind)):
            if arm.role != role:
                raise ValueError(f"{role}.role: given {arm.role!r}, must be {role!r}")
        return self

    @property
    def n_replicates(self) -> int:
        """Pairs of laws of each exact arm."""
        return min(self.independent.n_pairs, self.chain.n_pairs)

    @property
    def pairs(self) -> dict[str, Exact | Texts]:
        """The arms over pairs by their names."""
        return {"independent": self.independent, "chain": self.chain, "drift": self.drift, "blind": self.blind}

    @property
    def probes(self) -> list[Probe]:
        """Every part of the study."""
        first = self.first_replicate
        found = [Probe(arm=f"tails {one.label}", number=first, settings=one) for one in self.tails]
        for arm, settings in self.pairs.items():
            found += [Probe(arm=arm, number=first + i, settings=settings) for i in range(settings.n_pairs)]
        return found

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """One cell for each source of tails, and for each pair."""
        return [Cell(self.type_name, self.version, probe) for probe in self.probes]

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.zero_shot_tests.measure import measured

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, measured(cell.probe))
