"""Figures to files: PDF for the paper, PNG for the page, CSV with the numbers behind; the same bytes on every rerun."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.report.style import DPI, PDF_METADATA, PNG_METADATA, figure_style
from testbed.runs import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from testbed.studies import Study

SUFFIXES = (".pdf", ".png", ".csv")


@dataclass(frozen=True)
class RenderedFigure:
    """A figure on disk: `folder/name.pdf`, `.png` and `.csv`, with what stands beneath it."""

    name: str
    title: str
    caption: str
    claims: tuple[str, ...]
    folder: Path
    shows: tuple[str, ...] = ()

    def path(self, suffix: str) -> Path:
        return self.folder / f"{self.name}{suffix}"

    @property
    def alt(self) -> str:
        """What a reader who cannot see the figure is told: its title, or its name in words, and its caption."""
        return ". ".join(part.rstrip(".") for part in (self.title or self.name.replace("_", " "), self.caption) if part)


def write_figures(study: "Study", records: Sequence[Record], folder: Path) -> list[RenderedFigure]:
    """Draw the study's figures from its records and write each as PDF, PNG (200 dpi) and CSV. Trains nothing.

    Files of earlier figures that the study no longer draws are left alone. Raises ValueError for a figure name that is
    no plain file name, and for a figure without rows: each must stand on numbers that a reader can have.
    """
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    rendered = []
    with figure_style():
        drawn = study.figures(records)
        try:
            for name, one in drawn.items():
                if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
                    raise ValueError(
                        f"figure {name!r}: a name is letters, digits, _ - and . alone; it becomes a file's"
                    )
                if not one.rows:
                    raise ValueError(f"figure {name} has no rows behind it; leave out a figure that has no data")
                result = RenderedFigure(name, one.title, one.caption, tuple(one.claims), folder, tuple(one.shows))
                _settle(one.figure)
                one.figure.savefig(result.path(".pdf"), metadata=PDF_METADATA)
                one.figure.savefig(result.path(".png"), dpi=DPI, metadata=PNG_METADATA)
                result.path(".csv").write_bytes(csv_text(one.rows).encode())
                rendered.append(result)
        finally:
            for one in drawn.values():
                plt.close(one.figure)
    return rendered


def _settle(figure: "Figure") -> None:
    """Lay the figure out, and fix each legend that seeks its own place where it is now.

    PDF and PNG measure text a little differently; left alone, a legend may stand in another corner in each.
    """
    figure.draw_without_rendering()
    for axes in figure.axes:
        legend = axes.get_legend()
        if (
            legend is not None and getattr(legend, "_loc", None) == 0
        ):  # 0 is "best", which matplotlib tells no other way
            corner = axes.transAxes.inverted().transform(legend.get_window_extent().min)
            legend.set_loc((float(corner[0]), float(corner[1])))


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV: the union of their keys as header, in the order first seen; floats so that they read back equal.

    A missing value or None is an empty field; infinities are inf and -inf; lists and tables are JSON.

    >>> csv_text([{"l": 0, "loss": 0.1 + 0.2}, {"l": 1, "note": None}])
    'l,loss,note\\n0,0.30000000000000004,\\n1,,\\n'
    """
    header = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_field(row.get(key)) for key in header])
    return text.getvalue()


def _field(value: Any) -> str:
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        value = value.tolist()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, sort_keys=True)
    return str(value)
