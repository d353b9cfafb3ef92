"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.adaptive_decoding.data import gather
from testbed.studies.adaptive_decoding.dial_figure import dial_figure
from testbed.studies.adaptive_decoding.frontier_figure import frontier_figure
from testbed.studies.adaptive_decoding.writing_figure import writing_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.adaptive_decoding.study import AdaptiveDecoding


def figures(study: "AdaptiveDecoding", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Frontiers on both sources, exact skill against the entropy of the easy regime, text of the pair's own."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "frontiers": frontier_figure(study, data),
        "dial": dial_figure(study, data),
        "writing": writing_figure(study, data),
    }
