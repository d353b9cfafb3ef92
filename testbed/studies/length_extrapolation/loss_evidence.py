"""Evidence on claims about excess: paired differences of rows, over the replicates in which their arms learnt."""

from collections.abc import Container, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from testbed.studies.length_extrapolation.config import MULTIPLIERS, NONE, READ, Change, Role, Task
from testbed.studies.length_extrapolation.parts import Parts, largest, least
from testbed.studies.length_extrapolation.results import Measured, Row

if TYPE_CHECKING:
    from testbed.studies.judge import Evidence
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

Named = list[tuple[str, "Evidence | Parts"]]


def loss_evidence(study: "LengthExtrapolation", data: Measured) -> dict[str, Parts | str]:
    """Evidence by the claim's short name, or why there is none."""
    return {
        "no_op": _no_op(study, data, "length"),
        "no_op_read": _no_op(study, data, *READ),
        "control": _control(study, data),
        "order": _order(study, data),
        "sphere": _sphere(study, data),
        "positions": _positions(study, data),
        "gain_in_range": _gain_in_range(study, data),
        "gain_drawn": _gain(study, data, study.drawn_arm),
        "gain_hidden": _gain(study, data, study.hidden_arm),
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
    """The change that is `base` with the method of the change `scaling` added; None where there is none.

    Behind a mask a query has no more keys than a window of m, so that a law of its keys does nothing: there the same
    law of another count is taken, which the configuration names.
    """
    if base == NONE:
        return scaling
    under, (law,) = study.change(base).methods, study.change(scaling).methods
    over = [one for one in study.changes if one.over == base and one.methods[: len(under)] == under]
    exact = [one.name for one in over if one.methods == (*under, law)]
    alike = [one.name for one in over if [it.type_name for it in one.methods[len(under) :]] == [law.type_name]]
    return next(iter(exact + alike), None)


def is_base(study: "LengthExtrapolation", change: Change) -> bool:
    """Whether it changes positions or masks, and InfoScale is tried with it too."""
    return change.kind in ("position", "mask") and with_added(study, change.name, study.scaling) is not None


def not_learnt(arm: str, *roles: str) -> str:
    return f"fewer than five replicates of the arm {arm} learnt a task of the role {' or '.join(roles)}"


def _no_op(study: "LengthExtrapolation", data: Measured, *kinds: str) -> Parts | str:
    nope, parts = study.nope_arm, Named()
    for task in tasks_of(study, data, nope, "averaging"):
        for row in scalings_of(study, task, nope, kinds):
            for ratio in study.ratios_of(task)[1:]:
                one = data.difference(task.name, ratio, row, Row(nope))
                parts += [(f"{row}, n = {ratio} m", one), (f"minus {row}, n = {ratio} m", -one)]
    return largest(parts) if parts else not_learnt(nope, "averaging")


def _control(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    nope = study.nope_arm
    parts: Named = [
        (f"{task.name}, {row}", data.difference(task.name, study.largest(task), row, Row(nope)))
        for task in tasks_of(study, data, nope, "classes", "evidence")
        for row in scalings_of(study, task, nope)
    ]
    return least(parts) if parts else not_learnt(nope, "classes", "evidence")


def _order(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    rows = [Row(study.nope_arm, name) for name in (NONE, study.scaling, study.log_law)]
    parts: Named = [
        (f"{task.name}, {worse} less {better}", data.difference(task.name, study.largest(task), worse, better))
        for task in tasks_of(study, data, study.nope_arm, "classes", "evidence")
        for better, worse in pairwise(rows)
    ]
    return least(parts) if parts else not_learnt(study.nope_arm, "classes", "evidence")


def _sphere(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    nope = study.nope_arm
    parts: Named = [
        (
            task.name,
            data.difference(task.name, study.largest(task), Row(nope, study.sphere_law), Row(nope, study.scaling)),
        )
        for task in tasks_of(study, data, nope, "classes")
    ]
    return least(parts) if parts else not_learnt(nope, "classes")


def _positions(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    rope, parts = study.rope_arm, Named()
    for task in tasks_of(study, data, rope, "local", "recall"):
        rows = [Row(rope), *scalings_of(study, task, rope)]
        rows += [Row(arm) for arm in study.scaled_arms if data.together(task.name, rope, arm)]
        for row in rows:
            one = data.difference(task.name, study.largest(task), row, Row(rope, study.in_range))
            parts.append((f"{task.name}, {row}", one))
    return least(parts) if parts else not_learnt(rope, "local", "recall")


def _gain_in_range(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    rope, parts = study.rope_arm, Named()
    for task in tasks_of(study, data, rope, "recall"):
        rows = [
            Row(rope, one.name)
            for one in study.changes
            if one.over == study.in_range and one.applies_to(task, study.arm(rope))
        ]
        rows += [Row(arm, study.in_range) for arm in study.scaled_arms if data.together(task.name, rope, arm)]
        for row in rows:
            one = data.difference(task.name, study.largest(task), Row(rope, study.in_range), row)
            parts.append((f"{task.name}, {row}", one))
    return largest(parts) if parts else not_learnt(rope, "recall")


def _gain(study: "LengthExtrapolation", data: Measured, arm: str) -> Parts | str:
    if all(one.name != arm for one in study.arms):
        return f"there is no arm {arm}"
    parts: Named = [
        (f"{task.name}, {row}", data.difference(task.name, study.largest(task), Row(arm), row))
        for task in tasks_of(study, data, arm, "recall", "argmax")
        for row in scalings_of(study, task, arm)
    ]
    return largest(parts) if parts else not_learnt(arm, "recall", "argmax")


def _tax(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    unclamped = {one.name for one in study.changes if not one.no_op}
    parts = Named()
    for arm in (study.nope_arm, study.rope_arm):
        for task in tasks_of(study, data, arm, "local", "averaging"):
            for row in scalings_of(study, task, arm):
                if row.change in unclamped:
                    one = data.difference(task.name, 1, row, Row(arm), everywhere=True)
                    parts.append((f"{task.name}, {row}", one))
    return least(parts) if parts else not_learnt("nope or rope", "local", "averaging")
