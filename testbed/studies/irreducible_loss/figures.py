"""Figures of the study, from its records."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.irreducible_loss.curve_figures import early_figure, trained_figure
from testbed.studies.irreducible_loss.data import gather
from testbed.studies.irreducible_loss.limit_figure import limits_figure
from testbed.studies.irreducible_loss.other_figures import streams_figure, two_sizes_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.irreducible_loss.study import IrreducibleLoss


def figures(study: "IrreducibleLoss", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """None before all records are there."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "limits": limits_figure(study, data),
        "early_and_late": early_figure(study, data),
        "transformers": trained_figure(study, data),
        "two_sizes": two_sizes_figure(study, data),
        "other_streams": streams_figure(study, data),
    }
