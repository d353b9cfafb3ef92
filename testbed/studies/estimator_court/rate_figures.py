"""Coders and extrapolation: what a stream costs above its law, and where rates are said to go."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import style
from testbed.studies.estimator_court.data import Data
from testbed.studies.estimator_court.drawing import STUDENT, points
from testbed.studies.estimator_court.measure import BASIS, CODERS
from testbed.studies.estimator_court.stated import STUDY
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt

LEAST = 1e-4
"""Nats below which an error is drawn at the edge."""


def rates_figure(study: "EstimatorCourt", data: Data) -> StudyFigure:
    """Redundancy of the coders, errors of extrapolations on streams, and on exact numbers."""
    import matplotlib.pyplot as plt

    size = next(one for one in reversed(study.sizes) if one.coders)
    y = np.arange(len(study.sources))
    figure, axes = plt.subplots(1, 3, figsize=(7.4, 3.6), width_ratios=(1, 1.15, 0.9))
    left, middle, right = axes
    rows: list[dict[str, Any]] = []
    arrays = [data.streams[source.label, size.n_tokens] for source in study.sources]
    for i, name in enumerate(CODERS):
        found = np.array([data.interval(one["coded"][:, i] - one["bayes"]) for one in arrays])
        drawn = np.maximum(found, LEAST)
        points(
            left,
            (y + 0.15 * (2 * i - 1)).tolist(),
            drawn[:, 0].tolist(),
            (drawn[:, 1], drawn[:, 2]),
            i,
            name,
            True,
            False,
        )
        rows += [
            {"quantity": f"rate - exact code, {name}", "source": source.label, "value": a, "lower": low, "upper": high}
            for source, (a, low, high) in zip(study.sources, found.tolist(), strict=True)
        ]
    kinds: dict[str, list[Floats]] = {
        "rate, context-tree weighting": [one["coded"][:, 0] - one["rate"] for one in arrays],
        "its extrapolation": [one["limit"][:, 0] - one["rate"] for one in arrays],
        "extrapolated h_k": [one["order_limit"] - one["rate"] for one in arrays],
    }
    for place, (label, errors) in enumerate(kinds.items()):
        shown = []
        for at, source, values in zip(y, study.sources, errors, strict=True):
            off = np.abs(values[np.isfinite(values)])
            if len(off):
                low, mid, high = np.quantile(off, [0.1, 0.5, 0.9])
                shown.append((at + 0.2 * (place - 1), max(mid, LEAST), max(low, LEAST), max(high, LEAST)))
                rows.append(
                    {"quantity": f"|{label} - h|", "source": source.label, "value": mid, "lower": low, "upper": high}
                )
        if shown:
            columns = list(zip(*shown, strict=True))
            points(middle, columns[0], columns[1], (columns[2], columns[3]), place + 2, label, True, False)
    for axis in (left, middle):
        axis.set_xscale("log")
        axis.set_ylim(len(y) - 0.5, -0.5)
        axis.set_yticks(y, [one.label for one in study.sources] if axis is left else [], fontsize=7)
    middle.axvline(study.bounds.tolerance, color="0.4", linewidth=0.7, linestyle=":", marker="")
    left.set_xlabel("rate - exact code (nats)", fontsize=7.5)
    middle.set_xlabel("|error| of h (nats)", fontsize=7.5)
    _exact(right, study, data, rows)
    left.legend(loc="upper center", bbox_to_anchor=(0.3, -0.17), fontsize=6.5)
    middle.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Coders, and where their rates are said to go",
        caption=(
            f"Left: what each coder needs above the exact law given the whole past, streams of {size.n_tokens:,}"
            " tokens;"
            f" {STUDENT}. Middle: error of the entropy rate, medians over streams with bars from the 10 % to the 90 %"
            " quantile: the coder's rate, the limit of A n^(b-1) + h fitted to its rates, and the same fitted to h_k"
            f" ({BASIS}) of the trusted orders where there are four. Dotted: {study.bounds.tolerance:g} nats. Right:"
            " the"
            " same form fitted to exact H(n) / n; hollow where the fit says that these points do not determine it."
            f" Errors below {LEAST:g} are drawn there. Exact numbers have no interval."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                "coders_above",
                "plug_in_above",
                "ansatz_class",
                "ansatz_any",
                "ansatz_sampled",
                "ansatz_closer",
            )
        ),
    )


def _exact(axis: Any, study: "EstimatorCourt", data: Data, rows: list[dict[str, Any]]) -> None:
    for place, one in enumerate(study.extrapolated):
        found = data.extrapolated[one.label]
        off = abs(float(found["limit"] - found["rate"]))
        look = style(0 if one.role == "class" else 1)
        fill = {} if found["determined"] else {"markerfacecolor": "none"}
        axis.plot([max(off, LEAST)], [place], **{**look, "linestyle": "none", "markersize": 5, **fill})
        rows.append(
            {
                "quantity": f"exact, {one.role}",
                "source": one.label,
                "value": off,
                "exponent": float(found["exponent"]),
                "determined": bool(found["determined"]),
            }
        )
    axis.axvline(study.bounds.ansatz, color="0.4", linewidth=0.7, linestyle=":", marker="")
    axis.set_xscale("log")
    axis.set_xlim(LEAST / 2, 100)
    axis.set_ylim(len(study.extrapolated) - 0.5, -0.5)
    axis.set_yticks(range(len(study.extrapolated)), [one.label for one in study.extrapolated], fontsize=6.5)
    axis.yaxis.tick_right()
    axis.set_xlabel("|error|, exact H(n)/n (nats)", fontsize=7.5)
