"""The ledger: judgements of many studies side by side, and the false discovery rate over all their verdicts.

A study's own verdicts are corrected within the study (Holm, in the judge). Who reads a whole ledger and picks what
looks striking needs one more correction, over everything in it: Benjamini and Hochberg's.
"""

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbed.report.render import RenderedFigure
from testbed.runs import Record
from testbed.studies import SCALES, Judgement
from testbed.studies.judge import Confusion, Verdict, benjamini_hochberg
from testbed.studies.judge.evidence import MINIMUM_REPLICATES

if TYPE_CHECKING:
    from testbed.studies import Study

LEDGER_ALPHA = 0.05
"""False discovery rate at which a verdict is said to survive the ledger."""


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """How the records came about: enough to make them again, and to know what else could have moved them.

    dates     first and last day of the records, ISO; empty without records
    records   {status: number of records}
    config    the study's resolved config
    """

    scale: str
    command: str
    config: dict[str, Any]
    devices: tuple[str, ...]
    versions: dict[str, str]
    commits: tuple[str, ...]
    dates: tuple[str, ...]
    records: dict[str, int]
    n_replicates: int

    @classmethod
    def of(cls, study: "Study", records: Sequence[Record], scale: str, command: str) -> "RunInfo":
        stamps = [record.provenance for record in records]
        names = sorted({name for stamp in stamps for name in stamp.get("versions", {})})
        days = sorted({str(stamp["date"]) for stamp in stamps if stamp.get("date")})
        return cls(
            scale=scale,
            command=command,
            config=study.resolved(),
            devices=_distinct(stamp.get("device") for stamp in stamps),
            versions={
                name: ", ".join(_distinct(stamp.get("versions", {}).get(name) for stamp in stamps)) for name in names
            },
            commits=_distinct(stamp.get("commit") for stamp in stamps),
            dates=(days[0], days[-1]) if days else (),
            records=dict(sorted(Counter(record.status for record in records).items())),
            n_replicates=study.n_replicates,
        )

    @property
    def when(self) -> str:
        """The day, or the first and the last."""
        return " to ".join(dict.fromkeys(self.dates)) or "no records"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One study at one scale: what was asked, what came out, and how to do it again.

    label      tells apart studies of one type and scale (the points of a grid); empty for a single one
    question   what was asked, in the words of the study's docstring
    confusion  `Confusion.to_dict()` of `testbed calibrate`, if it was run
    """

    study: str
    label: str
    title: str
    question: tuple[str, ...]
    papers: tuple[str, ...]
    sources: tuple[str, ...]
    judgement: Judgement
    figures: tuple[RenderedFigure, ...]
    confusion: dict[str, Any] | None
    run: RunInfo

    @classmethod
    def of(
        cls,
        study: "Study",
        records: Sequence[Record],
        *,
        scale: str,
        command: str,
        figures: Sequence[RenderedFigure] = (),
        confusion: Confusion | Mapping[str, Any] | None = None,
        label: str = "",
        judgement: Judgement | None = None,
    ) -> "Entry":
        """Judge the records (unless `judgement` is given) and put everything a reader needs beside the verdicts."""
        return cls(
            study=study.type_name,
            label=label,
            title=study.title or study.type_name.replace("_", " "),
            question=_prose(type(study).__doc__),
            papers=tuple(study.papers),
            sources=sources_in_words(records),
            judgement=study.judge(records) if judgement is None else judgement,
            figures=tuple(figures),
            confusion=confusion.to_dict() if isinstance(confusion, Confusion) else _dict_or_none(confusion),
            run=RunInfo.of(study, records, scale, command),
        )

    @property
    def folder_name(self) -> str:
        """`laptop`, or `laptop-label`: the entry's folder below its study's."""
        return self.run.scale + (f"-{self.label}" if self.label else "")

    @property
    def slug(self) -> str:
        """A name of its own among all entries."""
        return f"{self.study}-{self.folder_name}"

    @property
    def failed_checks(self) -> tuple[str, ...]:
        return tuple(check.name for check in self.judgement.checks if not check.passed)

    def beyond_scale(self, verdict: Verdict) -> bool:
        """The claim can be decided only at a larger scale than this."""
        order = list(SCALES)
        return order.index(verdict.claim.decided_at) > order.index(self.run.scale)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Line:
    """A verdict in the ledger, with p_ledger: Benjamini-Hochberg over every verdict of the ledger."""

    entry: Entry
    verdict: Verdict
    p_ledger: float

    @property
    def survives(self) -> bool:
        """It decides, also when every verdict of the ledger is looked at."""
        return self.verdict.verdict != "undecided" and self.p_ledger <= LEDGER_ALPHA

    @property
    def anchor(self) -> str:
        return f"{self.entry.slug}-{re.sub(r'[^A-Za-z0-9_-]', '-', self.verdict.claim.id)}"


def ledger(entries: Sequence[Entry]) -> list[Line]:
    """Every verdict of every entry, in order. Raises ValueError for two entries with one study, scale and label."""
    slugs = [entry.slug for entry in entries]
    if len(set(slugs)) != len(slugs):
        raise ValueError(f"entries need a study, scale or label of their own, not {slugs}")
    pairs = [(entry, verdict) for entry in entries for verdict in entry.judgement.verdicts]
    adjusted = benjamini_hochberg([ledger_p(entry, verdict) for entry, verdict in pairs])
    return [Line(entry, verdict, float(p)) for (entry, verdict), p in zip(pairs, adjusted, strict=True)]


def ledger_p(entry: Entry, verdict: Verdict) -> float:
    """What a verdict brings to the ledger: p_decisive, or 1 where the judge could not decide whatever the data said.

    A voided study, or too few replicates, must not count as a discovery that makes room for others.
    """
    n = verdict.n_independent
    too_few = n is not None and n < MINIMUM_REPLICATES and not verdict.claim.exact_truth
    return 1.0 if too_few or entry.failed_checks else verdict.p_decisive


def sources_in_words(records: Sequence[Record]) -> tuple[str, ...]:
    """The sources that the records' cells name, one line a type: its settings, several values listed, arrays left out.

    Read from `training.source`, or where nothing was trained from `probe.source`.
    """
    settings: dict[str, dict[str, dict[str, None]]] = {}
    for record in records:
        for place in (record.cell.get("training"), record.cell.get("probe")):
            source = (place or {}).get("source")
            if isinstance(source, Mapping) and "type" in source:
                values = settings.setdefault(str(source["type"]), {})
                for key, value in source.items():
                    if key != "type" and isinstance(value, int | float | str):
                        values.setdefault(key, {})[str(value)] = None
                break
    return tuple(
        f"{name}: {'; '.join(f'{key} {_listed(list(found))}' for key, found in values.items())}" if values else name
        for name, values in settings.items()
    )


def _listed(values: list[str], most: int = 6) -> str:
    return ", ".join(values[:most]) + (f", … ({len(values)} values)" if len(values) > most else "")


def _prose(docstring: str | None) -> tuple[str, ...]:
    """The paragraphs of a docstring up to the first that is no running text (a formula, an example, a list)."""
    paragraphs: list[str] = []
    for block in inspect.cleandoc(docstring or "").split("\n\n"):
        if not block.strip() or re.match(r"\s|>>>|[-*] ", block) or re.search(r"\S {3,}\S", block):
            break
        paragraphs.append(" ".join(block.split()))
    return tuple(paragraphs)


def _distinct(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({str(value) for value in values if value is not None}))


def _dict_or_none(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else dict(value)
