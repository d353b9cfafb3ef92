"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Evidence, Open
from testbed.studies.linear_entropy.data import Data
from testbed.studies.parity_features.claims import claims, evidence
from testbed.studies.parity_features.config import ROLES
from testbed.studies.parity_features.data import gather, learnt, missed_a_task, off_by
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.parity_features.study import ParityFeatures

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""
ROUNDING = 1e-9
"""A standard error below it is none: every task of a short context may be answered with the same confidence."""
TITLES = {"true": "even frequencies", "false": "uneven frequencies"}


def judgement(study: "ParityFeatures", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails or the networks did not learn their tasks."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some table, length or replicate are missing")
    found = checks(data)
    numbers = evidence(study, data)
    lost = [role for role in ROLES if not learnt(study, data, role)]

    def gated(number: Evidence, name: str) -> Evidence:
        """Features of what was not learnt decide nothing."""
        mine = {"c3_even": ["true"], "c3_uneven": ["false"]}.get(name.rpartition(".")[2], list(ROLES))
        return Open(number, "the networks did not learn their task") if set(mine) & set(lost) else number

    pairs = [(claim, gated(numbers[claim.id], claim.id)) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, lost))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    z = np.concatenate(
        [(arm["paired"] / np.maximum(arm["paired_error"], ROUNDING)).ravel() for arm in data.arms.values()]
    )
    bound = float(norm.isf(FALSE_ALARM / 2 / z.size))
    least = min(float(arm["excess"].min()) for arm in data.arms.values())
    beyond = max(float((shown - s).max()) for s, shown in data.exact.values())
    above = max(float((data.arms[role]["information"] - data.exact[role][0]).max()) for role in data.arms)
    return (
        Check(
            "cross-entropy = R + excess on fresh samples",
            bool(np.abs(z).max() < bound),
            f"largest |z| {np.abs(z).max():.2f} of {z.size} members, bound {bound:.2f}",
        ),
        Check("no excess is negative", least > -1e-9, f"least {least:.1e} nats"),
        Check("no state shows more than it holds", beyond < 1e-9, f"largest S_ntp - S {beyond:.1e} nats"),
        Check("probes find no more than there is", above < 0.02, f"largest excess over S {above:.4f} nats"),
    )


def notes(study: "ParityFeatures", data: Data, lost: Sequence[str]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for role in ROLES:
        arm, line = data.arms[role], data.line(role)
        share, missed = float(np.nanmean(arm["own_share"])), float(off_by(study, data, role, "_untrained").mean())
        said.append(
            f"{TITLES[role]}: with the exact S r = {line.pearson:.3f}, largest residual {line.largest_residual:.1%};"
            f" excess at most {arm['excess'].mean(axis=0).max():.1e} nats on average, {arm['excess'].max():.1e} in any"
            f" network; {missed_a_task(study, data, role)} of {arm['excess'].size} miss a task; a point's own kernel is"
            f" {share:.0%} of its density; untrained features miss the number of tasks by {missed:.1f}; the least that"
            f" probes find of S in any network is {float((arm['information'] / data.exact[role][0]).min()):.0%}."
        )
    rates = study.tuning.learning_rates
    edge = [f"{TITLES[role]} ({rate:g})" for role, rate in data.rates.items() if rate in (rates[0], rates[-1])]
    return (
        *said,
        "The feature is read before the question is known; its state is the list of answers that the context gives.",
        f"Learning rates at an edge of the grid: {', '.join(edge) if edge else 'none'}.",
        f"Too little learnt for a verdict: {', '.join(TITLES[one] for one in lost) if lost else 'neither table'}.",
    )
