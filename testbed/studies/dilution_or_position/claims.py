"""The claims of the study and the numbers they are about.

With a, b, I, phi_D, phi_P of `shapley` at the largest ratio n / m, of a row (an arm, or one with a change s):

    c7_<row>          phi_D - phi_P                                                          >= margin     recall
    far_few           min over arms with positions out of range of b - a                     >= margin     recall
    averaging         max over arms of max(a, phi_D - phi_P)                                 <= margin     averaging
    begin             phi_D(begin hidden) - phi_D(begin seen) / 2                            >= 0          recall
    scaling_removes   min over arms of max over scalings s of a / 2 - a(arm + s)             >= 0          recall
    scaling_only      max over out-of-range arms, scalings s of (b + I) / 2 - (b + I)(arm + s)   <= 0      recall

`c7_<row>` is claim C7, of each scheme with positions: the share of dilution is over one half by at least the margin.
Where |I| is larger than the smaller of |a| and |b| (and than the margin) nothing is said of shares; a - b, which needs
none, is what `far_few` is about. Arms without positions have b = I = 0 whatever was learnt: they are controls, which
say what dilution alone costs, and get no verdict. Multipliers are 1 at m keys, so that b is the same with and without;
`scaling_only` is about what far positions add to many keys, b + I, which is not. `averaging` is withheld where sharper
attention would cost no more than the margin either (`injected`, of an exact head whose logits are multiplied). A
replicate counts where every row of a contrast learnt its task.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from testbed.studies.dilution_or_position.config import NONE
from testbed.studies.dilution_or_position.results import Measured, Row
from testbed.studies.judge import Claim, Evidence, Max, Min, Region, Student

if TYPE_CHECKING:
    from testbed.studies.dilution_or_position.study import DilutionOrPosition

PAPER = "2501.08570"
PREFIX = "dilution_or_position."
NOTHING = Student(0.0, 0.0, 1)
"""Stands where there is no evidence: one replicate decides nothing."""


@dataclass(frozen=True)
class Withheld:
    """No verdict: the reason, and the number that would have been judged, if there is one."""

    reason: str
    estimate: float = 0.0

    @property
    def evidence(self) -> Evidence:
        return Student(self.estimate, 0.0, 1)


def claim_rows(study: "DilutionOrPosition") -> list[Row]:
    """The rows of which C7 is asked: arms of a recall task with positions, and changes that keep these in range."""
    rows = []
    for task in study.of_role("recall"):
        rows += [Row(task.name, arm.name) for arm in study.arms_of(task) if arm.has_positions]
        rows += [Row(task.name, arm, one.name) for one in study.changes if one.positions for arm in one.arms]
    return rows


def control_rows(study: "DilutionOrPosition") -> list[Row]:
    """Arms of a recall task without positions: dilution alone can cost them anything, so that C7 is no question."""
    return [
        Row(task.name, arm.name)
        for task in study.of_role("recall")
        for arm in study.arms_of(task)
        if not arm.has_positions
    ]


def claim_name(study: "DilutionOrPosition", row: Row) -> str:
    """c7_rope, and with the task's name where there are several recall tasks."""
    task = f"{row.task}_" if len(study.of_role("recall")) > 1 else ""
    changed = "" if row.change == NONE else f"_{row.change}"
    return "c7_" + f"{task}{row.arm}{changed}".replace(" ", "_").replace("+", "and").replace("-", "_")


