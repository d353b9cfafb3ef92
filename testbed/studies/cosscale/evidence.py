"""The number of each claim. Tasks t: local, far; a: the alphas; x(t, arm) a mean over paired replicates.

c3_rises     min over t and steps of alpha of eta(t, next) - eta(t, alpha)
c3_follows   max over t, a of |eta(t, a) - eta_1*(a)|, eq. 18
c3_learnt    min over t, a >= large_from of eta(t, a) - eta of the first weights under a
c4_window    min over t of the weight on the nearest `reach` keys at main_alpha
c4_alike     min over a >= windowed_from of row_js(local, plain) - row_js(local, a)
p7_aligned   max over a of |within(local, a) - aligned|
p8_local     max over a >= large_from of |excess(local, a) - excess(local, matched window)|
p8_far       min over a >= large_from of excess(far, a) - failed x floor(far)
p9_sharp     max over t of entropy at main_alpha, at m and at the longest length
p9_small     max over t of |excess_long with InfoScale - without| at main_alpha
curves       min over t of path(t, plain) - path(t, main_alpha)
c8_angles    min over t of contrast(t, main_alpha) - contrast(t, plain)
c3_gau       as c3_rises, in gated attention units
c4_gau       as c4_window, in gated attention units; c4_born: the same of their first weights under main_alpha
p8_gau       as p8_far, in gated attention units at main_alpha
c9_rope_only min of (max over t, content and a of gain with RoPE) - margin and of margin - gain without positions,
             gain = excess_long without CosScale - with it
"""

import itertools
import math
from typing import TYPE_CHECKING

from testbed.studies.cosscale.arms import NOPE, PLAIN, Family, scaled, window
from testbed.studies.cosscale.claims import PREFIX
from testbed.studies.cosscale.config import Role
from testbed.studies.cosscale.results import Floats, Measured, aligned_within
from testbed.studies.judge import Evidence, Max, Min
from testbed.theory import cosscale_peak, effective_window

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

TASKS: tuple[Role, ...] = ("local", "far")


def evidence(study: "CosScaleStudy", data: Measured) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    numbers = _of_cosines(study, data) | _of_windows(study, data) | _of_gau(study, data) | _of_training(study, data)
    return {PREFIX + name: number for name, number in numbers.items()}


def matched_reach(study: "CosScaleStudy", alpha: float, family: Family | None = None) -> int:
    """The least trained window that holds w_eff(alpha) = sum e^(-alpha (1 - g)) keys, g the decay of aligned keys."""
    family = study.standard if family is None else family
    needed = math.ceil(effective_window(alpha, study.train_length, family.head_dim))
    return min((reach for reach in family.reaches if reach >= needed), default=family.reaches[-1])


def _distance(data: Measured, values: Floats) -> list[Evidence]:
    """|mean|, as its two sides."""
    return [data.mean(values), data.mean(-values)]


def _of_cosines(study: "CosScaleStudy", data: Measured) -> dict[str, Evidence]:
    b, alphas = study.bounds, study.alphas
    rises: list[Evidence] = []
    off: list[Evidence] = []
    learnt: list[Evidence] = []
    for task in TASKS:
        eta = {alpha: data.at(task, scaled(alpha), "eta") for alpha in alphas}
        rises += [data.mean(eta[high] - eta[low]) for low, high in itertools.pairwise(alphas)]
        for alpha in alphas:
            off += _distance(data, eta[alpha] - float(cosscale_peak(alpha, study.head_dim)))
            if alpha >= b.large_from:
                learnt.append(data.mean(eta[alpha] - data.at(task, PLAIN, f"untrained-{alpha:g}")))
    return {"c3_rises": Min(rises), "c3_follows": Max(off), "c3_learnt": Min(learnt)}


def _of_windows(study: "CosScaleStudy", data: Measured) -> dict[str, Evidence]:
    b, main = study.bounds, scaled(study.bounds.main_alpha)
    at = data.at
    alike = [
        data.mean(at("local", PLAIN, "row_js") - at("local", scaled(alpha), "row_js"))
        for alpha in study.alphas
        if alpha >= b.windowed_from
    ]
    aligned: list[Evidence] = []
    local: list[Evidence] = []
    far: list[Evidence] = []
    for alpha in study.alphas:
        arm = scaled(alpha)
        expected = aligned_within(alpha, study.train_length, study.head_dim, study.reach)
        aligned += _distance(data, at("local", arm, "within") - expected)
        if alpha >= b.large_from:
            matched = at("local", window(matched_reach(study, alpha)), "excess")
            local += _distance(data, at("local", arm, "excess") - matched)
            far.append(data.mean(at("far", arm, "excess") - b.failed * at("far", arm, "floor")))
    moved = [at(task, main, "excess_long_infoscale") - at(task, main, "excess_long") for task in TASKS]
    return {
        "c4_window": Min([data.mean(at(task, main, "within")) for task in TASKS]),
        "c4_alike": Min(alike),
        "p7_aligned": Max(aligned),
        "p8_local": Max(local),
        "p8_far": Min(far),
        "p9_sharp": Max([data.mean(at(task, main, name)) for task in TASKS for name in ("entropy", "entropy_long")]),
        "p9_small": Max([side for one in moved for side in _distance(data, one)]),
    }


def _of_gau(study: "CosScaleStudy", data: Measured) -> dict[str, Evidence]:
    b, family, at = study.bounds, study.gated, data.at
    main = family.scaled(b.main_alpha)
    steps = list(itertools.pairwise(family.scaled(alpha) for alpha in family.alphas))
    rises = [data.mean(at(task, high, "eta") - at(task, low, "eta")) for low, high in steps for task in TASKS]
    born = [data.mean(at(task, family.plain, f"untrained-within-{b.main_alpha:g}")) for task in TASKS]
    return {
        "c3_gau": Min(rises),
        "c4_gau": Min([data.mean(at(task, main, "within")) for task in TASKS]),
        "c4_born": Min(born),
        "p8_gau": data.mean(at("far", main, "excess") - b.failed * at("far", main, "floor")),
    }


def _of_training(study: "CosScaleStudy", data: Measured) -> dict[str, Evidence]:
    b, main, at = study.bounds, scaled(study.bounds.main_alpha), data.at
    gained = gains(study, data, PLAIN)
    return {
        "curves": Min([data.mean(at(task, PLAIN, "path") - at(task, main, "path")) for task in TASKS]),
        "c8_angles": Min([data.mean(at(task, main, "contrast") - at(task, PLAIN, "contrast")) for task in TASKS]),
        "c9_rope_only": Min(
            [
                # on the source that both are trained on: elsewhere the difference may be the source's
                Max([data.mean(gained[case] - b.excess) for case in gained if case[0] == "content"]),
                *(data.mean(b.excess - one) for one in gains(study, data, NOPE).values()),
            ]
        ),
    }


def gains(
    study: "CosScaleStudy", data: Measured, base: str, name: str = "excess_long"
) -> dict[tuple[Role, float], Floats]:
    """{(task, alpha): (n_seeds,)}: excess (at the longest length) without CosScale less that with it."""
    cases: list[tuple[Role, float]] = [("content", alpha) for alpha in study.content_alphas]
    if base == PLAIN:
        cases += [(task, alpha) for task in TASKS for alpha in study.alphas]
    return {
        (task, alpha): data.at(task, base, name) - data.at(task, scaled(alpha, base), name) for task, alpha in cases
    }
