"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from testbed.runs import Record
from testbed.studies.belief_geometry.data import gather
from testbed.studies.belief_geometry.layer_figures import held_out_figure, layers_figure, positions_figure
from testbed.studies.belief_geometry.product_figure import product_figure
from testbed.studies.belief_geometry.simplex_figure import simplex_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.belief_geometry.study import BeliefGeometry


def figures(study: "BeliefGeometry", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    drawn: list[tuple[str, Any]] = [
        ("simplex", simplex_figure),
        ("layers", layers_figure),
        ("positions", positions_figure),
        ("product", product_figure),
        ("held_out", held_out_figure),
    ]
    return {name: draw(study, data) for name, draw in drawn}
