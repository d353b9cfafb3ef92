"""The study `probability_gap`: what a longer context does to the probabilities of the next token.

Appendix A of Cukier 2024 (2408.10277) has two chains of inequalities, one for conditional entropies, one for
conditional probabilities: conditioning on more variables widens the gap between the largest and the smallest
probability. Its exact statements were not at hand. The averaged ones follow from Jensen's inequality; read for each
context, for the margin of the two likeliest tokens, for the ratio, or strictly, they do not, and random chains show how
often they are false. What a sample can tell of the gap is judged beside it: the plug-in test cannot fail. The
statements are read for a model too, whose laws at different lengths come from no one joint law: a learner by counts,
and transformers trained on chains of their own, drawn beside those chains.

What was fixed when. Statements, kinds of chain, regions and margins were derived beforehand. Tries on replicates
below 100 changed three things: the ratio falls on fewer than one random chain in a thousand, so that it is judged twice
(for most chains, and by a search); with V = 2 margin and gap are one, so that margins are judged apart there; the
number of data sets and the tolerance of the bracket (0.005, at first 0.002) were set by the spread seen. Verdicts at
laptop scale and above come from replicates 100 on, drawn for them. The trained transformers were added later, their
settings fixed on replicates below 100; the other arms and their records stayed as they were. Sixteen of them, seen,
left their two claims undecided (11 of 16 violated each); four a replicate, all with fresh seeds, took their place.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.probability_gap.config import Bounds, Chains, Probe, SampleKind, Samples, Search, Trained
from testbed.studies.study import Study, study
from testbed.training.member import TrainedMember


@study("probability_gap")
class ProbabilityGap(Study):
    """Does the gap between the likeliest and the least likely next token grow with the context?

    Asked of random chains whose laws are known, for each reading of the statement; of copying chains, on which every
    reading but the strict one is true; of a learner by counts, on which none is; and of estimates from samples.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "The probability gap and its context"
    papers: ClassVar[tuple[str, ...]] = ("2408.10277",)

    chains: tuple[Chains, ...] = Field(
        (
            Chains(vocab_size=2, order=3),
            Chains(vocab_size=3, order=2),
            Chains(vocab_size=4, order=2),
            Chains(kind="copy", vocab_size=3, order=2),
        ),
        description="kinds of chain; random ones with two symbols and with more, and copying ones",
    )
    search: Search = Field(Search(), description="search for counterexamples that can be checked by hand")
    samples: Samples = Field(Samples(), description="estimates of the gap from data")
    trained: Trained = Field(Trained(), description="transformers beside their chains")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    replicates: int = Field(8, ge=2, description="independent streams of random numbers")
    first_replicate: int = Field(0, ge=0, description="number of the first: other random numbers")

    @model_validator(mode="after")
    def _check(self) -> Self:
        labels = [one.label for one in self.chains]
        if len(set(labels)) != len(labels):
            raise ValueError(f"chains: kind, vocab_size and order must differ, given {', '.join(labels)}")
        sizes = {one.vocab_size for one in self.random_chains}
        if 2 not in sizes or not any(size > 2 for size in sizes):
            raise ValueError(f"chains: needs random ones with V = 2 and with V > 2, given V = {sorted(sizes)}")
        if not self.copying_chains:
            raise ValueError("chains: needs copying ones, on which every context is alike")
        return self

    @property
    def random_chains(self) -> tuple[Chains, ...]:
        return tuple(one for one in self.chains if one.kind == "random")

    @property
    def copying_chains(self) -> tuple[Chains, ...]:
        return tuple(one for one in self.chains if one.kind == "copy")

    @property
    def sample_kinds(self) -> tuple[SampleKind, ...]:
        return ("noise", "chain", "copy")

    @property
    def n_replicates(self) -> int:
        return self.replicates

    @property
    def numbers(self) -> range:
        """The numbers of the replicates."""
        return range(self.first_replicate, self.first_replicate + self.replicates)

    @property
    def arms(self) -> dict[str, tuple[Chains | Search | Samples | Trained, SampleKind | None]]:
        """Settings, and for samples their source, of every arm by its name."""
        return {
            **{one.label: (one, None) for one in self.chains},
            "search": (self.search, None),
            "trained": (self.trained, None),
            **{f"samples_{kind}": (self.samples, kind) for kind in self.sample_kinds},
        }

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """One cell for each arm and replicate, of the trained arm one for each transformer."""
        from testbed.studies.probability_gap.trained import training_spec

        cells = []
        for number in self.numbers:
            for arm, (settings, kind) in self.arms.items():
                for model in range(settings.n_models if isinstance(settings, Trained) else 1):
                    training = training_spec(settings, number, model) if isinstance(settings, Trained) else None
                    probe = Probe(arm=arm, replicate=number, settings=settings, kind=kind, model=model)
                    cells.append(Cell(self.type_name, self.version, probe, training))
        return cells

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.probability_gap.measure import measured

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            member = None if cell.training is None else members[cell.training.training_key]
            status = "done" if member is None else member.status
            yield Record(cell.key, cell.study, cell.resolved(), status, {}, measured(cell.probe, member))
