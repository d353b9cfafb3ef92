"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.study import Check, Judgement
from testbed.studies.variable_order.claims import claims
from testbed.studies.variable_order.config import Arm
from testbed.studies.variable_order.data import Data, gather
from testbed.studies.variable_order.evidence import evidence, learnt_full
from testbed.studies.variable_order.notes import notes

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder

FALSE_ALARM = 1e-6
"""Probability that a sound study fails a statistical check."""


def judgement(study: "VariableOrder", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None or data.diverged:
        said = "records are missing" if data is None else f"{data.diverged} models diverged"
        return Judgement.incomplete(said)
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "VariableOrder", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / max(len(data.paired), 1)))
    largest = float(np.abs(data.paired).max())
    least = min(float(one.min()) for name, one in data.positions.items() if name not in ("tree", "rate"))
    first = float(data.positions["tree"][0])
    still = float(np.abs(data.unasking["loglinear"][:, 0]).max())
    full = data.arms[Arm(2, "full").name]
    laws = np.concatenate([full.to_orders.mean(axis=-1), full.mean()[:, None]], axis=1)[learnt_full(data)]
    high = bool((laws.argmin(axis=1) == data.n_orders - 1).all())
    return (
        Check("on full trees the highest order is the Bayes law", data.full_gap < 1e-9, f"{data.full_gap:.1e} nats"),
        Check("no rival beats the Bayes law", least > -1e-12, f"least excess {least:.1e} nats"),
        Check("who blends log-linearly with constant weights prefers nothing", still < 1e-3, f"slope {still:.1e}"),
        Check(
            "who has learnt full trees is nearest to the highest order on random ones",
            high,
            f"{len(laws)} of {len(full.own)} runs have",
        ),
        Check("at first the tree tells nothing", abs(first) < 1e-9, f"{first:.1e} nats"),
        Check("cross-entropy = Bayes loss + excess", largest < bound, f"largest z {largest:.2f}, bound {bound:.2f}"),
    )
