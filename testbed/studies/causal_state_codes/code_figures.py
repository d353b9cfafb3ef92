"""Codes of hidden units over the width, and the factors of a product."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.causal_state_codes.cluster_figures import with_median
from testbed.studies.causal_state_codes.data import TRAINED, UNTRAINED, Data, Floats, regret
from testbed.studies.causal_state_codes.grid import CODED
from testbed.studies.causal_state_codes.sources import TITLES
from testbed.studies.causal_state_codes.statements import STUDY
from testbed.studies.drawing import LEVEL, median_interval, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.causal_state_codes.study import CausalStateCodes

FACTORED = ("modular", "orthogonal", "explicit", "explicit_gain")


def codes_figure(study: "CausalStateCodes", data: Data) -> StudyFigure:
    """Regret over the number of units on each source, with what else votes; histories that share a code."""
    import matplotlib.pyplot as plt

    reading = study.reading.codes
    hidden = study.model.depth * int(study.model.mlp_ratio * study.model.width)
    figure, axes = plt.subplots(1, len(CODED) + 1, figsize=(9.6, 3.6), width_ratios=(*[4] * len(CODED), 3))
    rows: list[dict[str, Any]] = []
    for axis, arm in zip(axes, CODED, strict=False):
        at = data.at[arm]
        lines: dict[str, tuple[list[float], Floats]] = {
            "units": ([*reading.units, hidden], np.column_stack([at["units"], at["accuracy"][:, TRAINED]])),
            "last tokens": (list(reading.units), at["last"]),
            "untrained units, all": ([hidden * 1.5], at["accuracy"][:, [UNTRAINED]]),
            "longest common suffix": ([hidden * 2.3], at["suffix"][:, None]),
            "the network's law": ([hidden * 3.5], at["law"][:, :1]),
            "exact beliefs": ([hidden * 5.2], at["ceiling"][:, None]),
        }
        for look, (name, (x, accuracy)) in enumerate(lines.items()):
            found = with_median(axis, x, regret(data, arm, accuracy), look, name)
            count = [*reading.units, hidden] if len(x) > 1 else [hidden]
            rows += [
                {"panel": TITLES[arm], "what": name, "units": n, "median": m, "lower": low, "upper": high}
                for n, (m, low, high) in zip(count, found.tolist(), strict=False)
            ]
        axis.axhline(study.bounds.regret, color="0.5", linestyle=":", marker="", linewidth=1)
        axis.set_title(TITLES[arm], size=9)
        axis.set_xscale("log", base=2)
        ticks = (*reading.units, hidden)
        axis.set_xticks(ticks, [str(one) for one in ticks])
        axis.minorticks_off()
        axis.set_xlabel("units, or tokens")
        axis.set_ylim(bottom=-0.005)
    axes[0].set_ylabel("accuracy below Bayes")
    last = axes[-1]
    for place, arm in enumerate(CODED):
        for end, name in ((TRAINED, "trained"), (UNTRAINED, "untrained")):
            shared = data.of(arm, "redundancy")[:, [end]]
            label = name if place == 0 else "_"
            (found,) = with_median(last, [place + 0.2 * end], shared, end, label).tolist()
            rows.append({
                "panel": "redundancy", "what": f"{TITLES[arm]}, {name}", "units": hidden, "median": found[0],
                "lower": found[1], "upper": found[2],
            })  # fmt: skip
    last.axhline(study.bounds.redundancy, color="0.5", linestyle=":", marker="", linewidth=1)
    last.set_xticks(range(len(CODED)), [TITLES[arm] for arm in CODED], rotation=30, ha="right", fontsize=7)
    last.set_xlim(-0.4, len(CODED) - 0.4)
    last.set_ylim(0, 1)
    last.set_title("redundancy", size=9)
    last.set_ylabel("1 - codes / histories")
    last.legend(fontsize=7, loc="lower right", bbox_to_anchor=(1.0, 0.12))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="On-off codes of hidden units, and the state",
        caption=(
            f"Bayes accuracy of the state given the context less that of nearest-neighbour votes of {reading.n_known}"
            " known places, at places with other histories: by codes of some units of the trained network, drawn at"
            f" random, and of all {hidden}; by so many last tokens. Right of these, without a number of units:"
            " untrained codes, the longest common suffix, the network's own law of the next token by twentieths, the"
            " exact beliefs. Last panel: histories that could be left out without losing a code. Medians of"
            f" {study.n_seeds} runs with {LEVEL:.0%} intervals by order statistics, each alone. Dotted: the claims."
            " 2101.06457."
        ),
        claims=tuple(
            f"{STUDY}.{name}" for name in ("codes_untrained", "codes_few", "codes_one", "codes_law", "determinism")
        ),
    )


def factors_figure(study: "CausalStateCodes", data: Data) -> StudyFigure:
    """InfoM in own axes and principal components, InfoE of Mess3's factor, and the angle between the factors."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(8.4, 3.6), width_ratios=(4, 5, 3, 3))
    rows: list[dict[str, Any]] = []

    def column(axis: Any, panel: str, place: int, name: str, every: Floats, look: int) -> None:
        values = every[np.isfinite(every)]  # no latent tells of a factor in some
        if not len(values):
            return
        low, middle, high = median_interval(values)
        low, high = max(low, float(values.min())), min(high, float(values.max()))
        axis.errorbar(place, middle, yerr=[[middle - low], [high - middle]], capsize=3, markersize=4, **style(look))
        axis.plot(np.full(len(values), place + 0.2), values, "o", color="0.6", markersize=2)
        rows.append({"panel": panel, "what": name, "median": middle, "lower": low, "upper": high, "runs": len(values)})

    product, coupled = (data.at[arm] for arm in ("product", "coupled"))
    modular = (
        ("product", product["raw"][:, TRAINED, 0], 0),
        ("untrained", product["raw"][:, UNTRAINED, 0], 1),
        ("coupled", coupled["raw"][:, TRAINED, 0], 3),
        ("exact, side by side", product["own"], 5),
    )
    components = (
        ("product", product["pca"][:, TRAINED, 0], 0),
        ("untrained", product["pca"][:, UNTRAINED, 0], 1),
        ("coupled", coupled["pca"][:, TRAINED, 0], 3),
        ("exact, joint", product["joint"], 4),
        ("exact, side by side", product["side_by_side"], 5),
    )
    explicit = (
        ("product", product["mess3"][:, TRAINED], 0),
        ("untrained", product["mess3"][:, UNTRAINED], 1),
        ("window's tokens", product["window"], 2),
    )
    apart = (
        ("product", product["overlap"][:, TRAINED], 0),
        ("untrained", product["overlap"][:, UNTRAINED], 1),
        ("coupled", coupled["overlap"][:, TRAINED], 3),
    )
    for axis, title, lines, bound in (
        (axes[0], "InfoM, own axes", modular, study.bounds.modular),
        (axes[1], "InfoM, principal components", components, None),
        (axes[2], "InfoE, Mess3", explicit, None),
        (axes[3], "cos² of directions", apart, 2 * study.bounds.overlap / study.model.width),
    ):
        for place, (name, values, look) in enumerate(lines):
            column(axis, title, place, name, values, look)
        if bound is not None:
            axis.axhline(bound, color="0.5", linestyle=":", marker="", linewidth=1)
        axis.set_xticks(range(len(lines)), [name for name, *_ in lines], rotation=60, ha="right", fontsize=7)
        axis.set_title(title, size=9)
        axis.set_xlim(-0.5, len(lines) - 0.3)
        if axis is not axes[2]:
            axis.set_ylim(0, None if axis is axes[3] else 1.03)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The factors of a product in the residual stream",
        caption=(
            "Last stream on Mess3 x golden mean, tokens being pairs; coupled: the same tokens, no product. InfoM: does"
            " a latent tell of one factor alone? InfoE: what a linear probe reads of Mess3's state, of 1; its axis does"
            " not begin at 0. cos²: of the second factor's"
            " direction to the plane of the first; coupled factors depend on each other, which adds to it."
            " Exact: beliefs in place of the stream; that InfoM of their"
            f" principal components is below 1 is the measure's doing (see the study). Medians of {study.n_seeds} runs"
            f" with {LEVEL:.0%} intervals by order statistics, each alone; grey: runs. Dotted: the claims. 2305.18378."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in FACTORED),
    )
