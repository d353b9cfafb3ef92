"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.attention_sharpness.claims import claims
from testbed.studies.attention_sharpness.evidence import evidence
from testbed.studies.attention_sharpness.grid import lengths
from testbed.studies.attention_sharpness.laws import lost_share
from testbed.studies.attention_sharpness.results import Floats, Measured, gather
from testbed.studies.judge import Student, Verdict, judge
from testbed.studies.study import Check, Judgement, why_void

if TYPE_CHECKING:
    from testbed.studies.attention_sharpness.study import AttentionSharpness

BELOW = 1e-4
"""Nats that float32 logits may put a row below its floor."""
NOTHING = Student(0.0, 0.0, 1)
"""Stands for a number that is not known: one unit, on which nothing is decided."""


def judgement(study: "AttentionSharpness", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some members are missing")
    found = checks(data)
    void = why_void(found)
    return Judgement(tuple(verdicts(study, data, void)), found, notes(study, data, records))


def verdicts(study: "AttentionSharpness", data: Measured, void: str | None = None) -> list[Verdict]:
    """One for each claim, judged together; undecided where too few replicates have the number."""
    numbers = evidence(study, data)
    judged = judge([(claim, numbers[claim.id] or NOTHING) for claim in claims(study)], study.alpha, void=void)
    reason = "Undecided, because too few replicates have the number that the claim is about."
    return [
        one
        if void is not None or numbers[one.claim.id] is not None
        else replace(one, reason=reason, replicates_needed=None)
        for one in judged
    ]


def checks(data: Measured) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    return (
        Check(
            "no row of any head lies below its entropy floor (theorem 3.1)",
            data.least_slack > -BELOW,
            f"least distance {data.least_slack:.1e} nats",
        ),
    )


def _mean_lost(data: Measured, gap: float, length: int) -> float:
    found = [data.records["length", gap, length, seed] for seed in data.seeds]
    return float(np.mean([float(one.metrics["lost"]) for one in found if one.status == "done"] or [1.0]))  # type: ignore[arg-type]


def _length(log_lengths: Floats) -> str:
    """Geometric mean over the replicates that have it."""
    known = log_lengths[np.isfinite(log_lengths)]
    return f"{np.exp(known.mean()):.1f}" if len(known) else "not crossed"


def notes(study: "AttentionSharpness", data: Measured, records: Sequence[Record]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    copies, sweep = study.copies, study.sweep
    arms, places = [one.name for one in sweep.arms], [one.name for one in sweep.places]
    places_at = "; ".join(
        f"g = {gap:g}: {_length(data.failed[:, i])} ({np.exp(data.predicted[i]):.1f})"
        for i, gap in enumerate(copies.gaps)
    )
    carried = "; ".join(f"g = {gap:g}: {_length(data.carried[:, i])}" for i, gap in enumerate(copies.carried_gaps))
    beaten = max(
        lost_share(gap, length, copies.noise) - _mean_lost(data, gap, length)
        for gap in copies.gaps
        for length in lengths(study, gap)
    )
    reached, mass = [], []
    for gap in copies.gaps:
        mine = [data.records["length", gap, one, seed] for one in lengths(study, gap) for seed in data.seeds]
        done = [one for one in mine if one.status == "done"]
        reached.append(f"{gap:g}: {np.mean([one.metrics['gap_reached'] for one in done]):.2f}")
        mass.append(f"{gap:g}: {np.mean([one.metrics['mass'] for one in done]):.2f}")
    working = []
    for place in places:
        counts = ", ".join(f"{arm} {'/'.join(str(int(n)) for n in data.works[place, arm].sum(axis=0))}" for arm in arms)
        working.append(f"{place}: {counts}")
    leads = [
        f"{place}, {arm}: {int(np.isfinite(data.lead[place, arm]).sum())} of {len(data.seeds)}"
        for place in places
        for arm in arms[:2]
    ]
    chosen: dict[tuple[str, float], float] = {}
    for one in records:
        p = one.probe
        if p["kind"] in ("length", "readout") and not p["tuning"]:
            chosen[p["kind"], p["gap"]] = p["learning_rate"]
    rates = "; ".join(f"{kind}, g = {gap:g}: {rate:g}" for (kind, gap), rate in sorted(chosen.items()))
    return (
        f"{study.n_seeds} seeds. Copies: {copies.windows_per_step} windows a step, {copies.steps} steps; a model works"
        " on windows of one length.",
        f"Length at which half of the information is lost, trained (predicted): {places_at}. Carried readouts:"
        f" {carried} (mass halved at e^g: {', '.join(f'{np.exp(gap):.0f}' for gap in copies.carried_gaps)}).",
        f"Gap that training reached, mean over lengths, by g: {', '.join(reached)}; mass on the target there:"
        f" {', '.join(mass)}.",
        f"Learning rates of the copies (of {', '.join(f'{one:g}' for one in copies.learning_rates)}), on"
        f" {copies.tuning_seeds} seeds of their own: {rates}.",
        f"Members that work, of {len(data.seeds)}, at rates {', '.join(f'{one:g}' for one in sweep.rates)}:"
        f" {'; '.join(working)}.",
        f"Replicates in which, under a rising rate, a head collapses and the loss spikes: {'; '.join(leads)}.",
        "A reader of unlimited precision would lose nothing to the clamp, since u + e^(-g) S tells the bit u exactly;"
        f" the law is that of smooth readers. What models lose less than it says, at most: {beaten:+.3f} of the"
        " information.",
    )
