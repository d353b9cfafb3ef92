"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.multipliers.cases import EDGE_SOLVERS, OUTCOMES, SOLVERS
from testbed.studies.multipliers.claims import STUDY
from testbed.studies.multipliers.data import Data, gather, share
from testbed.studies.multipliers.drawing import SOLVER_NAMES, interval_words, log_curve
from testbed.studies.multipliers.evidence import NEAR, STRAIGHT
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.multipliers.study import Multipliers

FILLS = {
    "converged": "#cfe3f2",
    "boundary": "#b8e0d2",
    "not converged": "#f6d6b8",
    "infeasible": "#e3e3e3",
    "silent": "#f2b8c6",
}
SHORT = {"not converged": "stopped"}


def figures(study: "Multipliers", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "conditioning": conditioning_figure(study, data),
        "rates": rates_figure(study, data),
        "boundary": boundary_figure(study, data),
        "outcomes": outcomes_figure(study, data),
    }


def conditioning_figure(study: "Multipliers", data: Data) -> StudyFigure:
    """Iterations against the concentration, one panel a size."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(study.interior), figsize=(7, 2.9), sharey=True, squeeze=False)
    rows: list[dict[str, Any]] = []
    for axis, one in zip(axes[0], study.interior, strict=True):
        iterations = data.arms[one.label]["iterations"]
        for place, solver in enumerate(SOLVERS):
            drawn = log_curve(axis, data, one.concentrations, iterations[..., place], SOLVER_NAMES[solver], place)
            rows += [{"size": one.label, "solver": solver, "concentration": r.pop("x"), **r} for r in drawn]
        axis.set_title(one.label)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("concentration")
        axis.set_xticks(one.concentrations, [f"{c:g}" for c in one.concentrations])
        axis.minorticks_off()
        axis.invert_xaxis()
    axes[0, 0].set_ylabel("iterations")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Iterations and conditioning",
        caption=(
            "Iterations until the marginals are met, all pairs of Dirichlet laws that are ever less even to the right:"
            f" sweeps to {study.interior[0].tolerance:g}, Newton steps to 1e-12, L-BFGS steps to 1e-8; those that"
            f" stopped short count as they stand. {interval_words(data)}"
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("interior", "conditioning", "newton_steps", "newton_grows_less")),
    )


def rates_figure(study: "Multipliers", data: Data) -> StudyFigure:
    """Measured against predicted rate, and the speed against the slack."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.1))
    rows: list[dict[str, Any]] = []
    arms = {**{one.label: one.label for one in study.interior}, "edge": "three bits"}
    for place, (arm, label) in enumerate(arms.items()):
        found = data.arms[arm]
        predicted, measured = -np.log(found["predicted"].ravel()), -np.log(found["measured"].ravel())
        turns = found["turn"].ravel() >= STRAIGHT
        look = {**style(place), "linestyle": "none", "markersize": 3, "alpha": 0.6}
        for part, words in ((~turns, {"label": label}), (turns, {"markerfacecolor": "none"})):
            kept = part & np.isfinite(measured) & (measured > 0)
            left.plot(predicted[kept], measured[kept], **{**look, **words})
            rows += [
                {"quantity": "speed", "case": label, "turns": bool(turn), "predicted": float(a), "measured": float(b)}
                for a, b, turn in zip(predicted[kept], measured[kept], turns[kept], strict=True)
            ]
    ends = [min(row["predicted"] for row in rows), max(row["predicted"] for row in rows)]
    left.plot(ends, ends, color="0.4", linewidth=0.8, linestyle="-", marker="")
    left.set_xlabel("predicted speed, -ln rate per sweep")
    left.set_ylabel("measured speed")
    slacks = np.array(study.edge.inside)
    speed = -np.log(data.arms["edge"]["measured"])
    seen = np.isfinite(speed).sum(axis=0) > 1
    drawn = log_curve(right, data, slacks[seen], speed[:, seen], "measured", 0)
    rows += [{"quantity": "speed by slack", "slack": row.pop("x"), **row} for row in drawn]
    near = [row for row in rows if row.get("slack", 1.0) <= NEAR]
    scale = float(np.exp(np.mean([np.log(row["mean"] / row["slack"]) for row in near])))
    right.plot(slacks, scale * slacks, color="0.4", linewidth=0.8, linestyle="-", marker="", label="proportional")
    right.set_xlabel("slack")
    for axis in (left, right):
        axis.set_xscale("log")
        axis.set_yscale("log")
    right.set_xticks(slacks, [f"{slack:g}" for slack in slacks])
    right.minorticks_off()
    right.set_ylabel("speed, -ln rate per sweep")
    left.legend(loc="upper left")
    right.legend(loc="upper left")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The rate of proportional fitting, predicted and measured",
        caption=(
            "Left: -ln of the factor by which a sweep shrinks the residual in the end, each point one law, against the"
            " spectral radius of the product of I - P_c; open marks: its eigenvalue is one of a complex pair, and"
            " residuals swing about their line; fast cases take too few sweeps to be measured well. Right: the"
            f" same for three bits against the distance from the boundary. {interval_words(data)}"
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("rate", "slack_power")),
    )


