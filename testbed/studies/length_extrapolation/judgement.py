"""From records to verdicts: evidence, checks, and what a reader should know beside them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Evidence, Verdict, judge
from testbed.studies.length_extrapolation.claim_evidence import mask_name, masked_rows
from testbed.studies.length_extrapolation.claims import NOTHING, PREFIX, claims_used, parts_of
from testbed.studies.length_extrapolation.config import NONE
from testbed.studies.length_extrapolation.drawing import interval
from testbed.studies.length_extrapolation.grid import scalings
from testbed.studies.length_extrapolation.head_evidence import reported
from testbed.studies.length_extrapolation.remarks import remarks
from testbed.studies.length_extrapolation.results import Measured, Row, measured, oracles
from testbed.studies.study import Check, Judgement, why_void

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
        return Judgement.incomplete("records of some members are missing")
    found = checks(study, data, records)
    void = why_void(found)
    return Judgement(tuple(verdicts(study, data, void)), found, notes(study, data))


def verdicts(study: "LengthExtrapolation", data: Measured, void: str | None = None) -> list[Verdict]:
    """One for each claim, judged together."""
    found = parts_of(study, data)
    numbers = {PREFIX + name: one if isinstance(one, str) else one.evidence for name, one in found.items()}
    used = claims_used(study, found)
    pairs = [(claim, NOTHING if isinstance(one := numbers[claim.id], str) else one) for claim in used]
    judged = judge(pairs, study.alpha, void=void)
    reasons = [numbers[claim.id] for claim in used]
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
        *_drift_check(study, data),
    )


def _is_plain(record: Record) -> bool:
    probe = record.probe
    return probe.get("kind") == "member" and probe["change"] == NONE and probe["ratio"] == 1


def _two_sided(record: Record) -> float:
    """Bound on the probability of a paired sum so far from zero, from its exact variance v and its largest term b:

    2 exp(-s^2 / (2 (v + b s / 3)))     (Freedman 1975, Ann. Prob. 3, 100, for martingales)
    """
    s, v, b = (float(record.metrics[name]) for name in ("paired_sum", "paired_variance", "paired_largest"))  # type: ignore[arg-type]
    if abs(s) < 1e-9:
        return 1.0
    return min(1.0, 2 * math.exp(-(s**2) / (2 * (v + b * abs(s) / 3) + 1e-300)))


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


def _drift_check(study: "LengthExtrapolation", data: Measured) -> list[Check]:
    """In one layer appended tokens leave the attention among the others as it was, where nothing answers to n."""
    one_layer = {task.name for task in study.tasks if study.depth_of(task) == 1}
    rows = {NONE, study.in_range}
    found = [
        float(np.nanmax(heads["drift"]))
        for (task, row, _), heads in data.heads.items()
        if task in one_layer and row.change in rows and "drift" in heads and row.arm not in study.scaled_arms
    ]
    if not found:
        return []
    said = "in one layer, appended tokens leave the attention among the others as it was, without a multiplier"
    return [Check(said, max(found) < SAME, f"largest divergence {max(found):.1e} nats")]


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
    """Which arms learnt their tasks and at which rates, which row decides each claim, and what stands beside them."""
    return (
        *_arms(study, data),
        *_edges(study, data),
        *_deciding(study, data),
        *_beside(study, data),
        *_reaches(study, data),
        *remarks(study, data),
    )


def _arms(study: "LengthExtrapolation", data: Measured) -> list[str]:
    grid = study.tuning.learning_rates
    said = [
        "Excess: mean exact KL(P* || model) over judged positions of the second half of fresh sequences; a replicate is"
        f" judged if its excess at n = m is below {study.gate:.0%} of the KL of the best law without context. Rates are"
        f" tuned for each arm alike among {', '.join(f'{rate:g}' for rate in grid)}, on {study.tuning.n_seeds}"
        " replicates that nothing else sees."
    ]
    for task in study.tasks:
        parts = []
        for arm in (one.name for one in study.arms_of(task)):
            learnt, rate = data.learnt[task.name, arm], data.rates.get((task.name, arm), grid[0])
            excess = np.nanmedian(data.late[task.name, Row(arm), 1])
            edge, lost = _edge(grid, rate), data.lost.get((task.name, arm), 0.0)
            mask = f", {lost:.3f} of it for what its mask hides" if lost > 0 else ""
            parts.append(
                f"{arm} {int(learnt.sum())} of {len(learnt)} replicates learnt (median excess at m {excess:.4f} nats"
                f"{mask}, rate {rate:g}{edge})" + ("" if data.usable(task.name, arm) else ", not judged")
            )
        if parts:
            floor = float(data.no_context[task.name, 1].mean())
            said.append(f"{task.name}, m = {task.train_length}: no-context KL {floor:.3f} nats; {'; '.join(parts)}.")
    return said


def _edge(grid: tuple[float, ...], rate: float) -> str:
    """Which edge of the grid of learning rates a rate is, if it is one of several."""
    if len(grid) > 1 and rate in (grid[0], grid[-1]):
        return f", the {'lower' if rate == grid[0] else 'upper'} edge of the grid"
    return ""


def _edges(study: "LengthExtrapolation", data: Measured) -> list[str]:
    """How many arms take the smallest and the largest learning rate of the grid."""
    grid, rates = study.tuning.learning_rates, list(data.rates.values())
    if len(grid) < 2 or not rates:
        return []
    low, high = (sum(rate == edge for rate in rates) for edge in (grid[0], grid[-1]))
    return [
        f"Edges of the grid of rates: {low} of {len(rates)} arms take the lower, {grid[0]:g}, {high} the upper,"
        f" {grid[-1]:g}; an arm at an edge might have learnt better beyond it (ties go to the smaller rate)."
    ]


def _number(one: Evidence, lowest: float = -math.inf) -> str:
    mean, low, high = interval(one, lowest)
    return f"{mean:.4f} [{low:.4f}, {high:.4f}]"


def _deciding(study: "LengthExtrapolation", data: Measured) -> list[str]:
    """The row that has the largest or least number of each claim, with its own 95 % interval."""
    found = {name: one for name, one in parts_of(study, data).items() if not isinstance(one, str)}
    return [
        f"{name} rests on the {'largest' if one.largest else 'least'} of {len(one.rows)}: {row}, {_number(number)}."
        for name, one in found.items()
        for row, number in [one.deciding()]
    ]


def _beside(study: "LengthExtrapolation", data: Measured) -> list[str]:
    """The numbers of claims about heads in arms without positions, which decide nothing."""
    return [
        f"Not judged, {arm}: "
        + "; ".join(f"{name}: {row}, {_number(number)}" for name, (row, number) in rows.items())
        + "."
        for arm, found in reported(study, data).items()
        if (rows := {name: one.deciding() for name, one in found.items()})
    ]


def _reaches(study: "LengthExtrapolation", data: Measured) -> list[str]:
    return [
        f"{task.name}, {mask_name(row)}: reaches {reach.steps} tokens back over {study.depth_of(task)} layers"
        f" ({reach.one_step} in one), lag {task.source.lag}; the exact law loses {reach.loss:.3f} nats of it, the model"  # type: ignore[attr-defined]
        f" {_number(data.excess(task.name, study.largest(task), row), 0.0)}."
        for task, row, reach in masked_rows(study, data)
    ]
