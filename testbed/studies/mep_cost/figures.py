"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.mep_cost.claims import STUDY
from testbed.studies.mep_cost.closed import Floats
from testbed.studies.mep_cost.data import KINDS, Data, gather
from testbed.studies.mep_cost.evidence import pair_saving, slope, window_ratio
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.mep_cost.study import MepCost

SOLVERS = {"dense": "all pairs, dense", "windows": "windows, conditionals", "band": "pairs, lag $\\leq$ 2, banded"}


def figures(study: "MepCost", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all passes are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "counts": counts_figure(study, data),
        "solving": solving_figure(study, data),
        "against": against_figure(study, data),
    }


def _ids(*names: str) -> tuple[str, ...]:
    return tuple(f"{STUDY}.{name}" for name in names)


def _look(place: int) -> dict[str, Any]:
    return {**style(place), "linewidth": 1.0, "markersize": 3.5}


def _bars(data: Data) -> str:
    return f"Bars: {LEVEL:.0%} intervals over {data.n_passes} passes, each point alone."


def _logarithmic(axis: "Axes", x: Sequence[int], label: str) -> None:
    axis.set_xscale("log", base=2)
    axis.set_xticks(x, [str(one) for one in x])
    axis.minorticks_off()
    axis.set_xlabel(label)


def _curve(axis: "Axes", data: Data, x: Sequence[int], values: Floats, label: str, place: int) -> list[dict[str, Any]]:
    """Means of (pass, x) with their intervals; the rows behind them."""
    ends = np.array([data.interval(column) for column in values.T])
    middle, low, high = ends.T
    errors = [middle - low, high - middle]
    axis.errorbar(x, middle, yerr=errors, capsize=1.2, elinewidth=0.7, label=label, **_look(place))
    return [
        {"quantity": label, "T": int(t), "mean": m, "lower": lo, "upper": hi}
        for t, (m, lo, hi) in zip(x, ends.tolist(), strict=True)
    ]


def counts_figure(study: "MepCost", data: Data) -> StudyFigure:
    """Tables and equations against T, equations against V."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(7, 3.2))
    families = (
        ("windows", "windows", "windows, T $-$ 1"),
        ("windows", "half_windows", "two windows, no overlap"),
        ("pairs", "pairs_all", "all pairs"),
        ("pairs", "pairs_lag_2", "pairs, lag $\\leq$ 2"),
    )
    rows: list[dict[str, Any]] = []
    vocab = study.counts.vocab_sizes
    for place, (table, family, label) in enumerate(families):
        counts = data.closed[table]
        t = counts.axes["T"]
        for axis, number in zip(axes, ("tables", "rank"), strict=False):
            axis.plot(t, counts.at(family=family, V=vocab[0], number=number), label=label, **_look(place))
        axes[2].plot(vocab, counts.at(family=family, T=t[0], number="rank"), label=label, **_look(place))
        for number in counts.axes["number"]:
            for v in vocab:
                values = counts.at(family=family, V=v, number=number)
                rows += [
                    {"family": family, "V": v, "T": one, "number": number, "value": float(value)}
                    for one, value in zip(t, values, strict=True)
                ]
    for axis, title in zip(axes, ("tables", "independent equations", f"equations, T = {t[0]}"), strict=True):
        axis.set_yscale("log")
        axis.set_title(title)
    _logarithmic(axes[0], study.counts.lengths, "T (tokens)")
    _logarithmic(axes[1], study.counts.lengths, "T (tokens)")
    _logarithmic(axes[2], vocab, "V")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    rows += [
        {"family": f"d = {d}, L = {depth}, V = {v}", "T": t, "number": quantity, "value": float(value)}
        for (d, depth, v, t), line in zip(
            data.closed["operations"].axes["shape"], data.closed["operations"].values, strict=True
        )
        for quantity, value in zip(data.closed["operations"].axes["quantity"], line, strict=True)
    ]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Tables, parameters, ranks",
        caption=(
            f"Exact counts, no interval; V = {vocab[0]} on the left and in the middle; independent equations with"
            " normalisation. Windows have few tables and exponentially many equations in T. The CSV also has"
            " the entries"
            " of the tables, and operations of transformers."
        ),
        claims=_ids(
            "c8_window_tables",
            "c8_window_equations",
            "c8_pair_tables",
            "c8_pair_equations",
            "c8_fixed_lag",
            "c8_vocabulary",
            "c9_operations",
        ),
    )


def solving_figure(study: "MepCost", data: Data) -> StudyFigure:
    """Seconds and bytes of solvers against T."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7, 3.2))
    rows: list[dict[str, Any]] = []
    every = sorted({t for kind in KINDS for t in data.tables[kind].axes["T"]})
    shown = [t for t in every if t & (t - 1) == 0]
    for place, kind in enumerate(KINDS):
        for axis, suffix, unit in ((axes[0], "", "seconds"), (axes[1], "_bytes", "MB")):
            table = data.tables[kind + suffix]
            values = table.values / (1e6 if suffix else 1.0)
            middle, low, high = data.interval(slope(table.axes["T"], table.values))
            label = SOLVERS[kind]
            found = _curve(axis, data, table.axes["T"], values, label, place)
            rows += [{**row, "unit": unit} for row in found]
            rows.append({"quantity": f"{label}: slope", "unit": unit, "mean": middle, "lower": low, "upper": high})
    for axis, label, title in (
        (axes[0], "processor seconds", "time"),
        (axes[1], "MB at the peak", "memory of its arrays"),
    ):
        axis.set_yscale("log")
        _logarithmic(axis, shown, "T (tokens)")
        axis.set_ylabel(label)
        axis.set_title(title)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Solving, against T",
        caption=(
            "From tables that are there to a law of 2T bits, for windows to their conditionals. Seconds and bytes are"
            f" facts of one machine; what is judged are the slopes at the right end. {_bars(data)}"
        ),
        claims=_ids(
            "c8_pair_seconds",
            "c8_pair_bytes",
            "c8_window_seconds",
            "c8_window_bytes",
            "c8_band_seconds",
            "c8_band_bytes",
        ),
    )


