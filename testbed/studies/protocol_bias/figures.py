"""The study's figures by file name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.protocol_bias.average_figure import average_figure
from testbed.studies.protocol_bias.data import gather
from testbed.studies.protocol_bias.loss_figure import loss_figure
from testbed.studies.protocol_bias.shift_figure import shift_figure
from testbed.studies.protocol_bias.tables_figure import tables_figure
from testbed.studies.protocol_bias.visible_figure import visible_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.protocol_bias.study import ProtocolBias


def figures(study: "ProtocolBias", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """All figures; none where records are missing or a judged member diverged."""
    data = gather(study, records)
    if data is None or data.diverged:
        return {}
    return {
        "shift": shift_figure(study, data),
        "loss": loss_figure(study, data),
        "position_average": average_figure(study, data),
        "visible_length": visible_figure(study, data),
        "tables": tables_figure(study, data),
    }
