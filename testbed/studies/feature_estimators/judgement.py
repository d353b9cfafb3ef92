"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.feature_estimators.claims import JUDGED, WORDS, claims, evidence
from testbed.studies.feature_estimators.data import Data, gather
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.feature_estimators.study import FeatureEstimators


def judgement(study: "FeatureEstimators", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some replicate are missing")
    found = checks(data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(data))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    finite = bool(np.isfinite(data.values.values).all())
    probe = data.values.at(estimator="probe")
    above = float((probe - data.entropy).max())
    below = min(float((one[..., 1] - one[..., 0]).min()) for one in (data.kernel["normal"], data.kernel["two_valued"]))
    return (
        Check("every estimate is finite", finite, "no estimator refused a cloud" if finite else "some are not"),
        Check("a probe finds no more than there is", above < 0.02, f"largest excess over S {above:.4f} nats"),
        Check("no kernel entropy is above its identity", below > -1e-9, f"least identity - estimate {below:.1e} nats"),
    )


def notes(data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts: where each estimator goes wrong."""
    said = []
    for name in WORDS:
        mean = {condition: float(data.errors(name, condition).mean()) for condition in JUDGED}
        worst = max(mean, key=mean.__getitem__)
        said.append(f"{name}: baseline {mean['baseline']:.1%}, worst {worst} {mean[worst]:.0%} of S's range.")
    return (
        *said,
        "The probe is told the states; it bounds I(features; state) from below and estimates no entropy of an unknown"
        " state.",
        "Offsets do not count on the baseline, but a unit does afterwards: two models, layers or lengths have to share"
        " one scale if their entropies are to be compared.",
    )
