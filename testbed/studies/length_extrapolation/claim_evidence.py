"""Evidence on the paper's claims about CosScale with InfoScale (C5, C6, C9, P9), and on masks and their reach.

What is said of CosScale counts the better alpha: arms differ in it, and a claim that one of them meets is met.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.length_extrapolation.config import NONE, Task
from testbed.studies.length_extrapolation.head_evidence import mean_over, retrieving
from testbed.studies.length_extrapolation.loss_evidence import (
    Named,
    is_base,
    not_learnt,
    tasks_of,
    with_added,
)
from testbed.studies.length_extrapolation.parts import Parts, largest, least
from testbed.studies.length_extrapolation.reach import Reach, reach_of
from testbed.studies.length_extrapolation.results import Measured, Row

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

NO_MASKS = "in fewer than five replicates did an arm with such a mask learn what its mask lets through"


def claim_evidence(study: "LengthExtrapolation", data: Measured) -> dict[str, Parts | str]:
    """Evidence by the claim's short name, or why there is none."""
    return {
        "best": _best(study, data),
        "added_infoscale": _added_infoscale(study, data),
        "added_cosscale": _added_cosscale(study, data),
        "only_rope": _only_rope(study, data),
        "boundary": _boundary(study, data),
        "reach_bound": _bound(study, data),
        "within_reach": _within(study, data),
        "reach_cost": _cost_of_reach(study, data),
    }


def _by_alpha(
    study: "LengthExtrapolation", number: Callable[[str, str], Parts | str], best: Callable[[Named], Parts]
) -> Parts | str:
    """Over the arms with CosScale that learnt; the reason of the last where none did."""
    parts, reason = Named(), ""
    for normed, nope in study.normed_arms:
        one = number(normed, nope)
        if isinstance(one, str):
            reason = one
        else:
            parts.append((normed, one))
    return best(parts) if parts else reason


