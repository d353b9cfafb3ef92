"""The claims of the study and the numbers they are about.

With KL(row, r) the mean exact KL(P* || model) at n = r m, R the largest ratio, s over the methods that multiply logits
by a function of length (in `no_op` of length alone, elsewhere also of the head), +s a row with s added:

    no_op        max over s, 1 < r <= R of |KL(nope + s, r) - KL(nope, r)|       <= no_op_margin     averaging source
    control      min over s of KL(nope + s, R) - KL(nope, R)                     >= margin           classes
    positions    min over tasks, s of KL(rope + s, R) - KL(rerope, R)            >= margin           local, recall
    second_gain  min over base in (nope, rerope) of
                 max over tasks, s of KL(base, R) - KL(base + s, R)              >= margin           recall, argmax
    best         KL(claimed, R) - min over the other rows of KL(., R)            <= margin           recall
    tax          min over arms, unclamped s of KL(arm + s, 1) - KL(arm, 1)       >= margin           local, recall

A replicate counts where every arm of a difference has learnt its task (excess at n = m below `gate` times the KL of the
best law without context); an arm with fewer than five such replicates isn't judged. `tax` is over all positions, the
others over the second half of a sequence.
"""

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

from testbed.studies._length_extrapolation.config import MULTIPLIERS, Role
from testbed.studies._length_extrapolation.results import Measured, Row
from testbed.studies.judge import Claim, Evidence, Max, Min, Region, Student
from testbed.studies.judge.mean import Mean

if TYPE_CHECKING:
    from testbed.studies._length_extrapolation.study import LengthExtrapolation

PAPER = "2501.08570"
PREFIX = "length_extrapolation."


def claims(study: "LengthExtrapolation") -> tuple[Claim, ...]:
    """The six claims, with the margins of the config."""
    largest = study.ratios[-1]
    above, margin = Region(lower=study.margin), study.margin

    def claim(
        name: str, statement: str, place: str, scope: str, control: str, region: Region, margin: float = margin
    ) -> Claim:
        return Claim(
            id=PREFIX + name,
            statement=statement,
            paper=PAPER,
            place=place,
            reading="inferred",
            scope=f"{scope}; small transformers, n up to {largest} m; replicates that learnt the task",
            control=control,
            region=region,
            margin=margin,
            decided_at=study.decided_at,
        )

    return (
        claim(
            "no_op",
            "Where attention should average, multiplying logits by a function of length changes nothing.",
            "ours: the Bayes logits are constant there, so every multiplier is an exact no-op on them",
            "averaging source (T7), no positions",
            "world spread_logits: the trained logits spread, and scaling sharpens them",
            Region(upper=study.no_op_margin),
            study.no_op_margin,
        ),
        claim(
            "control",
            "Where the best weights keep one ratio at every length, every method that sharpens with length is worse"
            " than none at the longest length.",
            "against claim C1, that attention entropy should not grow with length",
            "reliability classes (T7b), no positions",
            "world harmless: sharpening costs nothing",
            above,
        ),
        claim(
            "positions",
            f"With rotary positions out of range no multiplier of the logits reaches the KL that {study.in_range}"
            " reaches without one.",
            "against claim C7, that dilution is the main obstacle",
            "local (T5) and recall (T2) sources, rotary positions",
            "world scaling_repairs: one multiplier does as well as positions in range",
            above,
        ),
        claim(
            "second_gain",
            f"With positions in range (none, or {study.in_range}) some multiplier of the logits lowers the KL further.",
            "claims C1 and C2, for positions in range",
            "recall (T2) and argmax (T3) sources",
            "world no_second_gain: with positions in range every multiplier is useless",
            above,
        ),
        claim(
            "best",
            f"{study.claimed[0]} with {study.claimed[1]} is best at the longest length, or within the margin of it.",
            "claim C5, the paper's headline",
            "recall source (T2)",
            "world beaten: another method is far better",
            Region(upper=margin),
        ),
        claim(
            "tax",
            "Every multiplier that is below one for queries with fewer than m keys costs excess already at n = m.",
            "ours, after Su (2023): any change at test time taxes short inputs",
            "local (T5) and recall (T2) sources, all positions, methods that are not clamped",
            "world no_tax: softening costs nothing",
            above,
        ),
    )


