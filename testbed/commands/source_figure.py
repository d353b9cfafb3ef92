"""The figure of `testbed source --figure`: what `source_plot` draws, with the numbers in a .csv beside it."""

from pathlib import Path
from typing import Any

import numpy as np

from testbed.commands.source_plot import Series
from testbed.commands.sources import Known
from testbed.core import ConfigError, StoreError, Truth, UndefinedError
from testbed.report.render import csv_text
from testbed.report.style import DPI, PDF_METADATA, PNG_METADATA, figure_style
from testbed.sources import Source

SUFFIXES = (".pdf", ".png")
HEADER = "quantity,place,lower_nats,upper_nats,standard_error_nats,kind"
RATE_COLOUR = "#D55E00"


def check_figure_path(path: Path) -> None:
    """Refuse what cannot be written, and a .csv beside it that would replace a file that is none of ours."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"--figure: given {path}; the name must end in {' or '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise ConfigError(f"--figure: there is no folder {path.parent}")
    table = path.with_suffix(".csv")
    if table.exists() and table.read_bytes().split(b"\n")[0].decode(errors="replace") != HEADER:
        raise ConfigError(f"--figure: {table}, where its numbers go, is there already and holds something else")


def write_figure(source: Source, series: Series | None, known: Known, path: Path) -> list[Path]:
    """Draw the figure and write it with its numbers; the paths written."""
    import matplotlib.pyplot as plt

    if series is None:
        raise UndefinedError(f"--figure: {source.type_name} gives neither h_l nor losses to draw")
    table = path.with_suffix(".csv")
    with figure_style():
        figure, axes = plt.subplots()
        try:
            _draw(axes, source, series, known.truths.get("entropy_rate"))
            meta: dict[str, Any] = PDF_METADATA if path.suffix == ".pdf" else PNG_METADATA
            figure.savefig(path, dpi=DPI, metadata=meta)
            table.write_bytes(csv_text(_rows(series, known)).encode())
        except OSError as error:
            raise StoreError(f"--figure: {path} cannot be written: {error.strerror}") from None
        finally:
            plt.close(figure)
    return [path, table]


def _draw(axes: Any, source: Source, series: Series, rate: Truth | None) -> None:
    truth, places = series.truth, np.array(series.places)
    value = np.asarray(truth.value)
    drawn = np.isfinite(value)
    bars = {"exact": None, "sampled": 2 * truth.standard_error, "bracket": (truth.upper - truth.lower) / 2}[truth.kind]
    what = "$h_l$" if series.length is None else "Bayes loss"
    known = {"exact": "exact", "sampled": "± 2 standard errors", "bracket": "bracket"}[truth.kind]
    drawing = axes.errorbar(
        places[drawn],
        value[drawn],
        yerr=None if bars is None else bars[drawn],
        marker="o" if len(places) <= 40 else "",
        linestyle="-" if series.length is None else "",
        label=f"{what}, {known}",
    )
    handles = [drawing]
    if rate is not None and np.isfinite(rate.value):
        handles.append(_draw_rate(axes, rate))
    axes.set_title(source.type_name)
    if series.length is None:
        unit = "" if source.context_unit == "one token" else f" (unit: {source.context_unit})"
        axes.set_xlabel(f"context length $l${unit}")
        axes.set_ylabel("conditional entropy $h_l$ (nats)")
    else:
        axes.set_xlabel(f"position $t$ in a sequence of {series.length}")
        axes.set_xlim(-0.5, series.length - 0.5)
        axes.set_ylabel("Bayes loss (nats)")
    if np.ptp(axes.dataLim.intervaly) < 1e-9:  # one level, which would else stand between ticks of 1e-16
        axes.set_ylim(0.0, 1.2 * float(value[drawn].max(initial=0.0)) or 1.0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(handles=handles)


def _draw_rate(axes: Any, rate: Truth) -> Any:
    """A dashed line; shaded where it is a bracket or has a standard error."""
    middle, error = float(rate.value), 2 * float(rate.standard_error)
    lower, upper = float(rate.lower) - error, float(rate.upper) + error
    if upper > lower:
        axes.axhspan(lower, upper, color=RATE_COLOUR, alpha=0.2, linewidth=0)
    label = f"entropy rate $h$ = {middle:.4g}"
    return axes.axhline(middle, color=RATE_COLOUR, linestyle=(0, (5, 1.5)), marker="", label=label)


def _rows(series: Series, known: Known) -> list[dict[str, Any]]:
    rows = [_row(series.quantity, place, series.truth[i]) for i, place in enumerate(series.places)]
    return rows + [
        _row(name, None, known.truths[name]) for name in ("entropy_rate", "excess_entropy") if name in known.truths
    ]


def _row(quantity: str, place: int | None, truth: Truth) -> dict[str, Any]:
    values = (quantity, place, float(truth.lower), float(truth.upper), float(truth.standard_error), truth.kind)
    return dict(zip(HEADER.split(","), values, strict=True))
