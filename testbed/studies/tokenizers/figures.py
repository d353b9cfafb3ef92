"""The figures of the study."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.study import StudyFigure
from testbed.studies.tokenizers.data import gather, numbers
from testbed.studies.tokenizers.entropy_figures import drop_figure, training_figure
from testbed.studies.tokenizers.learning_figures import learning_figure, plateau_figure
from testbed.studies.tokenizers.unigram_figure import unigram_figure

if TYPE_CHECKING:
    from testbed.studies.tokenizers.study import Tokenizers


def figures(study: "Tokenizers", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """All of them, once every record is there."""
    data = gather(study, records)
    if data is None:
        return {}
    found = numbers(study, data)
    return {
        "absorbed_and_missed": drop_figure(study, data),
        "training_data": training_figure(study, data),
        "unigram_cost": unigram_figure(study, data),
        "learning": learning_figure(study, data),
        "plateau": plateau_figure(study, found),
    }