def against_figure(study: "MepCost", data: Data) -> StudyFigure:
    """Ratios to a transformer of 2T, and where they cross one."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(7, 3.2))
    lengths, shared = study.transformers.lengths, study.shared_lengths
    step, decode = data.tables["step"], data.tables["decode"]
    rows = _curve(axes[0], data, lengths, step.at(model="T") / step.at(model="2T"), "a training step at T", 0)
    rows += _curve(
        axes[1], data, lengths, decode.at(way="window") / decode.at(way="cached"), "a token decoded by windows", 1
    )
    rows += _curve(axes[1], data, lengths, window_ratio(study, data), "training and decoding", 2)
    rows += _curve(axes[2], data, shared, pair_saving(study, data), "saved less solving for all pairs", 3)
    axes[0].axhline(1.0, color="0.3", linewidth=0.7, linestyle="-", marker="")
    axes[1].axhline(1.0, color="0.3", linewidth=0.7, linestyle="-", marker="")
    axes[2].axhline(0.0, color="0.3", linewidth=0.7, linestyle="-", marker="")
    axes[1].set_yscale("log")
    some = [t for t in lengths if t & (t - 1) == 0]
    _logarithmic(axes[0], some, "T (tokens)")
    _logarithmic(axes[1], some, "T (tokens)")
    _logarithmic(axes[2], shared, "T (tokens)")
    axes[0].set_ylabel("ratio to 2T")
    axes[2].set_ylabel("share of training at 2T")
    axes[0].set_title("a training step")
    axes[1].set_title("windows")
    axes[2].set_title("all pairs")
    axes[1].set_ylim(top=30)
    axes[1].legend(loc="upper left")
    for name, table in (("step", step), ("decode", decode)):
        other = next(key for key in table.axes if key != "T")
        for label in table.axes[other]:
            for t, column in zip(lengths, table.at(**{other: label}).T, strict=True):
                middle, low, high = data.interval(column)
                values = {"mean": middle, "lower": low, "upper": high}
                rows.append({"quantity": f"seconds of one {name}, {label}", "T": int(t), **values})
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Against a transformer of 2T",
        caption=(
            "Left: a training step at T over one at 2T, of as many tokens. Middle: a token decoded by windows over one"
            f" with kept keys, and the whole of {study.bounds.steps:,} steps and {study.bounds.decoded:,} sequences"
            " carried from T to 2T; below the line MEP is cheaper. Right: what training at T saves, less"
            " solving for all"
            " pairs of bits, as a share of training at 2T; above the line MEP is cheaper. Seconds in the CSV."
            f" {_bars(data)}"
        ),
        claims=_ids("c9_training", "c9_decoding", "c9_windows", "c9_pairs", "c9_crossing"),
    )
