"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.estimator_court.bias_figures import bias_figure, chooser_figure
from testbed.studies.estimator_court.data import gather
from testbed.studies.estimator_court.held_figure import held_figure
from testbed.studies.estimator_court.rate_figures import rates_figure
from testbed.studies.estimator_court.trust_figures import coverage_figure, warning_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt


def figures(study: "EstimatorCourt", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "chooser": chooser_figure(study, data),
        "bias": bias_figure(study, data),
        "held": held_figure(study, data),
        "coverage": coverage_figure(study, data),
        "warning": warning_figure(study, data),
        "rates": rates_figure(study, data),
    }
