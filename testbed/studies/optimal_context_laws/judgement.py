"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.optimal_context_laws.claims import claims
from testbed.studies.optimal_context_laws.data import Data, gather, optima, slopes
from testbed.studies.optimal_context_laws.evidence import best_losses, evidence, judged_sizes, paper_fit
from testbed.studies.optimal_context_laws.statements import BLUNT, ROLES, TABLE, arm_of, lag_arm
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.optimal_context_laws.study import OptimalContextLaws


def judgement(study: "OptimalContextLaws", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm or replicate are missing")
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "OptimalContextLaws", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    least = min(float(one[name].min()) for one in data.arms.values() for name in learners(one))
    rising = max(float(np.diff(one["missing"], axis=1).max()) for one in data.arms.values())
    first = data.arms[TABLE]["excess"][:, -1, 0] * 2 * data.sizes[TABLE][-1]
    return (
        Check("no excess lies below 0: it is a divergence", least >= -1e-9, f"least {least:.1e} nats"),
        Check("h_l never rises", rising <= 1e-9, f"largest rise {rising:.1e} nats"),
        Check(
            "one number costs half a nat: the excess of order 0 at the largest D is 1 / (2 D), to a factor 20",
            bool(1 / 20 <= first.mean() <= 20),
            f"2 D times it is {first.mean():.2f}; targets at successive places are correlated, which raises it",
        ),
    )


def learners(arm: dict[str, np.ndarray]) -> list[str]:
    """The learners of an arm, by the names of their excess."""
    return [name for name in ("excess", "tree", "screened", "visible", "joint") if name in arm]


def notes(study: "OptimalContextLaws", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    grown = []
    for beta in study.lags.exponents:
        arm = lag_arm(beta)
        tops = np.log(np.maximum(np.expm1(optima(data.losses(arm), data.lengths(arm))), 0.5))
        power = data.mean(slopes(data.sizes[arm], tops, judged_sizes(study, data, arm)))
        low, high = power.interval(0.025)
        grown.append(f"beta = {beta:g}: {power.estimate:.2f} ({low:.2f} to {high:.2f}), theory {1 / (2 * beta):.2f}")
    tops = np.log(np.maximum(np.expm1(optima(data.losses(BLUNT), data.lengths(BLUNT))), 0.5))
    power = data.mean(slopes(data.sizes[BLUNT], tops, judged_sizes(study, data, BLUNT)))
    low, high = power.interval(0.025)
    g = study.distance.exponent
    fits = []
    for role in ROLES:
        arm = arm_of(study, role)
        law, _ = paper_fit(data, arm)
        span = float(np.ptp(data.arms[arm]["missing"].mean(axis=0)))
        word = "can" if law.critical_excess < span / 2 else "cannot"
        fits.append(
            f"{role}: ln D_c = {law.critical_log_tokens:.3g}, A e^-2 = {law.critical_excess:.2g}, {word} be tested"
        )
    arm = lag_arm(study.lags.middle)
    ratio = (best_losses(data, arm, "screened") / best_losses(data, arm)).mean(axis=0)
    return (
        f"{study.replicates} replicates of every arm, from number {study.first_replicate}: data of their own, and"
        f" sources of their own in the arms {TABLE} and pairs. Of a replicate each dataset holds the smaller ones.",
        f"Powers d ln l* / d ln D with 95 % intervals: {'; '.join(grown)}; announced distance {power.estimate:.2f}"
        f" ({low:.2f} to {high:.2f}), theory of parameters and of quanta {1 / (1 + g):.2f}, of the horizon"
        f" {0.5 / (1 + g):.2f}. On lags alone horizon and parameters cannot be told apart by the power: there 2 beta ="
        " 1 + gamma.",
        f"The paper's law fitted to the smaller sizes: {'; '.join(fits)}. The largest ln D here is"
        f" {np.log(max(max(one) for one in data.sizes.values())):.1f}. D_c can be tested only where A e^-2 lies well"
        " below h_0 - h.",
        "Screening against plain regression, least loss above the rate by D: "
        + ", ".join(f"{one:.2f}" for one in ratio)
        + ".",
    )
