"""The figures: heat maps by task, lines, heads, exact controls, and the tax at the training length."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.length_extrapolation.controls import oracle_figure, tax_figure
from testbed.studies.length_extrapolation.drawing import numbers
from testbed.studies.length_extrapolation.head_figures import attention_figure, r_value_figure
from testbed.studies.length_extrapolation.heat import heat_figure
from testbed.studies.length_extrapolation.lines import lines_figure
from testbed.studies.length_extrapolation.reach_figure import reach_figure
from testbed.studies.length_extrapolation.results import measured
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation


def figures(study: "LengthExtrapolation", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure that has its data."""
    data = measured(study, records)
    found: dict[str, StudyFigure | None] = {}
    if data is not None:
        table = numbers(study, data)
        found["lines"] = lines_figure(study, data, table)
        for task in study.tasks:
            if task.arms:
                found[f"heat_{task.name}"] = heat_figure(study, data, task, table)
    found["exact_controls"] = oracle_figure(study, data, records)
    if data is not None:
        found["tax"] = tax_figure(study, data)
        found["reach"] = reach_figure(study, data)
        found["attention"] = attention_figure(study, data)
        found["r_values"] = r_value_figure(study, data)
    return {name: one for name, one in found.items() if one is not None}
