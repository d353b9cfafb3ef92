"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.adaptive_decoding.claims import RESTS_ON, STUDY, claims
from testbed.studies.adaptive_decoding.config import NAMES, ROLES, SMALLS, Name, Role
from testbed.studies.adaptive_decoding.data import IDEAL, Arrays, Data, crossings_said, gather
from testbed.studies.adaptive_decoding.evidence import evidence, not_learnt
from testbed.studies.adaptive_decoding.switching import SHARES
from testbed.studies.judge import Evidence, Open
from testbed.studies.study import Check, Judgement
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.adaptive_decoding.study import AdaptiveDecoding

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""


def judgement(study: "AdaptiveDecoding", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided where a check fails, or on members that have not learnt their source."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some model, source or replicate are missing")
    found = checks(data)
    lost = not_learnt(study, data)
    numbers = evidence(study, data)

    def gated(name: str) -> Evidence:
        """Members that learnt too little decide nothing."""
        number = numbers[name]
        roles, smalls = RESTS_ON.get(name.removeprefix(f"{STUDY}."), ((), ()))
        needed = {(role, model) for role in roles for model in (*smalls, "large")}
        idle = sorted(f"{model} on {role}" for role, model in needed & lost)
        return Open(number, f"not learnt in every replicate: {', '.join(idle)}") if idle else number

    pairs = [(claim, gated(claim.id)) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, lost))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / data.z.size))
    largest = float(np.abs(data.z).max())
    identity = max(float(data.ideal[role]["identity"].max()) for role in ROLES)
    beyond = max(float(np.abs(data.ideal[role]["beyond"]).max()) for role in ROLES)
    above = max(_above(data.curves[role, small], data.excess[role, small] - data.excess[role, "large"])
                for role in ROLES for small in SMALLS)  # fmt: skip
    exact = max(_above({one: data.ideal[role][one] for one in IDEAL}, data.ideal[role]["gain"]) for role in ROLES)
    above = max(above, exact)
    paired = float(np.abs(data.ideal["signal"]["gain"] / data.ideal["noise"]["gain"] - 1).max())
    return (
        Check(
            "cross-entropy = h + excess on fresh tokens",
            largest < bound,
            f"largest |z| {largest:.2f} of {data.z.size} members, bound {bound:.2f}",
        ),
        Check("gain = entropy of S less the entropy nobody can lose", identity < 1e-9, f"off by {identity:.1e} nats"),
        Check("two tokens tell all that the past tells", beyond < 1e-6, f"a third is worth {beyond:.1e} nats"),
        Check("no frontier lies beyond the oracle's", above < 1e-9, f"by {above:.1e} nats at most"),
        Check("both sources have the same gain", paired < 1e-6, f"apart by {paired:.1e} of it"),
    )


def _above(curves: Arrays, gain: Floats) -> float:
    """By how much a frontier is better than the oracle's, at most, nats; gain (R,), which calling always brings."""
    return max(float(((one - curves["oracle"]) * gain[:, None]).max()) for one in curves.values())


def _listed(values: Floats, form: str = ".3f") -> str:
    """Means over replicates of (R, n)."""
    return ", ".join(format(one, form) for one in values.mean(axis=0).tolist())


def notes(study: "AdaptiveDecoding", data: Data, lost: Collection[tuple[Role, Name]]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for role in ROLES:
        exact = ", ".join(f"{name} {data.exact_skill(role, name).mean():.3f}" for name in IDEAL[1:])
        excess = ", ".join(f"{name} {data.excess[role, name].mean():.4f}" for name in NAMES)
        said.append(
            f"{role}: exact gain {data.ideal[role]['gain'].mean():.4f} nats a token; excess of members: {excess}."
            f" Exact skill: {exact}; AUROC {data.ideal[role]['auroc'].mean():.3f}."
        )
        for small in SMALLS:
            names = ("rolling", "single", "stay", "truth", "last", "probe")
            skills = ", ".join(f"{name} {data.skill(role, small, name).mean():.3f}" for name in names)
            kept = np.mean([np.interp(study.bounds.calls, SHARES, one) for one in data.curves[role, small]["rolling"]])
            said.append(
                f"{role}, {small}: skill of {skills}; AUROC {data.auroc[role, small].mean():.3f};"
                f" {study.bounds.calls:.0%} of calls keep {kept:.3f} of the gain."
            )
        text = data.written[role]["written_excess"].mean(axis=0)
        said.append(
            f"{role}: own text, KL(p || q) {text[0]:.3f} nats a token without large calls, {text[-1]:.3f} with"
            f" nothing else; kept beyond random calls {data.advantage(role, 'written').mean():+.3f}; random calls keep"
            f" {_listed(data.kept_in_text(role, 'random')[:, 1:-1])} of the gain at shares"
            f" {_listed(data.written[role]['random_share'][:, 1:-1])}."
        )
        shifts = "; ".join(f"{name} {_listed(data.shift(role, name), '+.3f')}" for name in ("written", "single"))
        said.append(
            f"{role}: share of calls while writing less that on true sequences, by threshold, means over replicates:"
            f" {shifts}."
        )
    edge = [
        f"{name} ({data.rates[name]:g})"
        for name in NAMES
        if len(study.arm(name).learning_rates) > 1
        and data.rates[name] in (study.arm(name).learning_rates[0], study.arm(name).learning_rates[-1])
    ]
    missed = ", ".join(f"{name} on {role}" for role, name in sorted(lost))
    return (
        *said,
        f"Crossings: {crossings_said(data)}.",
        f"Learning rates at an edge of the grid: {', '.join(edge) if edge else 'none'}.",
        f"Too little learnt for a verdict: {missed if missed else 'no model'}.",
        "rolling: mean entropy of the small model over the window; single: of one token; stay: rolling, with a least"
        " stay; truth: entropy of the source's own law; last: the last symbol alone, fitted as the probe is; seen: mean"
        " gain after the last token, the best that can be done by a model that sees no more.",
    )
