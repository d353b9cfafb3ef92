"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Evidence, Open
from testbed.studies.loss_properness.claims import STUDY, claims, evidence, finite_floors, title
from testbed.studies.loss_properness.config import NOISY
from testbed.studies.loss_properness.data import Data, gather
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.loss_properness.study import LossProperness

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""


def judgement(study: "LossProperness", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails, and on losses whose training is not at rest."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some loss, source or replicate are missing")
    found = checks(data)
    numbers = evidence(study, data)
    moving = [arm.name for arm in study.arms if not data.at_rest(arm.name, study.bounds.gate)]
    about = {
        "floor": finite_floors(study, data),
        "emo_better": ["emo_distance", "cross_entropy"],
        "emo_closer": ["emo_distance", "cross_entropy"],
        "same_optimum": [arm.name for arm in study.arms],
        "smoothing_floor": ["label_smoothing"],
    }

    def gated(number: Evidence, claim_id: str) -> Evidence:
        """A training that was not at rest says nothing of where it would end."""
        name = claim_id.removeprefix(f"{STUDY}.")
        mine = about.get(name, [name.partition("_")[2]])
        restless = [arm for arm in mine if arm in moving]
        return Open(number, f"{', '.join(restless)}: training was not at rest") if restless else number

    pairs = [(claim, gated(numbers[claim.id], claim.id)) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, moving))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / data.paired.size))
    largest = float(np.abs(data.paired).max())
    least = min(float(one.excess.min()) for one in data.laws.values())
    total = max(float(np.abs(one.predicted.sum(axis=-1) - 1).max()) for one in data.laws.values())
    return (
        Check(
            "cross-entropy = h_l + excess on fresh tokens",
            largest < bound,
            f"largest |z| {largest:.2f} of {data.paired.size} members, bound {bound:.2f}",
        ),
        Check("the excess scored is that of the laws kept", data.identity < 1e-5, f"off by {data.identity:.1e} nats"),
        Check("no excess is negative", least > -1e-9, f"least {least:.1e} nats"),
        Check("predicted laws sum to one", total < 1e-9, f"off by {total:.1e}"),
    )


def notes(study: "LossProperness", data: Data, moving: Sequence[str]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for arm in study.arms:
        parts = []
        for kind in NOISY:
            laws = data.laws[arm.name, kind]
            parts.append(
                f"{kind}: excess {laws.excess.mean():.4f}, predicted {laws.predicted_excess.mean():.4f} nats, total"
                f" variation to the Bayes law {laws.to_bayes.mean():.4f}, to the predicted one"
                f" {laws.to_predicted.mean():.4f}"
            )
        left = max(float(data.residual[arm.name, kind].mean()) for kind in NOISY)
        said.append(f"{title(arm)}: {'; '.join(parts)}; {left:.1%} of the first gradient left.")
    rates = study.tuning.learning_rates
    edge = [f"{name} ({rate:g})" for name, rate in data.rates.items() if rate in (rates[0], rates[-1])]
    return (
        *said,
        f"Rates: {', '.join(f'{name} {rate:g}' for name, rate in data.rates.items())}; at an edge of the grid:"
        f" {', '.join(edge) if edge else 'none'}.",
        f"Not at rest, hence undecided: {', '.join(moving) if moving else 'none'}.",
    )
