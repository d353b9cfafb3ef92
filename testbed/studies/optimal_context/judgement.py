"""From records to verdicts: losses by arm and dataset size, rankings, checks."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Evidence, Verdict, judge
from testbed.studies.optimal_context.arm_data import EXCESS_OF, ArmData, arm_data, counted, number
from testbed.studies.optimal_context.claims import CONTROL, DESIGNED, claims, evidence
from testbed.studies.study import Check, Judgement, why_void

if TYPE_CHECKING:
    from testbed.studies.optimal_context.study import OptimalContext

FALSE_ALARM = 1e-6
"""Probability that a sound study fails one of its statistical checks."""


def judgement(study: "OptimalContext", records: Sequence[Record]) -> Judgement:
    """Verdicts on the five claims, voided by a failed check, undecided where training was the bottleneck."""
    data: dict[str, ArmData | None] = {arm.role: arm_data(study, arm, records) for arm in study.arms}
    designed, control = data[DESIGNED], data[CONTROL]
    if designed is None or control is None:
        missing = " and ".join(role for role in (DESIGNED, CONTROL) if data[role] is None)
        return Judgement.incomplete(f"records of the arms {missing} are missing")
    present = [one for one in data.values() if one is not None]
    found = checks(study, present, records)
    failed = next((check for check in found if not check.passed), None)
    if failed is not None and failed.name == "no judged member diverged":
        return Judgement((), found)
    void = why_void(found)
    other = next(estimand for estimand in EXCESS_OF if estimand != study.estimand)
    beside = verdicts(study, designed.judged_by(other), control.judged_by(other), void)
    judged = [
        replace(one, notes=(*one.notes, _beside(two, other)))
        for one, two in zip(verdicts(study, designed, control, void), beside, strict=True)
    ]
    return Judgement(tuple(judged), found, (*notes(study, present, records), *edges_of_tuning(present, records)))


def verdicts(study: "OptimalContext", designed: ArmData, control: ArmData, void: str | None) -> list[Verdict]:
    """Verdicts by the estimand of the given data."""
    numbers = evidence(study.delta, designed.arm.order, designed.rankings, control.rankings)
    pairs: list[tuple[Any, Evidence]] = [(claim, numbers[claim.id]) for claim in claims(study.delta, study.decided_at)]
    limited = {DESIGNED: limitation(study, designed), CONTROL: limitation(study, control)}
    return [
        unless_limited(one, limited[CONTROL if one.claim.id.endswith("control") else DESIGNED])
        for one in judge(pairs, study.alpha, void=void)
    ]


def _beside(verdict: Verdict, estimand: str) -> str:
    """What the estimand that does not judge would have said."""
    truth = " (which uses the truth to choose when to stop)" if estimand == "oracle_stop" else ""
    return (
        f"Judged by {estimand.replace('_', ' ')}{truth} it would be: {verdict.verdict}, {verdict.estimate:.3g}"
        f" [{verdict.lower:.3g}, {verdict.upper:.3g}] {verdict.claim.unit}."
    )


def limitation(study: "OptimalContext", data: ArmData) -> str | None:
    """Why the arm's claims cannot be decided: the optimiser's own excess is over half of delta somewhere."""
    over = [n for n in data.arm.lengths if not data.endless[n] <= study.delta / 2]
    if not over:
        return None
    worst = float(np.max(data.endless))
    return (
        f"training is the bottleneck: on an endless stream the excess at l = {', '.join(map(str, over))} is up to"
        f" {worst:.2g} nats, over half of delta = {study.delta:g}"
    )


def unless_limited(verdict: Verdict, reason: str | None) -> Verdict:
    """The verdict, or undecided where training was the bottleneck: no number of replicates would change that."""
    if reason is None:
        return verdict
    return replace(
        verdict,
        verdict="undecided",
        reason=f"Undecided, because {reason}.",
        replicates_needed=None,
        p_holds=1.0,
        p_fails=1.0,
        p_adjusted=1.0,
    )


def checks(study: "OptimalContext", arms: list[ArmData], records: Sequence[Record]) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    done = [record for record in records if record.status == "done"]
    sources = [record for record in done if record.probe["kind"] == "source"]
    trained = [record for record in done if record.probe["kind"] in ("member", "endless", "tuning")]
    diverged = sum(record.status == "diverged" and record.probe["kind"] != "tuning" for record in records)
    difference = max(number(record.metrics["largest_difference"]) for record in sources)
    source_z = max(number(record.metrics["largest_z"]) for record in sources)
    n_means = int(sum(number(record.metrics["n_means"]) for record in sources))
    source_bound = float(norm.isf(FALSE_ALARM / 2 / n_means))
    pairs = [(number(r.metrics["paired_difference"]), number(r.metrics["paired_error"])) for r in trained]
    z = np.array([_z(difference, error) for difference, error in pairs])
    bound = float(norm.isf(FALSE_ALARM / 2 / max(len(z), 1)))
    orders = {one.arm.name: one.arm.order for one in arms}
    flat = max(
        float(np.ptp(r.arrays["enumerated"][orders[r.probe["arm"]] :])) for r in sources if r.probe["arm"] in orders
    )
    designed = next(one for one in arms if one.arm.role == DESIGNED)
    best = designed.expected_loss.argmin(axis=1)
    order = designed.arm.order
    reached = next((size for size, at in zip(designed.arm.sizes, best, strict=True) if at == order), None)
    largest = designed.arm.sizes[-1]
    last_drop = float((designed.risk[:, order - 1] - designed.risk[:, order]).min())
    return (
        Check(
            "the last useful token is worth at least 2 delta",
            last_drop >= 2 * study.delta,
            f"h_(k-1) - h_k is {last_drop:.4f} nats, delta {study.delta:g}",
        ),
        Check("no judged member diverged", diverged == 0, f"{diverged} diverged, {len(trained)} did not"),
        Check("h_l by a second algorithm", difference < 1e-9, f"largest difference {difference:.1e} nats"),
        Check(
            "h_l from independent tokens",
            source_z < source_bound,
            f"largest |z| {source_z:.2f} of {n_means} means, bound {source_bound:.2f}",
        ),
        Check("h_l by enumeration is flat beyond k", flat < 1e-9, f"largest change {flat:.1e} nats"),
        Check(
            "cross-entropy = h_l + excess on fresh tokens",
            bool(np.abs(z).max() < bound),  # false for nan too
            f"largest |z| {np.abs(z).max():.2f} of {len(z)} members, bound {bound:.2f}",
        ),
        Check(
            "in expectation the table learner prefers l = 0 or 1 at the smallest D",
            bool(best[0] <= 1),
            f"it prefers {best[0]} at D = {designed.arm.sizes[0]}",
        ),
        Check(
            "every order 0 .. k is best somewhere for the table learner, in expectation",
            set(range(order + 1)) <= set(best.tolist()),
            f"best orders over D: {', '.join(map(str, best))}",
        ),
        Check(
            "D goes well beyond where the table learner reaches k",
            reached is not None and largest >= study.beyond * reached,
            f"it reaches k = {order} at D = {reached}; the largest is {largest}, asked {study.beyond:g} times that",
        ),
    )


def _z(difference: float, error: float) -> float:
    """In standard errors; a difference without an error to hold it against is infinitely far off, or none."""
    if error > 0 or not np.isfinite(error):
        return difference / error
    return 0.0 if abs(difference) < 1e-12 else np.inf


def notes(study: "OptimalContext", arms: Sequence[ArmData], records: Sequence[Record]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = [
        f"Judged by {study.estimand.replace('_', ' ')}"
        + (", which uses the truth to choose when to stop" if study.estimand == "oracle_stop" else "")
        + f"; delta = {study.delta:g} nats."
    ]
    for data in arms:
        limited = limitation(study, data)
        endless = "the exact law, full batch" if study.training.batch == "distinct" else "an endless stream"
        optimiser = f"the optimiser's own excess on {endless}, is at most {np.max(data.endless):.1e} nats"
        sources = [one for one in records if one.probe["kind"] == "source" and one.probe["arm"] == data.arm.name]
        n_laws = len({one.metrics["fingerprint"] for one in sources})
        said.append(
            f"Arm {data.arm.name}: {counted(data)}, of {n_laws} distinct laws; "
            + (optimiser if limited is None else f"no claim may rest on it, {limited}")
            + f"; learning rate {data.learning_rate:g}."
        )
        last = data.arm.lengths[-1]
        best = [ranking.smallest_within(study.delta).estimate for ranking in data.rankings if data.is_finite]
        at_edge = [size for size, one in zip(data.arm.sizes, best, strict=False) if one == last]
        if at_edge:
            said.append(f"Arm {data.arm.name}: l* is at the edge of the grid, {last}, at D = {at_edge}.")
    return tuple(said)


def edges_of_tuning(arms: Sequence[ArmData], records: Sequence[Record]) -> tuple[str, ...]:
    """Arms whose learning rate is the least or the largest that was tried."""
    said = []
    for data in arms:
        mine = [record.probe for record in records if record.probe["arm"] == data.arm.name]
        tried = sorted({probe["learning_rate"] for probe in mine if probe["kind"] == "tuning"})
        if data.learning_rate in (tried[0], tried[-1]):
            said.append(
                f"Arm {data.arm.name}: its learning rate is at the edge of those tried, {tried[0]:g} to {tried[-1]:g}."
            )
    return tuple(said)
