"""Learning rates: what ends well, what attention becomes, which comes first, and how near the floor heads lie."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.attention_sharpness.claims import PREFIX
from testbed.studies.attention_sharpness.copy_figures import interval
from testbed.studies.attention_sharpness.results import Measured, collapse_and_spike, least_entropy
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.attention_sharpness.study import AttentionSharpness

WORST = 2.0
"""Shares of no context's excess beyond which figures cut; a member that diverged stands there."""
TITLES = {"copy": "lag copy: one key counts", "coin": "coin: all keys count alike"}


def rates_figure(study: "AttentionSharpness", data: Measured) -> StudyFigure:
    """Final excess and the least head's entropy against the peak rate, by arm; one column a source."""
    import matplotlib.pyplot as plt

    sweep = study.sweep
    figure, axes = plt.subplots(2, 2, figsize=(7.0, 4.6), sharex=True, sharey="row")
    rows: list[dict[str, Any]] = []
    for column, place in enumerate(sweep.places):
        for i, arm in enumerate(sweep.arms):
            shares = np.array(
                [[_share(data.records["sweep", place.name, arm.name, s, r]) for r in sweep.rates] for s in data.seeds]
            )
            entropy = data.entropy[place.name, arm.name]
            for axis, values, name, top in (
                (axes[0, column], shares, "excess", WORST),
                (axes[1, column], np.clip(entropy, 0.0, 1.0), "entropy", 1.0),
            ):
                points = [interval(values[:, j], top) for j in range(len(sweep.rates))]
                mean, low, high = np.array(points).T
                errors = np.nan_to_num(np.maximum(np.array([mean - low, high - mean]), 0.0))
                x = np.array(sweep.rates) * 1.06 ** (i - (len(sweep.arms) - 1) / 2)
                axis.errorbar(x, mean, yerr=errors, capsize=1.5, markersize=3.5, label=_label(arm), **style(i))
                rows += [
                    {
                        "source": place.name, "arm": arm.name, "rate": rate, "quantity": name,
                        "mean": m, "lower": a, "upper": b,
                    }
                    for rate, (m, a, b) in zip(sweep.rates, points, strict=True)
                ]  # fmt: skip
        axes[0, column].set_title(TITLES[place.name])
        axes[0, column].axhline(study.bounds.works, color="0.6", linewidth=0.7)
        axes[1, column].axhline(study.bounds.collapsed, color="0.6", linewidth=0.7)
        axes[1, column].set_xlabel("peak learning rate")
    axes[0, 0].set(xscale="log", ylabel="final excess /\nexcess without context", ylim=(0, 1.6))
    axes[1, 0].set(ylabel="least head's entropy / ln n", ylim=(-0.03, 1.03))
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(sweep.arms))
    names = ("sigma_entropy", "harm_collapsed", "coin_collapsed", "copy_collapsed")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Learning rate, loss and attention entropy",
        caption=(
            "Top: exact excess at the end of training as a share of that of the best law without context (below the"
            f" line a member works; cut at {WORST:g}, where a member that diverged stands). Bottom: mean entropy of the"
            " least head at the end, share of ln n over the n visible keys, second half of the sequences (below the"
            f" line: collapsed). Bars: {LEVEL:.0%} intervals over {len(data.seeds)} seeds. On the coin low"
            " entropy comes with harm; on the copy it is what the source asks for."
        ),
        claims=tuple(PREFIX + one for one in (*(f"{arm.name}_rates" for arm in sweep.arms[1:]), *names)),
    )


