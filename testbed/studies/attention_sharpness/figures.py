"""Figures of the study, from its records."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.attention_sharpness.copy_figures import length_figure
from testbed.studies.attention_sharpness.results import gather
from testbed.studies.attention_sharpness.sweep_figures import floor_figure, ramp_figure, rates_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.attention_sharpness.study import AttentionSharpness


def figures(study: "AttentionSharpness", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """None before all records are there."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "rates": rates_figure(study, data),
        "ramp": ramp_figure(study, data),
        "floor": floor_figure(study, data),
        "lengths": length_figure(study, data),
    }
