"""l*(D): confidence sets and bootstrap bands beside the laws, and what moves it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge import Ranking, Replicates
from testbed.studies.optimal_context_laws.claims import STUDY
from testbed.studies.optimal_context_laws.data import Data, Floats, optima
from testbed.studies.optimal_context_laws.evidence import judged_sizes, paper_fit
from testbed.studies.optimal_context_laws.laws import NAMES, dimension_choice
from testbed.studies.optimal_context_laws.statements import BLUNT, ROLES, arm_of, lag_arm, short_arm
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.optimal_context_laws.study import OptimalContextLaws

RESAMPLES = 400
RIVALS = 3.0
"""Lengths whose mean loss is over so many times the least are left out of a confidence set without a test."""


def best_lengths(losses: Floats, lengths: Floats) -> tuple[Floats, Floats]:
    """(n_sizes,) shortest and longest l of `Ranking.best_set`, losses (R, n_sizes, n): not told from the best."""
    ends = []
    for at in range(losses.shape[1]):
        means = losses[:, at].mean(axis=0)
        near = np.flatnonzero(means <= RIVALS * means.min())
        if len(near) < 2:
            near = np.sort(np.argsort(means, kind="stable")[:2])
        replicates = Replicates({"replicate": list(range(len(losses)))}, seed=0)
        chosen = Ranking(losses[:, at][:, near], replicates).best_set(1 - LEVEL)
        ends.append((lengths[near[chosen[0]]], lengths[near[chosen[-1]]]))
    low, high = np.array(ends).T
    return low, high


def bootstrap_band(losses: Floats, lengths: Floats) -> tuple[Floats, Floats, Floats]:
    """(n_sizes,) l* of the mean curve, and its bootstrap percentiles over replicates, losses (R, n_sizes, n)."""
    rng = np.random.default_rng(0)
    times = rng.multinomial(len(losses), np.full(len(losses), 1 / len(losses)), size=RESAMPLES) / len(losses)
    means = np.einsum("br,rdl->bdl", times, losses)
    low, high = np.quantile(np.expm1(optima(means, lengths)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return np.expm1(optima(losses.mean(axis=0), lengths)), low, high


def _axes(axis: "Axes", sizes: tuple[int, ...], longest: float) -> None:
    axis.set_xscale("log")
    axis.set_yscale("symlog", base=2, linthresh=1, linscale=0.6)
    axis.set_ylim(-0.2, longest * 1.4)
    top = int(np.log2(longest))
    ticks = [0, *(2**k for k in range(0, top + 1, max(1, top // 5)))]
    axis.set_yticks(ticks, [str(one) for one in ticks])
    axis.minorticks_off()
    axis.set_xlabel("dataset size D")


def _draw(
    axis: "Axes", data: Data, arm: str, learner: str, label: str, place: int, rows: list[dict[str, Any]]
) -> Floats:
    losses, lengths = data.losses(arm, learner), data.lengths(arm, learner)
    sizes = data.sizes[arm][: losses.shape[1]]
    low, high = best_lengths(losses, lengths)
    middle, under, over = bootstrap_band(losses, lengths)
    look = style(place) | {"markersize": 3.5}
    shift = 1.0 + 0.06 * place
    axis.vlines(np.array(sizes) * shift, low, high, color=look["color"], linewidth=0.8)
    axis.fill_between(sizes, under, over, color=look["color"], alpha=0.2, linewidth=0)
    axis.plot(np.array(sizes) * shift, middle, label=label, **{**look, "linestyle": "none"})
    rows += [
        {
            "arm": arm,
            "learner": label,
            "D": size,
            "best l": a,
            "bootstrap lower": b,
            "bootstrap upper": c,
            "set lower": d,
            "set upper": e,
        }
        for size, a, b, c, d, e in zip(
            sizes, middle.tolist(), under.tolist(), over.tolist(), low.tolist(), high.tolist(), strict=True
        )
    ]
    return middle


def optima_figure(study: "OptimalContextLaws", data: Data, titles: dict[str, str]) -> StudyFigure:
    """l*(D) of six learners with the curves of five laws."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(7.4, 5.0))
    rows: list[dict[str, Any]] = []
    for axis, role in zip(axes.flat, ROLES, strict=True):
        arm = arm_of(study, role)
        sizes, longest = data.sizes[arm], float(data.lengths(arm).max())
        _draw(axis, data, arm, "excess", "best l", 2, rows)
        for place, law in enumerate(NAMES):
            if law == "paper":
                found, unseen = paper_fit(data, arm)
                missing = data.arms[arm]["missing"].mean(axis=0)
                wanted = data.lengths(arm)[dimension_choice(found, missing, np.array(sizes, dtype=np.float64))]
                axis.plot(np.array(sizes)[unseen], wanted[unseen], color="#E69F00", linewidth=1.6, alpha=0.8,
                          linestyle=(0, (1, 1)), marker="x", markersize=4, label=NAMES[law])  # fmt: skip
            else:
                wanted = data.arms[arm][f"law_{law}"].mean(axis=0)
                look = style([0, 1, 3, 4][place])
                axis.plot(sizes, np.minimum(wanted, longest), label=NAMES[law], linewidth=1.1, zorder=1,
                          **{**look, "marker": ""})  # fmt: skip
            rows += [
                {"arm": arm, "law": NAMES[law], "D": size, "l": float(l)} for size, l in zip(sizes, wanted, strict=True)
            ]
        _axes(axis, sizes, longest)
        axis.set_title(titles[role])
    for axis in axes[:, 0]:
        axis.set_ylabel("context length l")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The optimal context length and the laws",
        caption=(
            f"Marks: vertex of the mean loss over {study.replicates} replicates; shaded: its {LEVEL:.0%} bootstrap"
            f" band; bars: lengths that cannot be told from the best (multiple comparison, {LEVEL:.0%}), to the"
            " frame where no longer context costs more. Lines: the l that each law names, cut at the longest context"
            " asked; the paper's is fitted to the smaller half of the sizes and drawn on the other."
        ),
        shows=("2502.01481 F3",),
        claims=tuple(f"{STUDY}.grows_{role}" for role in ("table", "lags", "blunt", "pairs")),
    )


