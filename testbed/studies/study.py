"""The `Study` contract: cells before, measurements during, verdicts and figures after, from records alone."""

import importlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from testbed.core import Config, Registry, Tagged
from testbed.runs import Cell, MeasureContext, Record
from testbed.studies.judge import Claim, Evidence, Verdict, World, judge
from testbed.training.member import TrainedMember

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Scale = Literal["smoke", "laptop", "gpu", "full"]
SCALES: tuple[Scale, ...] = ("smoke", "laptop", "gpu", "full")


@dataclass(frozen=True)
class Check:
    """An identity that must hold whatever the claims: a failed check voids the study."""

    name: str
    passed: bool
    detail: str


def why_void(checks: Sequence[Check]) -> str | None:
    """The first check that failed, for the judge; None where all passed."""
    return next((f"{check.name} ({check.detail})" for check in checks if not check.passed), None)


@dataclass(frozen=True)
class Judgement:
    """Verdicts on the claims, the checks they rest on, and what a reader should know beside them."""

    verdicts: tuple[Verdict, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        pairs: Sequence[tuple[Claim, Evidence]],
        alpha: float,
        checks: tuple[Check, ...],
        notes: tuple[str, ...] = (),
    ) -> "Judgement":
        """Every claim judged on its evidence; all are undecided, and say so, where a check failed."""
        return cls(tuple(judge(pairs, alpha, void=why_void(checks))), checks, notes)

    @classmethod
    def incomplete(cls, detail: str) -> "Judgement":
        """No verdicts, as records are missing or what they tell of went wrong."""
        return cls((), (Check("complete", False, detail),))


@dataclass(frozen=True)
class StudyFigure:
    """A figure, the rows of numbers behind it (they become its CSV), and its caption."""

    figure: "Figure"
    rows: list[dict[str, Any]]
    caption: str
    title: str = ""
    claims: tuple[str, ...] = field(default=())
    """Ids of the claims that it shows."""
    shows: tuple[str, ...] = field(default=())
    """Paper and number of each figure that is asked for of it, such as "2502.01481 F5"; the gallery lists them."""


class MeasuredBudget(Config):
    """What a run of a config took, for the reader; it changes nothing."""

    members: int = Field(0, ge=0, le=10**9, description="trained members")
    positions: float = Field(0.0, ge=0, le=1e18, description="training positions, or samples, of all members")
    seconds: float = Field(0.0, ge=0, le=1e9, description="seconds of the whole run")
    machine: str = Field("", description="where")


class Study(Tagged):
    """One paper's claims held against a truth that is known. Its fields are the keys of its config.

    A study is one file that defines everything below, or a package: there `claims`, `judge`, `figures` and `worlds` are
    the functions of the modules `claims`, `judgement`, `figures` and `worlds` beside the study's own, imported when
    they are needed, so that neither torch nor a plotting library is loaded to read a config.
    """

    version: ClassVar[int] = 1
    """Raised when an unchanged cell would measure something else; part of every key."""
    title: ClassVar[str] = ""
    papers: ClassVar[tuple[str, ...]] = ()
    remarks: ClassVar[frozenset[str]] = frozenset({"measured_budget"})

    alpha: float = Field(0.05, gt=0, lt=0.5, description="bound on the probability that any verdict is wrong")
    decided_at: Scale = Field("laptop", description="scale that decides the claims")
    positions_per_ensemble: int = Field(
        4_000_000, ge=1, description="training positions in one ensemble, about: what an interruption can lose"
    )
    measured_budget: MeasuredBudget = Field(
        MeasuredBudget(), description="what a run of this config took; changes nothing"
    )

    # -- before
    def prepare(self) -> None:
        """Raise ConfigError for what is wrong but shows only when it is computed; called before anything is run."""

    def claims(self) -> tuple[Claim, ...]:
        """What is claimed, with regions and margins, fixed by the config: `claims(study)`."""
        claimed: tuple[Claim, ...] = self._beside("claims")(self)
        return claimed

    @abstractmethod
    def cells(self, finished: Mapping[str, Record]) -> list[Cell]:
        """Every cell that can be named, given the finished records; asked again until it names nothing new."""

    # -- during
    @abstractmethod
    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]:
        """One record for each cell; `members` holds the trained member of each training key. Never trains."""

    # -- after
    def judge(self, records: Sequence[Record]) -> Judgement:
        """Verdicts from records alone: `judgement(study, records)`."""
        judged: Judgement = self._beside("judgement")(self, records)
        return judged

    def figures(self, records: Sequence[Record]) -> dict[str, StudyFigure]:
        """Figures by file name, from records alone; a panel without data is left out, not drawn empty."""
        drawn: dict[str, StudyFigure] = self._beside("figures")(self, records)
        return drawn

    @property
    @abstractmethod
    def n_replicates(self) -> int:
        """Independent replicates that this config plans."""

    def worlds(self) -> list[World]:
        """Planted worlds with known answers, on which `testbed calibrate` tries the judge: `worlds(study)`."""
        planted: list[World] = self._beside("worlds")(self)
        return planted

    def _beside(self, name: str) -> Callable[..., Any]:
        """The function `name` of the module `name` in the study's package."""
        package = type(self).__module__.rpartition(".")[0]
        found: Callable[..., Any] = getattr(importlib.import_module(f"{package}.{name}"), name)
        return found


class SeededStudy(Study):
    """A study whose replicates are numbered: each has weights and tokens of its own number."""

    n_seeds: int = Field(8, ge=2, le=10_000, description="replicates: weights and tokens of their own")
    first_seed: int = Field(0, ge=0, le=500_000, description="number of the first replicate")

    @property
    def n_replicates(self) -> int:
        return self.n_seeds

    @property
    def seeds(self) -> range:
        """Numbers of the replicates."""
        return range(self.first_seed, self.first_seed + self.n_seeds)


studies: Registry[Study] = Registry("studies", "study")
study: Callable[[str], Callable[[type[Study]], type[Study]]] = studies.register
"""Class decorator that gives a study its name."""
