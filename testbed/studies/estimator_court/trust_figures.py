"""Whether intervals hold, by distance from the trust limit, and whether the limit warns in time."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.estimator_court.data import MIXING, Data, alarm_shares, coverage, warnings
from testbed.studies.estimator_court.drawing import BINOMIAL, SHORT, SHOWN, STUDENT, points, share_row
from testbed.studies.estimator_court.measure import NAMES
from testbed.studies.estimator_court.stated import STUDY, lengths_of
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt

NEAR = range(-5, 4)
"""Orders around the trust limit that are shown."""


def coverage_figure(study: "EstimatorCourt", data: Data) -> StudyFigure:
    """Share of intervals that hold against the order less the trust limit, and by estimator."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.5), width_ratios=(1.25, 1))
    rows: list[dict[str, Any]] = []
    for place, name in enumerate(SHOWN):
        drawn: list[dict[str, Any]] = []
        for beyond in NEAR:
            found = coverage(study, data, name, beyond)
            if found is not None:
                drawn.append({"estimator": name, "orders_beyond_limit": beyond, **share_row(found)})
        rows += drawn
        x = [row["orders_beyond_limit"] + 0.06 * (place - 2.5) for row in drawn]
        ends = [row["lower"] for row in drawn], [row["upper"] for row in drawn]
        points(left, x, [row["share"] for row in drawn], ends, place, SHORT[name])
    left.axvspan(0.5, NEAR[-1] + 0.4, color="#fbe9c6", zorder=0, linewidth=0)
    left.axhline(0.95, color="0.4", linewidth=0.7, linestyle=":", marker="")
    left.set_xlim(NEAR[0] - 0.4, NEAR[-1] + 0.4)
    left.set_ylim(-0.03, 1.03)
    left.set_xlabel("order k less the stream's trust limit")
    left.set_ylabel("share of 95 % intervals that hold h_k")
    handles = left.get_legend_handles_labels()
    y = np.arange(len(NAMES))
    for place, (label, off) in enumerate({"at half the limit": None, "at the limit": 0, "two beyond": 2}.items()):
        drawn = [
            {"estimator": name, "place": label, **share_row(found)}
            for name in NAMES
            if (found := coverage(study, data, name, off)) is not None
        ]
        rows += drawn
        if drawn:
            ends = [row["lower"] for row in drawn], [row["upper"] for row in drawn]
            shares = [row["share"] for row in drawn]
            points(right, (y + 0.2 * (place - 1)).tolist(), shares, ends, place + len(SHOWN), label, True, False)
    right.axvline(0.95, color="0.4", linewidth=0.7, linestyle=":", marker="")
    right.set_yticks(y, [SHORT[name] for name in NAMES], fontsize=7)
    right.invert_yaxis()
    right.set_xlim(-0.03, 1.03)
    right.set_xlabel("share that hold")
    left.legend(*handles, loc="lower left", fontsize=6.5)
    right.legend(loc="upper center", bbox_to_anchor=(0.4, -0.2), ncols=3, fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Whether 95 % intervals hold",
        caption=(
            f"Jackknife intervals on streams of the sources that mix, one order a stream; {BINOMIAL}. Dotted: 95 %."
            " Left: by the order's distance from the stream's own trust limit (shaded: beyond). Right: all ten"
            " estimators at half the limit, at it, and two orders beyond."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("covers_inside", "covers_at_limit", "covers_beyond")),
    )


def warning_figure(study: "EstimatorCourt", data: Data) -> StudyFigure:
    """By estimator: streams whose trust limit excludes all that is off, and the share of the rest that it excludes."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(5.6, 3.3))
    y = np.arange(len(NAMES))
    rows: list[dict[str, Any]] = []
    warned, alarmed = "streams in which it excludes every order that is off", "share that it excludes of the others"
    drawn: dict[str, list[tuple[float, float, float, float]]] = {warned: [], alarmed: []}
    for i, name in enumerate(NAMES):
        found, n_orders = warnings(study, data, name, MIXING)
        if found is not None:
            low, high = found.interval((1 - LEVEL) / 2)
            drawn[warned].append((float(y[i]) - 0.16, found.estimate, low, high))
            rows.append(_row(name, warned, found.estimate, low, high, n_orders))
        shares, total = alarm_shares(study, data, name, MIXING, False)
        if total:
            mean, low, high = data.interval(shares)
            drawn[alarmed].append((float(y[i]) + 0.16, mean, low, high))
            rows.append(_row(name, alarmed, mean, low, high, total))
    for place, (label, values) in enumerate(drawn.items()):
        if values:
            columns = list(zip(*values, strict=True))
            points(axis, columns[0], columns[1], (columns[2], columns[3]), place, label, True, False)
    axis.set_yticks(y, [SHORT[name] for name in NAMES], fontsize=7)
    axis.invert_yaxis()
    axis.set_xlim(-0.03, 1.05)
    axis.set_xlabel("share")
    axis.legend(loc="upper center", bbox_to_anchor=(0.4, -0.17), fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Whether the trust limit warns in time",
        caption=(
            f"An order is off where the mean error is above {study.bounds.tolerance:g} nats; which ones are is read off"
            " the same streams. Of those the trust limit should exclude all (right), of the others none (left). Sources"
            f" that mix. The former over {lengths_of(study, intervals=True)}; {BINOMIAL}. The latter over"
            f" {lengths_of(study)}; {STUDENT}."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("limit_warns", "limit_plug_in", "limit_false_alarms")),
    )


def _row(estimator: str, what: str, share: float, low: float, high: float, n_orders: int) -> dict[str, Any]:
    return {"estimator": estimator, "what": what, "share": share, "lower": low, "upper": high, "orders": n_orders}
