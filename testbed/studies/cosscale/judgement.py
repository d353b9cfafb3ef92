"""From records to verdicts: evidence, checks, and what a reader should know beside them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.cosscale.arms import PLAIN
from testbed.studies.cosscale.claims import claims
from testbed.studies.cosscale.config import Role
from testbed.studies.cosscale.evidence import TASKS, evidence
from testbed.studies.cosscale.notes import notes
from testbed.studies.cosscale.results import Measured, gather, random_cosine
from testbed.studies.gate import Partial
from testbed.studies.judge import Bounded, Evidence, Student, Verdict, judge
from testbed.studies.study import Check, Judgement, why_void

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
        return Judgement.incomplete("records of some members are missing")
    found = checks(study, data)
    void = why_void(found)
    return Judgement(tuple(verdicts(study, data, void)), found, notes(study, data, records))


def verdicts(study: "CosScaleStudy", data: Measured, void: str | None = None) -> list[Verdict]:
    """One for each claim, judged together; it says where an arm that the claim needs has not learnt."""
    numbers = evidence(study, data)
    judged = judge([(claim, numbers[claim.id] or NOTHING) for claim in claims(study)], study.alpha, void=void)
    return [one if void is not None else _withheld(one, numbers[one.claim.id]) for one in judged]


def _withheld(verdict: Verdict, number: Evidence | None) -> Verdict:
    if number is None:
        reason = "Undecided, because too few replicates learnt what the claim is about."
        return replace(verdict, reason=reason, replicates_needed=None)
    if not partial(number):
        return verdict
    said = "some of the arms that the claim is about did not learn their task: it could fail, not hold"
    return replace(verdict, notes=(*verdict.notes, said), replicates_needed=None)


def partial(number: Evidence) -> bool:
    """Whether something that the number is a minimum or a maximum of is not known."""
    return partial(number.inner) if isinstance(number, Bounded) else isinstance(number, Partial)


def checks(study: "CosScaleStudy", data: Measured) -> tuple[Check, ...]:
    """What must be true whatever the claims: an identity, the rail, and controls that each number must see."""
    return (_paired(study, data), _rail(study, data), *_controls(study, data))


def _paired(study: "CosScaleStudy", data: Measured) -> Check:
    p = [
        _two_sided(record, name)
        for mine in data.records.values()
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


def _two_sided(record: Record, suffix: str) -> float:
    """Bound on the p-value of the paired difference d, of standard deviation s and largest summand r (Freedman 1975):

        P(|D| >= d) <= 2 e^(-d^2 / (2 (s^2 + r d / 3)))

    for sums of tokens each of mean zero given those before, however skewed: where a model errs a rare token decides,
    and Student's t over sequences in which none was drawn has alarmed without cause.
    """
    d, s, r = (float(record.metrics[f"{name}{suffix}"]) for name in ("paired", "paired_error", "paired_range"))  # type: ignore[arg-type]
    if s < 1e-12:
        return 1.0 if abs(d) < 1e-9 else 0.0
    return min(1.0, 2.0 * math.exp(-(d**2) / (2.0 * (s**2 + r * abs(d) / 3.0))))


def _rail(study: "CosScaleStudy", data: Measured) -> Check:
    """Windows that are wide enough for the local source have no floor to be seen at."""
    family = study.standard
    floors: list[tuple[Role, str, str]] = [("far", family.window(), "floor")]
    floors += [("local", family.window(reach), "own_floor") for reach in family.reaches]
    seen = [one for one in floors if np.nanmax(data.at(*one)) > 0]
    least = min(
        float(np.nanmin((data.at(task, arm, "excess") - data.at(task, arm, name)) / data.at(task, arm, "excess_error")))
        for task, arm, name in seen
    )
    said = [
        f"{task}, {arm} {np.nanmean(data.at(task, arm, 'excess')):.3f} ({np.nanmean(data.at(task, arm, name)):.3f})"
        for task, arm, name in seen
    ]
    return Check(
        "windowed arms stay at the floor of their window, or above",
        least > -NEVER,
        f"least distance {least:.1f} standard errors; excess (floor), nats: {'; '.join(said)}",
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
