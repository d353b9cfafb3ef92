"""Figures from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.recall_order.claims import STUDY, named_claims
from testbed.studies.recall_order.config import LIMITED, ORDERS
from testbed.studies.recall_order.data import GUESS, Data, gather
from testbed.studies.recall_order.drawings import LABELS, TITLES, draw, shown_rows
from testbed.studies.recall_order.judgement import bound_of
from testbed.studies.recall_order.partition import needed_bits
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.recall_order.study import RecallOrder


def figures(study: "RecallOrder", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Error against bits of memory by order, read once and twice; error by size of state; the best memory."""
    data = gather(study, records)
    if data is None:
        return {}
    return {"order": order_figure(study, data), "size": size_figure(study, data), "best": best_figure(study, data)}


def shown(study: "RecallOrder", *names: str) -> tuple[str, ...]:
    """Ids of these claims, as far as they are made."""
    return tuple(f"{STUDY}.{one}" for one in names if one in named_claims(study))


def order_figure(study: "RecallOrder", data: Data) -> StudyFigure:
    """A panel for each arm whose memory is bounded, with the best memory beside that which reads once."""
    import matplotlib.pyplot as plt

    arms = [arm for arm in LIMITED if arm in study.arms]
    figure, axes = plt.subplots(1, len(arms), figsize=(4.6 * len(arms), 3.7), sharey=True, squeeze=False)
    bits, rows = np.log2(np.array(study.memory.states, dtype=float)), []
    case = study.design.main
    for axis, arm in zip(axes[0], arms, strict=True):
        kept, said = shown_rows(study, data, arm)
        for place, order in enumerate(ORDERS):
            runs, colour = data.runs[arm, order], style(place)["color"]
            drawn = draw(axis, bits, runs.bounded[kept], place, LABELS[order]) if kept.any() else []
            beside: dict[str, Any] = {}
            if arm == "once":
                beside = {"bound": bound_of(study, order), "reader": runs.reader[kept].mean(axis=0)}
                axis.plot(bits, beside["bound"], color=colour, lw=1.0, ls="-.", marker="")
                axis.plot(bits, beside["reader"], color=colour, ls="", marker="_", ms=9)
            nats = runs.nats[kept].mean(axis=0)
            rows += [
                {"arm": arm, "order": order, "states": study.memory.states[i], "bits": one.pop("x"), **one}
                | {"nats": float(nats[i])}
                | {name: float(values[i]) for name, values in beside.items()}
                for i, one in enumerate(drawn)
            ]
            axis.axvline(needed_bits(case.n_elements, case.first(order)), color=colour, lw=0.8, ls=":")
        axis.axvspan(*np.log2(study.memory.middle), color="0.93", zorder=0)
        axis.axhline(GUESS, color="0.6", lw=0.8, ls=":")
        axis.set_xticks(bits, [f"{one:g}" for one in bits])
        axis.set_title(f"{TITLES[arm]}: {case.small} and {case.large} of {case.n_elements}\n{said}", fontsize=9)
        axis.set_xlabel("bits of memory, log2 of the number of states")
    axes[0][0].set_ylabel("error rate")
    axes[0][0].set_ylim(-0.02, 0.56)
    axes[0][0].legend(fontsize=8, loc="upper right")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Error against bits of memory, by order",
        caption=(
            "Error rate on sequences drawn anew (mean over the two answers) of networks that hand on one of so many"
            " states after each set, trained on with that bound. Means over replicates that learnt both orders, bars:"
            f" {LEVEL:.0%} Student intervals, cut off at 0. Read once, dash-dotted: no such memory errs less;"
            " single dashes: the best reader of the states handed on. Dotted upright: bits from which the first"
            " set can be told. Grey: numbers of states over which claims take means. Dotted across: a guess."
        ),
        claims=shown(study, "order", "repeat"),
    )


def size_figure(study: "RecallOrder", data: Data) -> StudyFigure:
    """Error with the memory free, run by run, by arm and order."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(2.6 + 1.7 * len(study.arms), 3.4))
    rows: list[dict[str, Any]] = []
    for place, order in enumerate(ORDERS):
        for column, arm in enumerate(study.arms):
            errors = np.nan_to_num(data.runs[arm, order].error, nan=GUESS)
            middle = column + 0.3 * (place - 0.5)
            spread = middle + 0.2 * (np.arange(len(errors)) / max(len(errors) - 1, 1) - 0.5)
            axis.plot(
                spread, np.sort(errors), ls="", ms=4, color=f"C{place}", marker="os"[place], mfc="none", alpha=0.6
            )
            label = LABELS[order] if not column else "_"
            drawn = draw(axis, np.array([middle]), errors[:, None], place, label)
            rows += [
                {"arm": arm, "order": order, "numbers": data.runs[arm, order].numbers}
                | {"learnt": int(data.order_learnt(study, arm, order).sum())}
                | {key: value for key, value in one.items() if key != "x"}
                for one in drawn
            ]
    sizes = [data.runs[arm, ORDERS[0]].numbers for arm in study.arms]
    names = [
        f"{TITLES[arm].replace(', ', chr(10))}\n{f'{n} numbers' if n else 'a cache'}"
        for arm, n in zip(study.arms, sizes, strict=True)
    ]
    axis.set_xticks(range(len(names)), names, fontsize=8)
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.axhline(GUESS, color="0.6", lw=0.8, ls=":")
    axis.set_ylabel("error rate")
    axis.legend(fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Error of trained networks with the memory free",
        caption=(
            f"Error rate of networks as they were trained, all {study.n_seeds} replicates as small open marks in rising"
            " order, whether they learnt or not; one that diverged counts as a guess. Filled: means, bars:"
            f" {LEVEL:.0%} Student intervals, cut off at 0. Dotted: a guess."
        ),
        claims=shown(study, "size", "softmax"),
    )


def best_figure(study: "RecallOrder", data: Data) -> StudyFigure:
    """Least error of any memory of M states, against bits and against bits over bits needed."""
    import matplotlib.pyplot as plt

    case = study.design.exact
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.2), sharey=True)
    rows = []
    for place, order in enumerate(ORDERS):
        errors = data.exact[order]
        bits = np.log2(np.arange(1, len(errors) + 1))
        needed = needed_bits(case.n_elements, case.first(order))
        label = f"{LABELS[order]}: {case.first(order)} of {case.n_elements}"
        axes[0].plot(bits, errors, ms=4, lw=1.2, label=label, **style(place))
        axes[1].plot(bits / needed, errors, ms=4, lw=1.2, label=label, **style(place))
        rows += [
            {"order": order, "states": i + 1, "bits": float(b), "over_needed": float(b / needed), "error": float(e)}
            for i, (b, e) in enumerate(zip(bits, errors, strict=True))
        ]
    axes[0].set_xlabel("bits of memory, log2 M")
    axes[1].set_xlabel("bits over bits needed, log2 M / log2 C(n, m)")
    axes[0].set_ylabel("least error rate")
    axes[0].legend(fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The best memory",
        caption=(
            f"Least error of any reader who keeps one of M states between sets of {case.small} and {case.large} of"
            f" {case.n_elements} elements, by going through all partitions. Exact: no interval. Bits over bits needed"
            " do not make one curve of the two."
        ),
    )
