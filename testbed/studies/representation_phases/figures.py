"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.representation_phases.data import gather
from testbed.studies.representation_phases.layer_figure import layer_figure
from testbed.studies.representation_phases.path_figures import legs_figure, path_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.representation_phases.study import RepresentationPhases


def figures(study: "RepresentationPhases", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """All figures; none where records are missing or a run diverged."""
    data = gather(study, records)
    if data is None or data.diverged:
        return {}
    return {
        **{f"path_{name}": path_figure(study, data, name) for name in study.families},
        "legs": legs_figure(study, data),
        "layers": layer_figure(study, data),
    }
