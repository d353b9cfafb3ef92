"""The study's figures by file name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.conditioning.data import gather
from testbed.studies.conditioning.forgetting_figures import arms_figure, path_figure, rates_figure
from testbed.studies.conditioning.kappa_figure import kappa_figure
from testbed.studies.conditioning.stream_figures import effective_figure, stream_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.conditioning.study import Conditioning


def figures(study: "Conditioning", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """All figures; none where records are missing or a run diverged."""
    data = gather(study, records)
    if data is None or data.diverged:
        return {}
    drawn = {
        "forgetting": path_figure(study, data),
        "arms": arms_figure(study, data),
        "kappa": kappa_figure(study, data),
        "rates": rates_figure(study, data),
        "stream": stream_figure(study, data),
        "effective_rate": effective_figure(study, data),
    }
    return {name: one for name, one in drawn.items() if one.rows}