def evidence(study: "LengthExtrapolation", data: Measured) -> dict[str, Evidence | str]:
    """The claims' numbers by claim id; in place of evidence, why there is none."""
    found: Mapping[str, Evidence | str] = {
        "no_op": _no_op(study, data),
        "control": _control(study, data),
        "positions": _positions(study, data),
        "second_gain": _second_gain(study, data),
        "best": _best(study, data),
        "tax": _tax(study, data),
    }
    return {PREFIX + name: one for name, one in found.items()}


NOTHING = Student(0.0, 0.0, 1)
"""Stands where there is no evidence: one replicate decides nothing."""


def tasks_of(study: "LengthExtrapolation", data: Measured, arm: str, *roles: Role) -> list[str]:
    """Tasks of these roles that enough replicates of the arm learnt."""
    return [task.name for task in study.tasks if task.role in roles and data.usable(task.name, arm)]


def _scalings(study: "LengthExtrapolation", arm: str, kinds: Container[str] = MULTIPLIERS) -> list[Row]:
    return [Row(arm, one.name) for one in study.changes if one.kind in kinds and one.applies_to(arm)]


def _not_learnt(arm: str, *roles: str) -> str:
    return f"fewer than five replicates of the arm {arm} learnt a task of the role {' or '.join(roles)}"


def _no_op(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    nope, parts = study.nope_arm, list[Evidence]()
    for task in tasks_of(study, data, nope, "averaging"):
        for row in _scalings(study, nope, ("length",)):
            for ratio in study.ratios[1:]:
                one = data.difference(task, ratio, row, Row(nope))
                parts += [one, -one]
    return Max(parts) if parts else _not_learnt(nope, "averaging")


def _control(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    nope, largest = study.nope_arm, study.ratios[-1]
    parts = [
        data.difference(task, largest, row, Row(nope))
        for task in tasks_of(study, data, nope, "classes", "evidence")
        for row in _scalings(study, nope)
    ]
    return Min(parts) if parts else _not_learnt(nope, "classes", "evidence")


def _positions(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    rope, largest = study.rope_arm, study.ratios[-1]
    parts = [
        data.difference(task, largest, row, Row(rope, study.in_range))
        for task in tasks_of(study, data, rope, "local", "recall")
        for row in [Row(rope), *_scalings(study, rope)]
    ]
    return Min(parts) if parts else _not_learnt(rope, "local", "recall")


def _second_gain(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    nope, rope, largest = study.nope_arm, study.rope_arm, study.ratios[-1]
    on_nope = [
        data.difference(task, largest, Row(nope), row)
        for task in tasks_of(study, data, nope, "recall", "argmax")
        for row in _scalings(study, nope)
    ]
    added = [Row(rope, one.name) for one in study.changes if one.over == study.in_range and one.applies_to(rope)]
    on_rope = [
        data.difference(task, largest, Row(rope, study.in_range), row)
        for task in tasks_of(study, data, rope, "recall")
        for row in added
    ]
    for arm, parts in ((nope, on_nope), (rope, on_rope)):
        if not parts:
            return _not_learnt(arm, "recall", *(["argmax"] if arm == nope else []))
    return Min([Max(on_nope), Max(on_rope)])


def _best(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    claimed, largest, parts = Row(*study.claimed), study.ratios[-1], list[Evidence]()
    for task in tasks_of(study, data, claimed.arm, "recall"):
        ranked = data.ranking(task, largest)
        if ranked is not None and claimed in ranked[0]:
            parts.append(ranked[1].regret(ranked[0].index(claimed)))
    return Max(parts) if parts else _not_learnt(claimed.arm, "recall")


def _tax(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    unclamped = {one.name for one in study.changes if not one.no_op}
    parts: list[Mean] = []
    for arm in (study.nope_arm, study.rope_arm):
        for task in tasks_of(study, data, arm, "local", "recall"):
            rows = [row for row in _scalings(study, arm) if row.change in unclamped]
            parts += [data.difference(task, 1, row, Row(arm), everywhere=True) for row in rows]
    return Min(parts) if parts else _not_learnt("nope or rope", "local", "recall")