def lengths_figure(study: "OptimalContextLaws", data: Data) -> StudyFigure:
    """What moves l*: the decay, the model, and which of three lengths is meant."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(7.4, 3.2))
    rows: list[dict[str, Any]] = []
    lags, longest = study.lags, float(data.lengths(short_arm()).max())
    for place, beta in enumerate(lags.exponents):
        arm = lag_arm(beta)
        middle = _draw(axes[0], data, arm, "excess", f"β = {beta:g}", place, rows)
        kept = judged_sizes(study, data, arm)
        if kept.any():
            x = np.array(data.sizes[arm], dtype=np.float64)[kept]
            line = np.exp(np.mean(np.log(np.maximum(middle[kept], 0.5)) - np.log(x) / (2 * beta))) * x ** (0.5 / beta)
            axes[0].plot(x, line, color=style(place)["color"], linewidth=0.9, linestyle="-", marker="")
    axes[0].set_title("decay of R(l)")
    joint = _draw(axes[1], data, BLUNT, "joint", "one joint table", 0, rows)
    single = data.losses(BLUNT)[:, : len(joint)]
    shown = Data(data.numbers, {BLUNT: data.arms[BLUNT] | {"excess": data.arms[BLUNT]["excess"][:, : len(joint)]}},
                 {BLUNT: data.sizes[BLUNT][: single.shape[1]]})  # fmt: skip
    _draw(axes[1], shown, BLUNT, "excess", "one for each distance", 1, rows)
    axes[1].set_title("model")
    arm = lag_arm(lags.middle)
    _draw(axes[2], data, arm, "excess", "trained on l", 0, rows)
    _draw(axes[2], data, arm, "visible", f"trained on {longest:g}, shown l", 1, rows)
    _draw(axes[2], data, short_arm(), "excess", f"trained on l, source of range {lags.reach}", 3, rows)
    axes[2].axhline(lags.reach, color="0.5", linewidth=0.8, linestyle="--", marker="")
    axes[2].set_title("which length")
    for axis, name in zip(axes, (arm, BLUNT, arm), strict=True):
        _axes(axis, data.sizes[name], float(data.lengths(name).max()))
        axis.legend(loc="upper left", fontsize=5.5)
    axes[0].set_ylabel("best context length l")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What moves the optimal context length",
        caption=(
            "Left: regression on lags whose weights fall as lag^-β, with the power 1 / (1 + γ) = 1 / (2 β) of D, drawn"
            " through the sizes that are judged. Middle: two models of one source and task; of the joint table the"
            " smallest sizes prefer the longest context, where it is empty and says nothing. Right: the length trained"
            " on, the length shown, and the range of the source (dashed) kept apart. Marks, bands and bars as in the"
            f" figure of the optima, over {study.replicates} replicates ({LEVEL:.0%})."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                "slope_lags",
                "slower_is_longer",
                "stronger_is_longer",
                "horizon_power_lags",
                "horizon_power_distance",
                "shown_as_trained",
                "stops_at_source",
                "irrelevant_context",
            )
        ),
    )
