"""The study's figures by file name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.study import StudyFigure
from testbed.studies.variable_order.data import gather
from testbed.studies.variable_order.position_figures import distance_figure, excess_figure
from testbed.studies.variable_order.preference_figure import preference_figure
from testbed.studies.variable_order.training_figure import training_figure

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder


def figures(study: "VariableOrder", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """All figures; none where records are missing or a judged member diverged."""
    data = gather(study, records)
    if data is None or data.diverged:
        return {}
    return {
        "excess_by_position": excess_figure(study, data),
        "preference": preference_figure(study, data),
        "nearest_law": distance_figure(study, data),
        "training": training_figure(study, data),
    }
