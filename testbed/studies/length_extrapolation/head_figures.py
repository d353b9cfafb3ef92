"""Two figures of heads: entropy and mass against length, and the r-value of every head."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.judge import Mean
from testbed.studies.judge.evidence import MINIMUM_REPLICATES
from testbed.studies.length_extrapolation.config import NONE, Task
from testbed.studies.length_extrapolation.drawing import interval, learnt_text, looks
from testbed.studies.length_extrapolation.head_evidence import diffuse, mean_over, retrieving
from testbed.studies.length_extrapolation.loss_evidence import with_added
from testbed.studies.length_extrapolation.results import Floats, Measured, Row
from testbed.studies.study import StudyFigure
from testbed.theory import gap_entropy_bound

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.length_extrapolation.study import LengthExtrapolation

ACROSS = 3
LEAST_ENTROPY = 1e-3
"""Nats: entropies below this are drawn at it."""
R_AXIS = (0.03, 30.0)
"""Values of r outside are drawn at the edge."""


def bases(study: "LengthExtrapolation", data: Measured) -> list[tuple[Task, str, str]]:
    """(task, arm, base) that claims on heads are about: rotary positions kept in range, drawn ones, and none."""
    wanted = [(study.nope_arm, NONE), (study.hidden_arm, NONE), (study.rope_arm, study.in_range)]
    found = []
    for task in (one for one in study.tasks if one.role in ("classes", "recall", "fillers")):
        for arm, base in [*wanted, (study.drawn_arm, NONE)]:
            if (
                arm in data.arms(task.name)
                and data.usable(task.name, arm)
                and (task.name, Row(arm, base), 1) in data.heads
            ):
                found.append((task, arm, base))
    return found


def attention_figure(study: "LengthExtrapolation", data: Measured) -> StudyFigure | None:
    """Against n / m: H of diffuse heads (first rows), and the mass on the relevant keys of the head that has most."""
    import matplotlib.pyplot as plt

    wanted = [(one, "entropy") for one in bases(study, data) if _has_diffuse(data, *one[:2])]
    wanted += [(one, "key_mass") for one in bases(study, data) if "key_mass" in data.heads[one[0].name, Row(one[1]), 1]]
    if not wanted:
        return None
    scalings = [NONE, study.scaling, study.log_law, study.yarn_law, *_by_head(study)]
    look = dict(zip(scalings, looks(), strict=False))
    down = -(-len(wanted) // ACROSS)
    figure, axes = plt.subplots(down, ACROSS, figsize=(7, 0.7 + 1.75 * down), squeeze=False)
    rows: list[dict[str, Any]] = []
    handles: dict[str, Any] = {}
    for axis, ((task, arm, base), name) in zip(axes.flat, wanted, strict=False):
        for i, scaling in enumerate(scalings):
            change = base if scaling == NONE else with_added(study, base, scaling)
            if change is None or (task.name, Row(arm, change), 1) not in data.heads:
                continue
            tops = [
                math.log(ratio * task.train_length) if name == "entropy" else 1.0 for ratio in study.ratios_of(task)
            ]
            ends = [
                interval(_of_heads(data, task, arm, change, ratio, name), 0.0, top)
                for ratio, top in zip(study.ratios_of(task), tops, strict=True)
            ]
            handles |= {
                "none" if scaling == NONE else scaling: _draw(axis, study.ratios_of(task), ends, i, look[scaling])
            }
            rows += [
                {"task": task.name, "arm": arm, "change": change, "measure": name, "ratio": ratio}
                | dict(zip(("mean", "lower", "upper"), one, strict=True))
                for ratio, one in zip(study.ratios_of(task), ends, strict=True)
            ]
        _dress(axis, study, task, arm, base, name)
    for axis in list(axes.flat)[len(wanted) :]:
        axis.set_axis_off()
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Entropy and focus of attention beyond the training length",
        caption=(
            "The place that predicts the last token, which sees n keys. Entropy: mean over heads with more than 1 nat"
            " at n = m; the grey line is ln n, uniform attention. Mass on what is asked for: the head that has most of"
            f" it at n = m. Means with 95 % intervals, cut at what is possible, over {learnt_text(data)} and, for"
            " entropies, with such heads. Panels that fewer than five replicates have the heads for are left out."
            " Markers of one length are set apart a little."
        ),
        claims=tuple(f"length_extrapolation.{name}" for name in ("flat", "relative", "frozen", "focus", "mass")),
    )


def _has_diffuse(data: Measured, task: Task, arm: str) -> bool:
    with_heads = diffuse(data, task, arm).any(axis=(1, 2)) & data.learnt[task.name, arm]
    return int(with_heads.sum()) >= MINIMUM_REPLICATES


def _by_head(study: "LengthExtrapolation") -> list[str]:
    return [one.name for one in study.changes if one.kind == "head"]


def _of_heads(data: Measured, task: Task, arm: str, change: str, ratio: int, name: str) -> Mean | None:
    pick: Callable[..., Any] = diffuse if name == "entropy" else retrieving
    values: Floats = mean_over(data.heads[task.name, Row(arm, change), ratio][name], pick(data, task, arm))
    kept = data.learnt[task.name, arm] & np.isfinite(values)
    return data.mean_of(values, kept) if int(kept.sum()) >= MINIMUM_REPLICATES else None


def _draw(axis: "Axes", ratios: tuple[int, ...], ends: list[Any], i: int, look: dict[str, Any]) -> Any:
    middle, low, high = (np.array(part) for part in zip(*ends, strict=True))
    apart = np.array(ratios) * 1.03 ** (i - 2)
    return axis.errorbar(
        apart,
        middle,
        yerr=[middle - low, high - middle],
        markersize=3.5,
        linewidth=1,
        capsize=1.5,
        elinewidth=0.8,
        **look,
    )


def _dress(axis: "Axes", study: "LengthExtrapolation", task: Task, arm: str, base: str, name: str) -> None:
    ratios = np.array(study.ratios_of(task), dtype=np.float64)
    axis.set_xscale("log", base=2)
    axis.set_xticks(ratios, [f"{ratio:g}" for ratio in ratios])
    axis.minorticks_off()
    axis.set_xlabel("n / m")
    axis.set_title(f"{task.name}, {arm}" + ("" if base == NONE else f"\nwith {base}"), fontsize=7.5)
    if name == "entropy":
        axis.plot(ratios, np.log(ratios * task.train_length), color="#999999", linewidth=2, marker="", zorder=0)
        axis.set_ylabel("entropy (nats)")
        axis.set_ylim(bottom=0)
    else:
        axis.set_ylabel("mass on what is asked")
        axis.set_ylim(0, 1.02)


def r_value_figure(study: "LengthExtrapolation", data: Measured) -> StudyFigure | None:
    """Entropy against r of every head of every replicate that learnt, at n = m and at the longest length."""
    import matplotlib.pyplot as plt

    wanted = bases(study, data)
    if not wanted:
        return None
    down = -(-len(wanted) // ACROSS)
    figure, axes = plt.subplots(down, ACROSS, figsize=(7, 0.7 + 1.75 * down), squeeze=False, sharex=True, sharey=True)
    bound = np.geomspace(1.001, R_AXIS[1], 200)
    rows: list[dict[str, Any]] = []
    for axis, (task, arm, base) in zip(axes.flat, wanted, strict=False):
        scaled = with_added(study, base, study.scaling)
        largest = study.largest(task)
        shown = [("n = m", base, 1), ("longest n", base, largest)]
        shown += [] if scaled is None else [(f"longest n, {study.scaling}", scaled, largest)]
        for (label, change, ratio), look in zip(shown, looks(), strict=False):
            heads = data.heads.get((task.name, Row(arm, change), ratio))
            if heads is None:
                continue
            kept = np.flatnonzero(data.learnt[task.name, arm])
            r, entropy = (heads[name][kept] for name in ("r_value", "entropy"))
            style = {"color": look["color"], "marker": look["marker"], "linestyle": "none", "markersize": 3}
            hollow = {} if ratio == 1 else {"markerfacecolor": "none", "markeredgewidth": 0.7}
            axis.plot(
                np.clip(r, *R_AXIS).ravel(), np.maximum(entropy, LEAST_ENTROPY).ravel(), **style, **hollow, label=label
            )
            rows += _head_rows(data, task, arm, change, ratio, heads, kept)
        axis.plot(bound, gap_entropy_bound(bound), color="#999999", linewidth=1.5, marker="", zorder=0, label="bound")
        axis.axvline(1.0, color="#999999", linewidth=0.8, linestyle=(0, (1.2, 1.2)))
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlim(R_AXIS[0] / 1.2, R_AXIS[1] * 1.2)
        axis.set_ylim(LEAST_ENTROPY / 1.5, 12)
        axis.set_title(f"{task.name}, {arm}" + ("" if base == NONE else f"\nwith {base}"), fontsize=7.5)
    for axis in list(axes.flat)[len(wanted) :]:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_ylabel("entropy (nats)")
    for column in range(min(ACROSS, len(wanted))):
        lowest = max(i for i in range(down) if i * ACROSS + column < len(wanted))
        axes[lowest][column].set_xlabel("r = 1 / critical scale")
        axes[lowest][column].tick_params(labelbottom=True)
    texts = dict(zip(*reversed(axes[0][0].get_legend_handles_labels()), strict=True))
    figure.legend(list(texts.values()), list(texts), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The r-value of every head",
        caption=(
            "Every head of every replicate that learnt its task: the median over sequences of r, the row's inverse"
            " temperature in units of its critical one (Hayase & Karakida 2026), against its mean entropy, for the"
            " place that predicts the last token. Left of r = 1 the largest weights are alike, right of it few keys"
            " take all; the grey line is the bound on the entropy of a row for r > 1. One point a head and replicate,"
            " no interval; values outside the axes are drawn at their edge, rows whose two largest logits tie (no gap:"
            f" r = 0) at the left one. {learnt_text(data)}."
        ),
        claims=tuple(f"length_extrapolation.{name}" for name in ("flat", "frozen")),
    )


def _head_rows(
    data: Measured, task: Task, arm: str, change: str, ratio: int, heads: dict[str, Floats], kept: Any
) -> list[dict[str, Any]]:
    depth, n_heads = heads["entropy"].shape[1:]
    return [
        {"task": task.name, "arm": arm, "change": change, "ratio": ratio, "seed": data.seeds[s], "block": b, "head": h}
        | {name: float(values[s, b, h]) for name, values in heads.items()}
        for s in kept
        for b in range(depth)
        for h in range(n_heads)
    ]
