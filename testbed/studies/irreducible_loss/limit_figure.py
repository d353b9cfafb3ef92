"""Every fitted limit against its truth, by learner, sweep and class."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import style
from testbed.studies.irreducible_loss.claims import STUDY
from testbed.studies.irreducible_loss.classes import CHAINS, COMMON, KINDS, LINEAR, RARE, TRAINED
from testbed.studies.irreducible_loss.data import Arrays, Data, Floats
from testbed.studies.irreducible_loss.reading import covered
from testbed.studies.judge import clopper_pearson
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.irreducible_loss.study import IrreducibleLoss

Row = tuple[str, str, Floats, Floats, Floats]
"""Group, class, fits (R, 5), truth (R,), loss at the largest size (R,)."""


def rows_of(data: Data) -> list[Row]:
    """All limits that are held against a truth."""

    def last(one: Arrays, sweep: str) -> Floats:
        return np.asarray(one[f"{sweep}_losses"].mean(axis=2)[:, -1])

    table, regression = data.curves["table"], data.curves["regression"]
    found: list[Row] = []
    for group, sweep, law, names in (
        ("early, power law", "early", "power", COMMON),
        ("early, stretched", "early", "stretched", COMMON),
        ("late, power law", "late", "power", COMMON),
        ("late, rare contexts", "late", "power", RARE),
    ):
        for name in names:
            one = table[name]
            found.append((group, KINDS[name].label, one[f"{sweep}_{law}"], one["truth"], last(one, sweep)))
    for group, truth, names in (
        ("regression, least of its class", "floor", CHAINS),
        ("regression, Bayes loss", "truth", (*CHAINS, LINEAR)),
    ):
        for name in names:
            one = regression[name]
            found.append((group, KINDS[name].label, one["late_power"], one[truth], last(one, "late")))
    for name in TRAINED:
        one = data.trained[name]
        found.append(("transformers", KINDS[name].label, one["power"], one["truth"], one["losses"].mean(axis=2)[:, -1]))
    return found


def limits_figure(study: "IrreducibleLoss", data: Data) -> StudyFigure:
    """Left: quartiles of the error as a share of what is left; right: share of intervals that hold the truth."""
    import matplotlib.pyplot as plt

    found = rows_of(data)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 6.6), sharey=True, width_ratios=(3, 2))
    rows: list[dict[str, Any]] = []
    groups = list(dict.fromkeys(one[0] for one in found))
    for place, (group, name, fits, truth, last) in enumerate(found):
        shares = (fits[:, 0] - truth) / np.abs(last - truth)
        low, median, high = np.quantile(shares, [0.25, 0.5, 0.75])
        drawn = style(groups.index(group)) | {"linestyle": "none", "markersize": 4}
        left.errorbar(median, place, xerr=[[median - low], [high - median]], **drawn)
        held = covered(fits, truth)
        ends = clopper_pearson(int(held.sum()), held.size)
        share = float(held.mean())
        right.errorbar(share, place, xerr=[[share - ends[0]], [ends[1] - share]], **drawn)
        rows.append(
            {
                "group": group,
                "class": name,
                "curves": held.size,
                "lower_quartile": float(low),
                "median": float(median),
                "upper_quartile": float(high),
                "covered": share,
                "covered_lower": ends[0],
                "covered_upper": ends[1],
            }
        )
    left.set_yticks(range(len(found)), [f"{group}: {name}" for group, name, *_ in found], fontsize=6)
    left.invert_yaxis()
    left.axvline(0.0, color="0.3", linewidth=1.0)
    left.set_xscale("symlog", linthresh=1.0)
    left.set_xlim(-1e4, 30)
    left.set_xticks([-1000, -100, -10, -1, 0, 1, 10], ["-1000", "-100", "-10", "-1", "0", "1", "10"])
    left.set_xlabel("(L_inf - truth) / what the largest size leaves")
    right.axvline(0.95, color="0.3", linewidth=1.0, label="nominal")
    right.axvline(study.bounds.covered, color="0.3", linewidth=1.0, linestyle="--", label="enough")
    right.set(xlim=(-0.03, 1.03), xlabel="95 % intervals that hold it")
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7)
    for axis in (left, right):
        axis.grid(axis="y", linewidth=0.3)
        axis.tick_params(axis="x", labelsize=7)
        axis.xaxis.label.set_fontsize(8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Fitted limits and their truths",
        caption=(
            "Left: median and quartiles, over sources, of the error of the fitted constant, as a share of what the"
            " largest size leaves above the truth (linear within one such share). Right: share of 95 % profile"
            " intervals that are closed and hold the truth, with exact 95 % binomial bounds. Truths are the exact Bayes"
            " loss of the window, but where the least loss of the class is named."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in ("late", "early", "early_stretched", "rare", "floor_of_class", "floor_is_bayes", "floor_right")
        ),
    )
