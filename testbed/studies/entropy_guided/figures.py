"""The figures of the study, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.entropy_guided.bars_figure import bars_figure
from testbed.studies.entropy_guided.data import gather
from testbed.studies.entropy_guided.dose_figure import dose_figure
from testbed.studies.entropy_guided.rows_figure import rows_figure
from testbed.studies.entropy_guided.scatter_figure import scatter_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.entropy_guided.study import EntropyGuidedStudy


def figures(study: "EntropyGuidedStudy", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Overload and collapse by arm, overload against KL, entropy and KL by row, KL and theta by coefficient."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "overload": bars_figure(study, data),
        "kl": scatter_figure(study, data),
        "rows": rows_figure(study, data),
        "dose": dose_figure(study, data),
    }
