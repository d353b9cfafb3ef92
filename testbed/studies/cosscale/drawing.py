"""What the figures share: looks by task, points with their intervals, what is not learnt, and the rows behind them."""

from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.studies.cosscale.results import Case, Floats, Measured
from testbed.studies.drawing import LEVEL, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOK: dict[str, tuple[str, str, Any]] = {
    "local": ("C0", "o", "-"),
    "far": ("C1", "s", (0, (5, 1.5))),
    "recall": ("C3", "^", (0, (1.2, 1.2))),
    "theory": ("C2", "", (0, (1.2, 1.2))),
}
"""Colour, marker and dashes of each task, the same in every figure; theory is black and dotted."""
TITLES = {
    "local": "local source (T5)",
    "far": "far source (T6)",
    "recall": "recall source (T2)",
    "content": "reliability classes (T7b)",
}
N_RESAMPLES = 4_999
NORMAL = NormalDist()


def look(name: str) -> dict[str, Any]:
    """Keywords of a curve."""
    colour, marker, dashes = LOOK[name]
    return {"color": colour, "marker": marker, "linestyle": dashes, "linewidth": 1.1, "markersize": 3.5}


def cycle_look(place: int) -> dict[str, Any]:
    """Colour, marker and dash number `place` of the cycle."""
    return {**style(place), "linewidth": 1.1, "markersize": 3.5}


def alpha_axis(axis: "Axes", alphas: Sequence[float]) -> None:
    """Scales on a logarithmic axis, each one named."""
    from matplotlib.ticker import NullLocator

    axis.set_xscale("log", base=2)
    axis.set_xticks(list(alphas), [f"{alpha:g}" for alpha in alphas])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("CosScale $\\alpha$")


@lru_cache(maxsize=32)
def _picks(n: int) -> NDArray[np.int64]:
    return np.random.default_rng([n, 0xBCA]).integers(n, size=(N_RESAMPLES, n))


def interval(values: Floats) -> tuple[float, float, float]:
    """Mean and its interval of level LEVEL: the bias-corrected and accelerated bootstrap (Efron 1987, JASA 82, 171),
    which never leaves the range of the values, hence not that of a cosine, a share or a divergence.

    >>> middle, low, high = interval(np.array([0.9, 1.0, 1.0, 1.0, 1.0]))
    >>> low >= 0.9 and high <= 1.0
    True
    """
    mean, n = float(values.mean()), len(values)
    if n < 2 or np.ptp(values) <= 1e-14 * np.abs(values).max():
        return mean, mean, mean
    means = values[_picks(n)].mean(axis=1)
    below = np.mean(means < mean) + np.mean(means == mean) / 2
    shift = NORMAL.inv_cdf(np.clip(below, 1 / (N_RESAMPLES + 1), N_RESAMPLES / (N_RESAMPLES + 1)))
    without = mean - (values.sum() - values) / (n - 1)  # jackknife
    spread = float(np.sum(without**2)) ** 1.5
    acceleration = float(np.sum(without**3)) / (6 * spread) if spread > 0 else 0.0
    ends = []
    for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        z = shift + NORMAL.inv_cdf(tail)
        ends.append(float(np.quantile(means, NORMAL.cdf(shift + z / (1 - acceleration * z)))))
    return mean, min(ends[0], mean), max(ends[1], mean)


def kept_values(data: Measured, case: Case, values: Floats | str, gated: bool = True) -> Floats:
    """Of a name or of numbers, those of the replicates that learnt, or of all where they are too few or no gate is
    asked for, as for first weights."""
    numbers = data.at(*case, values) if isinstance(values, str) else values
    finite = np.isfinite(numbers)
    return numbers[finite & data.shown(case) if gated else finite]


def point(data: Measured, case: Case, values: Floats | str, gated: bool = True) -> tuple[float, float, float]:
    """Mean and interval over `kept_values`."""
    kept = kept_values(data, case, values, gated)
    return interval(kept) if len(kept) else (float("nan"),) * 3


def curve(
    axis: "Axes",
    data: Measured,
    x: Sequence[float],
    cases: Sequence[Case],
    values: str | Sequence[Floats],
    label: str,
    gated: bool = True,
    **looks: Any,
) -> None:
    """Means with their intervals as bars; markers are hollow where an arm has not learnt."""
    numbers: Sequence[str | Floats] = [values] * len(cases) if isinstance(values, str) else values
    found = np.array([point(data, case, one, gated) for case, one in zip(cases, numbers, strict=True)])
    middle, low, high = found.T
    bars = [np.clip(middle - low, 0, None), np.clip(high - middle, 0, None)]
    axis.errorbar(x, middle, yerr=bars, capsize=1.2, elinewidth=0.7, label=label, **looks)
    hollow = [at for at, case in enumerate(cases) if gated and not data.usable(case)]
    if hollow and looks.get("marker"):
        kept = {name: looks[name] for name in ("color", "marker", "markersize") if name in looks}
        axis.plot(np.asarray(x)[hollow], middle[hollow], linestyle="none", markerfacecolor="white", zorder=5, **kept)


def level(axis: "Axes", data: Measured, case: Case, values: Floats | str, label: str, **looks: Any) -> None:
    """A horizontal line at a mean, with its interval as a band; named if it has not learnt."""
    middle, low, high = point(data, case, values)
    axis.axhline(middle, label=label + flag(data, case), **{**looks, "marker": ""})
    axis.axhspan(low, high, color=looks["color"], alpha=0.15, linewidth=0)


def flag(data: Measured, *cases: Case) -> str:
    """What is put behind the name of an arm that has not learnt."""
    return "" if all(data.usable(case) for case in cases) else " (not learnt)"


def legend_under(axis: "Axes", columns: int = 2) -> None:
    """The legend below a panel of a third of the page, in columns that fit it."""
    axis.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.22),
        ncols=columns,
        fontsize=6,
        columnspacing=0.9,
        handlelength=2.2,
        handletextpad=0.5,
    )


def row(data: Measured, case: Case, values: Floats | str, gated: bool = True, **labels: Any) -> dict[str, Any]:
    """One row of the CSV: over `seeds` replicates; `learnt` of the arm's did."""
    kept = kept_values(data, case, values, gated)
    middle, low, high = point(data, case, values, gated)
    return {
        "task": case[0],
        "arm": case[1],
        **labels,
        "mean": middle,
        "lower": low,
        "upper": high,
        "least": kept.min() if len(kept) else "",
        "most": kept.max() if len(kept) else "",
        "seeds": len(kept),
        "learnt": int(data.learnt(case).sum()),
    }


def interval_words(data: Measured) -> str:
    """What the bars and bands are, for captions."""
    return (
        f"Bars and bands: {LEVEL:.0%} bootstrap intervals (BCa), each number alone, over those of {len(data.seeds)}"
        " seeds that learnt the task; hollow, or *not learnt*: fewer than five did, and all are shown."
    )