def claims(study: "DilutionOrPosition") -> tuple[Claim, ...]:
    """C7 of every row, then the controls and what scaling does, with the margins of the config."""
    scaled = scaled_arms(study)
    above, below = Region(lower=study.margin), Region(upper=study.margin)
    largest = study.ratios[-1]

    def claim(
        name: str, statement: str, place: str, scope: str, control: str, region: Region, margin: float = study.margin
    ) -> Claim:
        return Claim(
            id=PREFIX + name,
            statement=statement,
            paper=PAPER,
            place=place,
            reading="inferred",
            scope=f"{scope}; small transformers, n = {largest} m; replicates that learnt the task",
            control=control,
            region=region,
            margin=margin,
            decided_at=study.decided_at,
        )

    c7 = [
        claim(
            claim_name(study, row),
            f"With {row}, many keys cost more than far positions: dilution has the larger share of the excess.",
            "claim C7: dilution, not insufficient training, is the main obstacle to long context",
            f"recall source {row.task}, {_expected(study, row)}",
            "claim averaging, where it must fail; arms without positions, where dilution is seen; world position",
            above,
        )
        for row in claim_rows(study)
    ]
    return (
        *c7,
        claim(
            "far_few",
            "Where positions go out of range, few far keys cost more than many near ones.",
            "against claim C7; needs no shares, so the interaction does not enter",
            f"recall source, {' and '.join(study.out_of_range)}",
            "world dilution: many near keys cost more",
            above,
        ),
        claim(
            "averaging",
            "Where all statements count, added keys in range cost nothing, and dilution has no larger share.",
            "control of claim C7, which must fail here: attention in a ratio of its own is not diluted",
            "averaging source (T7b), every arm; there sharper attention costs more than the margin",
            "world averaging_suffers: added keys cost there too",
            below,
        ),
        claim(
            "begin",
            "Without positions, at least half of dilution's cost stays when the begin symbol is hidden.",
            "ours: attention on a begin symbol tells the position; is it that which goes out of range?",
            f"recall source, {study.begin_seen} against {study.begin_hidden}",
            "world begin_reads: with the begin symbol hidden many keys cost nothing",
            Region(lower=0.0),
        ),
        claim(
            "scaling_removes",
            "Some multiplier of the logits that grows with the number of keys removes at least half of what many keys"
            " in range cost.",
            "our prediction P10, first part: scaling removes the dilution share",
            f"recall source, {' and '.join(scaled) or 'no arm'}",
            "world scaling_useless: no multiplier helps",
            Region(lower=0.0),
        ),
        claim(
            "scaling_only",
            "With many keys shown, no multiplier of the logits removes half of what far positions add.",
            "our prediction P10, second part: and only that, by the measure of the first; with few keys it is so by"
            " construction",
            f"recall source, {' and '.join(one for one in scaled if one in study.out_of_range) or 'no arm'}",
            "world scaling_repairs: multipliers remove nine tenths of what far positions add to many keys",
            Region(upper=0.0),
        ),
    )


def _expected(study: "DilutionOrPosition", row: Row) -> str:
    arm = study.arm(row.arm)
    if row.change != NONE:
        scheme = "positions kept in range by the change"
    elif row.arm in study.out_of_range:
        scheme = "positions out of range"
    elif arm.draws_positions:
        scheme = "positions trained for the length"
    else:
        scheme = "a penalty on distance: no position to be trained, far keys are weighed down by design"
    deep = (study.model.depth if arm.depth is None else arm.depth) > 1
    return scheme + (", many near keys share positions in earlier blocks, untrained" if deep else "")


def scaled_arms(study: "DilutionOrPosition") -> list[str]:
    """The arms on which a scaling is tried, in the order of the config."""
    named = {arm for one in study.changes if one.scaling for arm in one.arms}
    return [arm.name for arm in study.arms if arm.name in named]


def scalings_of(study: "DilutionOrPosition", arm: str) -> list[str]:
    """Changes of an arm that multiply its logits."""
    return [one.name for one in study.changes if one.scaling and arm in one.arms]


def evidence(study: "DilutionOrPosition", data: Measured) -> dict[str, Evidence | Withheld]:
    """The claims' numbers by claim id; in place of evidence, why there is none."""
    found: dict[str, Evidence | Withheld] = {claim_name(study, row): _c7(study, data, row) for row in claim_rows(study)}
    found |= {
        "far_few": _far_few(study, data),
        "averaging": _averaging(study, data),
        "begin": _begin(study, data),
        "scaling_removes": _scaling_removes(study, data),
        "scaling_only": _scaling_only(study, data),
    }
    return {PREFIX + name: one for name, one in found.items()}


def pairs(study: "DilutionOrPosition", numbers: Mapping[str, Evidence | Withheld]) -> list[tuple[Claim, Evidence]]:
    """Claims with their evidence, as the judge takes them; what is withheld decides nothing."""
    both = [(claim, numbers[claim.id]) for claim in claims(study)]
    return [(claim, one.evidence if isinstance(one, Withheld) else one) for claim, one in both]


def _not_learnt(*rows: Row) -> Withheld:
    names = " and ".join(dict.fromkeys(str(row) for row in rows)) or "the rows that it needs"
    return Withheld(f"not learnt: in fewer than five replicates did {names} learn the task")