def ramp_figure(study: "AttentionSharpness", data: Measured) -> StudyFigure:
    """Excess and the least head's entropy along training under a rising rate; first without, then with sigmaReparam."""
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    sweep = study.sweep
    shown = [(place.name, arm) for place in sweep.places for arm in sweep.ramped]
    figure, axes = plt.subplots(2, len(shown), figsize=(7.0, 3.8), sharex=True, sharey="row")
    marks: tuple[tuple[str, Any, Any], ...] = (
        ("a head collapses", style(1)["color"], "--"),
        ("the loss spikes", "0.2", ":"),
    )
    rows: list[dict[str, Any]] = []
    for column, (place, arm) in enumerate(shown):
        found = [data.records["ramp", place, arm.name, seed] for seed in data.seeds]
        curves = [np.minimum(one.arrays["excess"] / float(one.metrics["no_context"]), WORST) for one in found]  # type: ignore[arg-type]
        entropies = [least_entropy(one) for one in found]
        for axis, lines, i in ((axes[0, column], curves, 0), (axes[1, column], entropies, 1)):
            for one, line in zip(found, lines, strict=True):
                axis.plot(
                    one.arrays["step"],
                    line,
                    color=style(i)["color"],
                    alpha=0.35,
                    linewidth=0.7,
                    linestyle="-",
                    marker="",
                )
            longest = max(found, key=lambda one: len(one.arrays["step"]))
            full = [line for line in lines if len(line) == len(longest.arrays["step"])]
            median = np.nanmedian(np.array(full), axis=0)
            axis.plot(longest.arrays["step"], median, color=style(i)["color"], linewidth=1.6, linestyle="-", marker="")
            rows += [
                {"source": place, "arm": arm.name, "quantity": ("excess", "entropy")[i], "step": s, "median": m}
                for s, m in zip(longest.arrays["step"], median, strict=True)
            ]
        events = np.array([collapse_and_spike(one, study.bounds) for one in found])
        for i, (name, colour, dash) in enumerate(marks):
            known = events[:, i][np.isfinite(events[:, i])]
            if len(known):
                for axis in axes[:, column]:
                    axis.axvline(float(np.median(known)), color=colour, linestyle=dash, linewidth=1.1)
            rows.append({"source": place, "arm": arm.name, "quantity": f"median step at which {name}",
                         "median": float(np.median(known)) if len(known) else np.nan, "seeds": len(known)})  # fmt: skip
        axes[0, column].set_title(f"{place}, {_label(arm)}", fontsize=7.5)
        axes[1, column].set_xlabel("step")
    axes[0, 0].set(ylabel="excess /\nexcess without context", ylim=(0, WORST + 0.05))
    axes[1, 0].set(ylabel="least head's\nentropy / ln n", ylim=(-0.03, 1.03))
    drawn = [Line2D([], [], color=c, linestyle=d, linewidth=1.1, marker="", label=f"{n} (median)") for n, c, d in marks]
    figure.legend(handles=drawn, loc="outside lower center", ncols=2)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="A rising learning rate: entropy and loss along training",
        caption=(
            f"The rate rises from 0 to {sweep.ramp_rate:g} over training. Top: exact excess as a share of that without"
            f" context (cut at {WORST:g}); bottom: entropy of the least head. Thin: every one of {len(data.seeds)}"
            " seeds; thick: their median. Upright, medians over the seeds in which it comes: dashed, a head's entropy"
            f" falls below {study.bounds.collapsed:g} ln n; dotted, the excess stands {study.bounds.rise:.0%} of no"
            " context's above its least so far. On the copy the first comes with learning, and is no warning."
        ),
        claims=(PREFIX + "lead",),
        shows=("2303.06296 F1",),
    )


def floor_figure(study: "AttentionSharpness", data: Measured) -> StudyFigure:
    """Every head's entropy against its floor, by source, all rates, without methods and with sigmaReparam."""
    import matplotlib.pyplot as plt

    sweep = study.sweep
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.2), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, place in zip(axes, sweep.places, strict=True):
        for i, arm in enumerate(sweep.arms):
            points = []
            for seed in data.seeds:
                for rate in sweep.rates:
                    one = data.records["sweep", place.name, arm.name, seed, rate]
                    if "head_floor" in one.arrays:
                        both = zip(one.arrays["head_floor"].ravel(), one.arrays["head_entropy"].ravel(), strict=True)
                        points += [(rate, float(a), float(b)) for a, b in both]
            drawn = {name: value for name, value in style(i).items() if name != "linestyle"}
            floors, entropies = ([one[j] for one in points] for j in (1, 2))
            axis.plot(floors, entropies, linestyle="none", markersize=2.5, markerfacecolor="none", alpha=0.7,
                      label=_label(arm), **drawn)  # fmt: skip
            rows += [{"source": place.name, "arm": arm.name, "rate": r, "floor": a, "entropy": b} for r, a, b in points]
        top = float(np.log(sweep.length))
        axis.plot([0, top], [0, top], color="0.4", linewidth=0.9, marker="", linestyle="-")
        axis.set_title(TITLES[place.name])
        axis.set(xlabel="floor from the logits' norm (nats)", xlim=(-0.1, top + 0.1), ylim=(-0.1, top + 0.1))
    axes[0].set_ylabel("attention entropy (nats)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(sweep.arms))
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Heads and their entropy floors",
        caption=(
            "Each head at the end of training, all rates and seeds (a point is one head, so that no interval is drawn):"
            " its mean entropy over rows against the mean of the floors that theorem 3.1 sets from the norm of each"
            " row's own logits. No row may lie below the line. Points on it: one key alone stands out, or none does."
        ),
        claims=(PREFIX + "near_floor", PREFIX + "weights_floor"),
    )


def _share(record: Any) -> float:
    if record.status != "done":
        return WORST
    return float(min(record.metrics["excess"] / record.metrics["no_context"], WORST))


def _label(arm: Any) -> str:
    return " + ".join(one.type_name for one in arm.methods) or "nothing"
