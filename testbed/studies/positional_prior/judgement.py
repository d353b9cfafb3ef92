"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Evidence, Open
from testbed.studies.positional_prior.claims import TITLES, claims, source_title
from testbed.studies.positional_prior.config import ARMS, SINGLE, SLOPED, WEAKEST
from testbed.studies.positional_prior.data import Data, gather
from testbed.studies.positional_prior.evidence import evidence, unlearnt, whole
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.positional_prior.study import PositionalPrior

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""


def judgement(study: "PositionalPrior", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails, and where the arms concerned did not learn."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some prior, source or replicate are missing")
    found = checks(data)
    numbers, missing = evidence(study, data), unlearnt(study, data)

    def gated(claim_id: str) -> Evidence:
        number, lost = numbers[claim_id], missing.get(claim_id)
        return Open(number, f"not learnt: {', '.join(lost)}") if lost else number

    pairs = [(claim, gated(claim.id)) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, missing))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / data.paired.size))
    largest = float(np.abs(data.paired).max())
    least = min(float(one.min()) for one in data.curves.values())
    above = max(float(one["most"].max()) for one in data.blocks.values())
    return (
        Check(
            "cross-entropy = Bayes loss + excess on fresh tokens",
            largest < bound,
            f"largest |z| {largest:.2f} of {data.paired.size} members, bound {bound:.2f}",
        ),
        Check("no excess is negative", least > -1e-9, f"least {least:.1e} nats"),
        Check(
            "no context of the exact read-out exceeds the bound by the dropped lag mass",
            above < 1e-9,
            f"largest divergence less its bound {above:.1e} nats",
        ),
    )


def notes(study: "PositionalPrior", data: Data, missing: dict[str, list[str]]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for source in study.design.names:
        parts = [
            f"{TITLES[arm]} {data.inside(arm, source).mean():.5f} (beyond T {data.beyond(arm, source).mean():.4f})"
            for arm in ARMS
        ]
        said.append(
            f"{source_title(source)}: excess {', '.join(parts)}; context tells {data.information(source).mean():.3f}."
        )
    for source in study.design.powers:
        exact = data.exact[source]
        mean, low, high = data.interval(data.best_slope(source) - exact.best)
        said.append(
            f"{source_title(source)}: best slope trained {data.best_slope(source).mean():.2f}, of the read-out"
            f" {exact.best:.2f}, by its exact Brier excess {exact.best_brier:.2f}; trained less the read-out's"
            f" {mean:+.2f} [{low:+.2f}, {high:+.2f}], a bias that the claim 'within {study.bounds.slope:g}' allows."
        )
    for what, title in (("ideal", "those of the exact read-out"), ("bound", "the bound by the dropped lag mass")):
        costs = [f"{source_title(source)} {whole(data, source, what).mean():.2f}" for source in study.design.names]
        said.append(f"Costs of dropped blocks over {title}: {', '.join(costs)}.")
    said.append("The bound is a theorem for the exact read-out, hence a check; it is kept on every source and loose.")
    parts = [
        f"{TITLES[arm]} {(data.inside(arm, SINGLE) / data.information(SINGLE)).mean():.3f} (exact"
        f" {data.exact[SINGLE].unread[arm]:.3f})"
        for arm in WEAKEST
    ]
    said.append(f"Left unread of the single lag, uniform law 1: {', '.join(parts)}.")
    ends = (study.tuning.learning_rates[0], study.tuning.learning_rates[-1])
    edge = [f"{arm} on {source} ({rate:g})" for (arm, source), rate in data.rates.items() if rate in ends]
    rows = [f"{arm} {', '.join(f'{data.slopes[arm, source]:g}' for source in study.design.names)}" for arm in SLOPED]
    outer = [
        f"{arm} on {source}"
        for arm in WEAKEST
        for source in study.design.tails
        if data.slopes[arm, source] in (study.slopes.of(arm)[0], study.slopes.of(arm)[-1])
    ]
    lost = sorted({one for names in missing.values() for one in names})
    stuck = int((data.inside("rope", SINGLE) > 0.1 * data.information(SINGLE)).sum())
    return (
        *said,
        f"Slopes on {', '.join(study.design.names)}: {'; '.join(rows)}.",
        f"Rates at an edge of the grid: {', '.join(edge) if edge else 'none'}; slopes:"
        f" {', '.join(outer) if outer else 'none'}.",
        f"RoPE on the single lag: {stuck} of {study.n_seeds} replicates keep more than a tenth of what context tells.",
        f"Did not learn, their claims hence undecided: {', '.join(lost) if lost else 'none'}.",
    )
