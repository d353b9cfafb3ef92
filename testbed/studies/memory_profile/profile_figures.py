"""Difficulty against the two quantities, and what each m would have said."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.memory_profile.claims import STUDY
from testbed.studies.memory_profile.config import ARMS, MAIN, ArmName
from testbed.studies.memory_profile.data import Data, mean
from testbed.studies.memory_profile.evidence import local_entropy, partial
from testbed.studies.memory_profile.ranks import partial_rank_correlation
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.memory_profile.study import MemoryProfile

TITLES: dict[ArmName, str] = {
    "recency": "penalty on distance",
    "rotary": "rotary",
    "absolute": "learnt places",
    "exchangeable": "learnt places, lags\nin the farther half",
}


def difficulty_figure(study: "MemoryProfile", data: Data) -> StudyFigure:
    """Last excess against the number of far lags, one line for each sum of lags; a panel for each arm."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(ARMS), figsize=(7.4, 3.0), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, arm in zip(axes, ARMS, strict=True):
        one = data.arms[arm]
        m = study.profiles.far_split if arm == "exchangeable" else study.profiles.split
        far, total = (one["lags"] >= m).sum(axis=-1), one["lags"].sum(axis=-1)
        for place, whole in enumerate(np.unique(total)):
            look = {**style(place), "markersize": 4.5}
            drawn = []
            for n_far in np.unique(far):
                here = (far == n_far) & (total == whole)
                values = np.array([row[mask].mean() for row, mask in zip(one["final"], here, strict=True)])
                number = mean(values).student
                low, high = number.interval((1 - LEVEL) / 2)
                drawn.append((float(n_far), number.estimate, low, high))
                rows.append(
                    {"arm": arm, "far_lags": int(n_far), "sum_of_lags": int(whole), "excess": number.estimate,
                     "lower": low, "upper": high}
                )  # fmt: skip
            x, y, low, high = np.array(drawn).T
            shift = 0.1 * (place - 1)
            error = np.maximum([y - low, high - y], 0.0)
            axis.errorbar(x + shift, y, yerr=error, elinewidth=0.8, capsize=1.5, label=f"{whole:g}", **look)
        axis.axhline(float(one["worth"]), color="0.5", linestyle=":", linewidth=0.9, marker="")
        axis.set_title(TITLES[arm], fontsize=8)
        axis.set_xticks(np.unique(far))
        axis.set_xlim(0.6, 3.4)
        axis.set_xlabel(f"lags of {m} or more", fontsize=8)
    handles, names = axes[0].get_legend_handles_labels()
    farther = axes[-1].get_legend_handles_labels()[1]
    both = [f"{one} (in the farther half {other})" for one, other in zip(names, farther, strict=False)]
    figure.legend(handles, [*both, *names[len(both) :]], title="sum of lags", loc="outside lower center", ncols=3,
                  fontsize=7, title_fontsize=7)  # fmt: skip
    axes[0].set_ylabel("last excess (nats)")
    axes[0].set_ylim(-0.08, 1.1 * float(data.arms["recency"]["worth"]))
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="One entropy rate, one excess entropy: what is hard for whom",
        caption=(
            "Exact mean KL at the end of training. The number of far lags is (h_(m-1) - h) / d, the sum of lags is E /"
            " d (d: what a bit's copy is worth). A line joins sources of equal E; points above each other have equal"
            f" h_(m-1). Dotted: h_0 - h. Bars: {LEVEL:.0%} intervals over {study.n_seeds} replicates, Student's t,"
            " each number alone; a replicate has lags, weights and tokens of its own."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                *(f"{what}_final_{arm}" for arm in MAIN for what in ("local", "excess")),
                "none_local_final",
                "none_excess_final",
            )
        ),
    )


