"""The number of each claim. Tasks t: local, far; a: the alphas; x(t, arm) a mean over the paired replicates in which
every arm that is named learnt its task (`gate`); a number whose arms did not learn is not known, and a claim over
several is then open on the side that it would need.

c3_rises      min over t and steps of alpha of eta(t, next) - eta(t, alpha) - min(peak_step, peak_share (1 - eta),
              last bin's middle - eta), of which none is below 0
c3_mean       the same of the mean attended cosine, which no bin ends
c3_follows    max over t, a of |eta(t, a) - eta_1*(a)|, eq. 18
c3_learnt     min over t, a >= large_from of eta(t, a) - eta of the first weights under a
c4_window     min over t of the weight on the nearest `reach` keys at the main alpha; on local where the arm reads it
              (`bounds.reads`), on far where besides plain has learnt that: whether the arm learns far is the question
c4_others     the same of the weight that is not on the query's own key
c4_alike      min over a >= windowed_from of row_js(local, plain) - row_js(local, a)
p7_aligned    max over a of |within(local, a) - aligned|
p8_local      max over a >= large_from and both matches (w_90, e^H) of |excess(local, a) - excess(local, window)|
p8_far        min over a >= large_from of (excess(far, a) - excess(far, plain)) / floor - failed, of
              within(far, a) - window and of others(far, a) - window, where plain has learnt far and a reads local (a
              need not have learnt far: whether it does is the question)
p9_sharp      max over t of entropy at the main alpha, at m and at the longest length
p9_small      max over t of |excess_long with InfoScale - without| at the main alpha
c3_gau        as c3_rises, c3_gau_mean as c3_mean, c4_gau as c4_window, c4_gau_others as c4_others, in the other block
c4_born       max over t of log10 of the weight that is not near, first weights from scales of one, main alpha
gau_blind     log10 of their weight on the key to be copied, main alpha, far
gau_start     (excess from scales of one - excess from scales apart) / no_context - failed, main alpha, far, where the
              latter has learnt (that the former does not is the question)
p8_gau        as p8_far at the main alpha; the other arm, here and in c4_gau: plain, or if too few replicates of it
              learnt, the least alpha
curves        min over t of path(t, plain) - path(t, main)
c8_angles     min over t of [contrast less that of the first weights](t, main) - the same (t, plain)
c8_key_norm   the same for KeyNorm
c9_transfers  min over sources of ranged - ranged_infoscale: local and far under ReRoPE, the others without positions
c9_with_rope  max over position_alphas a of gain(RoPE, a) on the recall source, gain = excess_long without - with
c9_without    max over a and positions p without RoPE of gain(p, a) there
"""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.cosscale.arms import KEY_NORM, NOPE, PLAIN, Family, scaled, window
from testbed.studies.cosscale.config import Role
from testbed.studies.cosscale.results import TOP, Case, Floats, Measured, aligned_within
from testbed.studies.cosscale.stated import PREFIX
from testbed.studies.gate import largest, least, usable
from testbed.studies.judge import Bounded, Evidence
from testbed.studies.judge.share import Share
from testbed.theory import cosscale_peak

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

TASKS: tuple[Role, ...] = ("local", "far")
MATCHES = ("mass_width", "effective_keys")
"""By what an arm with CosScale is matched to a window: w_90 and e^H, as measured in both."""
Known = Evidence | None
"""None: the arms did not learn."""


def evidence(study: "CosScaleStudy", data: Measured) -> dict[str, Known]:
    """Every claim's number, by the claim's id."""
    numbers = _of_cosines(study, data) | _of_windows(study, data) | _of_gau(study, data) | _of_training(study, data)
    return {PREFIX + name: number for name, number in numbers.items()}


def matched_reach(data: Measured, arm: str, family: Family, by: str) -> int | None:
    """The trained window whose arm is nearest in this measure on the local source, the smaller of two; None where the
    arm reads too little of it or no window has learnt."""
    windows = [reach for reach in family.reaches if data.usable(("local", family.window(reach)))]
    kept = data.learnt(partly=[("local", arm)])
    if not windows or not usable(kept):
        return None
    mine = float(data.at("local", arm, by)[kept].mean())
    return min(
        windows, key=lambda reach: (round(abs(data.average("local", family.window(reach), by) - mine), 9), reach)
    )


def _share(data: Measured, values: Floats, *cases: Case, partly: Sequence[Case] = ()) -> Known:
    """A mean of shares, between 0 and 1."""
    number = data.mean(values, *cases, partly=partly)
    return None if number is None else Share(number)


def _at_least_zero(number: Known) -> Known:
    return None if number is None else Bounded(number, low=0.0)


def _distance(data: Measured, values: Floats, *cases: Case, partly: Sequence[Case] = ()) -> list[Known]:
    """|mean|, as its two sides."""
    return [data.mean(one, *cases, partly=partly) for one in (values, -values)]


