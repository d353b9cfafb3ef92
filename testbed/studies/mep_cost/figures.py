"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.mep_cost.claims import STUDY
from testbed.studies.mep_cost.closed import Floats
from testbed.studies.mep_cost.data import BY_VOCAB, KINDS, Data, gather
from testbed.studies.mep_cost.evidence import pair_saving, slope, window_ratio
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.mep_cost.study import MepCost

SOLVERS = {"dense": "all pairs, dense", "windows": "windows, conditionals", "band": "pairs, lag $\\leq$ 2, banded"}

How = Literal["mean", "ratio", "extremes"]


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


def _curve(
    axis: "Axes", data: Data, x: Sequence[int], values: Floats, label: str, place: int, how: How = "mean"
) -> list[dict[str, Any]]:
    """Means of (pass, x), of ratios geometric ones, with their intervals or with the least and largest of all passes;
    the rows behind them."""
    if how == "ratio":
        ends = np.exp([data.interval(column) for column in np.log(values).T])
    else:
        ends = np.array([data.interval(column) for column in values.T])
    if how == "extremes":
        ends[:, 1], ends[:, 2] = values.min(axis=0), values.max(axis=0)
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


def _by_vocab(study: "MepCost", data: Data, axes: "Sequence[Axes]") -> list[dict[str, Any]]:
    """Seconds and bytes against V, at one length each."""
    rows: list[dict[str, Any]] = []
    lengths = {"dense": study.vocabularies.dense_length, "band": study.vocabularies.band_length}
    every: set[int] = set()
    for kind in BY_VOCAB:
        for axis, suffix, unit in ((axes[0], "", "seconds"), (axes[1], "_bytes", "MB")):
            table = data.tables[f"{kind}_by_v{suffix}"]
            values = table.values / (1e6 if suffix else 1.0)
            found = _curve(
                axis,
                data,
                table.axes["V"],
                values,
                f"{SOLVERS[kind]}, T = {lengths[kind]}",
                KINDS.index(kind),
                "extremes" if suffix else "mean",
            )
            rows += [{"V": row.pop("T"), **row, "unit": unit} for row in found]
            middle, low, high = data.interval(slope(table.axes["V"], table.values))
            named = f"{SOLVERS[kind]}: slope on ln V"
            rows.append({"quantity": named, "unit": unit, "mean": middle, "lower": low, "upper": high})
            every |= set(table.axes["V"])
    for axis, label in ((axes[0], "processor seconds"), (axes[1], "MB at the peak")):
        axis.set_yscale("log")
        _logarithmic(axis, sorted(every), "V")
        axis.set_ylabel(label)
        axis.legend(loc="lower right")
    return rows


def solving_figure(study: "MepCost", data: Data) -> StudyFigure:
    """Seconds and bytes of solvers against T."""
    import matplotlib.pyplot as plt

    figure, (axes, wider) = plt.subplots(2, 2, figsize=(7, 5.4))
    rows: list[dict[str, Any]] = []
    every = sorted({t for kind in KINDS for t in data.tables[kind].axes["T"]})
    shown = [t for t in every if t & (t - 1) == 0]
    for place, kind in enumerate(KINDS):
        for axis, suffix, unit in ((axes[0], "", "seconds"), (axes[1], "_bytes", "MB")):
            table = data.tables[kind + suffix]
            values = table.values / (1e6 if suffix else 1.0)
            middle, low, high = data.interval(slope(table.axes["T"], table.values))
            label = SOLVERS[kind]
            found = _curve(axis, data, table.axes["T"], values, label, place, "extremes" if suffix else "mean")
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
    rows += _by_vocab(study, data, wider)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Solving, against T and V",
        caption=(
            "Top: V = 2, against T; bottom: against V, at the lengths named there. From tables that are there to a law"
            " of 2T tokens, for windows to their conditionals (a model's own windows need no tables). Seconds and bytes"
            " are facts of one machine; what is judged are the slopes at the right ends."
            f" {_bars(data)} On the right: least and largest of the passes."
        ),
        claims=_ids(
            "c8_pair_seconds",
            "c8_pair_bytes",
            "c8_window_seconds",
            "c8_window_bytes",
            "c8_band_seconds",
            "c8_band_bytes",
            "c8_pair_seconds_by_v",
            "c8_pair_bytes_by_v",
            "c8_band_seconds_by_v",
            "c8_band_bytes_by_v",
        ),
    )


