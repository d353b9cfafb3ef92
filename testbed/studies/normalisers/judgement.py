"""From records to verdicts: the check they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Open
from testbed.studies.normalisers.claims import claims
from testbed.studies.normalisers.config import FAMILIES
from testbed.studies.normalisers.data import Data, gather
from testbed.studies.normalisers.evidence import evidence, slope, unlearnt
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.normalisers.study import Normalisers

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""


def judgement(study: "Normalisers", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if the check fails, and where the arms concerned did not learn."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm or replicate are missing")
    found = check(data)
    numbers, missing = evidence(study, data), unlearnt(study, data)

    def gated(claim_id: str) -> Evidence:
        number, arms = numbers[claim_id], missing[claim_id]
        return Open(number, f"some arms did not learn: {', '.join(arms)}") if arms else number

    pairs = [(claim, gated(claim.id)) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, (found,), notes(study, data))


def check(data: Data) -> Check:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / data.paired.size))
    largest = float(np.abs(data.paired).max())
    return Check(
        "cross-entropy = Bayes loss + excess on fresh tokens",
        largest < bound,
        f"largest |z| {largest:.2f} of {data.paired.size} members, bound {bound:.2f}",
    )


def row(values: Sequence[float], digits: int = 4) -> str:
    """Numbers in a row."""
    return ", ".join(f"{one:.{digits}f}" for one in values)


def notes(study: "Normalisers", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said, stays = [], study.bursts.stays
    for family in FAMILIES:
        excess = "; ".join(f"{a} {row(x.mean(axis=0).tolist())}" for (f, a), x in data.norms.items() if f == family)
        mean, low, high = data.interval(slope(stays, data.gap(family)))
        said.append(
            f"{family}, stays {', '.join(f'{one:g}' for one in stays)} (one number: the longest): excess {excess}."
            f" Symbols' shares in a batch fluctuate by {row(data.fluctuation[family].mean(axis=0).tolist(), 3)},"
            f" context tells {row(data.told[family].mean(axis=0).tolist(), 3)} of a Bayes loss of"
            f" {row(data.bayes[family].mean(axis=0).tolist(), 3)} nats. Slope of batch norm's gap: {mean:.5f}"
            f" [{low:.5f}, {high:.5f}] nats a doubling."
        )
    gap = data.gap("burst")[:, -1]
    closed = []
    for arm in study.arms:
        if arm not in ("layer", "batch", "batch_scaled"):
            left = data.gap("burst", arm)[:, -1]
            closed.append(f"{arm} {1 - float(left.mean()) / float(gap.mean()):.0%}")
    said.append(
        f"Share of batch norm's gap to layer norm that is closed at the longest stay of burst: {', '.join(closed)}."
        " Norms without statistics of a step are among them: what the released PowerNorm closes over layer norm does"
        " not say that running statistics close it."
    )
    for family in FAMILIES:
        leak = [data.interval(column) for column in data.leak[family, "batch"].T]
        said.append(
            f"{family}: batch norm's excess with statistics of fresh batches as in training, less that with running"
            f" ones on the same batches, by stay:"
            f" {'; '.join(f'{m:+.4f} [{a:+.4f}, {b:+.4f}]' for m, a, b in leak)} nats. Below 0, tokens to come help."
        )
    parts = []
    for i, size in enumerate(study.parts.sizes):
        mean, low, high = data.interval(data.part_batch[:, i] - data.part_layer)
        own = data.interval(data.part_leak[:, i])
        parts.append(
            f"{size} sequences (shares fluctuate by {data.part_fluctuation[:, i].mean():.3f}): gap {mean:.4f}"
            f" [{low:.4f}, {high:.4f}], with own statistics {own[0]:+.4f} [{own[1]:+.4f}, {own[2]:+.4f}] on top"
        )
    said.append(f"Statistics shared by {'; '.join(parts)}.")
    rates = study.tuning.learning_rates
    taken = ", ".join(f"{name}: {rate:g}" for name, rate in data.rates.items())
    edge = [name for name, rate in data.rates.items() if rate in (rates[0], rates[-1])]
    return (
        *said,
        f"Rates: {taken}. At an edge of the grid {rates}: {'; '.join(edge) if edge else 'none'}.",
        f"Intervals in these notes: {LEVEL:.0%}, each alone.",
    )
