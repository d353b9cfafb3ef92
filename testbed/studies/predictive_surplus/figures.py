"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.predictive_surplus.claims import STUDY
from testbed.studies.predictive_surplus.config import DRAFTED
from testbed.studies.predictive_surplus.data import Data, gather, mean
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.predictive_surplus.study import PredictiveSurplus

SETS = {
    "last": "last layer",
    "streams": "all residual streams",
    "untrained": "last layer, untrained",
    "future": "exact law of the future",
}


def figures(study: "PredictiveSurplus", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {"surplus": surplus_figure(study, data), "alignment": alignment_figure(study, data)}


def points(axis: "Axes", x: Floats, values: Floats, place: int, label: str, **named: Any) -> list[dict[str, Any]]:
    """Means over replicates of (R, P) with intervals, at x (P,); the numbers drawn."""
    numbers = [mean(values[:, i]).student for i in range(values.shape[1])]
    middle = np.array([one.estimate for one in numbers])
    ends = np.array([one.interval((1 - LEVEL) / 2) for one in numbers])
    look = {**style(place), "markersize": 4, "elinewidth": 0.8, **named}
    axis.errorbar(x, middle, yerr=np.maximum(np.abs(ends.T - middle), 0.0), label=label, **look)
    return [
        {"series": label, "x": float(a), "value": float(b), "lower": float(c[0]), "upper": float(c[1])}
        for a, b, c in zip(x, middle, ends, strict=True)
    ]


def surplus_figure(study: "PredictiveSurplus", data: Data) -> StudyFigure:
    """Surplus against K, exact and read off, one panel a source."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(DRAFTED), figsize=(7.2, 3.1), sharey=True)
    k = np.arange(2, study.reading.horizon + 1, dtype=np.float64)
    rows: list[dict[str, Any]] = []
    for axis, role in zip(axes, DRAFTED, strict=True):
        arm = data.arms[role]
        exact = arm["exact"][0].cumsum()
        axis.plot(k, exact, color="0.35", linestyle="-", marker="_", markersize=12, label="exact surplus")
        rows += [{"source": study.arm(role).name, "series": "exact", "x": float(a), "value": float(b)}
                 for a, b in zip(k, exact, strict=True)]  # fmt: skip
        for place, (name, label) in enumerate(SETS.items()):
            drawn = points(axis, k + 0.04 * (place - 1.5), arm[name].cumsum(axis=1), place, label)
            rows += [{"source": study.arm(role).name, **row} for row in drawn]
        law = arm["law"][0].cumsum()
        axis.plot(k, law, color="0.35", linestyle=":", marker="x", markersize=5, label="told by the next token's law")
        rows += [{"source": study.arm(role).name, "series": "law", "x": float(a), "value": float(b)}
                 for a, b in zip(k, law, strict=True)]  # fmt: skip
        axis.set_title(study.arm(role).name, fontsize=8.5)
        axis.set_xlabel("K")
        axis.set_xticks(k, [f"{one:g}" for one in k])
        axis.set_xlim(k[0] - 0.25, k[-1] + 0.25)
    axes[0].set_ylabel("surplus (nats)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What states tell of the tokens after the next one",
        caption=(
            "Surplus of the history over the token just written: exact, the part that the exact law of the next token"
            " tells, and what a logistic drafting head gains, held out by history, off layers and off the exact law of"
            f" the next tokens (the most that can be asked of it). Means of {study.n_seeds} replicates at all histories"
            f" of {study.context_length} tokens; bars: {LEVEL:.0%} intervals over replicates, Student's t, each number"
            " alone; exact numbers have none."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                "vanishes", "equal_gain", "tracks_chain", "tracks_hidden", "law_is_enough", "beyond_law",
                "beyond_untrained", "streams",
            )
        ),
    )  # fmt: skip


def alignment_figure(study: "PredictiveSurplus", data: Data) -> StudyFigure:
    """Overlaps with the eigenspaces of predictive similarity, trained and untrained, every replicate."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(3.6, 2.9))
    arm = data.arms["spectral"]
    rows: list[dict[str, Any]] = []
    x = np.arange(2, dtype=np.float64)
    for place, (name, label) in enumerate((("span", "all whitened features"), ("principal", "principal components"))):
        rows += points(axis, x + 0.12 * (place - 0.5), arm[name], place, label, linestyle="none")
        for column in range(2):
            spot = np.full(len(arm[name]), x[column] + 0.12 * (place - 0.5) + 0.05)
            axis.plot(
                spot, arm[name][:, column], **{**style(place), "linestyle": "none", "markersize": 2, "alpha": 0.5}
            )
    random = float(arm["random"].mean())
    axis.axhline(random, color="0.45", linestyle="--", linewidth=0.9, marker="", label="random subspace")
    rows.append({"series": "random subspace", "value": random})
    axis.set_xticks(x, ["trained", "untrained"])
    axis.set_xlim(-0.4, 1.4)
    axis.set_ylim(-0.03, 1.05)
    axis.set_ylabel("overlap with the top eigenvectors")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=1, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Alignment with predictive similarity",
        caption=(
            f"{study.spectral.name}: mean squared cosine of the principal angles between the last layer and the top"
            f" {study.spectral.source.vocab_size - 1} eigenvectors of K(x, x') = <p(. | x), p(. | x')> over all"
            f" histories of {study.reading.spectral_context} tokens. Bars: {LEVEL:.0%} intervals over {study.n_seeds}"
            " replicates, Student's t, each number alone; small points: every replicate."
        ),
        claims=tuple(
            f"{STUDY}.{name}" for name in ("aligned_span", "null_span", "aligned_principal", "null_principal", "rises")
        ),
    )
