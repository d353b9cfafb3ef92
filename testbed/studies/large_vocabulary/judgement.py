"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Evidence, Student, judge
from testbed.studies.large_vocabulary.claims import FLOW_OF, STUDY, claims, evidence
from testbed.studies.large_vocabulary.config import ARMS, FORMS, ROLES, Role, SourceName
from testbed.studies.large_vocabulary.data import Data, gather
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.large_vocabulary.study import LargeVocabulary

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""


def judgement(study: "LargeVocabulary", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails, and where plain cross-entropy is not at rest."""
    data = gather(study, records)
    if data is None:
        return Judgement((), (Check("complete", False, "records of some law, loss or replicate are missing"),))
    found = checks(study, data)
    failed = next((check for check in found if not check.passed), None)
    void = None if failed is None else f"{failed.name} ({failed.detail})"
    numbers = evidence(study, data)
    moving = unsettled(study, data)
    filtered = float(data.members["iid", "four"]["excess"].mean())

    def gated(number: Evidence, claim_id: str) -> Evidence:
        """Where plain cross-entropy has not come to rest, a difference to it says nothing of where either ends; and a
        filtered model whose best rate is the one that moves it least says nothing of where its tail goes."""
        late = claim_id == f"{STUDY}.tail_iid" and not filtered < study.bounds.gate
        return Student(number.estimate, float("inf"), 1) if late or rests_on(claim_id) in moving else number

    pairs = [(claim, gated(numbers[claim.id], claim.id)) for claim in claims(study)]
    return Judgement(tuple(judge(pairs, study.alpha, void=void)), found, notes(study, data, moving))


def rests_on(claim_id: str) -> Role | SourceName | None:
    """The flow or the source whose plain arm a claim is about."""
    name = claim_id.removeprefix(f"{STUDY}.")
    if name == "no_loss_tuned":
        return None
    return FLOW_OF.get(name, "bigram" if "bigram" in name else "iid")


def unsettled(study: "LargeVocabulary", data: Data) -> dict[str, float]:
    """Flows and sources whose plain arm is above the gate, with its excess."""
    plain: dict[str, float] = {role: float(data.of_form(role, "excess", "whole").mean()) for role in ROLES}
    plain |= {source: float(data.members[source, "plain"]["excess"].mean()) for source in ARMS}
    return {name: value for name, value in plain.items() if not value < study.bounds.gate}


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
    starving = float(data.exact["large"]["drift"][0]), float(data.exact["large"]["least"][0])
    keeping = float(data.exact["small"]["drift"][0]), float(data.exact["small"]["least"][0])
    return (
        Check(
            "cross-entropy = h_l + excess on fresh tokens",
            largest < bound,
            f"largest |z| {largest:.2f} of {data.paired.size} members, bound {bound:.2f}",
        ),
        Check("no excess is negative", least > -1e-9, f"least {least:.1e} nats"),
        Check("on the exact flat law filtered and whole descent are one", flat == 0.0, f"ln(q / p) off by {flat:.1e}"),
        Check(
            "by the fixed point tokens starve in the largest vocabulary and none in the smallest",
            starving[0] > starving[1] and keeping[0] < keeping[1],
            f"drift {starving[0]:.2e} over least {starving[1]:.2e}; {keeping[0]:.2e} over {keeping[1]:.2e}",
        ),
    )


def notes(study: "LargeVocabulary", data: Data, moving: dict[str, float]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for role in ROLES:
        law, exact = study.law(role), data.exact[role]
        p = law.law
        c, e = float(exact["drift"][0]), study.flow.threshold
        shares = ", ".join(f"{form} {data.of_form(role, 'excess', form).mean():.4f}" for form in FORMS)
        said.append(
            f"{role} (V = {law.vocab_size}): excess {shares} nats; exact flow"
            f" {', '.join(f'{one:.4f}' for one in exact['excess'])}. Tokens below e carry {p[p < e].sum():.3f} of the"
            f" mass; {int((p <= c).sum())} with {p[p <= c].sum() if c > 0 else 0.0:.3f} of it starve at c = {c:.2e}."
        )
    for (source, arm), one in data.members.items():
        said.append(f"{source}, {arm}: excess {one['excess'].mean():.4f} nats at rate {data.rates[source, arm]:g}.")
    for key in (("iid", "four"), ("bigram", "four")):
        tried = ", ".join(f"{one['excess'].mean():.3f} at {rate:g}" for rate, one in data.tried[key].items())
        said.append(f"{key[0]}, {key[1]}: excess by rate, of the replicates that the tuning sees: {tried}.")
    rates = study.tuning.learning_rates
    edge = [f"{source} {arm}" for (source, arm), rate in data.rates.items() if rate in (rates[0], rates[-1])]
    return (
        *said,
        f"Rates at an edge of the grid {', '.join(f'{rate:g}' for rate in rates)}: {', '.join(edge) or 'none'}.",
        "Plain cross-entropy not at rest, hence undecided:"
        f" {', '.join(f'{name} ({value:.3f} nats)' for name, value in moving.items()) or 'none'}.",
        "The filter by entries is the limit of a kernel with blocks of one target and one token: an upper bound on what"
        " releases leave out.",
    )
