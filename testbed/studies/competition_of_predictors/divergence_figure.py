"""Divergences of the model from the Bayes laws along training, and of Bayes laws from inference over N."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.competition_of_predictors.claims import STUDY
from testbed.studies.competition_of_predictors.config import CONTINUUM
from testbed.studies.competition_of_predictors.data import BI_INF, BI_RET, Data
from testbed.studies.competition_of_predictors.drawing import arm_name, band, draw_band
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors


def divergences_figure(study: "CompetitionOfPredictors", data: Data) -> StudyFigure:
    """Left: excess in the family; middle: excess on new chains; right: what share the interpolation leaves."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(7.2, 3.0), sharex=True)
    rows: list[dict[str, Any]] = []
    for place, (chains, arm) in enumerate(data.arms.items()):
        bayes = BI_INF if chains == CONTINUUM else BI_RET
        panels = (
            ("family", arm.paths["kl_in"][..., bayes]),
            ("new chains", arm.paths["kl_out"][..., BI_INF]),
            ("interpolation", arm.unexplained()),
        )
        for axis, (panel, values) in zip(axes, panels, strict=True):
            if chains == 1 and panel == "interpolation":  # a share of next to nothing
                continue
            found = draw_band(axis, data, values, style(place), arm_name(chains))
            rows += [
                {"panel": panel, "N": arm_name(chains), "step": s, "value": a, "lower": b, "upper": c}
                for s, a, b, c in zip(data.steps.tolist(), *found.tolist(), strict=True)
            ]
    axes[2].axhline(study.bounds.left, color="0.3", linewidth=1.0, linestyle=":")
    for axis, title in zip(
        axes, ("KL(Bayes || model), family", "KL(Bayes || model), new chains", "KL(model || mix), share"), strict=True
    ):
        axis.set_xscale("log")
        axis.set_title(title, fontsize=7)
        axis.set_xlabel("step")
    axes[0].set_ylabel("nats a token")
    for axis in axes[:2]:
        axis.set_yscale("log")
    axes[2].set_ylim(0.0, 1.2)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess over the Bayes laws along training",
        caption=(
            "Left: on fresh sequences of what it was trained on; middle: of chains drawn anew, whose Bayes law is"
            " inference by pairs; a rise there is transience. Right: KL(model || interpolation) as a share of"
            f" KL(model || best single predictor), dotted: the bound of the claim at N = {study.task.between}; without"
            " N = 1, where one predictor is alone in the model and the share is of next to nothing. Mean over"
            f" {study.n_seeds} replicates, bands: {LEVEL:.0%} intervals, each point alone."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("transience", "continuum_kept", "left", "interpolated")),
    )


def limit_figure(study: "CompetitionOfPredictors", data: Data) -> StudyFigure:
    """How far the family's Bayes law is from inference, over N, with the models' own excess at the end."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(4.2, 2.9))
    chains = np.array(study.reading.limit_chains, dtype=np.float64)
    late = data.window(study.reading.late)
    rows: list[dict[str, Any]] = []
    trained = np.array(study.task.chains, dtype=np.float64)
    excess = np.stack([data.arms[n].paths["kl_in"][:, late, BI_RET].mean(axis=1) for n in study.task.chains], axis=1)
    lines = (
        ("in the family, Bayes || inference", chains, data.gaps["gap_in"]),
        ("on new chains, inference || Bayes of the family", chains, data.gaps["gap_out"]),
        ("in the family, Bayes || model, late", trained, excess),
    )
    for place, (label, x, values) in enumerate(lines):
        found = band(data, values)
        axis.errorbar(x, found[0], yerr=np.abs(found[1:] - found[0]), label=label, **style(place))
        rows += [
            {"line": label, "N": n, "nats": a, "lower": b, "upper": c}
            for n, a, b, c in zip(x.tolist(), *found.tolist(), strict=True)
        ]
    axis.set(xscale="log", yscale="log", xlabel="number of chains N", ylabel="nats a token")
    axis.set_xticks(chains, [f"{n:.0f}" for n in chains])
    axis.minorticks_off()
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=1, fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="From retrieval to inference as N grows",
        caption=(
            "Divergences between closed forms, and of trained models from the family's Bayes law: where the model lies"
            " at the first line it infers, where it lies far below it retrieves. Mean over"
            f" {study.n_seeds} replicates, bars: {LEVEL:.0%} intervals, each point alone."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("left",)),
    )
