"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.measures.decay import LAWS, POWER
from testbed.runs import Record
from testbed.studies.bayes_risk_law.claims import claims
from testbed.studies.bayes_risk_law.classes import KINDS, OTHERS, POWERS
from testbed.studies.bayes_risk_law.data import Data, gather
from testbed.studies.bayes_risk_law.evidence import evidence
from testbed.studies.bayes_risk_law.fits import power_fits
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.bayes_risk_law.study import BayesRiskLaw

ALL_BUT_EXACT = 1e-6
"""Nats: truths known this well count as exact."""


def judgement(study: "BayesRiskLaw", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some class are missing")
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "BayesRiskLaw", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    kinds = data.kinds
    width = max(float(one["width"].max()) for one in kinds.values())
    rising = max(float(np.diff(one["risk"], axis=1).max()) for one in kinds.values())
    below = min(float((one["risk"] - one["rate"][:, None]).min()) for one in kinds.values())
    return (
        Check("every truth is exact", width <= ALL_BUT_EXACT, f"largest width {width:.1e} nats"),
        Check(
            "R(l) never rises and never lies below the entropy rate",
            rising <= ALL_BUT_EXACT and below >= -ALL_BUT_EXACT,
            f"largest rise {rising:.1e}, least h_l - h {below:.1e} nats",
        ),
        _planted(study),
    )


def _planted(study: "BayesRiskLaw") -> Check:
    """The fit finds planted exponents."""
    lengths = np.geomspace(study.reading.start, study.reading.longest, study.reading.points)
    gamma = np.array([0.3, 0.7, 1.5, 2.5])
    found, limit, _ = power_fits(lengths, 0.5 + 2.0 * lengths ** -gamma[:, None])
    error = float(max(np.abs(found / gamma - 1).max(), np.abs(limit - 0.5).max()))
    return Check("the fit finds planted exponents and limits", error < 1e-4, f"largest error {error:.1e}")


def notes(study: "BayesRiskLaw", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    kinds = data.kinds
    covered = []
    for name in POWERS:
        one = kinds[name]
        inside = (one["lower"] <= one["truth"]) & (one["truth"] <= one["upper"])
        bias = float(np.median(one["exact_gamma"] / one["truth"]) - 1)
        covered.append(f"{KINDS[name].label} {inside.sum()} of {inside.size} ({bias:+.0%})")
    said = []
    for name in OTHERS:
        one = kinds[name]
        best = np.bincount(one["best"].astype(int), minlength=len(LAWS))
        law = LAWS[int(best.argmax())].name
        good = int((one["r_squared"] >= study.bounds.r_squared).sum())
        said.append(f"{KINDS[name].label}: {law} ({best.max()} of {best.sum()}), good R^2 {good} of {best.sum()}")
    share = np.mean(
        [np.abs(kinds[name]["exact_gamma"] / kinds[name]["truth"] - 1) <= study.bounds.exponent for name in POWERS]
    )
    return (
        f"{study.replicates} draws of each class, from number {study.first_replicate}; a draw is a source with"
        " parameters of its own (parity A and B have none: there a draw is a measured curve).",
        f"From l = {study.reading.start} on the {POWER.name} law's 95 % profile interval holds the asymptotic exponent"
        f" in: {'; '.join(covered)} (in brackets the median bias of gamma on the exact curve). Over all of them"
        f" {share:.0%} of exact curves give it within {study.bounds.exponent:.0%}.",
        f"Best by AICc of the classes to be rejected: {'; '.join(said)}.",
    )
