"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.entropy_guided.claims import claims
from testbed.studies.entropy_guided.data import Data, gather
from testbed.studies.entropy_guided.evidence import evidence, not_learnt
from testbed.studies.entropy_guided.notes import notes
from testbed.studies.judge import Evidence, Open, Verdict, judge
from testbed.studies.study import Check, Judgement, why_void

if TYPE_CHECKING:
    from testbed.studies.entropy_guided.study import EntropyGuidedStudy

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""
RAISED_TO = 0.7
"""Share of pairs that counted as telling in an earlier judgement; what it would give is noted."""


def judgement(study: "EntropyGuidedStudy", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided where a check fails, and where runs without a penalty have not learnt."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm or replicate are missing")
    found = checks(data)
    void = why_void(found)
    verdicts = verdicts_of(study, data, void)
    return Judgement(tuple(verdicts), found, (*notes(study, data), at_the_raised_bound(study, data, void)))


def verdicts_of(study: "EntropyGuidedStudy", data: Data, void: str | None) -> list[Verdict]:
    """On all claims, those that rest on arms that have not learnt left open."""
    numbers, lost = evidence(study, data), not_learnt(study, data)

    def gated(claim_id: str) -> Evidence:
        number, idle = numbers[claim_id], lost.get(claim_id)
        return Open(number, f"these have not learnt their source: {', '.join(idle)}") if idle else number

    return judge([(claim, gated(claim.id)) for claim in claims(study)], study.alpha, void=void)


def at_the_raised_bound(study: "EntropyGuidedStudy", data: Data, void: str | None) -> str:
    """Verdicts on overload and KL, were the bound that of the earlier judgement."""
    other = study.replace(bounds=study.bounds.replace(predicts=RAISED_TO))
    found = [
        f"{one.claim.id.partition('.')[2]} {one.verdict}"
        for one in verdicts_of(other, data, void)
        if one.claim.unit == "share of pairs"
    ]
    return (
        f"Overload and KL are judged at {study.bounds.predicts:.0%} of the pairs. At {RAISED_TO:.0%} the verdicts would"
        f" be: {', '.join(found)}."
    )


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / data.paired.size))
    largest = float(np.abs(data.paired).max())
    least = min(float(one.curve.min()) for one in data.runs.values())
    over = max(
        float((one.entropy - np.log(np.arange(1, one.entropy.shape[-1] + 1))).max()) for one in data.runs.values()
    )
    return (
        Check(
            "cross-entropy = Bayes loss + excess on fresh tokens",
            largest < bound,
            f"largest |z| {largest:.2f} of {data.paired.size} members, bound {bound:.2f}",
        ),
        Check("no KL is negative", least > -1e-9, f"least {least:.1e} nats"),
        Check("no row of n keys has an entropy above ln n", over < 1e-4, f"largest above it by {over:.1e} nats"),
    )
