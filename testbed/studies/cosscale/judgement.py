"""From records to verdicts: evidence, checks, and what a reader should know beside them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.cosscale.arms import PLAIN
from testbed.studies.cosscale.claims import claims
from testbed.studies.cosscale.evidence import TASKS, evidence
from testbed.studies.cosscale.notes import notes
from testbed.studies.cosscale.results import Measured, gather, random_cosine
from testbed.studies.cosscale.stated import PREFIX
from testbed.studies.gate import Bounded, Partial
from testbed.studies.judge import Evidence, Student, Verdict, judge
from testbed.studies.judge.evidence import student_tail
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

FALSE_ALARM = 1e-6
"""Probability that a sound study fails one of its statistical checks."""
NEVER = 6.0
"""Standard errors by which no sound member undercuts its floor."""
NOTHING = Student(0.0, 0.0, 1)
"""Stands for a number that is not known: one unit, on which nothing is decided."""


def judgement(study: "CosScaleStudy", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims, voided by a failed check; none where records are missing."""
    data = gather(study, records)
    if data is None:
        return Judgement((), (Check("complete", False, "records of some members are missing"),))
    found = checks(study, data)
    failed = next((check for check in found if not check.passed), None)
    void = None if failed is None else f"{failed.name} ({failed.detail})"
    return Judgement(tuple(verdicts(study, data, void)), found, notes(study, data, records))


def verdicts(study: "CosScaleStudy", data: Measured, void: str | None = None) -> list[Verdict]:
    """One for each claim, judged together; it says where an arm that the claim needs has not learnt."""
    numbers = evidence(study, data)
    judged = judge([(claim, numbers[claim.id] or NOTHING) for claim in claims(study)], study.alpha, void=void)
    return [one if void is not None else _withheld(one, numbers[one.claim.id]) for one in judged]


def _withheld(verdict: Verdict, number: Evidence | None) -> Verdict:
    if number is None:
        reason = "Undecided, because too few replicates learnt what the claim is about."
        if verdict.claim.id == PREFIX + "c9_rope_only":
            reason = "Undecided, because with RoPE nothing is gained that counts, or too few replicates learnt."
        return replace(verdict, reason=reason, replicates_needed=None)
    if not partial(number):
        return verdict
    said = "some of the arms that the claim is about did not learn their task, or gain nothing: it could fail, not hold"
    return replace(verdict, notes=(*verdict.notes, said), replicates_needed=None)


def partial(number: Evidence) -> bool:
    """Whether something that the number is a minimum or a maximum of is not known."""
    return partial(number.inner) if isinstance(number, Bounded) else isinstance(number, Partial)


def checks(study: "CosScaleStudy", data: Measured) -> tuple[Check, ...]:
    """What must be true whatever the claims: an identity, the rail, and controls that each number must see."""
    return (_paired(study, data), _rail(study, data), *_controls(study, data))


def _paired(study: "CosScaleStudy", data: Measured) -> Check:
    p = [
        _two_sided(record, name, study.task(task).n_sequences)
        for (task, _), mine in data.records.items()
        for record in mine
        for name in ("", "_long")
        if record.status == "done"
    ]
    least = min(p, default=1.0)
    return Check(
        "-ln q + ln p = KL in the mean, on fresh tokens",
        least > FALSE_ALARM / max(len(p), 1),
        f"smallest p {least:.1e} of {len(p)}; bound {FALSE_ALARM / max(len(p), 1):.0e}",
    )


def _two_sided(record: Record, suffix: str, n_sequences: int) -> float:
    """p-value of the paired difference, Student's t over sequences."""
    difference, error = (float(record.metrics[f"{name}{suffix}"]) for name in ("paired", "paired_error"))  # type: ignore[arg-type]
    if error < 1e-12:
        return 1.0 if abs(difference) < 1e-9 else 0.0
    return 2 * student_tail(abs(difference) / error, n_sequences - 1)


def _rail(study: "CosScaleStudy", data: Measured) -> Check:
    excess, error, floor = (
        np.concatenate([data.at("far", family.window(), name) for family in study.families])
        for name in ("excess", "excess_error", "floor")
    )
    least = float(np.nanmin((excess - floor) / np.maximum(error, 1e-12)))
    return Check(
        "on the far source the windowed arms stay at the floor of their window, or above",
        least > -NEVER,
        f"least distance {least:.1f} standard errors; excess {np.nanmean(excess):.3f}, floor"
        f" {np.nanmean(floor):.3f} nats",
    )


def _controls(study: "CosScaleStudy", data: Measured) -> tuple[Check, ...]:
    b = study.bounds
    untrained = [np.nanmean([data.at(t, PLAIN, f"untrained-mean-{a:g}") for t in TASKS]) for a in study.alphas]
    keys = random_cosine(data, "standard", 0).mean(axis=0)
    plain = data.average("far", PLAIN, "within")
    return (
        Check(
            "C3's number sees a cosine that has stopped",
            float(np.diff(untrained).min()) < b.peak_step and float(np.diff(keys).min()) < b.peak_step,
            f"least rise of the mean attended cosine: {np.diff(untrained).min():.4f} before training,"
            f" {np.diff(keys).min():.4f} among {study.key_lengths[0]} random keys",
        ),
        Check(
            "C4's number sees attention without a window",
            plain < b.window,
            f"plain softmax has {plain:.3f} of its attention on the {study.reach} nearest keys on the far source",
        ),
    )
