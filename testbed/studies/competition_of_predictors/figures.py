"""Figures of the study, from its records."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.competition_of_predictors.data import gather
from testbed.studies.competition_of_predictors.divergence_figure import divergences_figure, limit_figure
from testbed.studies.competition_of_predictors.phase_figure import phases_figure
from testbed.studies.competition_of_predictors.weights_figure import weights_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors


def figures(study: "CompetitionOfPredictors", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """None before all records are there."""
    data = gather(study, records)
    if data is None or data.diverged:
        return {}
    return {
        "phases": phases_figure(study, data),
        "weights": weights_figure(study, data),
        "divergences": divergences_figure(study, data),
        "limit": limit_figure(study, data),
    }
