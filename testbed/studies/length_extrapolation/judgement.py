"""From records to verdicts: evidence, checks, and what a reader should know beside them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Verdict, judge
from testbed.studies.judge.evidence import student_tail
from testbed.studies.length_extrapolation.claims import NOTHING, claims, evidence
from testbed.studies.length_extrapolation.config import NONE
from testbed.studies.length_extrapolation.grid import scalings
from testbed.studies.length_extrapolation.results import Measured, Row, measured, oracles
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""
SAME = 1e-6
"""Nats: what float32 may make of a method that changes nothing."""


def judgement(study: "LengthExtrapolation", records: Sequence[Record]) -> Judgement:
    """Verdicts on the claims; undecided where no arm learnt what a claim needs, void where a check failed."""
    data = measured(study, records)
    if data is None:
        return Judgement((), (Check("complete", False, "records of some members are missing"),))
    found = checks(study, data, records)
    failed = next((check for check in found if not check.passed), None)
    void = None if failed is None else f"{failed.name} ({failed.detail})"
    return Judgement(tuple(verdicts(study, data, void)), found, notes(study, data))


def verdicts(study: "LengthExtrapolation", data: Measured, void: str | None = None) -> list[Verdict]:
    """One for each claim, judged together."""
    numbers = evidence(study, data)
    pairs = [(claim, NOTHING if isinstance(one := numbers[claim.id], str) else one) for claim in claims(study)]
    judged = judge(pairs, study.alpha, void=void)
    reasons = [numbers[claim.id] for claim, _ in pairs]
    return [
        replace(one, reason=f"Undecided, because {reason}.", replicates_needed=None) if isinstance(reason, str) else one
        for one, reason in zip(judged, reasons, strict=True)
    ]


def checks(study: "LengthExtrapolation", data: Measured, records: Sequence[Record]) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    plain = [one for one in records if one.status == "done" and _is_plain(one)]
    p = [_two_sided(one) for one in plain]
    least = min(p, default=1.0)
    return (
        *_oracle_checks(study, records),
        Check(
            "-ln q + ln p = KL in the mean, on fresh tokens",
            least > FALSE_ALARM / max(len(p), 1),
            f"smallest p {least:.1e} of {len(p)} members at n = m; bound {FALSE_ALARM / max(len(p), 1):.0e}",
        ),
        _no_op_check(study, data),
    )


def _is_plain(record: Record) -> bool:
    probe = record.probe
    return probe.get("change") == NONE and probe["ratio"] == 1


def _two_sided(record: Record) -> float:
    """p-value of the paired difference, Student's t over sequences; 1 where the law is certain: nothing can differ."""
    difference, error = (float(record.metrics[name]) for name in ("paired_difference", "paired_error"))  # type: ignore[arg-type]
    if error < 1e-12:
        return 1.0 if abs(difference) < 1e-9 else 0.0
    return 2 * student_tail(abs(difference) / error, int(record.probe["n_sequences"]) - 1)


def _no_op_check(study: "LengthExtrapolation", data: Measured) -> Check:
    names = {one.name for one in study.changes if one.no_op}
    worst, of = 0.0, "none"
    for (task, row, ratio), values in data.everywhere.items():
        if ratio == 1 and row.change in names:
            moved = float(np.nanmax(np.abs(values - data.everywhere[task, Row(row.arm), 1]), initial=0.0))
            if moved >= worst:
                worst, of = moved, f"{row} on {task}"
    return Check(
        "what claims to be a no-op up to n = m is one", worst < SAME, f"largest change {worst:.1e} nats ({of})"
    )


def _oracle_checks(study: "LengthExtrapolation", records: Sequence[Record]) -> list[Check]:
    found = oracles(records)
    at_one = max((abs(float(one.metrics["at_one"])) for one in found.values()), default=0.0)  # type: ignore[arg-type]
    said = [Check("exact attention has no excess at multiplier one", at_one < 1e-9, f"largest {at_one:.1e} nats")]
    for task in study.tasks:
        largest = study.largest(task)
        if (task.name, largest) not in found:
            continue
        one = found[task.name, largest]
        excess, error = one.arrays["excess"], one.arrays["excess_error"]
        names = [change.name for change in scalings(study)]
        if task.role == "averaging":
            worst = float(excess.max())
            detail = f"largest {worst:.1e} nats at n = {largest} m"
            said.append(Check(f"{task.name}: scaling is a no-op for exact attention", worst < 1e-9, detail))
        else:
            least = int(np.argmin(excess))
            detail = f"{names[least]} costs it {excess[least]:.4f} ({error[least]:.4f}) nats at n = {largest} m"
            label = f"{task.name}: every scaling costs exact attention more than the margin"
            said.append(Check(label, bool(excess[least] - 5 * error[least] > study.margin), detail))
    return said


def notes(study: "LengthExtrapolation", data: Measured) -> tuple[str, ...]:
    """Which arms learnt their tasks, and what the numbers are."""
    said = [
        "Excess: mean exact KL(P* || model) over judged positions of the second half of fresh sequences; a replicate is"
        f" judged if its excess at n = m is below {study.gate:.0%} of the KL of the best law without context."
    ]
    for task in study.tasks:
        parts = []
        for arm in (one.name for one in study.arms_of(task)):
            learnt = data.learnt[task.name, arm]
            excess = np.median(data.late[task.name, Row(arm), 1])
            parts.append(
                f"{arm} {int(learnt.sum())} of {len(learnt)} replicates learnt (median excess at m {excess:.4f} nats)"
                + ("" if data.usable(task.name, arm) else ", not judged")
            )
        if parts:
            floor = float(data.no_context[task.name, 1].mean())
            said.append(f"{task.name}, m = {task.train_length}: no-context KL {floor:.3f} nats; {'; '.join(parts)}.")
    return tuple(said)
