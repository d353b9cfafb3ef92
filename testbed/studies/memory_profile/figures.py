"""The figures, from records alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.memory_profile.claims import claims
from testbed.studies.memory_profile.data import gather
from testbed.studies.memory_profile.horizon_figures import curves_figure, degenerate_figure, validity_figure
from testbed.studies.memory_profile.profile_figures import correlation_figure, difficulty_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.memory_profile.study import MemoryProfile


def figures(study: "MemoryProfile", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    known = {claim.id for claim in claims(study)}
    made = {
        "difficulty": difficulty_figure(study, data),
        "which_m": correlation_figure(study, data),
        "validity": validity_figure(study, data),
        "horizons": curves_figure(study, data),
        "degenerate": degenerate_figure(study, data),
    }
    return {name: replace(one, claims=tuple(id for id in one.claims if id in known)) for name, one in made.items()}
