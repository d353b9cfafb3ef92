"""Evidence on claims about excess: paired differences of rows, over the replicates in which their arms learnt."""

from collections.abc import Container, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from testbed.studies.judge import Evidence, Max, Mean, Min
from testbed.studies.length_extrapolation.config import MULTIPLIERS, NONE, Change, Role, Task
from testbed.studies.length_extrapolation.results import Measured, Row

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation


def loss_evidence(study: "LengthExtrapolation", data: Measured) -> dict[str, Evidence | str]:
    """Evidence by the claim's short name, or why there is none."""
    return {
        "no_op": _no_op(study, data),
        "control": _control(study, data),
        "order": _order(study, data),
        "sphere": _sphere(study, data),
        "positions": _positions(study, data),
        "gain_in_range": _gain_in_range(study, data),
        "gain_nope": _gain_nope(study, data),
        "best": _best(study, data),
        "added": _added(study, data),
        "only_rope": _only_rope(study, data),
        "tax": _tax(study, data),
    }


def tasks_of(study: "LengthExtrapolation", data: Measured, arm: str, *roles: Role) -> list[Task]:
    """Tasks of these roles that enough replicates of the arm learnt."""
    return [task for task in study.tasks if task.role in roles and data.usable(task.name, arm)]


def scalings_of(
    study: "LengthExtrapolation", task: Task, arm: str, kinds: Container[str] = MULTIPLIERS
) -> Iterator[Row]:
    """Rows of an arm with a multiplier of the logits and nothing else changed."""
    for one in study.changes:
        if one.kind in kinds and one.applies_to(task, study.arm(arm)):
            yield Row(arm, one.name)


def with_added(study: "LengthExtrapolation", base: str, scaling: str) -> str | None:
    """The change that is `base` with the methods of the change `scaling` added; None where there is none."""
    if base == NONE:
        return scaling
    methods = study.change(base).methods + study.change(scaling).methods
    found = (one.name for one in study.changes if one.over == base and one.methods == methods)
    return next(found, None)


def not_learnt(arm: str, *roles: str) -> str:
    return f"fewer than five replicates of the arm {arm} learnt a task of the role {' or '.join(roles)}"


def _no_op(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    nope, parts = study.nope_arm, list[Evidence]()
    for task in tasks_of(study, data, nope, "averaging"):
        for row in scalings_of(study, task, nope, ("length",)):
            for ratio in study.ratios_of(task)[1:]:
                one = data.difference(task.name, ratio, row, Row(nope))
                parts += [one, -one]
    return Max(parts) if parts else not_learnt(nope, "averaging")


def _control(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    nope = study.nope_arm
    parts = [
        data.difference(task.name, study.largest(task), row, Row(nope))
        for task in tasks_of(study, data, nope, "classes", "evidence")
        for row in scalings_of(study, task, nope)
    ]
    return Min(parts) if parts else not_learnt(nope, "classes", "evidence")


def _order(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    rows = [Row(study.nope_arm, name) for name in (NONE, study.claimed[1], study.log_law)]
    parts = [
        data.difference(task.name, study.largest(task), worse, better)
        for task in tasks_of(study, data, study.nope_arm, "classes", "evidence")
        for better, worse in pairwise(rows)
    ]
    return Min(parts) if parts else not_learnt(study.nope_arm, "classes", "evidence")


def _sphere(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    nope = study.nope_arm
    parts = [
        data.difference(task.name, study.largest(task), Row(nope, study.sphere_law), Row(nope, study.claimed[1]))
        for task in tasks_of(study, data, nope, "classes")
    ]
    return Min(parts) if parts else not_learnt(nope, "classes")


def _positions(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    rope = study.rope_arm
    parts = [
        data.difference(task.name, study.largest(task), row, Row(rope, study.in_range))
        for task in tasks_of(study, data, rope, "local", "recall")
        for row in [Row(rope), *scalings_of(study, task, rope)]
    ]
    return Min(parts) if parts else not_learnt(rope, "local", "recall")


def _gain_in_range(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    rope = study.rope_arm
    parts = [
        data.difference(task.name, study.largest(task), Row(rope, study.in_range), Row(rope, one.name))
        for task in tasks_of(study, data, rope, "recall")
        for one in study.changes
        if one.over == study.in_range and one.applies_to(task, study.arm(rope))
    ]
    return Max(parts) if parts else not_learnt(rope, "recall")


def _gain_nope(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    nope = study.nope_arm
    parts = [
        data.difference(task.name, study.largest(task), Row(nope), row)
        for task in tasks_of(study, data, nope, "recall", "argmax")
        for row in scalings_of(study, task, nope)
    ]
    return Max(parts) if parts else not_learnt(nope, "recall", "argmax")


def _best(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    claimed, parts = Row(*study.claimed), list[Evidence]()
    for task in tasks_of(study, data, claimed.arm, "recall"):
        ranked = data.ranking(task.name, study.largest(task))
        if ranked is not None and claimed in ranked[0]:
            parts.append(ranked[1].regret(ranked[0].index(claimed)))
    return Max(parts) if parts else not_learnt(claimed.arm, "recall")


def _added(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    rope, (normed, scaling) = study.rope_arm, study.claimed
    parts: list[Evidence] = []
    for task in tasks_of(study, data, rope, "recall"):
        largest = study.largest(task)
        for base in (one for one in study.changes if _is_base(study, one) and one.applies_to(task, study.arm(rope))):
            both = with_added(study, base.name, scaling)
            if both is not None:
                parts.append(data.difference(task.name, largest, Row(rope, both), Row(rope, base.name)))
            if normed in data.arms(task.name) and data.together(task.name, rope, normed):
                parts.append(data.difference(task.name, largest, Row(normed, base.name), Row(rope, base.name)))
    return Max(parts) if parts else not_learnt(rope, "recall")


def _is_base(study: "LengthExtrapolation", change: Change) -> bool:
    return change.kind in ("position", "mask") and with_added(study, change.name, study.claimed[1]) is not None


def _only_rope(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    parts: list[Evidence] = []
    pairs = (study.rope_arm, study.claimed[0]), (study.nope_arm, study.normed_nope_arm)
    for task in (one for one in study.tasks if one.role == "recall" and one.arms):
        for plain, normed in pairs:
            if not data.together(task.name, plain, normed):
                return not_learnt(f"{plain} and the arm {normed}", "recall")
            gain = data.difference(task.name, study.largest(task), Row(plain), Row(normed))
            parts.append(gain if plain == study.rope_arm else 2 * study.margin - gain)
    return Min(parts) if parts else not_learnt(study.rope_arm, "recall")


def _tax(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    unclamped = {one.name for one in study.changes if not one.no_op}
    parts: list[Mean] = []
    for arm in (study.nope_arm, study.rope_arm):
        for task in tasks_of(study, data, arm, "local", "recall"):
            rows = [row for row in scalings_of(study, task, arm) if row.change in unclamped]
            parts += [data.difference(task.name, 1, row, Row(arm), everywhere=True) for row in rows]
    return Min(parts) if parts else not_learnt("nope or rope", "local", "recall")
