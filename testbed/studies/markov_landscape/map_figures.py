"""The map over p and q, and the share of runs that have not left the unigrams by p + q."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge.proportion import Proportion
from testbed.studies.markov_landscape.claims import STUDY
from testbed.studies.markov_landscape.config import PANELS, Panel
from testbed.studies.markov_landscape.data import Bools, Data, Floats
from testbed.studies.markov_landscape.evidence import high
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from testbed.studies.markov_landscape.study import MarkovLandscape

TITLES = {
    "one_tied": "one layer, tied",
    "one_untied": "one layer, untied",
    "two_tied": "two layers, tied",
    "two_untied": "two layers, untied",
}
LARGEST = 1.0
"""Units at which the colours end."""
MOST_NUMBERS = 8
"""Values of p up to which a chain has room for a number."""


def titled(panel: Panel) -> str:
    """What a panel is, norms left aside."""
    return TITLES[panel.removeprefix("bare_")]


def interval(flags: Bools) -> tuple[float, float, float]:
    """Share, and its exact binomial interval."""
    found = Proportion(int(flags.sum()), len(flags), "run")
    return (found.estimate, *found.interval((1 - LEVEL) / 2))


def maps_figure(study: "MarkovLandscape", data: Data) -> StudyFigure:
    """Two rows (layer norm, none) of four panels: mean units over runs, and how many of them are high."""
    import matplotlib.pyplot as plt

    values = study.grid.values
    numbered = len(values) <= MOST_NUMBERS
    figure, axes = plt.subplots(2, 4, figsize=(9.6, 5.2), sharex=True, sharey=True)
    rows = []
    for k, panel in enumerate(PANELS):
        axis = axes[k // 4][k % 4]
        units = data.maps[panel].units
        image = _heat(axis, values, units.mean(axis=2))
        count = (units > study.bounds.stuck).sum(axis=2)
        for i, p in enumerate(values):
            for j, q in enumerate(values):
                if data.side[i, j] == 0:
                    continue
                share, low, upper = interval(units[i, j] > study.bounds.stuck)
                mean = float(units[i, j].mean())
                rows.append(
                    {
                        "panel": panel, "p": p, "q": q, "mean": mean, "least": float(units[i, j].min()),
                        "largest": float(units[i, j].max()), "share": share, "low": low, "high": upper,
                    }
                )  # fmt: skip
                if count[i, j] and numbered:
                    dark = mean > 0.55 * LARGEST
                    axis.text(
                        *(j, i), str(count[i, j]), ha="center", va="center", size=7, color="black" if dark else "white"
                    )
        axis.set_title(titled(panel), size=9)
        if k // 4 == 1:
            axis.set_xlabel("q = P(0 | 1)")
        if k % 4 == 0:
            axis.set_ylabel(f"{'layer norm' if k < 4 else 'no norms'}\np = P(1 | 0)")
    figure.colorbar(image, ax=axes, label="(loss - h) / (H(pi) - h)", shrink=0.8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Where unigrams catch a transformer",
        caption=(
            f"Loss after {study.recipe.context_length} tokens of {study.n_seeds} runs for each chain, their mean, in"
            " units in which 0 is the entropy rate h and 1 the loss H(pi) of unigrams (colours end there)."
            + (
                f" Numbers: of these runs, how many end over {study.bounds.stuck:g}; none where there is no number."
                if numbered
                else ""
            )
            + " Hatched: p + q = 1, where H(pi) = h and the unit"
            f" is 0 / 0. Dashed: that line. 0 of {study.n_seeds} has a {LEVEL:.0%} interval of up to"
            f" {interval(np.zeros(study.n_seeds, dtype=bool))[2]:.2f} for a chain; pooled intervals: next figure."
            " Above: the network of the paper's code; below: that of its theorem."
        ),
        claims=tuple(
            f"{STUDY}.{one}"
            for one in ("above_some", "above_most", "below", "untied", "two", "depth_helps", "line", "bare_line")
        ),
    )


def _heat(axis: "Axes", values: tuple[float, ...], mean: Floats) -> "AxesImage":
    """Cells over q and p, the line between them, hatches where there is no value."""
    n = len(values)
    axis.set_facecolor("0.85")
    for i, j in zip(*np.nonzero(np.isnan(mean)), strict=True):
        axis.fill_between([j - 0.5, j + 0.5], i - 0.5, i + 0.5, facecolor="0.85", edgecolor="0.5", hatch="///", lw=0)
    image = axis.imshow(mean, origin="lower", vmin=0, vmax=LARGEST, cmap="viridis", aspect="equal", zorder=0)
    axis.set_xlim(-0.5, n - 0.5)
    axis.set_ylim(-0.5, n - 0.5)
    places = np.arange(n)
    fine = np.linspace(values[0], values[-1], 101)
    axis.plot(
        np.interp(1 - fine, values, places), np.interp(fine, values, places), color="red", ls="--", lw=1, marker=""
    )
    axis.grid(visible=False)
    shown = places if n <= 8 else places[::2]
    axis.set_xticks(shown, [f"{values[i]:g}" for i in shown], rotation=90, size=7)
    axis.set_yticks(shown, [f"{values[i]:g}" for i in shown], size=7)
    return image


def shares_figure(study: "MarkovLandscape", data: Data) -> StudyFigure:
    """Share of runs that have not left, by p + q: a panel for each network, layer norm above and none below."""
    import matplotlib.pyplot as plt

    values = np.array(study.grid.values)
    total = np.round(values[:, None] + values[None], 6)
    sums = [one for one in np.unique(total) if (data.side[total == one] != 0).any()]
    figure, axes = plt.subplots(2, 4, figsize=(9.6, 4.4), sharex=True, sharey=True)
    rows = []
    looks = {name: value for name, value in style(0).items() if name != "linestyle"}
    for k, panel in enumerate(PANELS):
        axis = axes[k // 4][k % 4]
        found = []
        for one in sums:
            found.append(interval(high(data.maps[panel].at(total == one), study.bounds)))
            rows.append(dict(zip(("panel", "sum", "share", "low", "high"), (panel, one, *found[-1]), strict=True)))
        share, low, upper = np.array(found).T
        axis.errorbar(sums, share, [share - low, upper - share], capsize=2, lw=1, ms=4, clip_on=False, **looks)
        axis.axvline(1.0, color="0.6", ls="--", lw=0.9, zorder=0)
        axis.set_title(titled(panel), size=9)
        if k // 4 == 1:
            axis.set_xlabel("p + q")
        if k % 4 == 0:
            axis.set_ylabel(f"{'layer norm' if k < 4 else 'no norms'}\nshare of runs")
    axes[0][0].set_ylim(-0.03, 1.03)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The line p + q = 1",
        caption=(
            f"Share of runs whose loss after {study.recipe.context_length} tokens is over {study.bounds.stuck:g} of"
            f" the way from h to H(pi), pooled over chains of one p + q; bars: exact binomial {LEVEL:.0%} intervals"
            f" over runs, {study.n_seeds} for each chain. Dashed: p + q = 1, where theory puts one tied layer's border."
            " Above: the network of the paper's code, where such a run has not left by the last step; below: that of"
            " its theorem, in which two tied layers have the minimum as well."
        ),
        claims=tuple(f"{STUDY}.{one}" for one in ("bare_above", "bare_untied", "bare_two", "line", "bare_line")),
    )
