"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.attention_theory.cosine_figures import peak_figure, window_figure
from testbed.studies.attention_theory.data import gather
from testbed.studies.attention_theory.entropy_figures import (
    change_figure,
    gaussian_figure,
    small_heads_figure,
    sphere_figure,
)
from testbed.studies.attention_theory.focus_figures import originals_figure, single_key_figure
from testbed.studies.attention_theory.table_figures import factors_figure, printed_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.attention_theory.study import AttentionTheory


def figures(study: "AttentionTheory", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    found: dict[str, StudyFigure] = {
        "entropy_gaussian_heads": gaussian_figure(study, data),
        "entropy_change": change_figure(study, data),
        "entropy_random_keys": sphere_figure(study, data),
        "entropy_small_heads": small_heads_figure(study, data),
        "focus_on_originals": originals_figure(study, data),
        "single_key": single_key_figure(study, data),
        "cosine_peak": peak_figure(study, data),
        "aligned_window": window_figure(study, data),
        "factors": factors_figure(study, data),
    }
    printed = printed_figure(study, data)
    return found if printed is None else found | {"printed_tables": printed}
