"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.optimal_context_laws.claims import STUDY
from testbed.studies.optimal_context_laws.data import Data, gather
from testbed.studies.optimal_context_laws.evidence import chosen_regret
from testbed.studies.optimal_context_laws.laws import NAMES
from testbed.studies.optimal_context_laws.loss_figures import gaps_figure, split_figure
from testbed.studies.optimal_context_laws.optimum_figures import lengths_figure, optima_figure
from testbed.studies.optimal_context_laws.statements import HOME, ROLES, SKIPPED, arm_of
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.optimal_context_laws.study import OptimalContextLaws

SHORT = {
    "table": "tables",
    "lags": "lags",
    "blunt": "blunt distances",
    "sharp": "sharp distances",
    "keys": "keys (Santa Fe)",
    "pairs": "pairs (parity B)",
}


def figures(study: "OptimalContextLaws", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "optima": optima_figure(study, data, SHORT),
        "regrets": regrets_figure(study, data),
        "split": split_figure(study, data),
        "gaps": gaps_figure(study, data),
        "lengths": lengths_figure(study, data),
    }


def regrets_figure(study: "OptimalContextLaws", data: Data) -> StudyFigure:
    """What the l of each law costs, by arm."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(ROLES), figsize=(7.4, 2.7), sharey=True)
    rows: list[dict[str, Any]] = []
    laws = list(NAMES)
    for axis, role in zip(axes, ROLES, strict=True):
        for place, law in enumerate(laws):
            if (law, role) in SKIPPED:
                axis.text(0.012, place, "says nothing", fontsize=5.5, va="center")
                continue
            number = data.mean(chosen_regret(data, arm_of(study, role), law))
            low, high = number.interval((1 - LEVEL) / 2)
            home = role in HOME[law]
            look = style(place) | {"linestyle": "none", "markersize": 4.5}
            shown = max(number.estimate, 0.01)
            axis.errorbar(
                shown,
                place,
                xerr=[[max(shown - max(low, 0.01), 0)], [max(high - shown, 0)]],
                capsize=2,
                markerfacecolor=look["color"] if home else "white",
                **look,
            )
            rows.append(
                {"arm": role, "law": NAMES[law], "home": home, "regret": number.estimate, "lower": low, "upper": high}
            )
        axis.axvline(study.bounds.regret, color="0.5", linewidth=0.8, linestyle="--", marker="")
        axis.set_xscale("log")
        axis.set_xlim(0.008, 1000)
        axis.set_xticks([0.01, 0.1, 1, 10, 100, 1000], ["≤.01", "", "1", "", "100", ""], fontsize=6)
        axis.minorticks_off()
        axis.set_title(SHORT[role], fontsize=7)
    axes[0].set_yticks(range(len(laws)), [NAMES[law] for law in laws])
    axes[0].set_ylim(len(laws) - 0.5, -0.5)
    figure.supxlabel("relative regret: loss above the rate at the law's l, over that at the best l, less 1", fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Which law names the right context length",
        caption=(
            "Mean over dataset sizes of what the l that a law names costs, over the least loss above the entropy rate."
            " Filled: the law is at home on this source and learner; open: it was made for another. Dashed: the bound"
            f" of the claims. Bars: {LEVEL:.0%} intervals over {study.replicates} replicates; the best l is chosen on"
            " the others. The paper's law has four numbers, fitted to the smaller sizes, and is judged on the larger."
        ),
        claims=tuple(f"{STUDY}.{law}_on_{role}" for law in NAMES for role in ROLES if (law, role) not in SKIPPED),
    )
