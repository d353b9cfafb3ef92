"""The figures of the study, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.depth_and_order.curve_figure import curves_figure
from testbed.studies.depth_and_order.data import gather
from testbed.studies.depth_and_order.excess_figure import excess_figure
from testbed.studies.depth_and_order.matrix_figure import matrix_figure
from testbed.studies.depth_and_order.wait_figure import waits_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.depth_and_order.study import DepthAndOrder


def figures(study: "DepthAndOrder", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """All of them, or none while records are missing."""
    data = gather(study, records)
    if data is None or data.diverged:
        return {}
    return {
        "matrix": matrix_figure(study, data),
        "excess": excess_figure(study, data),
        "training": curves_figure(study, data),
        "waits": waits_figure(study, data),
    }
