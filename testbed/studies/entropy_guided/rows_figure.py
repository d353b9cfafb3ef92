"""Entropy and KL by row on the coin, against ln i and ln T."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.entropy_guided.claims import STUDY
from testbed.studies.entropy_guided.config import BOTH, NEITHER, Arm, Form, cell_title
from testbed.studies.entropy_guided.data import Data
from testbed.studies.entropy_guided.exact import free_rows
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.entropy_guided.study import EntropyGuidedStudy

SHOWN: tuple[tuple[Form, str], ...] = (("none", "no penalty"), ("window", "penalty, ln T"), ("row", "penalty, ln i"))
LEAST = 1e-6
"""Nats; what lies below is drawn there."""


def rows_figure(study: "EntropyGuidedStudy", data: Data) -> StudyFigure:
    """Above: entropy; below: KL. Columns: both nonlinearities, softmax alone."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(8.6, 6.4), sharex=True, sharey="row")
    length, p = study.sources.length, study.penalty
    n = np.arange(1, length + 1)
    rows: list[dict[str, Any]] = []
    ends: list[str] = []
    for column, cell in enumerate((BOTH, NEITHER)):
        top, bottom = axes[:, column]
        top.plot(n, np.log(n), color="black", linestyle="--", linewidth=1.2, marker="", label="ln i, the best head")
        top.axhline(np.log(length), color="0.5", linestyle=":", linewidth=1.2, marker="", label="ln T")
        theta = float(np.median(data.runs[Arm("coin", cell, "window", p.coefficient)].theta))
        top.axhline(
            free_rows(length, p.tolerance, theta)[1], color=style(1)["color"], linestyle="-.", linewidth=1.1, marker="",
            label="(theta + tau) ln T, up to where ln T leaves rows free",
        )  # fmt: skip
        ends.append(f"{theta:.2f} ({cell_title(cell)})")
        for number, (form, label) in enumerate(SHOWN):
            arm = Arm("coin", cell, form, 0.0 if form == "none" else p.coefficient)
            one, look = data.runs[arm], style(number) | {"linestyle": "-"}
            entropy = np.array([data.interval(values) for values in one.entropy.mean(axis=(1, 2)).T])
            curve = np.array([data.interval(values) for values in one.curve.T])
            for axis, found in ((top, entropy), (bottom, np.maximum(curve, LEAST))):
                axis.plot(n, found[:, 0], markersize=3.5, label=label, **look)
                axis.fill_between(n, found[:, 1], found[:, 2], color=look["color"], alpha=0.2, linewidth=0)
            rows += [
                {"cell": cell_title(cell), "arm": label, "keys": int(i)}
                | {"entropy": e[0], "entropy_lower": e[1], "entropy_upper": e[2]}
                | {"kl": k[0], "kl_lower": k[1], "kl_upper": k[2]}
                for i, e, k in zip(n, entropy.tolist(), curve.tolist(), strict=True)
            ]
        for axis in (top, bottom):
            axis.axvline(length ** (1 - p.tolerance), color="0.7", linewidth=0.8, marker="")
        bottom.set_yscale("log")
        bottom.set_xlabel("visible keys i")
        top.set_title(cell_title(cell), fontsize=9)
    axes[0, 0].set_ylabel("entropy of the row (nats)")
    axes[1, 0].set_ylabel("KL to the Bayes law (nats)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What the penalty does to every row of a causal head on the coin",
        caption=(
            f"Mean over heads, sequences and {study.n_seeds} replicates, {min(p.n_seeds, study.n_seeds)} with a"
            f" penalty, with {LEVEL:.0%} bands over replicates; c ="
            f" {p.coefficient:g}, tau = {p.tolerance:g}. The best head is uniform, ln i. Rows left of the grey line,"
            " T^(1 - tau) keys, would be penalised by ln T with theta = 1 even where they are uniform. Theta is"
            f" learned; its median at the end with ln T is {' and '.join(ends)}, and the orange line ends the free"
            " rows there. The figure is consistent with early rows drawing theta down and late ones being held below"
            f" (theta + tau) ln T; the forms differ in tolerance and strength as well. KL below {LEAST:g} nats is drawn"
            " there."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("raised", "row_spared", "defect_early", "defect_late", "heads")),
    )
