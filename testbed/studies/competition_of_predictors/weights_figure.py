"""Weights of the predictors along training, for each N."""

from typing import TYPE_CHECKING, Any

from testbed.studies.competition_of_predictors.claims import STUDY
from testbed.studies.competition_of_predictors.data import Data
from testbed.studies.competition_of_predictors.drawing import TITLES, arm_name, draw_band
from testbed.studies.competition_of_predictors.predictors import NAMES
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors


def weights_figure(study: "CompetitionOfPredictors", data: Data) -> StudyFigure:
    """One panel for each N; at N = 1 the sum of both retrievals."""
    import matplotlib.pyplot as plt

    arms = list(data.arms)
    columns = min(len(arms), 3)
    lines = -(-len(arms) // columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(7.2, 1.9 * lines + 0.6), sharex=True, sharey=True, squeeze=False
    )
    rows: list[dict[str, Any]] = []
    for axis, chains in zip(grid.flat, arms, strict=False):
        weights = data.arms[chains].paths["weights"]
        for place, (name, title) in enumerate(zip(NAMES, TITLES, strict=True)):
            values = weights[..., place]
            if chains == 1 and name == "uni_ret":
                continue
            if chains == 1 and name == "bi_ret":
                values = data.arms[1].retrieval()
            found = draw_band(axis, data, values, style(place), title)
            rows += [
                {"N": arm_name(chains), "predictor": name, "step": s, "weight": a, "lower": b, "upper": c}
                for s, a, b, c in zip(data.steps.tolist(), *found.tolist(), strict=True)
            ]
        axis.set_title(arm_name(chains) + (", both retrievals as one" if chains == 1 else ""))
        axis.set_xscale("log")
        axis.set_ylim(-0.05, 1.05)
    for axis in list(grid.flat)[len(arms) :]:
        axis.set_visible(False)
    for column in range(columns):
        last = max(i for i in range(lines) if i * columns + column < len(arms))
        grid[last, column].set_xlabel("step")
        grid[last, column].tick_params(labelbottom=True)
    for line in grid:
        line[0].set_ylabel("weight")
    handles = next(axis for axis, n in zip(grid.flat, arms, strict=False) if n != 1).get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Weights of the predictors along training",
        caption=(
            "Least squares of laws on the simplex, over fresh sequences of the family and of new chains; the"
            " continuum's retrievals are of a family that it never saw. Mean over"
            f" {study.n_seeds} replicates, bands: {LEVEL:.0%} intervals, each point alone; they run wide where"
            " all but a few replicates have no weight at all."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in ("single", "few", "many", "singles_first", "inference_first", "takeover", "passes", "unseen")
        ),
    )