def against_figure(study: "MepCost", data: Data) -> StudyFigure:
    """Ratios to a transformer of 2T, and where they cross one."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(7, 5.2))
    (training, token), (whole, pairs) = axes
    lengths, shared = study.transformers.lengths, study.shared_lengths
    step, decode = data.tables["step"], data.tables["decode"]
    rows = _curve(training, data, lengths, step.at(model="T") / step.at(model="2T"), "a training step at T", 0, "ratio")
    for place, (way, overlap) in enumerate((("window", "T $-$ 1"), ("half", "T / 2")), start=1):
        ratio = decode.at(way=way) / decode.at(way="cached")
        rows += _curve(token, data, lengths, ratio, f"a token, overlap {overlap}", place, "ratio")
        total = window_ratio(study, data, way)
        rows += _curve(whole, data, lengths, total, f"in all, overlap {overlap}", place, "ratio")
    rows += _curve(pairs, data, shared, pair_saving(study, data), "saved less solving for all pairs", 3)
    for axis, line in ((training, 1.0), (token, 1.0), (whole, 1.0), (pairs, 0.0)):
        axis.axhline(line, color="0.3", linewidth=0.7, linestyle="-", marker="")
    some = [t for t in lengths if t & (t - 1) == 0]
    for axis in (training, token, whole):
        _logarithmic(axis, some, "T (tokens)")
        axis.set_ylabel("ratio to 2T")
    _logarithmic(pairs, shared, "T (tokens)")
    pairs.set_ylabel("share of training at 2T")
    _ratios(token, [row for row in rows if row["quantity"].startswith("a token")])
    _ratios(whole, [row for row in rows if row["quantity"].startswith("in all")])
    titles = ("a training step", "a token carried on", "training and carrying on", "training, solving for pairs")
    for axis, title in zip(axes.flat, titles, strict=True):
        axis.set_title(title)
    token.legend(loc="upper left")
    whole.legend(loc="upper left")
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
            "Top left: a training step at T over one at 2T, of as many tokens. Top right: a new token by windows"
            " that overlap by T - 1, each read anew, or by T / 2, with keys kept within them, over one by a model of 2T"
            f" that keeps its keys. Bottom left: the whole of {study.bounds.steps:,} steps and"
            f" {study.bounds.decoded:,} sequences carried from T to 2T; below the lines MEP is cheaper. Bottom right:"
            " what training at T saves, less solving for all pairs of bits, as a share of training at 2T; above the"
            f" line MEP is cheaper. Ratios: geometric means. Seconds in the CSV. {_bars(data)}"
        ),
        claims=_ids(
            "c9_training",
            "c9_decoding",
            "c9_windows",
            "c9_half_windows",
            "c9_half_crossing",
            "c9_pairs",
            "c9_crossing",
        ),
    )


def _ratios(axis: "Axes", rows: list[dict[str, Any]]) -> None:
    """A logarithmic axis of ratios, labelled in plain numbers, with room for the legend."""
    low, high = min(row["lower"] for row in rows), max(row["upper"] for row in rows)
    axis.set_yscale("log")
    axis.set_ylim(low / 1.15, high * (high / low) ** 0.4)
    ticks = [n for n in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low / 1.15 <= n <= 1.15 * high]
    if len(ticks) < 2:
        ticks = [n for n in (0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.6, 1.8) if low / 1.15 <= n <= 1.15 * high]
    axis.set_yticks(ticks, [f"{n:g}" for n in ticks])
    axis.minorticks_off()
