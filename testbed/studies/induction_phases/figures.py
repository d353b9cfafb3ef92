"""The study's figures by file name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.induction_phases.data import gather
from testbed.studies.induction_phases.layer_figures import attention_figure, layers_figure
from testbed.studies.induction_phases.level_figure import smoothing_figure
from testbed.studies.induction_phases.phase_figure import phases_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases


def figures(study: "InductionPhases", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """All figures; none where records are missing or a judged member diverged."""
    data = gather(study, records)
    if data is None or data.diverged:
        return {}
    return {
        "phases": phases_figure(study, data),
        "layers": layers_figure(study, data),
        "attention": attention_figure(study, data),
        "smoothing": smoothing_figure(study, data),
    }
