"""The study `bayes_risk_law`: is the Bayes risk of context l C_0 + C / l^gamma, and is the state's entropy finite?

Shi et al. 2025 (2502.01481) fit R(l) = C_0 + C / l^gamma (Eq. 3) and assume that the entropy S(l) of the Bayes state is
finite in the limit (A1) and rises with l (A2). Both are properties of a source alone: no model is needed to judge them
where h_l and S(l) are known. Here they are, for classes of sources whose R(l) is a power law in the end, with a known
exponent, and for classes whose R(l) is another law.

Curves are judged twice: exactly (exponent, limit, state), and as somebody sees them who measured each to a share of
its fall, by a rule of five laws compared, extrapolation, and a limit that an entropy can have. The rule was settled on
draws below 100; the verdicts at laptop scale and above come from draws 1000 on.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.bayes_risk_law.classes import KINDS
from testbed.studies.bayes_risk_law.config import Bounds, Probe, Reading, Rule
from testbed.studies.study import Study, study
from testbed.training.member import TrainedMember


@study("bayes_risk_law")
class BayesRiskLaw(Study):
    """Which sources have the Bayes risk C_0 + C / l^gamma, and how one that only looks it is told apart.

    Exact conditional entropies of fifteen classes of sources, read as measured curves. Nothing is trained.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "The law of the Bayes risk"
    papers: ClassVar[tuple[str, ...]] = ("2502.01481",)

    reading: Reading = Field(Reading(), description="how curves are read")
    rule: Rule = Field(Rule(), description="when a measured curve is accepted as a power law")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    most_keys: int = Field(2**18, ge=16, le=2**22, description="keys of a Santa Fe process, at most")
    replicates: int = Field(8, ge=2, le=10_000, description="draws of each class")
    first_replicate: int = Field(0, ge=0, le=2**31, description="number of the first draw: other sources and errors")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.bounds.few >= self.bounds.share:
            raise ValueError(f"bounds.few: given {self.bounds.few}, must lie below share = {self.bounds.share}")
        return self

    @property
    def n_replicates(self) -> int:
        return self.replicates

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """One cell for each class."""
        return [
            Cell(
                self.type_name,
                self.version,
                Probe(
                    kind=name,
                    first_replicate=self.first_replicate,
                    replicates=self.replicates,
                    reading=self.reading,
                    rule=self.rule,
                    most_keys=self.most_keys,
                ),
            )
            for name in KINDS
        ]

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.bayes_risk_law.measure import measured

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, measured(cell.probe))