def rises(study: "CosScaleStudy", data: Measured, family: Family, name: str) -> list[Known]:
    """What each step of alpha raises a cosine by, less what is asked for: a step, or a share of what is left to 1, and
    of a mode no more than is left to the last bin, so that one that stands there already has not failed."""
    b = study.bounds
    top = TOP if name == "eta" else 1.0
    found: list[Known] = []
    for task in TASKS:
        for low, high in itertools.pairwise(family.scaled(alpha) for alpha in family.alphas):
            before, after = data.at(task, low, name), data.at(task, high, name)
            asked = np.minimum(b.peak_share * (1.0 - before), top - before).clip(0.0, b.peak_step)
            found.append(data.mean(after - before - asked, (task, low), (task, high)))
    return found


def _of_cosines(study: "CosScaleStudy", data: Measured) -> dict[str, Known]:
    b = study.bounds
    off: list[Known] = []
    learnt: list[Known] = []
    for task in TASKS:
        for alpha in study.alphas:
            arm = scaled(alpha)
            eta = data.at(task, arm, "eta")
            off += _distance(data, eta - float(cosscale_peak(alpha, study.head_dim)), (task, arm))
            if alpha >= b.large_from:
                learnt.append(data.mean(eta - data.at(task, PLAIN, f"untrained-{alpha:g}"), (task, arm)))
    return {
        "c3_rises": least(rises(study, data, study.standard, "eta")),
        "c3_mean": least(rises(study, data, study.standard, "eta_mean")),
        "c3_follows": largest(off),
        "c3_learnt": least(learnt),
    }


def _of_windows(study: "CosScaleStudy", data: Measured) -> dict[str, Known]:
    b, family, at = study.bounds, study.standard, data.at
    main, like = family.scaled(), family.window()
    alike = [
        data.mean(
            at("local", PLAIN, "row_js") - at("local", scaled(alpha), "row_js"),
            *(("local", arm) for arm in (PLAIN, like)),
            partly=[("local", scaled(alpha))],
        )
        for alpha in study.alphas
        if alpha >= b.windowed_from
    ]
    aligned: list[Known] = []
    local: list[Known] = []
    far: list[Known] = []
    for alpha in study.alphas:
        arm = scaled(alpha)
        expected = aligned_within(alpha, study.train_length, study.head_dim, study.reach)
        aligned += _distance(data, at("local", arm, "within") - expected, ("local", arm))
        if alpha >= b.large_from:
            for by in MATCHES:
                reach = matched_reach(data, arm, family, by)
                if reach is None:
                    local.append(None)
                    continue
                other = window(reach)
                lost = at("local", arm, "excess") - at("local", other, "excess")
                local += _distance(data, lost, ("local", other), partly=[("local", arm)])
            far += _fails_far(study, data, family, alpha, PLAIN)
    moved = [
        side
        for task in TASKS
        for side in _distance(
            data, at(task, main, "excess_long_infoscale") - at(task, main, "excess_long"), (task, main)
        )
    ]
    return {
        "c4_window": _windowed(data, family, "within", PLAIN),
        "c4_others": _windowed(data, family, "others", PLAIN),
        "c4_alike": least(alike),
        "p7_aligned": largest(aligned),
        "p8_local": largest(local),
        "p8_far": _failing(study, data, PLAIN, far),
        "p9_sharp": largest(
            [_at_least_zero(data.mean(at(t, main, x), (t, main))) for t in TASKS for x in ("entropy", "entropy_long")]
        ),
        "p9_small": largest(moved),
    }


def _windowed(data: Measured, family: Family, name: str, other: str) -> Known:
    """Least share of the weight that is near: on the local source where the arm reads it; on the far one where another
    arm has learnt that and this one reads the local source.

    An arm that looks through a window loses what it lacks, so that it need not have learnt; one that has learnt the far
    source reads beyond the window, and C4 could not hold of it.
    """
    main = family.scaled()
    local: Case = ("local", main)
    far = _share(data, data.at("far", main, name), ("far", other), partly=[local])
    return least([_share(data, data.at("local", main, name), partly=[local]), far])


def _fails_far(study: "CosScaleStudy", data: Measured, family: Family, alpha: float, other: str) -> list[Known]:
    """Shares by which an arm loses the far source to one that learnt it, and by which its attention is in the window.

    The second tells a window from an arm that has just not been trained, which looks anywhere or, where q and k share a
    projection, at the query's own key alone: so the arm reads the local source, and what is not on that key is
    near too.
    """
    b, arm, at = study.bounds, family.scaled(alpha), data.at
    lost = (at("far", arm, "excess") - at("far", other, "excess")) / at("far", arm, "floor")
    numbers = (lost, at("far", arm, "within"), at("far", arm, "others"))
    loss, *near = (data.mean(one, ("far", other), partly=[("local", arm)]) for one in numbers)
    if loss is None:
        return [None]
    shares = [Share(one) - b.window for one in near if one is not None]  # known where the loss is
    return [Bounded(loss, low=_least_loss(study, data, other)) - b.failed, *shares]