def correlation_figure(study: "MemoryProfile", data: Data) -> StudyFigure:
    """Partial rank correlation of difficulty with h_(m-1), against m, and with E; last excess and steps."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.1), sharey=True)
    rows: list[dict[str, Any]] = []
    places = np.arange(2, study.profiles.window + 1)
    for axis, (difficulty, label) in zip(axes, (("final", "last excess"), ("steps", "steps")), strict=True):
        for place, arm in enumerate(ARMS):
            one, whole = data.arms[arm], data.arms[arm]["excess_entropy"]
            look = {**style(place), "markersize": 3.5}
            drawn = []
            for m in places:
                named = local_entropy(data, arm, int(m))
                if not np.ptp(named, axis=-1).all():
                    continue
                number = mean(partial_rank_correlation(one[difficulty], named, whole)).student
                low, high = number.interval((1 - LEVEL) / 2)
                drawn.append((float(m), number.estimate, low, high))
                rows.append({"arm": arm, "difficulty": difficulty, "quantity": f"h_{m - 1}",
                             "correlation": number.estimate, "lower": low, "upper": high})  # fmt: skip
            other = mean(partial(study, data, arm, "excess", difficulty)).student
            low, high = other.interval((1 - LEVEL) / 2)
            rows.append({"arm": arm, "difficulty": difficulty, "quantity": "E", "correlation": other.estimate,
                         "lower": low, "upper": high})  # fmt: skip
            if drawn:
                x, y, bottom, top = np.array(drawn).T
                axis.plot(x, y, label=TITLES[arm].replace("\n", " "), **look)
                axis.fill_between(x, bottom, top, color=look["color"], alpha=0.13, linewidth=0)
            at = study.profiles.window + 2 + 0.6 * place
            axis.errorbar(
                at, other.estimate, yerr=[[other.estimate - low], [high - other.estimate]], elinewidth=0.8,
                **{**look, "linestyle": "none"},
            )  # fmt: skip
        alone = local_entropy(data, MAIN[0], study.profiles.split)
        null = []
        for m in places:
            named = local_entropy(data, MAIN[0], int(m))
            if np.ptp(named, axis=-1).all():
                whole = data.arms[MAIN[0]]["excess_entropy"]
                null.append((float(m), float(partial_rank_correlation(alone, named, whole).mean())))
        rows += [{"arm": "planted", "difficulty": difficulty, "quantity": f"h_{m - 1:g}", "correlation": y}
                 for m, y in null]  # fmt: skip
        axis.plot(*np.array(null).T, color="0.25", linestyle="--", linewidth=1.3, marker="", zorder=0.5,
                  label=f"difficulty = h$_{{{study.profiles.split - 1}}}$, planted")  # fmt: skip
        axis.axhline(0.0, color="0.4", linewidth=0.7, linestyle="-", marker="")
        axis.axvline(study.profiles.split, color="0.6", linewidth=0.7, linestyle=":", marker="")
        ticks = [2, *range(5, study.profiles.window + 1, max(5, 5 * (study.profiles.window // 25)))]
        axis.set_xticks([*ticks, study.profiles.window + 3], [*map(str, ticks), "E"])
        axis.set_xlabel("m of h$_{m-1}$, E held fixed;   right: E, h$_{m-1}$ held fixed", fontsize=8)
        axis.set_title(label, fontsize=8.5)
        axis.set_ylim(-1.05, 1.05)
    axes[0].set_ylabel("partial rank correlation")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Which m-local entropy predicts difficulty",
        caption=(
            "Spearman's partial correlation of difficulty with h_(m-1) among the sources of a replicate, E held fixed;"
            f" at the right with E, h_(m-1) held fixed at the m of the claims ({study.profiles.split}, dotted;"
            f" {study.profiles.far_split} for lags in the farther half). All sources have one h. Only m at which"
            f" h_(m-1) varies in every replicate. Bands and bars: {LEVEL:.0%} intervals over {study.n_seeds}"
            " replicates, Student's t, each number alone. Never to make the step ranks as last. Dashed: a"
            f" difficulty that is h_{study.profiles.split - 1} alone, on the first three arms' sources: how the"
            " curves turn with m is the design's."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                *(f"{what}_{d}_{arm}" for arm in MAIN for d in ("final", "steps") for what in ("local", "excess")),
                *(f"none_{what}_{d}" for d in ("final", "steps") for what in ("local", "excess")),
            )
        ),
    )
