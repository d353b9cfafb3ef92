"""The figures of the study, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.compression_at_inference.adapter_figure import adapter_figure
from testbed.studies.compression_at_inference.cache_figures import bits_figure, turning_figure
from testbed.studies.compression_at_inference.data import gather
from testbed.studies.compression_at_inference.drop_figure import drop_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference


def figures(study: "CompressionAtInference", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """KL against bits, before and after rotation, KL against dropped tokens, and what adapters carry and keep."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "bits": bits_figure(study, data),
        "rotation": turning_figure(study, data),
        "dropped": drop_figure(study, data),
        "adapters": adapter_figure(study, data),
    }
