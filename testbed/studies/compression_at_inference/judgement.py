"""From records to verdicts: the checks they rest on, the gate, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.compression_at_inference.adapting import FAMILIES, READ, TITLES
from testbed.studies.compression_at_inference.cache_claims import ABOUT, baselines
from testbed.studies.compression_at_inference.cache_claims import TITLES as ARMS
from testbed.studies.compression_at_inference.claims import claims, evidence
from testbed.studies.compression_at_inference.config import CACHED, DROPPED, STILL
from testbed.studies.compression_at_inference.data import NAMES, NETS, Data, gather
from testbed.studies.compression_at_inference.dropping import CRITERIA
from testbed.studies.compression_at_inference.other_claims import ADAPTED
from testbed.studies.compression_at_inference.statements import STUDY
from testbed.studies.judge import Evidence, Open
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""


def judgement(study: "CompressionAtInference", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails, and about arms that have not learnt."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm or replicate are missing, or diverged")
    found = checks(data)
    numbers = evidence(study, data)
    ignorant = {arm for arm in (*CACHED, NETS) if not data.has_learnt(arm, study.bounds.gate)}  # type: ignore[arg-type]
    about: dict[str, set[str]] = {name: {NETS} for name in ADAPTED}
    about |= {name: {str(arm) for arm in arms} for name, arms in ABOUT.items()}

    def gated(number: Evidence, claim_id: str) -> Evidence:
        """What a model that has not learnt does says nothing of compression."""
        mine = about.get(claim_id.removeprefix(f"{STUDY}."), set()) & ignorant
        if mine:
            names = ", ".join(ARMS[one] for one in sorted(mine))
            return Open(number, f"{names} did not learn in every replicate")
        return number

    pairs = [(claim, gated(numbers[claim.id], claim.id)) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, sorted(ignorant)))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / data.paired.size))
    largest = float(np.abs(data.paired).max())
    ends = max(float(np.ptp([data.drops[arm][one][:, -1] for one in CRITERIA], axis=0).max()) for arm in DROPPED)
    worse = max(float((data.drops[arm]["best"] - data.drops[arm][one]).max()) for arm in DROPPED for one in CRITERIA)
    same = [
        np.array_equal(one[:, NAMES.index(f"{by} before")], one[:, NAMES.index(f"{by} after")])
        for one in (data.caches[arm]["divergence"] for arm in STILL)
        for by in ("channel", "token")
    ]
    level = float(np.abs(data.regret("alone", "surprisal") - 1.0).max())
    least = min(float(data.caches[arm]["divergence"].min()) for arm in CACHED)
    return (
        Check(
            "cross-entropy = Bayes loss + excess on fresh tokens",
            largest < bound,
            f"largest |z| {largest:.2f} of {data.paired.size} members, bound {bound:.2f}",
        ),
        Check("all criteria agree once all tokens are dropped", ends < 1e-9, f"off by {ends:.1e} nats"),
        Check("no criterion is better than the best sets", worse < 1e-9, f"by {worse:.1e} nats"),
        Check("without rotation, before and after are one operation", all(same), f"{sum(same)} of {len(same)} agree"),
        Check("where all tokens are as surprising, surprisal is chance", level < 1e-9, f"regret off 1 by {level:.1e}"),
        Check("no divergence is negative", least > -1e-12, f"least {least:.1e} nats"),
    )


def notes(study: "CompressionAtInference", data: Data, ignorant: Sequence[str]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    rates = study.rates.learning_rates
    edge = [f"{name} ({rate:g})" for name, rate in data.rates.items() if rate in (rates[0], rates[-1])]
    said = []
    for arm in CACHED:
        one = data.caches[arm]
        said.append(
            f"{ARMS[arm]}: excess {one['excess'].mean():.2g} nats (uniform law {one['uniform'].mean():.3f}),"
            f" {one['decisive'].mean():.0%} of the last block's rows have a weight over 1/2"
        )
    greedy = ", ".join(f"{arm} {data.regret(arm, 'greedy').mean():.3f}" for arm in DROPPED)
    fronts = ", ".join(f"{TITLES[one]} {data.front(one).mean():.3f}" for one in FAMILIES)
    return (
        "; ".join(said) + ".",
        f"Networks on Mess3: excess {data.nets['excess'].mean():.2g} nats (uniform law"
        f" {data.nets['uniform'].mean():.3f}); belief carried by the affine map {data.end(0, 'carried').mean():.3f},"
        f" by the rotation {data.end(1, 'carried').mean():.3f}; own kept {data.end(0, 'own').mean():.3f} and"
        f" {data.end(1, 'own').mean():.3f}; on the way, mean over what is carried: {fronts}.",
        baselines(study, data),
        "R^2 of the belief by least squares on "
        + ", ".join(f"{name} {one:.3f}" for name, one in zip(READ, data.tokens, strict=True))
        + f"; largest gradient left by a lambda-orthogonal fit {max(one.gradient for one in data.paths):.1e}.",
        f"Regret of greedy dropping: {greedy}.",
        f"Rates: {', '.join(f'{name} {rate:g}' for name, rate in data.rates.items())}; at an edge of the grid:"
        f" {', '.join(edge) if edge else 'none'}.",
        f"Not learnt, hence undecided: {', '.join(ARMS[one] for one in ignorant) if ignorant else 'none'}.",
    )