def _best(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    def regret(normed: str, _: str) -> Parts | str:
        claimed, parts = Row(normed, study.scaling), Named()
        for task in tasks_of(study, data, normed, "recall"):
            if (task.name, claimed, study.largest(task)) in data.late:
                others = data.against(task.name, study.largest(task), claimed)
                parts += [(f"{task.name}, less {other}", one) for other, one in others]
        return largest(parts) if parts else not_learnt(normed, "recall")

    return _by_alpha(study, regret, least)


def _added_infoscale(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    rope, parts = study.rope_arm, Named()
    for task in tasks_of(study, data, rope, "recall"):
        dropped = worse_than_no_context(study, data, task)
        for base in bases(study, task):
            if base in dropped:
                continue
            both = with_added(study, base, study.scaling)
            assert both is not None
            one = data.difference(task.name, study.largest(task), Row(rope, both), Row(rope, base))
            parts.append((f"{task.name}, {base}", one))
    return largest(parts) if parts else not_learnt(rope, "recall")


def bases(study: "LengthExtrapolation", task: Task) -> list[str]:
    """Changes of positions or masks of the rotary arm that InfoScale is tried with too."""
    return [
        one.name for one in study.changes if is_base(study, one) and one.applies_to(task, study.arm(study.rope_arm))
    ]


def worse_than_no_context(study: "LengthExtrapolation", data: Measured, task: Task) -> list[str]:
    """Of these, the ones whose mean KL at the longest length is above that of the best law without context."""
    longest = study.largest(task)
    floor = float(data.no_context[task.name, longest].mean())
    return [
        base
        for base in bases(study, task)
        if data.excess(task.name, longest, Row(study.rope_arm, base)).estimate > floor
    ]


def _added_cosscale(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    rope = study.rope_arm

    def harm(normed: str, _: str) -> Parts | str:
        parts = Named()
        for task in tasks_of(study, data, rope, "recall"):
            if not data.together(task.name, rope, normed):
                continue
            for base in (one for one in study.changes if is_base(study, one)):
                if base.applies_to(task, study.arm(rope)) and base.applies_to(task, study.arm(normed)):
                    rows = Row(normed, base.name), Row(rope, base.name)
                    parts.append((f"{task.name}, {base.name}", data.difference(task.name, study.largest(task), *rows)))
        return largest(parts) if parts else not_learnt(f"{rope} and the arm {normed}", "recall")

    return _by_alpha(study, harm, least)


def _only_rope(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    def gains(normed: str, normed_nope: str) -> Parts | str:
        parts = Named()
        for task in (one for one in study.tasks if one.role == "recall" and one.arms):
            for plain, with_norm in ((study.rope_arm, normed), (study.nope_arm, normed_nope)):
                if not data.together(task.name, plain, with_norm):
                    return not_learnt(f"{plain} and the arm {with_norm}", "recall")
                gain = data.difference(task.name, study.largest(task), Row(plain), Row(with_norm))
                rotary = plain == study.rope_arm
                name = f"{task.name}, gain with {plain}" if rotary else f"{task.name}, 2 margin less gain with {plain}"
                parts.append((name, gain if rotary else 2 * study.margin - gain))
        return least(parts) if parts else not_learnt(normed, "recall")

    return _by_alpha(study, gains, largest)


def sigmas(study: "LengthExtrapolation", data: Measured, task: Task, arm: str) -> float:
    """sigma / sqrt(2 ln m) of the retrieving head at n = m, mean over the replicates that learnt."""
    spread = mean_over(data.heads[task.name, Row(arm), 1]["logit_std"], retrieving(data, task, arm))
    return float(np.mean(spread[data.learnt[task.name, arm]]) / math.sqrt(2 * math.log(task.train_length)))


def _boundary(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    both = with_added(study, study.in_range, study.scaling)
    near, away = Named(), Named()
    for normed, _ in study.normed_arms if both is not None else ():
        for task in tasks_of(study, data, normed, "recall"):
            rows = Row(normed, study.in_range), Row(normed, both or NONE)
            if (task.name, rows[1], 1) not in data.late:
                continue
            share = sigmas(study, data, task, normed)
            gain = data.difference(task.name, study.largest(task), *rows)
            if 1 / study.boundary < share < study.boundary:
                near.append(
                    (f"{task.name}, {normed}, 2 margin less gain at {share:.2f} of it", 2 * study.margin - gain)
                )
            else:
                away.append((f"{task.name}, {normed}, sigma {share:.2f} of it", gain))
    if near and away:
        return largest([("away from the boundary", largest(away)), ("near the boundary", least(near))])
    shares = "; ".join(name for name, _ in (*near, *away))
    return (
        "arms with CosScale that learnt must have heads near the frozen boundary and away from it:"
        f" {len(near)} near it, {len(away)} away" + (f" ({shares})" if shares else "")
    )


def masked_rows(study: "LengthExtrapolation", data: Measured) -> list[tuple[Task, Row, Reach]]:
    """Rows behind a mask on a lag copy, with what the mask lets through at the longest length.

    The mask is one that the arm was trained with (such a row has no change), or one put on the rotary arm.
    """
    found = []
    for task in (one for one in study.tasks if one.role == "lag"):
        for row in data.rows(task.name, study.largest(task)):
            reach = reach_of(study, task, study.arm(row.arm), row.change, study.largest(task))
            if reach is not None and data.usable(task.name, row.arm) and row.change in (NONE, *_put_on(study, row.arm)):
                found.append((task, row, reach))
    return found


def _put_on(study: "LengthExtrapolation", arm: str) -> list[str]:
    """All changes of the rotary arm; those of other arms are not looked at."""
    return [one.name for one in study.changes] if arm == study.rope_arm else []


def mask_name(row: Row) -> str:
    """How a mask is told of: by its change, or by the arm that was trained with it."""
    return f"{row.arm}, trained with it" if row.change == NONE else row.change


def trained_behind(study: "LengthExtrapolation", data: Measured, within: bool) -> list[tuple[Task, Row, Reach]]:
    """Of these, arms trained with their mask, which holds the token to be copied in one layer, or does not at all."""
    return [
        (task, row, reach)
        for task, row, reach in masked_rows(study, data)
        if row.change == NONE and (reach.one_step >= task.source.lag if within else reach.loss > study.margin)  # type: ignore[attr-defined]
    ]


def _bound(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    parts = Named()
    for task, row, reach in masked_rows(study, data):
        if reach.loss > study.margin:
            one = data.excess(task.name, study.largest(task), row) - reach.loss
            parts.append((f"{task.name}, {row}, reach {reach.steps}", one))
    return least(parts) if parts else NO_MASKS


def undamaged(study: "LengthExtrapolation", data: Measured, task: Task, row: Row) -> bool:
    """Whether a mask leaves the mean excess at n = m within the gate: what else it costs is a matter of length."""
    floor = float(data.no_context[task.name, 1].mean())
    return data.excess(task.name, 1, row).estimate < study.gate * floor


def _within(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    parts = Named()
    for task, row, reach in trained_behind(study, data, within=True):
        kept = data.common(task.name, {row.arm})
        grown = data.late[task.name, row, study.largest(task)] - data.late[task.name, row, 1]
        parts.append((f"{task.name}, {row}, reach {reach.steps}", data.mean_of(grown, kept)))
    return largest(parts) if parts else NO_MASKS


def _cost_of_reach(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    parts = Named()
    for task, row, reach in trained_behind(study, data, within=False):
        one = data.excess(task.name, study.largest(task), row) - reach.loss
        name = f"{task.name}, {row}, reach {reach.steps}"
        parts += [(name, one), (f"minus {name}", -one)]
    return largest(parts) if parts else NO_MASKS
