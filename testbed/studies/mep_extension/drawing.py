"""What the figures share: one look a scheme, curves with intervals, and the rows of numbers behind them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from testbed.studies.drawing import LEVEL, style
from testbed.studies.mep_extension.data import Data
from testbed.studies.mep_extension.laws import Floats
from testbed.studies.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLOOR = 1e-6
"""Nats: on logarithmic axes what is smaller, rounding mostly, is drawn here."""
NAMES = {
    "windows_3": "window, T $-$ 1 = 3",
    "windows_2": "windows, overlap 2",
    "windows_1": "windows, overlap 1",
    "windows_0": "windows, overlap 0",
    "unigram": "unigram",
    "chain": "neighbour-pair chain",
    "pairs_near": "pairs, lag < T",
    "two_sided": "two-sided windows",
    "kirkwood_near": "Kirkwood, lag < T",
    "conditional_near": "conditional, last T $-$ 1",
    "pairs_all": "all pairs (GMEP)",
    "pairs_prefix": "GMEP + prefix",
    "blocks": "four blocks",
    "kirkwood_all": "Kirkwood, all pairs",
    "conditional_all": "conditional, all before",
    "window_kt": "window + half counts",
    "back_off": "back-off, escapes",
    "back_off_dirichlet": "back-off, Dirichlet",
    "back_off_all": "back-off, all before",
}
_PLACE = {
    "windows_2": 4,
    "windows_1": 5,
    "windows_0": 6,
    "chain": 1,
    "pairs_near": 4,
    "pairs_all": 0,
    "pairs_prefix": 5,
    "blocks": 3,
    "unigram": 6,
    "kirkwood_near": 5,
    "conditional_near": 3,
    "two_sided": 0,
    "kirkwood_all": 6,
    "conditional_all": 1,
    "window_kt": 3,
    "back_off": 5,
    "back_off_dirichlet": 6,
    "back_off_all": 4,
}
"""Of each scheme in the cycle of styles; the window is black everywhere."""


def name_of(scheme: str) -> str:
    return NAMES.get(scheme, scheme)


def source_name(source: str) -> str:
    """For axes: markov_2 -> Markov 2."""
    kind, _, number = source.rpartition("_")
    if number.isdigit():
        return {"markov": "Markov", "logit": "additive"}[kind] + f" {number}"
    return {
        "dirichlet": "Dirichlet",
        "parity_far": "parity, far",
        "parity_run": "parity, runs",
        "copy": "copy, lag T",
        "potts": "Potts",
    }.get(source, source)


def look(scheme: str) -> dict[str, Any]:
    """The same in every figure."""
    place = _PLACE.get(scheme, 2)
    return {**style(place), "linewidth": 1.0, "markersize": 3.5}


def series(data: Data, values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean and the ends of its interval, for each column of (n_replicates, k)."""
    found = np.array([data.interval(column) for column in values.T])
    return found[:, 0], found[:, 1], found[:, 2]


def curve(axis: "Axes", data: Data, x: ArrayLike, values: Floats, label: str, **looks: Any) -> None:
    """Means of (n_replicates, len(x)) with their intervals, held above FLOOR."""
    middle, low, high = (np.maximum(one, FLOOR) for one in series(data, values))
    axis.errorbar(x, middle, yerr=[middle - low, high - middle], capsize=1.2, elinewidth=0.7, label=label, **looks)


def across(axis: "Axes", data: Data, y: ArrayLike, values: Floats, label: str, **looks: Any) -> None:
    """The same along x, one point a row."""
    middle, low, high = (np.maximum(one, FLOOR) for one in series(data, values))
    errors = [middle - low, high - middle]
    axis.errorbar(middle, y, xerr=errors, capsize=1.2, elinewidth=0.7, label=label, **looks | {"linestyle": ""})


def table_rows(data: Data, quantity: str, table: Table, **fixed: Any) -> list[dict[str, Any]]:
    """One row for every entry of a table: its labels, the mean, the interval, the standard error."""
    names = list(table.axes)
    flat = table.values.reshape(len(table.values), -1)
    rows = []
    for column, index in enumerate(np.ndindex(*table.values.shape[1:])):
        middle, low, high = data.interval(flat[:, column])
        labels = {name: table.axes[name][at] for name, at in zip(names, index, strict=True)}
        numbers = {"mean": middle, "lower": low, "upper": high, "standard_error": data.error(flat[:, column])}
        rows.append({"quantity": quantity, **fixed, **labels, **numbers})
    return rows


def closed_rows(quantity: str, table: Table) -> list[dict[str, Any]]:
    """One row for every entry of a closed form."""
    return [
        {
            "quantity": quantity,
            **{name: table.axes[name][at] for name, at in zip(table.axes, index, strict=True)},
            "value": float(table.values[index]),
        }
        for index in np.ndindex(*table.values.shape)
    ]


def claim_ids(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"mep_extension.{name}" for name in names)


def interval_words(data: Data) -> str:
    """What the bars are, for captions."""
    return (
        f"Bars: {LEVEL:.0%} intervals over {data.replicates.n_independent} draws of the random laws, each point alone."
    )
