"""The figures of the study, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.loss_properness.data import gather
from testbed.studies.loss_properness.floor_figure import floor_figure
from testbed.studies.loss_properness.law_figure import law_figure
from testbed.studies.loss_properness.path_figure import path_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.loss_properness.study import LossProperness


def figures(study: "LossProperness", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Trained against predicted laws, distances and excess with their predictions, excess along training."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "laws": law_figure(study, data),
        "floors": floor_figure(study, data),
        "training": path_figure(study, data),
    }
