"""The study `optimal_context_laws`: which law does the optimal context length follow?

Shi et al. 2025 (2502.01481, sec. 3) hold that an optimal l* exists and grows with the dataset size D, with their own
law for the excess. Rivals name l*(D) without a fitted number: tables pay for contexts, regular learners for parameters,
correlations drown in noise, quanta are too rare. Each is held against learners without a network, whose exact excess
over two and a half to four decades of D costs seconds: at home, where its derivation holds, and abroad, where it must
fail.

    table       tables of order l on a hidden source: l* ~ ln D                             law of tables at home
    lags        logistic regression on l lags: l* ~ D^(1 / (2 beta))                        law of parameters, horizon
    distance    a table for each announced distance: l* ~ D^(1 / (1 + gamma))               law of parameters, quanta
    keys        a number for each age of a key, Santa Fe: no optimum                        quanta
    pairs       parities of unknown pairs of bits: one threshold for each task              quanta

Context-tree weighting is the control that needs no optimum. Three lengths are kept apart: that of training, that shown,
and the source's own range. Transformers on windows of exactly l tokens are the matter of the study `optimal_context`.

Sizes and bounds were settled on replicates below 100; the verdicts at laptop scale and above come from numbers 1000 on.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.optimal_context_laws.config import Bounds, Distance, Keys, Lags, Pairs, Probe, Sized, Table
from testbed.studies.optimal_context_laws.statements import BLUNT, KEYS, PAIRS, SHARP, TABLE, lag_arm, short_arm
from testbed.studies.study import Study, study
from testbed.training.member import TrainedMember


@study("optimal_context_laws")
class OptimalContextLaws(Study):
    """Which law does the optimal context length follow: tables, parameters, noise horizon, quanta, or the paper's own?

    Learners without a network on sources whose laws are known, so that every excess is exact. Nothing is trained by
    gradient descent over epochs.
    """

    version: ClassVar[int] = 1
    title: ClassVar[str] = "Laws of the optimal context length"
    papers: ClassVar[tuple[str, ...]] = ("2502.01481", "2602.07488", "2303.13506")

    table: Table = Field(Table(), description="tables of order l, and context trees")
    lags: Lags = Field(Lags(), description="logistic regression on l lags")
    distance: Distance = Field(Distance(), description="tables of one announced distance")
    keys: Keys = Field(Keys(), description="Santa Fe process")
    pairs: Pairs = Field(Pairs(), description="parities of unknown pairs")
    bounds: Bounds = Field(Bounds(), description="regions of the claims")
    replicates: int = Field(8, ge=2, le=10_000, description="independent data sets of every arm")
    first_replicate: int = Field(0, ge=0, le=2**31, description="number of the first: other data")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("lags", "distance"):
            if sum(size >= self.bounds.asymptotic for size in getattr(self, name).sizes) < 3:
                raise ValueError(f"{name}.sizes: three must be at least bounds.asymptotic = {self.bounds.asymptotic}")
        return self

    @property
    def n_replicates(self) -> int:
        return self.replicates

    @property
    def numbers(self) -> range:
        """The numbers of the replicates."""
        return range(self.first_replicate, self.first_replicate + self.replicates)

    @property
    def arms(self) -> dict[str, Sized]:
        """The settings of every arm by its name."""
        return {
            TABLE: self.table,
            **{lag_arm(beta): self.lags for beta in self.lags.exponents},
            short_arm(): self.lags,
            BLUNT: self.distance,
            SHARP: self.distance,
            KEYS: self.keys,
            PAIRS: self.pairs,
        }

    def probe(self, arm: str, number: int) -> Probe:
        """The cell of an arm and replicate."""
        settings = self.arms[arm]
        exponents = {lag_arm(beta): beta for beta in self.lags.exponents} | {short_arm(): self.lags.middle}
        return Probe(
            arm=arm,
            replicate=number,
            exponent=exponents.get(arm),
            reach=self.lags.reach if arm == short_arm() else None,
            noise={BLUNT: self.distance.blunt, SHARP: self.distance.sharp}.get(arm),
            settings=settings,  # type: ignore[arg-type]
        )

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """One cell for each arm and replicate."""
        return [
            Cell(self.type_name, self.version, self.probe(arm, number)) for number in self.numbers for arm in self.arms
        ]

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        from testbed.studies.optimal_context_laws.measure import measured

        for cell in cells:
            assert isinstance(cell.probe, Probe)
            yield Record(cell.key, cell.study, cell.resolved(), "done", {}, measured(cell.probe))
