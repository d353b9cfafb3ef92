"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.mep_extension.count_figures import counts_figure, crossing_figure, estimation_figure
from testbed.studies.mep_extension.data import gather
from testbed.studies.mep_extension.group_figures import groups_figure, sizes_figure
from testbed.studies.mep_extension.scheme_figures import sources_figure, tokens_figure, windows_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.mep_extension.study import MepExtension


def figures(study: "MepExtension", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "sources": sources_figure(study, data),
        "tokens": tokens_figure(study, data),
        "windows": windows_figure(study, data),
        "groups": groups_figure(study, data),
        "sizes": sizes_figure(study, data),
        "counts": counts_figure(study, data),
        "estimation": estimation_figure(study, data),
        "crossing": crossing_figure(study, data),
    }