def _least_loss(study: "CosScaleStudy", data: Measured, other: str) -> float:
    """No excess is below 0, and that of the other arm is below the gate."""
    no_context, floor = (data.at("far", other, name) for name in ("no_context", "floor"))
    return -study.bounds.gate * float(np.nanmax(no_context / floor))


def _failing(study: "CosScaleStudy", data: Measured, other: str, parts: list[Known]) -> Known:
    """The least of `_fails_far`, cut at what is possible: no share is below 0 or above 1, whatever is not known."""
    b, number = study.bounds, least(parts)
    if number is None:
        return None
    lowest = min(-b.window, _least_loss(study, data, other) - b.failed)
    return Bounded(number, lowest, 1.0 - b.window)


def far_reference(data: Measured, family: Family) -> str:
    """The arm that shows that the block learns the far source: plain; if too few replicates of it did, the least
    alpha."""
    return family.plain if data.usable(("far", family.plain)) else family.scaled(family.alphas[0])


def _of_gau(study: "CosScaleStudy", data: Measured) -> dict[str, Known]:
    b, family, at = study.bounds, study.gated, data.at
    other, main = far_reference(data, family), f"{family.main:g}"

    def born(name: str) -> Known:
        left = [at(task, family.ones, f"untrained-{name}-{main}") for task in TASKS]
        return largest([data.mean(np.log10(np.maximum(one, np.finfo(np.float64).tiny))) for one in left])

    wanted = np.maximum(at("far", family.ones, f"untrained-wanted-{main}"), np.finfo(np.float64).tiny)
    lost = (at("far", family.ones, "excess") - at("far", family.scaled(), "excess")) / at(
        "far", family.ones, "no_context"
    )

    return {
        "c3_gau": least(rises(study, data, family, "eta")),
        "c3_gau_mean": least(rises(study, data, family, "eta_mean")),
        "c4_gau": _windowed(data, family, "within", other),
        "c4_gau_others": _windowed(data, family, "others", other),
        "c4_born": born("left"),
        "c4_born_others": born("left-others"),
        "gau_blind": data.mean(np.log10(wanted)),
        "gau_start": data.mean(lost - b.failed, ("far", family.scaled())),
        "p8_gau": _failing(study, data, other, _fails_far(study, data, family, family.main, other)),
    }


def _of_training(study: "CosScaleStudy", data: Measured) -> dict[str, Known]:
    main, at = study.standard.scaled(), data.at

    def angles(task: Role, arm: str) -> Floats:
        return at(task, arm, "contrast") - at(task, arm, "untrained-contrast")

    def trained_more(arm: str) -> Known:
        return least([data.mean(angles(t, arm) - angles(t, PLAIN), (t, arm), (t, PLAIN)) for t in TASKS])

    curves = [
        data.mean(at(task, PLAIN, "path") - at(task, main, "path"), (task, PLAIN), (task, main)) for task in TASKS
    ]
    transfers = [
        data.mean(at(task, arm, "ranged") - at(task, arm, "ranged_infoscale"), (task, arm))
        for task, arm in transfer_cases()
    ]
    others = [one.name for one in study.baselines if not one.rotary]
    return {
        "curves": least(curves),
        "c8_angles": trained_more(main),
        "c8_key_norm": trained_more(KEY_NORM),
        "c9_transfers": least(transfers),
        "c9_with_rope": largest([gained(data, PLAIN, alpha) for alpha in study.position_alphas]),
        "c9_without": largest([gained(data, name, alpha) for alpha in study.position_alphas for name in others]),
    }


def gained(data: Measured, base: str, alpha: float) -> Known:
    """What CosScale gains on the recall source, over the replicates in which both arms learnt."""
    return data.mean(gain(data, base, "recall", alpha), *gain_cases(base, "recall", alpha))


def transfer_cases() -> tuple[Case, ...]:
    """Sources and arms on which InfoScale is tried with positions in range."""
    return (("local", PLAIN), ("far", PLAIN), ("recall", NOPE), ("content", NOPE))


def gain_cases(base: str, task: Role, alpha: float) -> tuple[Case, Case]:
    """The arm without CosScale and that with it."""
    return (task, base), (task, scaled(alpha, base))


def gain(data: Measured, base: str, task: Role, alpha: float, name: str = "excess_long") -> Floats:
    """(n_seeds,): excess (at the longest length) without CosScale less that with it."""
    without, with_it = gain_cases(base, task, alpha)
    return data.at(*without, name) - data.at(*with_it, name)
