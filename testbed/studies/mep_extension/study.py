"""The study `mep_extension`: a model of T tokens carried to 2T by laws of largest entropy, where every law is known.

Claims of Cukier 2024 (2408.10277, known from its abstract alone, so that every reading is inferred): MEP extends T to
2T (C1) beyond truncation (C2), with three groups of non-contiguous tokens (C3, C4); GMEP by all pairs (C5 to C7);
SMEP (C13, C14); all linear in T (C8); the autoregressive property kept (C12). Beside them stand what a derivation says
of exact tables, estimation from counts (C18), the growth with n (C19), and where smaller sets or smoothed back-off
beat the window. Nothing is trained: tables are exact marginals or counts. Tables of a trained model are judged in the
study `mep_against_transformer`, seconds and memory in `mep_cost`.

What was fixed when. Sources, schemes, claims, regions and margins were derived beforehand; code was tried on
replicates below number 100, and the verdicts at laptop scale and above come from replicates drawn for them. Changed
in between, on those tried: kernels are mixed with 5 % of the uniform law, not 1 % (counted pairs stalled every solver);
whether any set beats the window is judged by the worst law, not by a mean; what r misses outside the family is read
from exact covariances; more samples at the largest N.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.mep_extension.config import (
    Bounds,
    ClosedForms,
    CountsArm,
    CrossingArm,
    ExactArm,
    GroupsArm,
    Kind,
    Probe,
)
from testbed.studies.study import Study, study
from testbed.training.member import TrainedMember


@study("mep_extension")
class MepExtension(Study):
    """Can a law of largest entropy carry a model of T tokens to 2T, and does anything beat a sliding window?

    Asked of laws laid out whole: chains, additive and Potts laws, parities, copies, hidden chains, mixtures, and laws
    without structure; with exact tables and with counted ones. Nothing is trained.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Maximum entropy from T tokens to 2T"
    papers: ClassVar[tuple[str, ...]] = ("2408.10277",)

    exact: ExactArm = Field(ExactArm(), description="every scheme on exact tables of every source")
    groups: GroupsArm = Field(GroupsArm(), description="three groups, readings of SMEP, one-way conditionals, growth")
    counts: CountsArm = Field(CountsArm(), description="tables from counts: bias and estimation error")
    counts_wide: CountsArm = Field(
        CountsArm(
            vocab_size=4,
            sources=("markov_1", "markov_2", "markov_3"),
            schemes=("windows_3", "chain"),
            sizes=(256, 1024, 4096),
            draws=(1, 1, 1),
        ),
        description="the same over more symbols, where a window's table is thin",
    )
    crossing: CrossingArm = Field(CrossingArm(), description="from which N on the window beats the pair chain")
    closed_forms: ClosedForms = Field(ClosedForms(), description="parity, copies, coverage, counts of equations")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    replicates: int = Field(8, ge=2, description="independent draws of all random laws")
    first_replicate: int = Field(0, ge=0, description="number of the first: other random laws")

    @model_validator(mode="after")
    def _check(self) -> Self:
        from testbed.studies.mep_extension.laws import names_of
        from testbed.studies.mep_extension.schemes import names_of as scheme_names

        for field in ("counts", "counts_wide"):
            arm: CountsArm = getattr(self, field)
            for what, given, known in (
                ("sources", arm.sources, names_of(arm.context_length)),
                ("schemes", arm.schemes, scheme_names(arm.context_length)),
            ):
                unknown = set(given) - set(known)
                if unknown:
                    raise ValueError(f"{field}.{what}: unknown {', '.join(sorted(unknown))}; known: {', '.join(known)}")
            needed = {f"windows_{arm.context_length - 1}", "chain"}
            if not needed <= set(arm.schemes) or any(one.startswith("conditional") for one in arm.schemes):
                raise ValueError(f"{field}.schemes: must hold {', '.join(sorted(needed))}, and no conditional baseline")
            if self.bounds.few not in arm.sizes:
                raise ValueError(f"{field}.sizes: must hold bounds.few = {self.bounds.few}")
        if not {"markov_1", "markov_3"} <= set(self.counts_wide.sources):
            raise ValueError("counts_wide.sources: must hold markov_1 and markov_3, on which claims are judged")
        if not {"markov_1", "markov_2", "logit_2", "potts"} <= set(self.counts.sources):
            raise ValueError("counts.sources: must hold markov_1, markov_2, logit_2 and potts")
        if "pairs_all" not in self.counts.schemes:
            raise ValueError("counts.schemes: must hold pairs_all, which is held against back-off")
        return self

    @property
    def n_replicates(self) -> int:
        return self.replicates

    @property
    def numbers(self) -> range:
        """The numbers of the replicates."""
        return range(self.first_replicate, self.first_replicate + self.replicates)

    @property
    def random_arms(self) -> dict[str, ExactArm | GroupsArm | CountsArm | CrossingArm]:
        """The settings of every arm with random laws by its name."""
        return {
            "exact": self.exact,
            "groups": self.groups,
            "counts": self.counts,
            "counts_wide": self.counts_wide,
            "crossing": self.crossing,
        }

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """One cell for the closed forms, and one for each arm and replicate."""
        probes = [Probe(kind="closed", arm="closed_forms", replicate=0, settings=self.closed_forms)]
        kinds: dict[str, Kind] = {"exact": "exact", "groups": "groups", "crossing": "crossing"}
        for number in self.numbers:
            for arm, settings in self.random_arms.items():
                kind = kinds.get(arm, "counts")
                probes.append(Probe(kind=kind, arm=arm, replicate=number, settings=settings))
        return [Cell(self.type_name, self.version, probe) for probe in probes]

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.mep_extension.measure import measured

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, measured(cell.probe))
