"""The figures of the study, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.positional_prior.block_figure import block_figure
from testbed.studies.positional_prior.data import gather
from testbed.studies.positional_prior.prior_figures import prior_figure, reach_figure
from testbed.studies.positional_prior.slope_figure import slope_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.positional_prior.study import PositionalPrior


def figures(study: "PositionalPrior", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Excess by prior and source, excess against place, the best slope against a, the price of dropped blocks."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "priors": prior_figure(study, data),
        "reach": reach_figure(study, data),
        "slopes": slope_figure(study, data),
        "blocks": block_figure(study, data),
    }
