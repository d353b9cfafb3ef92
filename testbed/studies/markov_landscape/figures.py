"""The study's figures by file name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.markov_landscape.data import gather
from testbed.studies.markov_landscape.flow_figure import flow_figure
from testbed.studies.markov_landscape.map_figures import maps_figure, shares_figure
from testbed.studies.markov_landscape.point_figures import curvature_figure, variants_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.markov_landscape.study import MarkovLandscape


def figures(study: "MarkovLandscape", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """All figures; none where records are missing or a judged member diverged."""
    data = gather(study, records)
    if data is None or data.diverged:
        return {}
    return {
        "maps": maps_figure(study, data),
        "shares": shares_figure(study, data),
        "curvature": curvature_figure(study, data),
        "variants": variants_figure(study, data),
        "flow": flow_figure(study),
    }
