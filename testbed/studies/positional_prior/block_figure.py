"""What dropped blocks cost against the lag mass that is dropped with them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.positional_prior.claims import STUDY, TITLES, source_title
from testbed.studies.positional_prior.config import SINGLE
from testbed.studies.positional_prior.data import Data
from testbed.studies.positional_prior.measure import matched
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.positional_prior.study import PositionalPrior

LEAST = 1e-5
"""Nats; what lies below is drawn there."""


def block_figure(study: "PositionalPrior", data: Data) -> StudyFigure:
    """Left: cost, what the exact read-out pays and the bound, against dropped lag mass; right: against dropped keys."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.8), sharey=True)
    rows: list[dict[str, Any]] = []
    for number, source in enumerate(data.design.names):
        look, blocks = style(number), data.blocks[source]
        cost, ideal, bound = (
            np.array([data.interval(column) for column in blocks[name].T]) for name in ("cost", "ideal", "bound")
        )
        title = f"{source_title(source).replace(' lag law', '')}, {TITLES[matched(source)]}"
        title = title.replace(SINGLE, "single lag") if source == SINGLE else title
        bars = np.abs(np.maximum(cost[:, 1:], LEAST) - np.maximum(cost[:, :1], LEAST)).T
        for axis, name in zip(axes, ("mass", "keys"), strict=True):
            x = blocks[name].mean(axis=0)
            axis.errorbar(x, np.maximum(cost[:, 0], LEAST), yerr=bars, capsize=2, markersize=4, label=title, **look)
            axis.errorbar(
                x,
                np.maximum(ideal[:, 0], LEAST),
                yerr=np.abs(np.maximum(ideal[:, 1:], LEAST) - np.maximum(ideal[:, :1], LEAST)).T,
                color=look["color"],
                marker=look.get("marker", "o"),
                markerfacecolor="white",
                markersize=5,
                elinewidth=0.7,
                capsize=4,
                linestyle="",
            )
        x = blocks["mass"].mean(axis=0)
        axes[0].plot(x, bound[:, 0], color=look["color"], linestyle=":", linewidth=1.3, marker="")
        axes[0].fill_between(x, *np.maximum(bound[:, 1:], LEAST).T, color=look["color"], alpha=0.15, linewidth=0)
        rows += [
            {"source": source, "prior": TITLES[matched(source)], "power": power}
            | {"cost": one[0], "lower": one[1], "upper": one[2]}
            | {"ideal_lower": ideal[i, 1], "ideal_upper": ideal[i, 2]}
            | {"bound_lower": bound[i, 1], "bound_upper": bound[i, 2]}
            | {name: float(blocks[name].mean(axis=0)[i]) for name in ("ideal", "bound", "mass", "keys", "as_middle")}
            for i, (power, one) in enumerate(zip(study.reading.powers, cost.tolist(), strict=True))
        ]
    axes[0].set_xscale("log")
    axes[0].set_yscale("log")
    axes[0].set_xlabel("dropped lag mass D")
    axes[1].set_xlabel("share of keys dropped")
    axes[0].set_ylabel("added excess (nats)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    reading = study.reading
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The price of dropped blocks against the lag mass in them",
        caption=(
            f"Blocks of {reading.block} tokens kept with probability pi(r) = (1 + max(r - {reading.near}, 0))^-p,"
            f" p = {', '.join(f'{one:g}' for one in reading.powers)} from left to right, at inference, on the prior"
            f" that fits each source, T = {data.design.length}. Lines with {LEVEL:.0%} intervals: excess that trained"
            f" models gain, mean over {study.n_seeds} replicates, each with blocks drawn anew. White, wide caps: the"
            " exact read-out with the lags that are left. Dotted, with bands: the bound on the latter by the dropped"
            " lag mass, a theorem for it, and loose. Intervals of all three are over the draws of blocks too; places on"
            f" the axis are means. What lies below {LEAST:g} nats is drawn there. Right: the same costs against the"
            " keys that are dropped, as many on all sources."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("blocks_ideal", "blocks_cheap", "single_dear", "single_bound")),
    )
