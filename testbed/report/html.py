"""The report: one HTML page that holds everything it shows, opens anywhere, and reads without script or network."""

import base64
import json
import os
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from testbed.report.ledger import LEDGER_ALPHA, Entry, Line, ledger
from testbed.report.render import RenderedFigure
from testbed.report.strip import strip
from testbed.report.survey import coverage
from testbed.report.verdicts import plain
from testbed.report.wording import (
    SYMBOLS,
    estimate_and_interval,
    number,
    p_value,
    percent,
    reading_text,
    region_text,
    replicates_text,
    with_unit,
)
from testbed.studies import SCALES

TEMPLATES = Path(__file__).parent / "templates"


def write_report(entries: Sequence[Entry], path: Path, title: str = "Claims against known truths") -> Path:
    """Write the page. Figures are embedded; links to PDF and CSV are made where they lie in the page's own folder.

    Equal entries give equal bytes: the dates are those of the records. Raises ValueError for two entries with one
    study, scale and label.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(entries, path.parent, title), encoding="utf-8", newline="\n")
    return path


def render_page(entries: Sequence[Entry], beside: Path, title: str) -> str:
    """The page as text; `beside` is the folder that its links start from."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(SYMBOLS=SYMBOLS, number=number, percent=percent, strip=strip, p_value=p_value)
    lines = ledger(entries)
    return environment.get_template("report.html").render(
        title=title,
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        counts=_counts(lines),
        lines=[_line_view(line) for line in lines],
        studies=list(_study_views(entries, lines, beside)),
        papers=list(dict.fromkeys(line.verdict.claim.paper for line in lines)),
        scales=[scale for scale in SCALES if any(entry.run.scale == scale for entry in entries)],
        devices=list(dict.fromkeys(device for entry in entries for device in entry.run.devices)),
        dates=_dates(entries),
        alpha=LEDGER_ALPHA,
        coverage=coverage(entries),
    )


@dataclass(frozen=True)
class FigureView:
    """A figure as the page shows it: at half its pixels, so that it stays sharp on dense screens."""

    number: int
    anchor: str
    title: str
    caption: str
    alt: str
    data: str
    width: int
    height: int
    pdf: str | None
    csv: str | None


def _study_views(entries: Sequence[Entry], lines: Sequence[Line], beside: Path) -> Iterator[dict[str, Any]]:
    """What the template shows of each study: a figure stands under the first claim that it shows, later ones link."""
    n_figures = 0
    for entry in entries:
        mine = [line for line in lines if line.entry is entry]
        figures = {
            one.name: _figure_view(entry, one, n_figures + i + 1, beside)
            for i, one in enumerate(_in_order_shown(entry, mine))
        }
        n_figures += len(figures)
        claims, placed = [], set[str]()
        for line in mine:
            shown = [one.name for one in entry.figures if line.verdict.claim.id in one.claims]
            claims.append(
                _line_view(line)
                | {
                    "own_figures": [figures[name] for name in shown if name not in placed],
                    "other_figures": [figures[name] for name in shown if name in placed],
                    "planted": _planted(entry, line.verdict.claim.id),
                }
            )
            placed.update(shown)
        yield {
            "entry": entry,
            "claims": claims,
            "figures": [view for name, view in figures.items() if name not in placed],
            "counts": _counts(mine),
            "config": json.dumps(plain(entry.run.config), indent=2, sort_keys=True, ensure_ascii=False),
        }


def _in_order_shown(entry: Entry, lines: Sequence[Line]) -> list[RenderedFigure]:
    """Figures that show no claim come first, then each with its first claim: numbered as a reader meets them."""
    place = {line.verdict.claim.id: i for i, line in enumerate(lines)}
    return sorted(entry.figures, key=lambda one: min((place[name] for name in one.claims if name in place), default=-1))


def _line_view(line: Line) -> dict[str, Any]:
    verdict = line.verdict
    estimate, interval = estimate_and_interval(verdict)
    return {
        "verdict": verdict,
        "claim": verdict.claim,
        "entry": line.entry,
        "anchor": line.anchor,
        "estimate": with_unit(estimate, verdict.claim.unit),
        "interval": "" if verdict.n_independent is None else interval,
        "level": "an exact value" if verdict.n_independent is None else f"{percent(verdict.level)} interval",
        "region": with_unit(region_text(verdict.claim.region), verdict.claim.unit),
        "margin": with_unit(number(verdict.claim.margin), verdict.claim.unit),
        "replicates": replicates_text(verdict),
        "n": "exact" if verdict.n_independent is None else f"{verdict.n_independent}",
        "reading": reading_text(verdict),
        "inferred": verdict.claim.of_our_reading,
        "p_raw": p_value(verdict.p_decisive),
        "p_study": p_value(verdict.p_adjusted),
        "p_ledger": p_value(line.p_ledger),
        "survives": line.survives or verdict.verdict == "undecided",
        "beyond_scale": line.entry.beyond_scale(verdict),
    }


def _counts(lines: Sequence[Line]) -> list[tuple[str, int, str]]:
    """[(verdict, how many, in words)], those that occur."""
    found = Counter(line.verdict.verdict for line in lines)
    forms = {"holds": ("holds", "hold"), "fails": ("fails", "fail"), "undecided": ("undecided", "undecided")}
    return [(word, found[word], forms[word][found[word] != 1]) for word in SYMBOLS if found[word]]  # type: ignore[index]


def _dates(entries: Sequence[Entry]) -> str:
    days = sorted(day for entry in entries for day in entry.run.dates)
    return " to ".join(dict.fromkeys((days[0], days[-1]))) if days else "no records"


def _planted(entry: Entry, claim: str) -> list[str]:
    """How the judge did on planted worlds, for this claim: its power where a verdict is right, its errors anywhere."""
    rows = [row for row in (entry.confusion or {}).get("rows", []) if row["claim"] == claim]
    told = [
        f"says “{row['expected']}”, as it should, in {100 * row['power']:.1f}\u00a0% of draws of “{row['world']}”"
        for row in rows
        if row["expected"] is not None and row["expected"] != "undecided"
    ]
    errors = [row["wrong_rate"] for row in rows if row["expected"] is not None]
    return told + ([f"wrong in {100 * max(errors):.1f}\u00a0% of draws where it is worst"] if errors else [])


def _figure_view(entry: Entry, figure: RenderedFigure, position: int, beside: Path) -> FigureView:
    png = figure.path(".png").read_bytes()
    width, height = figure_size(figure.path(".png"))
    return FigureView(
        number=position,
        anchor=f"{entry.slug}-figure-{figure.name}",
        title=figure.title,
        caption=figure.caption,
        alt=figure.alt,
        data="data:image/png;base64," + base64.b64encode(png).decode("ascii"),
        width=width,
        height=height,
        pdf=_link(figure, ".pdf", beside),
        csv=_link(figure, ".csv", beside),
    )


def figure_size(png: Path) -> tuple[int, int]:
    """Width and height at which a PNG is shown: half its pixels, read from its header."""
    with png.open("rb") as file:
        width, height = struct.unpack(">II", file.read(24)[16:24])
    return width // 2, height // 2


def _link(figure: RenderedFigure, suffix: Literal[".pdf", ".csv"], beside: Path) -> str | None:
    """A relative link, if the file lies in the page's folder or below it: then both can be moved together."""
    target = figure.path(suffix).resolve()
    if not target.is_file() or not target.is_relative_to(beside.resolve()):
        return None
    return quote(os.path.relpath(target, beside.resolve()).replace(os.sep, "/"))
