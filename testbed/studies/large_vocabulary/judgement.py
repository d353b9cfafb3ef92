"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Claim, Evidence, Open
from testbed.studies.large_vocabulary.claims import COMPARED, FLOW_OF, STUDY, claims, evidence, predicted_tenths
from testbed.studies.large_vocabulary.config import FORMS, PRODUCTS, ROLES, Arm, Role, SourceName
from testbed.studies.large_vocabulary.data import Data, gather
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.large_vocabulary.study import LargeVocabulary

SOURCES: dict[SourceName, str] = {"iid": "independent tokens", "bigram": "bigrams"}
FILTERED: dict[Arm, str] = {
    "plain": "without a filter",
    "never": "filtered at V e = 1/16",
    "quarter": "filtered at V e = 1/4",
    "four": "filtered at V e = 4",
    "full": "filtered at V e = 4 but for the classifier's gradient",
}
FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""


def judgement(study: "LargeVocabulary", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails, and where what is compared is not at rest."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some law, loss or replicate are missing")
    found = checks(study, data)
    numbers = evidence(study, data)
    moving = unsettled(study, data)
    pairs: list[tuple[Claim, Evidence]] = []
    for claim in claims(study):
        number = numbers[claim.id]
        why = next((moving[one] for one in rests_on(claim.id) if one in moving), None)
        pairs.append((claim, number if why is None else Open(number, why)))
    return Judgement.of(pairs, study.alpha, found, notes(study, data, moving))


def rests_on(claim_id: str) -> tuple[Role | tuple[SourceName, Arm], ...]:
    """The flow, or the transformers, that must have come to rest for a claim."""
    name = claim_id.removeprefix(f"{STUDY}.")
    if name in FLOW_OF:
        return (FLOW_OF[name],)
    source, arms = COMPARED[name]
    return tuple((source, arm) for arm in arms)


def unsettled(study: "LargeVocabulary", data: Data) -> dict[Role | tuple[SourceName, Arm], str]:
    """What has not come to rest, and why.

    Plain cross-entropy: excess above the gate. Transformers on every loss, plain or not: the excess at the chosen rate
    differs from that at the nearer (in excess) of its two neighbours in the grid by more than the gate, on the
    replicates that the tuning sees. So a loss may rest far from the truth and be judged, but not if its best rate is
    the one that has happened to stop it on its way. Filtered logits need no gate: where they go is known.
    """
    gate = study.bounds.gate
    found: dict[Role | tuple[SourceName, Arm], str] = {}
    for role in ROLES:
        plain = float(data.of_form(role, "excess", "whole").mean())
        if not plain < gate:
            found[role] = f"plain descent on the law '{role}' is not at rest ({plain:.3f} nats, gate {gate:g})"
    for (source, arm), one in data.members.items():
        plain, change = float(one["excess"].mean()), change_by_rate(data, source, arm)
        who = f"transformers on {SOURCES[source]} {FILTERED[arm]}"
        if not change < gate:
            found[source, arm] = (
                f"{who} are not at rest: excess changes by {change:.3f} nats at the nearer neighbour of their rate,"
                f" gate {gate:g}"
            )
        elif arm == "plain" and not plain < gate:
            found[source, arm] = f"{who} are not at rest ({plain:.3f} nats, gate {gate:g})"
    return found


def change_by_rate(data: Data, source: SourceName, arm: Arm) -> float:
    """Nats between the mean excess at the chosen rate and the nearest to it of the neighbouring rates; inf if none."""
    tried = {rate: float(one["excess"].mean()) for rate, one in data.tried.get((source, arm), {}).items()}
    rates, chosen = sorted(tried), data.rates.get((source, arm))
    if chosen not in tried:
        return float("inf")
    place = rates.index(chosen)
    beside = [rates[k] for k in (place - 1, place + 1) if 0 <= k < len(rates)]
    return min((abs(tried[one] - tried[chosen]) for one in beside if np.isfinite(tried[one])), default=float("inf"))


