"""KL, theta and head entropy against the coefficient of the penalty, on the coin with softmax alone."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.entropy_guided.claims import STUDY
from testbed.studies.entropy_guided.config import LOGS, NEITHER, Arm, Form
from testbed.studies.entropy_guided.data import Bools, Data, Floats
from testbed.studies.entropy_guided.grid import forms_at
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.entropy_guided.study import EntropyGuidedStudy


def dose_figure(study: "EntropyGuidedStudy", data: Data) -> StudyFigure:
    """Left: KL; middle: theta at the end; right: how far heads are below ln i."""
    import matplotlib.pyplot as plt

    p = study.penalty
    n = min(p.n_seeds, study.n_seeds)
    doses = sorted((p.paper, p.coefficient, *p.others))
    figure, axes = plt.subplots(1, 3, figsize=(10.8, 3.7))
    rows: list[dict[str, Any]] = []
    beyond_one = np.arange(study.sources.length) > 0
    twin = data.runs[Arm("coin", NEITHER)]
    for axis, values in ((axes[0], twin.kl), (axes[2], twin.error(beyond_one))):
        mean, low, high = data.interval(values)
        axis.axhline(mean, color=style(0)["color"], linestyle="--", linewidth=1, marker="", label="no penalty")
        axis.axhspan(low, high, color=style(0)["color"], alpha=0.2, linewidth=0)
    for number, form in enumerate(forms_at("coin")):
        look = style(number + 1)  # the colours of the figure by row
        for axis, name in zip(axes, ("kl", "theta", "below"), strict=True):
            found = np.array([data.interval(_values(data, form, c, name, beyond_one)) for c in doses])
            axis.errorbar(
                np.array(doses) * 1.08 ** (2 * number - 1), found[:, 0], yerr=np.abs(found[:, 1:] - found[:, :1]).T,
                capsize=3, label=f"penalty, {LOGS[form]}", **look,
            )  # fmt: skip
            rows += [
                {"form": LOGS[form], "c": c, "what": name, "mean": m, "lower": low, "upper": high}
                for c, (m, low, high) in zip(doses, found.tolist(), strict=True)
            ]
    axes[1].axhline(p.tolerance, color="0.3", linestyle="-.", linewidth=1, marker="", label="tau")
    axes[1].axhline(1 - p.tolerance, color="0.3", linestyle=":", linewidth=1, marker="", label="1 - tau")
    axes[1].axhline(p.theta, color="0.6", linestyle="-", linewidth=0.8, marker="", label="theta at the start")
    for axis, label in zip(axes, ("KL (nats)", "theta at the end", "ln i - H, all rows (nats)"), strict=True):
        axis.set_xscale("log")
        axis.set_xlabel("coefficient c")
        axis.set_ylabel(label)
        axis.axvline(p.paper, color="0.75", linewidth=0.8, marker="")
    axes[0].set_yscale("log")
    handles = dict(zip(*reversed(axes[1].get_legend_handles_labels()), strict=True))
    handles |= dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6, fontsize=8)
    thetas = [f"{np.median(_values(data, 'window', c, 'theta', beyond_one)):.2f} at {c:g}" for c in doses]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The dose of the penalty on the coin",
        caption=(
            f"Softmax alone, {study.training.sequences_per_step} windows of {study.sources.length} rows a step. Means"
            f" with {LEVEL:.0%} intervals, over {n} replicates at c = {p.paper:g} (grey line, the paper's c, not"
            f" its dose) and {p.coefficient:g} (the claims'), {min(p.n_others, n)} at the others, each with a"
            " rate of its own. The penalty is a sum over the rows of a step: at equal c, a step with"
            f" more rows has a stronger one. Median theta with ln T: {', '.join(thetas)}. Dashed, with band: the"
            f" runs without a penalty, of {twin.kl.mean():.4f} nats on the mean."
        ),
        claims=(f"{STUDY}.theta", f"{STUDY}.small_dose"),
    )


def _values(data: Data, form: Form, c: float, name: str, rows: Bools) -> Floats:
    one = data.runs[Arm("coin", NEITHER, form, c)]
    found = {"kl": one.kl, "theta": one.theta.mean(axis=(1, 2)), "below": one.error(rows)}
    return found[name]
