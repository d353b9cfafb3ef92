"""The figures of the study, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.large_vocabulary.cost_figure import cost_figure
from testbed.studies.large_vocabulary.data import gather
from testbed.studies.large_vocabulary.path_figure import path_figure
from testbed.studies.large_vocabulary.tail_figure import tail_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.large_vocabulary.study import LargeVocabulary


def figures(study: "LargeVocabulary", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """ln(q / p) by frequency with its prediction, what the filter costs against V e, excess along the way."""
    data = gather(study, records)
    if data is None:
        return {}
    return {"tail": tail_figure(study, data), "cost": cost_figure(study, data), "path": path_figure(study, data)}
