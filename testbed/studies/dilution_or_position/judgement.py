"""From records to verdicts: evidence, what is withheld and why, checks, notes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.dilution_or_position.claims import Withheld, control_rows, evidence, pairs
from testbed.studies.dilution_or_position.places import CORNERS
from testbed.studies.dilution_or_position.results import Measured, Row, measured
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean, Verdict, judge
from testbed.studies.study import Check, Judgement, why_void

if TYPE_CHECKING:
    from testbed.studies.dilution_or_position.study import DilutionOrPosition

FALSE_ALARM = 1e-6
"""Probability that a sound study fails one of its statistical checks."""
SAME = 1e-4
"""Excesses that should be equal but for rounding differ by less, nats."""


def judgement(study: "DilutionOrPosition", records: Sequence[Record]) -> Judgement:
    """Verdicts on the claims, voided by a failed check; undecided where a row did not learn or shares say nothing."""
    data = measured(study, records)
    if data is None:
        return Judgement.incomplete("records of some members are missing")
    found = checks(study, data, records)
    void = why_void(found)
    numbers = evidence(study, data)
    said = judge(pairs(study, numbers), study.alpha, void=void)
    verdicts = [_with_reason(one, numbers[one.claim.id], void) for one in said]
    return Judgement(tuple(verdicts), found, notes(study, data))


def _with_reason(verdict: Verdict, number: object, void: str | None) -> Verdict:
    if not isinstance(number, Withheld) or void is not None:
        return verdict
    reason = number.reason
    return replace(verdict, verdict="undecided", reason=f"Undecided: {reason}.", replicates_needed=None)


def checks(study: "DilutionOrPosition", data: Measured, records: Sequence[Record]) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    mine = [record for record in records if record.status == "done"]
    recall = {task.name for task in study.of_role("recall")}
    gap = max((float(r.metrics["law_gap"]) for r in mine if r.probe["task"] in recall), default=0.0)  # type: ignore[arg-type]
    diverged = sum(record.status == "diverged" and record.probe["kind"] == "member" for record in records)
    groups: dict[tuple[Row, int], list[tuple[float, float]]] = {}
    for r in mine:
        p, m = r.probe, r.metrics
        if p["kind"] == "member":
            key = Row(p["task"], p["arm"], p["change"]), p["ratio"]
            groups.setdefault(key, []).append((float(m["paired_difference"]), float(m["paired_error"])))  # type: ignore[arg-type]
    sums = np.array([np.sum(one, axis=0) for one in groups.values()])
    errors = np.sqrt([np.sum(np.square(np.array(one)[:, 1])) for one in groups.values()])
    z = float(np.abs(sums[:, 0] / errors).max())
    bound = float(norm.isf(FALSE_ALARM / 2 / len(groups)))
    unmoved, at_m = _identities(study, data)
    return (
        Check("no judged member diverged", diverged == 0, f"{diverged} diverged"),
        Check(
            "the kept keys suffice on recall sources: the exact law is that of the whole sequence",
            gap < 1e-9,
            f"largest difference of a probability {gap:.1e}",
        ),
        Check(
            "cross-entropy = Bayes risk + excess on the sampled answers, at every corner",
            z < bound,
            f"largest |z| {z:.2f} of {len(groups)} rows, bound {bound:.2f}",
        ),
        Check("without positions, positions change nothing", unmoved < SAME, f"largest change {unmoved:.1e} nats"),
        Check("at n = m all corners are one", at_m < SAME, f"largest difference {at_m:.1e} nats"),
    )


def _identities(study: "DilutionOrPosition", data: Measured) -> tuple[float, float]:
    """How far positions move arms without them; and at n = m, how far the corners of arms trained at 0, 1, 2, ... lie
    apart, and what scalings change there."""
    unmoved, at_m = 0.0, 0.0
    scalings = {one.name for one in study.changes if one.scaling}
    for (row, ratio), corners in data.excess.items():
        arm = study.arm(row.arm)
        if not arm.has_positions:
            for one, other in (("position", "base"), ("both", "dilution")):
                unmoved = max(unmoved, float(np.nanmax(np.abs(corners[one] - corners[other]))))
        if ratio == 1 and not arm.draws_positions:
            spread = [corners[corner] - corners["base"] for corner in CORNERS]
            at_m = max(at_m, float(np.nanmax(np.abs(spread))))
            if row.change in scalings:
                plain = data.excess[Row(row.task, row.arm), 1]["base"]
                at_m = max(at_m, float(np.nanmax(np.abs(corners["base"] - plain))))
    return unmoved, at_m


def notes(study: "DilutionOrPosition", data: Measured) -> tuple[str, ...]:
    """Which arms learnt their tasks, and the effects of every row at the largest ratio."""
    said = [
        "Excess: mean exact KL(P* || model) of the answer; a replicate is judged if its excess at n = m is below"
        f" {study.gate:.0%} of the KL of the best law without context."
    ]
    grid = study.tuning.learning_rates
    for task in study.tasks:
        parts = []
        for arm in task.arms:
            row = Row(task.name, arm)
            rate, learnt = data.rates[task.name, arm], data.learnt(row)
            edge = ", the edge of the grid" if len(grid) > 1 and rate in (grid[0], grid[-1]) else ""
            excess = np.median(data.excess[row, 1]["base"])
            parts.append(
                f"{arm} {int(learnt.sum())} of {len(learnt)} learnt (median excess {excess:.4f}, rate {rate:g}{edge})"
                + ("" if data.usable(row) else ", not judged")
            )
        floor = float(data.no_context[task.name].mean())
        said.append(f"{task.name}, m = {task.train_length}: no-context KL {floor:.3f} nats; {'; '.join(parts)}.")
    largest, controls = study.ratios[-1], control_rows(study)
    for row in data.rows:
        if not data.learnt(row).any():
            said.append(f"{row.task}, {row}: not learnt.")
            continue
        effects = data.effects(row, largest)
        numbers = (
            f"dilution {effects.dilution.mean():.3f}, position {effects.position.mean():.3f}, interaction"
            f" {effects.interaction.mean():.3f}"
        )
        numbers += ", shares undecided" if effects.is_ambiguous(study.margin) else ""
        if row in controls:
            numbers = (
                f"control without positions, all of it dilution, {_span(data.mean(effects.total, data.learnt(row)))}"
            )
        said.append(f"{row.task}, {row}, n = {largest} m: {effects.total.mean():.3f} nats gained: {numbers}.")
    for task in study.of_role("averaging"):
        said.append(
            f"{task.name}, n = {largest} m: an exact head with its logits multiplied by ln n / ln m loses"
            f" {data.sensitivity(task.name).estimate:.3f} nats, {_span(data.sensitivity(task.name))}; the margin is"
            f" {study.margin:g}."
        )
    deep = [arm.name for arm in study.arms if (study.model.depth if arm.depth is None else arm.depth) > 1]
    if deep:
        said.append(
            f"{', '.join(deep)}: with more than one block, many near keys meet others at their own position in the"
            " earlier blocks, which training never showed; what that costs counts as dilution's."
        )
    return tuple(said)


def _span(evidence: Mean) -> str:
    low, high = evidence.interval((1 - LEVEL) / 2)
    return f"95% interval [{low:.3f}, {high:.3f}]"
