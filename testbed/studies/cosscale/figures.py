"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.cosscale.cosine_figures import countings_figure, peak_figure
from testbed.studies.cosscale.heat_figures import heat_figure
from testbed.studies.cosscale.results import gather
from testbed.studies.cosscale.training_figures import baselines_figure, curves_figure, gains_figure
from testbed.studies.cosscale.window_figures import matched_figure, window_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy


def figures(study: "CosScaleStudy", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    found: dict[str, StudyFigure] = {}
    for family in study.families:
        end = "" if family.block == "standard" else "_gau"
        found |= {
            f"cosine_peak{end}": peak_figure(study, data, family),
            f"cosine_countings{end}": countings_figure(data, family),
            f"heat_maps_local{end}": heat_figure(study, data, family, "local"),
            f"heat_maps_far{end}": heat_figure(study, data, family, "far"),
            f"windows{end}": window_figure(study, data, family),
            f"matched_windows{end}": matched_figure(study, data, family),
            f"training_curves{end}": curves_figure(study, data, family),
        }
    return found | {"gains": gains_figure(study, data), "training_positions": baselines_figure(study, data)}
