"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.competition_of_predictors.claims import STUDY, claims
from testbed.studies.competition_of_predictors.config import CONTINUUM
from testbed.studies.competition_of_predictors.data import (
    BI_INF,
    BI_RET,
    UNIFORM,
    Data,
    boundary,
    censored,
    gather,
    has_learnt,
)
from testbed.studies.competition_of_predictors.evidence import arms_of, evidence
from testbed.studies.drawing import LEVEL
from testbed.studies.gate import usable
from testbed.studies.judge import Evidence, Open
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""
ROUNDING = 1e-6
"""Largest distance of a closed form from the source's law; the source's weights are quantised to 2^-32."""


def judgement(study: "CompetitionOfPredictors", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails, and where the task was not learnt."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some N or replicate are missing")
    found = checks(data)
    numbers, needed, kept = evidence(study, data), arms_of(study), learnt(study, data)

    def gated(name: str) -> Evidence:
        arms = needed.get(name.removeprefix(f"{STUDY}."), ())
        idle = [f"N = {n}" if n != CONTINUUM else "the continuum" for n in arms if not usable(kept[n])]
        return Open(numbers[name], f"too few runs learnt {', '.join(idle)}") if idle else numbers[name]

    pairs = [(claim, gated(claim.id)) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def learnt(study: "CompetitionOfPredictors", data: Data) -> dict[int, np.ndarray]:
    """Which replicates of each N have learnt their task at the end."""
    return {n: has_learnt(study, arm, n) for n, arm in data.arms.items()}


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / max(len(data.paired), 1)))
    largest = float(np.abs(data.paired).max(initial=0.0))
    sums = max(float(np.abs(arm.paths["weights"].sum(axis=-1) - 1.0).max()) for arm in data.arms.values())
    return (
        Check("no judged member diverged", data.diverged == 0, f"{data.diverged} diverged"),
        Check(
            "cross-entropy = Bayes loss + excess on fresh sequences",
            largest < bound,
            f"largest |z| {largest:.2f} of {len(data.paired)} members, bound {bound:.2f}",
        ),
        Check(
            "closed forms are the sources' Bayes laws",
            data.form_error < ROUNDING,
            f"largest distance {data.form_error:.1e}",
        ),
        Check("weights sum to 1", sums < ROUNDING, f"largest distance {sums:.1e}"),
    )


def notes(study: "CompetitionOfPredictors", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    late, kept = data.window(study.reading.late), learnt(study, data)

    def name(n: int) -> str:
        return "continuum" if n == CONTINUUM else f"N = {n}"

    def interval(values: np.ndarray) -> str:
        if not np.isfinite(values).all():
            return "not known"
        one = data.mean(values)
        low, high = one.interval((1 - LEVEL) / 2)
        return f"{one.estimate:.3f} ({low:.3f} to {high:.3f})"

    leads = "; ".join(f"{name(n)} {interval(arm.lead()[:, late].mean(axis=1))}" for n, arm in data.arms.items())
    excess = "; ".join(
        f"{name(n)} {interval(arm.paths['kl_in'][:, -1, BI_INF if n == CONTINUUM else BI_RET])}"
        for n, arm in data.arms.items()
    )
    out = "; ".join(f"{name(n)} {interval(arm.paths['kl_out'][:, -1, BI_INF])}" for n, arm in data.arms.items())
    by_laws = boundary(study, data)
    edge = interval(np.exp(by_laws[:, late].mean(axis=1)))
    at_end = [censored(study, by_laws[:, part]).mean() for part in (data.window(study.reading.early), late)]
    shares = "; ".join(f"{name(n)} {interval(arm.unexplained()[:, late].mean(axis=1))}" for n, arm in data.arms.items())
    start = "; ".join(f"{name(n)} {interval(arm.paths['weights'][:, 0, UNIFORM])}" for n, arm in data.arms.items())
    overtaken = {n: arm.singles() < 0 for n, arm in data.arms.items() if n != 1}
    since = ", ".join(
        f"{name(n)} {np.median(data.steps[np.argmax(found, axis=1)]):.0f}"
        for n, found in overtaken.items()
        if found.any(axis=1).all()
    )
    first, last = data.steps[data.window(study.reading.early)][[0, -1]]
    counts = ", ".join(f"{name(n)} {int(kept[n].sum())} of {len(kept[n])}" for n in data.arms)
    gaps = "; ".join(
        f"N = {n} {interval(row)}" for n, row in zip(study.reading.limit_chains, data.gaps["gap_in"].T, strict=True)
    )
    rates = study.tuning.learning_rates
    at_edge = data.rate in (rates[0], rates[-1]) and len(rates) > 2
    return (
        f"Learning rate {data.rate:g}, of {', '.join(f'{one:g}' for one in rates)}"
        f"{': at the edge of the grid' if at_edge else ''}; one for all N. Intervals: {LEVEL:.0%} over {study.n_seeds}"
        " replicates, each number alone.",
        f"Learnt (excess below {study.bounds.learnt:.0%} of that of inference by single tokens): {counts}.",
        f"Predictors by pairs first outweigh those by single tokens at step (median): {since or 'not known'}. Early is"
        f" from step {first:.0f} to {last:.0f}: where pairs come later, claims on early and late compare single tokens"
        " with pairs.",
        f"Late lead of retrieval over inference, both by pairs: {leads}. N* late: {edge}.",
        f"N* lies at an end of the grid for {at_end[0]:.0%} of early points and {at_end[1]:.0%} of late ones, all that"
        f" is known there is a side; beyond {study.bounds.censored:.0%} claims on it are undecided.",
        f"Weight of the uniform law at the first point of the path: {start}.",
        f"KL(model || interpolation) late as a share of KL(model || best single predictor): {shares}. Near 1 where one"
        " predictor is alone in the model.",
        f"KL(Bayes || model) at the end in the family, nats: {excess}.",
        f"KL(Bayes || model) at the end on new chains, nats: {out}.",
        f"KL(Bayes of the family || inference by pairs) in the family, nats: {gaps}.",
        "Predictors that agree share their weight as they like: both retrievals at N = 1 exactly, both predictors by"
        " single tokens ever more as N grows, retrieval and inference by pairs at large N late in a sequence. Leads are"
        " of pairs, read on the family and on new chains together, where these differ most.",
    )