def _c7(study: "DilutionOrPosition", data: Measured, row: Row) -> Evidence | Withheld:
    if not data.usable(row):
        return _not_learnt(row)
    effects = data.effects(row, study.ratios[-1])
    difference = effects.dilution - effects.position
    if effects.is_ambiguous(study.margin):
        d, p, i = (float(one.mean()) for one in (effects.dilution_alone, effects.position_alone, effects.interaction))
        larger = "dilution" if d > p else "position shift"
        split = f", though {larger} is larger however it is split" if abs(d - p) > abs(i) else ""
        return Withheld(
            f"the interaction, {i:.3g} nats, exceeds the smaller of what each factor costs alone (many keys {d:.3g},"
            f" far positions {p:.3g}), so that their shares depend on how it is split{split}",
            float(difference.mean()),
        )
    return data.mean(difference, data.learnt(row))


def _recall_rows(study: "DilutionOrPosition", data: Measured, arms: tuple[str, ...] | list[str]) -> Iterator[Row]:
    for task in study.of_role("recall"):
        for arm in arms:
            if arm in task.arms and data.usable(row := Row(task.name, arm)):
                yield row


def _far_few(study: "DilutionOrPosition", data: Measured) -> Evidence | Withheld:
    parts = []
    for row in _recall_rows(study, data, study.out_of_range):
        effects = data.effects(row, study.ratios[-1])
        parts.append(data.mean(effects.position_alone - effects.dilution_alone, data.learnt(row)))
    return Min(parts) if parts else _not_learnt()


def _averaging(study: "DilutionOrPosition", data: Measured) -> Evidence | Withheld:
    parts: list[Evidence] = []
    for task in study.of_role("averaging"):
        seen = data.sensitivity(task.name)
        if seen.interval(0.025)[0] <= study.margin:
            return Withheld(
                f"insensitive: on {task.name} an exact head with its logits multiplied by ln n / ln m loses"
                f" {seen.estimate:.3g} nats, not shown to be more than the margin"
            )
        for row in (Row(task.name, arm) for arm in task.arms):
            if data.usable(row):
                effects, kept = data.effects(row, study.ratios[-1]), data.learnt(row)
                parts += [data.mean(effects.dilution_alone, kept)]
                parts += [data.mean(effects.dilution - effects.position, kept)]
    return Max(parts) if parts else _not_learnt()


def _begin(study: "DilutionOrPosition", data: Measured) -> Evidence | Withheld:
    parts = []
    for task in study.of_role("recall"):
        seen, hidden = Row(task.name, study.begin_seen), Row(task.name, study.begin_hidden)
        if {study.begin_seen, study.begin_hidden} <= set(task.arms) and data.usable(seen, hidden):
            kept = data.common(seen, hidden)
            one, other = (data.effects(row, study.ratios[-1], kept).dilution for row in (seen, hidden))
            parts.append(data.mean(other - one / 2, kept))
    return Min(parts) if parts else _not_learnt()


def _changed(
    study: "DilutionOrPosition",
    data: Measured,
    row: Row,
    number: Literal["dilution_alone", "position_beside_dilution"],
    kept_share: float,
) -> list[Evidence]:
    """The number times a share less that with each scaling, paired."""
    parts: list[Evidence] = []
    for name in scalings_of(study, row.arm):
        changed = Row(row.task, row.arm, name)
        if data.usable(row, changed):
            kept = data.common(row, changed)
            before, after = (data.effects(one, study.ratios[-1], kept) for one in (row, changed))
            parts.append(data.mean(kept_share * getattr(before, number) - getattr(after, number), kept))
    return parts


def _scaling_removes(study: "DilutionOrPosition", data: Measured) -> Evidence | Withheld:
    rows = _recall_rows(study, data, scaled_arms(study))
    parts = [Max(found) for row in rows if (found := _changed(study, data, row, "dilution_alone", 0.5))]
    return Min(parts) if parts else _not_learnt()


def _scaling_only(study: "DilutionOrPosition", data: Measured) -> Evidence | Withheld:
    rows = _recall_rows(study, data, [one for one in scaled_arms(study) if one in study.out_of_range])
    parts = [one for row in rows for one in _changed(study, data, row, "position_beside_dilution", 0.5)]
    return Max(parts) if parts else _not_learnt()
