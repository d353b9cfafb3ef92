"""The figures of the study, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.linear_attention_entropy.copy_figures import copy_figure, price_figure, random_figure
from testbed.studies.linear_attention_entropy.data import gather
from testbed.studies.linear_attention_entropy.other_figures import context_figure, hyper_figure, recall_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.linear_attention_entropy.study import LinearAttentionEntropy


def figures(study: "LinearAttentionEntropy", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Entropies of random rows, copies, the price of softness, chains and coins, recall, HyperAttention."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "random": random_figure(study, data),
        "copies": copy_figure(study, data),
        "price": price_figure(study, data),
        "context": context_figure(study, data),
        "recall": recall_figure(study, data),
        "hyper": hyper_figure(study, data),
    }
