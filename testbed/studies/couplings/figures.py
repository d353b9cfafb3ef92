"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.couplings.coupling_figures import bounds_figure, maps_figure
from testbed.studies.couplings.data import gather
from testbed.studies.couplings.merge_figure import merges_figure
from testbed.studies.couplings.stream_figures import estimates_figure, streams_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.couplings.study import Couplings


def figures(study: "Couplings", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "bounds": bounds_figure(study, data),
        "maps": maps_figure(study, data),
        "merges": merges_figure(study, data),
        "streams": streams_figure(study, data),
        "estimates": estimates_figure(study, data),
    }
