"""What the figures share: one look a law, curves with intervals, and the rows of numbers behind them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.attention_theory.data import Data
from testbed.studies.attention_theory.laws import LAWS, NAMES
from testbed.studies.attention_theory.rows import Floats
from testbed.studies.drawing import LEVEL, style
from testbed.studies.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PLACE = {"none": 2, "infoscale": 0, "sphere_exact": 6, "sphere_limit": 3, "log_n": 1, "yarn": 5, "headwise": 4}
"""Of each law in the cycle of styles: what is compared most differs most."""


def law_style(law: str) -> dict[str, Any]:
    """The same in every figure."""
    return {**style(_PLACE[law]), "linewidth": 1.0, "markersize": 3.0}


def series(data: Data, values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean and the ends of its interval, for each column of (n_replicates, k)."""
    found = np.array([data.interval(column) for column in values.T])
    return found[:, 0], found[:, 1], found[:, 2]


def curve(axis: "Axes", data: Data, x: Sequence[float], values: Floats, label: str, **look: Any) -> None:
    """Means of (n_replicates, len(x)) with their intervals."""
    middle, low, high = series(data, values)
    axis.errorbar(
        x,
        middle,
        yerr=[np.clip(middle - low, 0, None), np.clip(high - middle, 0, None)],
        capsize=1.2,
        elinewidth=0.7,
        label=label,
        **look,
    )


def law_curves(axis: "Axes", data: Data, table: Table, laws: Iterable[str] = LAWS, **labels: Any) -> None:
    """One curve a law against n."""
    for law in laws:
        curve(axis, data, table.axes["n"], table.at(law=law, **labels), NAMES[law], **law_style(law))


def table_rows(data: Data, quantity: str, table: Table, **fixed: Any) -> list[dict[str, Any]]:
    """One row for every entry of a simulated table: its labels, the mean, the interval, the standard error."""
    names = list(table.axes)
    flat = table.values.reshape(len(table.values), -1)
    rows = []
    for column, index in enumerate(np.ndindex(*table.values.shape[1:])):
        middle, low, high = data.interval(flat[:, column])
        labels = {name: table.axes[name][at] for name, at in zip(names, index, strict=True)}
        numbers = {"mean": middle, "lower": low, "upper": high, "standard_error": data.error(flat[:, column])}
        rows.append({"quantity": quantity, **fixed, **labels, **numbers})
    return rows


def closed_rows(quantity: str, table: Table, **fixed: Any) -> list[dict[str, Any]]:
    """One row for every entry of a closed form."""
    return [
        {
            "quantity": quantity,
            **fixed,
            **{name: table.axes[name][at] for name, at in zip(table.axes, index, strict=True)},
            "value": float(table.values[index]),
        }
        for index in np.ndindex(*table.values.shape)
    ]


def length_axis(axis: "Axes", lengths: Sequence[int]) -> None:
    """Numbers of keys on a logarithmic axis; of many every other one is named."""
    from matplotlib.ticker import NullFormatter, NullLocator

    axis.set_xscale("log", base=2)
    named = set(lengths if len(lengths) < 5 else lengths[::2])
    axis.set_xticks(list(lengths), [str(n) if n in named else "" for n in lengths])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())


def legend_panel(axis: "Axes", source: "Axes", title: str = "") -> None:
    """Turn a spare panel into the legend of another one."""
    axis.axis("off")
    axis.legend(*source.get_legend_handles_labels(), loc="center", title=title, borderaxespad=0)


def legend_below(figure: "Figure", source: "Axes", columns: int) -> None:
    """One legend under all panels."""
    figure.legend(*source.get_legend_handles_labels(), loc="outside lower center", ncols=columns)


def interval_words(data: Data) -> str:
    """What the bars are, for captions."""
    return f"Bars: {LEVEL:.0%} intervals over {data.replicates.n_independent} independent streams, each point alone."
