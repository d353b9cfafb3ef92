"""The number of each claim (`claims`), from arrays over replicates."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.competition_of_predictors.claims import STUDY
from testbed.studies.competition_of_predictors.config import CONTINUUM
from testbed.studies.competition_of_predictors.data import BI_INF, BI_RET, Data, Floats, boundary, censored
from testbed.studies.judge import Evidence, Min, Open

if TYPE_CHECKING:
    from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors


def evidence(study: "CompetitionOfPredictors", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    task, arms = study.task, data.arms
    early, late = data.window(study.reading.early), data.window(study.reading.late)

    def lately(path: Floats) -> Floats:
        return np.asarray(path[:, late].mean(axis=1))

    def change(path: Floats) -> Evidence:
        return data.mean(lately(path) - path[:, early].mean(axis=1))

    def known(number: Evidence, *parts: Floats) -> Evidence:
        """Nothing is decided on N* where too many of them lie at an end of the grid."""
        worst = max(float(censored(study, one).mean()) for one in parts)
        if worst <= study.bounds.censored:
            return number
        return Open(number, f"{worst:.0%} of the values of N* lie at an end of the grid")

    between, many = arms[task.between], arms[task.many]
    by_laws, by_odds = boundary(study, data), boundary(study, data, "weights_log")
    excess = lately(many.paths["kl_in"][..., BI_RET]) - lately(arms[CONTINUUM].paths["kl_in"][..., BI_INF])
    found: dict[str, Evidence] = {
        "single": data.mean(arms[1].retrieval().min(axis=1)),
        "few": data.mean(lately(arms[task.few].lead())),
        "many": data.mean(-lately(many.lead())),
        "singles_first": Min([data.mean(arms[n].singles()[:, 0]) for n in (task.between, task.many, CONTINUUM)]),
        "inference_first": data.mean(-between.lead()[:, early].mean(axis=1)),
        "takeover": data.mean(lately(between.lead())),
        "passes": Min([change(between.paths["weights"][..., BI_RET]), change(-between.paths["weights"][..., BI_INF])]),
        "transience": change(between.paths["kl_out"][..., BI_INF]),
        "continuum_kept": change(arms[CONTINUUM].paths["kl_out"][..., BI_INF]),
        "unseen": data.mean(lately(arms[CONTINUUM].paths["weights"][..., BI_RET])),
        "boundary": known(change(by_laws), by_laws[:, early], by_laws[:, late]),
        "same_boundary": known(data.mean(lately(by_laws) - lately(by_odds)), by_laws[:, late], by_odds[:, late]),
        "interpolated": data.mean(lately(between.unexplained())),
        "left": data.mean(excess / many.numbers["gap_in"]),
    }
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def arms_of(study: "CompetitionOfPredictors") -> dict[str, tuple[int, ...]]:
    """The N whose members must have learnt before a claim speaks of them; none are needed of the others."""
    task = study.task
    families = task.chains[1:]
    return {
        "few": (task.few,),
        "many": (task.many,),
        "inference_first": (task.between,),
        "takeover": (task.between,),
        "passes": (task.between,),
        "transience": (task.between,),
        "continuum_kept": (CONTINUUM,),
        "unseen": (CONTINUUM,),
        "boundary": families,
        "same_boundary": families,
        "interpolated": (task.between,),
        "left": (task.many, CONTINUUM),
    }