def checks(study: "LargeVocabulary", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / max(data.paired.size, 1)))
    largest = float(np.abs(data.paired).max(initial=0.0))
    whole, entries = FORMS.index("whole"), FORMS.index("entries")
    flat = max(
        float(np.abs(one["decile"][..., entries, :] - one["decile"][..., whole, :]).max())
        for one in (data.exact["flat"],)
    )
    least = min(float(one["excess"].min()) for one in data.flows.values())
    idle = float(np.abs(data.lost("flat")).max()), float(np.abs(data.lost_in("iid", "never")).max())
    margin = study.bounds.loss
    return (
        Check(
            "cross-entropy = h_l + excess on fresh tokens",
            largest < bound,
            f"largest |z| {largest:.2f} of {data.paired.size} members, bound {bound:.2f}",
        ),
        Check("no excess is negative", least > -1e-9, f"least {least:.1e} nats"),
        Check("on the exact flat law filtered and whole descent are one", flat == 0.0, f"ln(q / p) off by {flat:.1e}"),
        Check(
            f"where no token is below e the filter changes the excess by less than {margin:g} nats",
            idle[0] < margin and idle[1] < margin,
            f"most of any replicate: flat law {idle[0]:.1e}; transformers at V e = {PRODUCTS['never']:g} {idle[1]:.1e}",
        ),
    )


def notes(study: "LargeVocabulary", data: Data, moving: Mapping[Role | tuple[SourceName, Arm], str]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for role in ROLES:
        law, exact = study.law(role), data.exact[role]
        p = law.law
        c, e = float(exact["drift"][0]), study.flow.threshold
        shares = ", ".join(f"{form} {data.of_form(role, 'excess', form).mean():.4f}" for form in FORMS)
        said.append(
            f"{role} (V = {law.vocab_size}): excess {shares} nats; exact flow"
            f" {', '.join(f'{one:.4f}' for one in exact['excess'])}, at its least along the way"
            f" {', '.join(f'{one:.4f}' for one in exact['path'].min(axis=0))}. Tokens below e carry"
            f" {p[p < e].sum():.3f} of the mass; {int((p <= c).sum())} with {p[p <= c].sum() if c > 0 else 0.0:.3f}"
            f" of it starve at c = {c:.2e}."
        )
    for (source, arm), one in data.members.items():
        said.append(f"{source}, {arm}: excess {one['excess'].mean():.4f} nats at rate {data.rates[source, arm]:g}.")
    for key in data.tried:
        tried = ", ".join(f"{one['excess'].mean():.3f} at {rate:g}" for rate, one in data.tried[key].items())
        said.append(f"{key[0]}, {key[1]}: excess by rate, of the replicates that the tuning sees: {tried}.")
    times, found = data.extras["tuned_time"], data.extras["tuned_excess"]
    tuned, late = f"{float(found[times == study.extras.tuned_steps][0]):.1e}", times[found > study.bounds.loss]
    aim = np.abs(predicted_tenths(study))
    say = ", ".join(f"{one:.2f}" for one in aim / aim.sum())
    rates = study.tuning.learning_rates
    edge = [f"{source} {arm}" for (source, arm), rate in data.rates.items() if rate in (rates[0], rates[-1])]
    return (
        *said,
        f"Rates at an edge of the grid {', '.join(f'{rate:g}' for rate in rates)}: {', '.join(edge) or 'none'}.",
        f"Not at rest, hence claims about it are undecided: {'; '.join(moving.values()) or 'none'}.",
        "Values of filtered descent are those at the last step. Where tokens starve the excess of filtering by entries"
        " rises without bound; that by blocks has no known limit here.",
        f"From the law itself, exact: {tuned} nats after {study.extras.tuned_steps} filtered steps of rate 1; "
        + (f"above {study.bounds.loss:g} by step {late[0]:g}." if len(late) else f"never above {study.bounds.loss:g}."),
        f"Of rest_iid the tenths have, likeliest first, these shares of the say: {say}.",
        "The filter by entries is the limit of a kernel with blocks of one target and one token: an upper bound on what"
        " releases leave out.",
    )
