"""The figures of the study, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.activations.act_figure import act_figure, entropy_figure
from testbed.studies.activations.data import gather
from testbed.studies.activations.depth_figure import depth_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.activations.study import Activations


def figures(study: "Activations", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Moments, streams and excess against depth; excess and steps by activation and source; excess against entropy."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "depths": depth_figure(study, data),
        "activations": act_figure(study, data),
        "entropy": entropy_figure(study, data),
    }