def boundary_figure(study: "Multipliers", data: Data) -> StudyFigure:
    """Residual against sweeps inside, on and outside the boundary, and the multipliers against the slack."""
    import matplotlib.pyplot as plt

    edge, settings = data.arms["edge"], study.edge
    slacks = settings.slacks
    boundary = slacks.index(0.0)
    shown = [0, boundary - 1, boundary, len(slacks) - 1]
    sweeps = np.unique(np.geomspace(1, settings.boundary_sweeps, 13).astype(int))
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.1))
    rows: list[dict[str, Any]] = []
    for place, i in enumerate(shown):
        name = "0 (boundary)" if slacks[i] == 0 else f"{slacks[i]:g}"
        drawn = log_curve(left, data, sweeps, edge["trace"][:, i, sweeps - 1], f"slack {name}", place)
        rows += [{"quantity": "residual", "slack": slacks[i], "sweeps": row.pop("x"), **row} for row in drawn]
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_xlabel("sweeps")
    left.set_ylabel("largest marginal error")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
    places = np.arange(len(slacks))
    for place, (label, values) in enumerate(
        {
            f"fitting, {settings.boundary_sweeps // 8} sweeps": edge["growth"][..., 0],
            f"fitting, {settings.boundary_sweeps} sweeps": edge["growth"][..., 1],
            f"soft, l2 = {settings.l2:g}": edge["soft_multiplier"],
        }.items()
    ):
        drawn = log_curve(right, data, places, values, label, place)
        rows += [
            {"quantity": f"largest multiplier, {label}", "slack": slacks[int(row.pop("x"))], **row} for row in drawn
        ]
    right.set_yscale("log")
    right.set_xticks(places, [f"{slack:g}" for slack in slacks], rotation=45)
    right.axvline(boundary, color="0.6", linewidth=0.7, linestyle="-", marker="", zorder=0)
    right.set_xlabel("slack")
    right.set_ylabel("largest multiplier (nats)")
    right.legend(loc="upper left")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="On the boundary and beyond",
        caption=(
            "Left: residual of proportional fitting on all pairs of three bits; inside it falls geometrically to"
            " rounding, on the boundary like 1 / sweeps, outside it stays. Right: the largest multiplier (mean of each"
            " table taken off) by slack; outside, fitting was stopped once nothing fell any more, so that more sweeps"
            f" change nothing. {interval_words(data)}"
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("boundary_power", "boundary_growth", "cycle")),
    )


def outcomes_figure(study: "Multipliers", data: Data) -> StudyFigure:
    """What each solver says, by slack."""
    import matplotlib.pyplot as plt

    outcome, slacks = data.arms["edge"]["outcome"], study.edge.slacks
    figure, axis = plt.subplots(figsize=(7, 2.4))
    rows: list[dict[str, Any]] = []
    for i, solver in enumerate(EDGE_SOLVERS):
        for j, slack in enumerate(slacks):
            counts = np.array([(outcome[:, j, i] == code).sum() for code in range(len(OUTCOMES))])
            most = OUTCOMES[int(counts.argmax())]
            axis.add_patch(plt.Rectangle((j - 0.48, i - 0.45), 0.96, 0.9, color=FILLS[most]))
            axis.text(
                j,
                i,
                f"{SHORT.get(most, most)}\n{counts.max()} of {counts.sum()}",
                ha="center",
                va="center",
                fontsize=6,
            )
            for code, word in enumerate(OUTCOMES):
                part = share(outcome[:, j, i] == code)
                low, high = part.interval((1 - LEVEL) / 2)
                rows.append(
                    {
                        "solver": solver,
                        "slack": slack,
                        "said": word,
                        "share": part.estimate,
                        "lower": low,
                        "upper": high,
                    }
                )
    axis.set_xlim(-0.5, len(slacks) - 0.5)
    axis.set_ylim(len(EDGE_SOLVERS) - 0.5, -0.5)
    axis.set_xticks(range(len(slacks)), [f"{slack:g}" for slack in slacks])
    axis.set_yticks(range(len(EDGE_SOLVERS)), [SOLVER_NAMES[solver] for solver in EDGE_SOLVERS])
    axis.grid(visible=False)
    axis.set_xlabel("slack (0: boundary; below: no law)")
    names = ("boundary", "boundary_answer", "boundary_said", "infeasible_said", "positive_tables", "never_silent")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What the solvers say",
        caption=(
            "The most frequent word of each solver for all pairs of three bits, whose tables are positive and agree at"
            f" every slack, and in how many laws. In the CSV every word with its exact binomial {LEVEL:.0%} interval."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in names),
    )
