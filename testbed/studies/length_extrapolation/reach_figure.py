"""Masks on the lag copy: what each costs, against how far it reaches and what the exact law behind it loses."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.length_extrapolation.claim_evidence import masked_rows
from testbed.studies.length_extrapolation.config import NONE
from testbed.studies.length_extrapolation.drawing import FLOOR, interval, learnt_text, looks
from testbed.studies.length_extrapolation.results import Measured
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation


def reach_figure(study: "LengthExtrapolation", data: Measured) -> StudyFigure | None:
    """A row a mask, by reach: the model's excess with its interval, and the least that is possible behind the mask."""
    import matplotlib.pyplot as plt

    found = sorted(masked_rows(study, data), key=lambda one: (one[0].name, one[2].steps, one[2].one_step))
    if not found:
        return None
    cycle = looks()
    figure, axis = plt.subplots(figsize=(6, 1.1 + 0.27 * len(found)))
    rows: list[dict[str, Any]] = []
    names = []
    for place, (task, row, reach) in enumerate(found):
        lag = task.source.lag  # type: ignore[attr-defined]
        mean, low, high = interval(data.excess(task.name, study.largest(task), row), lowest=0.0)
        bars = np.maximum([mean, low, high], FLOOR)
        first = place == 0
        axis.errorbar(
            bars[0],
            place,
            xerr=[[bars[0] - bars[1]], [bars[2] - bars[0]]],
            **(cycle[0] | {"linestyle": "none"}),
            markersize=4,
            capsize=2,
            label="model" if first else None,
        )
        axis.plot(
            max(reach.loss, FLOOR),
            place,
            **(cycle[1] | {"linestyle": "none", "markerfacecolor": "none"}),
            markersize=7,
            label="exact law given what is reached" if first else None,
        )
        said = "beyond" if reach.steps < lag else "within" if reach.one_step >= lag else "by layers alone"
        name = f"{row.arm}, trained" if row.change == NONE else row.change
        names.append(f"{name}: {reach.one_step} in one layer, {reach.steps} in all; {said}")
        rows.append(
            {
                "task": task.name,
                "arm": row.arm,
                "change": row.change,
                "lag": lag,
                "reach_of_one_layer": reach.one_step,
                "reach": reach.steps,
                "layers": study.depth_of(task),
                "exact_loss": reach.loss,
                "excess": mean,
                "lower": low,
                "upper": high,
                "source_is": said,
            }
        )
    axis.set_xscale("log")
    axis.set_xlim(FLOOR * 0.6, 10)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel("excess at the longest length (nats)")
    figure.legend(loc="outside lower center", ncols=2)
    lags = " and ".join(sorted({str(task.source.lag) for task, _, _ in found}))  # type: ignore[attr-defined]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What masks cost, and how far they reach",
        caption=(
            f"A token is copied from {lags} tokens back. Each mask: how many tokens back one layer reaches, and all"
            " layers together; the model's mean exact KL at the longest length with 95 % intervals over"
            f" {learnt_text(data, *{task.name for task, _, _ in found})} (filled), and the least that any model loses"
            f" which is given what is reached alone (open). Values below {FLOOR:g} are drawn at it. Arms that were"
            " trained with their masks are asked to cost what the exact law loses; the other masks are put on models"
            " trained without them, where what lies above the bound is damage of any kind."
        ),
        claims=tuple(f"length_extrapolation.{name}" for name in ("reach_bound", "within_reach", "reach_cost")),
    )
