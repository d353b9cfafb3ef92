"""From records to verdicts: checks, the limits of training, and what stands beside the verdicts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.context_and_width.claims import claims, evidence
from testbed.studies.context_and_width.data import WidthData, gather
from testbed.studies.judge import judge
from testbed.studies.optimal_context.arm_data import number
from testbed.studies.optimal_context.judgement import unless_limited
from testbed.studies.study import Check, Judgement, why_void

if TYPE_CHECKING:
    from testbed.studies.context_and_width.study import ContextAndWidth

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""


def judgement(study: "ContextAndWidth", records: Sequence[Record]) -> Judgement:
    """Verdicts on the claims; undecided throughout if a check fails or training was the bottleneck at some width."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some width are missing")
    found = checks(study, data, records)
    if not found[0].passed:
        return Judgement((), found)
    void = why_void(found)
    numbers = evidence(study.delta, {width: one.rankings for width, one in data.items()})
    limited = [width for width, one in data.items() if not (one.endless <= study.delta / 2).all()]
    reason = limitation(study, data, limited) if limited else None
    pairs = [(claim, numbers[claim.id]) for claim in claims(study.widths, study.delta, study.decided_at)]
    verdicts = tuple(unless_limited(one, reason) for one in judge(pairs, study.alpha, void=void))
    return Judgement(verdicts, found, notes(study, data, records, limited))


def limitation(study: "ContextAndWidth", data: dict[int, WidthData], limited: Sequence[int]) -> str:
    """What the optimiser could not fit even on endless data says nothing of the context."""
    worst = max(float(data[width].endless.max()) for width in limited)
    return (
        f"training is the bottleneck at width {', '.join(map(str, limited))}: on an endless stream the excess is up to"
        f" {worst:.2g} nats, over half of delta = {study.delta:g}"
    )


def checks(study: "ContextAndWidth", data: dict[int, WidthData], records: Sequence[Record]) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    diverged = sum(int(np.isnan(one.excess).sum()) for one in data.values())
    done = [record.metrics for record in records if record.status == "done"]
    pairs = np.array([[number(one["paired_difference"]), number(one["paired_error"])] for one in done])
    z = np.where(np.abs(pairs[:, 0]) < 1e-12, 0.0, pairs[:, 0] / np.maximum(pairs[:, 1], 1e-300))
    bound = float(norm.isf(FALSE_ALARM / 2 / len(z)))
    risks = [one.risk for one in data.values()]
    same = max(float(np.abs(one - risks[0]).max()) for one in risks)
    drop = float((risks[0][:, study.arm.order - 1] - risks[0][:, study.arm.order]).min())
    return (
        Check("no judged member diverged", diverged == 0, f"{diverged} diverged"),
        Check("all widths have the same sources", same == 0.0, f"h_l differs by {same:.1e} nats"),
        Check(
            "the last useful token is worth at least 2 delta",
            drop >= 2 * study.delta,
            f"h_(k-1) - h_k is {drop:.4f} nats, delta {study.delta:g}",
        ),
        Check(
            "cross-entropy = h_l + excess on fresh tokens",
            bool(np.abs(z).max() < bound),
            f"largest |z| {np.abs(z).max():.2f} of {len(z)} members, bound {bound:.2f}",
        ),
    )


def notes(
    study: "ContextAndWidth", data: dict[int, WidthData], records: Sequence[Record], limited: Sequence[int]
) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = [f"Judged by {study.estimand.replace('_', ' ')}; delta = {study.delta:g} nats."]
    for width, one in data.items():
        tried = sorted(
            {
                float(record.probe["learning_rate"])
                for record in records
                if record.probe["kind"] == "tuning" and record.probe["arm"] == study.name_of(width)
            }
        )
        best = [ranking.smallest_within(study.delta) for ranking in one.rankings]
        parts = [f"{b.estimate} [{b.lowest}, {b.highest}]" for b in best]
        lengths = ", ".join(f"{part} at D = {size}" for part, size in zip(parts, study.arm.sizes, strict=True))
        edge = ", at the edge of those tried" if tried and one.learning_rate in (tried[0], tried[-1]) else ""
        said.append(
            f"Width {width}: l* {lengths}; learning rate {one.learning_rate:g}{edge}; the optimiser's own excess is at"
            f" most {one.endless.max():.1e} nats."
        )
    said.append(
        f"Training is the bottleneck at width {', '.join(map(str, limited))}: no claim may rest on it."
        if limited
        else "Training is the bottleneck at no width."
    )
    return tuple(said)
