"""`verdicts.json`: an entry of the ledger as one file that a person and a program can read, and that goes under git.

Sorted keys, two spaces, no clock: equal results give equal bytes. Infinities are the strings "inf" and "-inf", a number
that is not there is "nan".
"""

import json
import math
from pathlib import Path
from typing import Any

from testbed.core import StoreError
from testbed.report.ledger import Entry, RunInfo
from testbed.report.render import RenderedFigure
from testbed.studies import Check, Judgement
from testbed.studies.judge import Verdict

FORMAT = 1
FILE_NAME = "verdicts.json"


def entry_to_dict(entry: Entry) -> dict[str, Any]:
    """Everything of the entry but where its figures lie, as plain values."""
    run = entry.run
    return plain(
        {
            "format": FORMAT,
            "study": entry.study,
            "label": entry.label,
            "title": entry.title,
            "question": entry.question,
            "papers": entry.papers,
            "sources": entry.sources,
            "verdicts": [
                verdict.to_dict() | {"p_decisive": verdict.p_decisive} for verdict in entry.judgement.verdicts
            ],
            "checks": [
                {"name": check.name, "passed": check.passed, "detail": check.detail} for check in entry.judgement.checks
            ],
            "notes": entry.judgement.notes,
            "figures": [
                {"name": one.name, "title": one.title, "caption": one.caption, "claims": one.claims}
                | ({"shows": one.shows} if one.shows else {})
                for one in entry.figures
            ],
            "confusion": entry.confusion,
            "scale": run.scale,
            "command": run.command,
            "config": run.config,
            "devices": run.devices,
            "versions": run.versions,
            "commits": run.commits,
            "dates": run.dates,
            "records": run.records,
            "n_replicates": run.n_replicates,
        }
    )


def entry_from_dict(data: dict[str, Any], folder: Path) -> Entry:
    """The entry back, its figures taken to lie in `folder`."""
    verdicts = []
    for one in data["verdicts"]:
        values = {key: _number(value) for key, value in one.items() if key != "p_decisive"}
        verdicts.append(Verdict.from_dict(values))
    return Entry(
        study=data["study"],
        label=data["label"],
        title=data["title"],
        question=tuple(data["question"]),
        papers=tuple(data["papers"]),
        sources=tuple(data["sources"]),
        judgement=Judgement(
            verdicts=tuple(verdicts),
            checks=tuple(Check(**one) for one in data["checks"]),
            notes=tuple(data["notes"]),
        ),
        figures=tuple(
            RenderedFigure(
                one["name"], one["title"], one["caption"], tuple(one["claims"]), folder, tuple(one.get("shows", ()))
            )
            for one in data["figures"]
        ),
        confusion=data["confusion"],
        run=RunInfo(
            scale=data["scale"],
            command=data["command"],
            config=data["config"],
            devices=tuple(data["devices"]),
            versions=data["versions"],
            commits=tuple(data["commits"]),
            dates=tuple(data["dates"]),
            records=data["records"],
            n_replicates=data["n_replicates"],
        ),
    )


def write_verdicts(entry: Entry, path: Path) -> Path:
    """Write the entry as JSON; byte-identical for equal entries."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(entry_to_dict(entry), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
    return path


def read_verdicts(path: Path) -> Entry:
    """Read an entry back; its figures lie beside the file. Raises StoreError naming the file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.get("format") != FORMAT:
            raise StoreError(f"{path} was written by another version (format {data.get('format')}, not {FORMAT})")
        return entry_from_dict(data, path.parent)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is not a verdicts file of this program: {type(error).__name__}: {error}") from None


def plain(value: Any) -> Any:
    """JSON-able values: tuples become lists, numpy scalars numbers, what is not finite a string."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value


def _number(value: Any) -> Any:
    return math.nan if value == "nan" else value
