"""The study's figures by file name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.causal_state_codes.cluster_figures import clusters_figure, partitions_figure, sample_figure
from testbed.studies.causal_state_codes.code_figures import codes_figure, factors_figure
from testbed.studies.causal_state_codes.data import gather
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.causal_state_codes.study import CausalStateCodes


def figures(study: "CausalStateCodes", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """All figures; none where records are missing or a judged member diverged."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "clusters": clusters_figure(study, data),
        "partitions": partitions_figure(study, data),
        "sample_and_noise": sample_figure(study, data),
        "codes": codes_figure(study, data),
        "factors": factors_figure(study, data),
    }
