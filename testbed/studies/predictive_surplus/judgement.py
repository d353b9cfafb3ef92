"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Evidence, Open
from testbed.studies.predictive_surplus.claims import ROLES_OF, claims
from testbed.studies.predictive_surplus.config import DRAFTED, ROLES
from testbed.studies.predictive_surplus.data import Data, can_read, evidence, gather, has_learnt
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.predictive_surplus.study import PredictiveSurplus


def judgement(study: "PredictiveSurplus", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided where a check fails, or on members that have not learnt their source."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some source or replicate are missing")
    found = checks(data)
    lost = {role for role in ROLES if not has_learnt(study, data, role)}
    blunt = {f"tracks_{role}" for role in ("chain", "hidden") if not can_read(study, data, role)}
    numbers = evidence(study, data)

    def gated(name: str) -> Evidence:
        """Layers of networks that learnt too little decide nothing, nor do heads that cannot read enough."""
        number = numbers[name]
        if name.rpartition(".")[2] in blunt:
            return Open(number, "its heads cannot read enough of what the tokens tell")
        idle = sorted(lost & set(ROLES_OF.get(name.rpartition(".")[2], ())))
        return Open(number, f"not learnt: {', '.join(idle)}") if idle else number

    pairs = [(claim, gated(claim.id)) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, lost))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    beyond = max(
        float((data.total(role, name) - data.total(role, "exact")).max())
        for role in DRAFTED
        for name in ("last", "streams", "untrained", "future", "window", "law")
    )
    chained = max(float(np.abs(data.total("memoryless", name)).max()) for name in ("exact", "law"))
    spectral = data.arms["spectral"]
    over = float(max(spectral["span"].max(), spectral["principal"].max()))
    inside = float((spectral["principal"] - spectral["span"]).max())
    return (
        Check("no head gains more than there is", beyond < 1e-6, f"largest excess over the surplus {beyond:.1e} nats"),
        Check("a chain of order 1 has no surplus", chained < 1e-6, f"at most {chained:.1e} nats"),
        Check("principal components lie in the span", inside < 1e-9, f"largest excess {inside:.1e}"),
        Check("overlaps are at most 1", over < 1 + 1e-9, f"largest {over:.6f}"),
    )


def notes(study: "PredictiveSurplus", data: Data, lost: Collection[str]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for role in DRAFTED:
        told = ", ".join(
            f"{name} {data.total(role, name).mean():.4f}"
            for name in ("future", "last", "streams", "untrained", "window", "law")
        )
        excess, worth = data.arms[role]["excess"], data.arms[role]["worth"][0]
        said.append(
            f"{study.arm(role).name}: exact surplus {data.total(role, 'exact').mean():.4f} nats; {told}; last excess"
            f" {excess.mean():.4f} of the {worth:.4f} nats that {study.context_length} tokens are worth."
        )
    arm = data.arms["spectral"]
    said.append(
        f"{study.spectral.name}: overlap of a random subspace {arm['random'].mean():.4f}; last excess"
        f" {arm['excess'].mean():.4f} of {arm['worth'][0]:.4f} nats."
    )
    grids = {role: study.arm(role).learning_rates for role in ROLES}
    edge = [
        f"{study.arm(role).name} ({rate:g})"
        for role, rate in ((role, data.rates[role]) for role in ROLES)
        if len(grids[role]) > 1 and rate in (grids[role][0], grids[role][-1])
    ]
    missed = ", ".join(study.arm(role).name for role in ROLES if role in lost)
    return (
        *said,
        f"Learning rates at an edge of the grid: {', '.join(edge) if edge else 'none'}.",
        f"Too little learnt for a verdict: {missed if missed else 'no source'}.",
        f"What members have not learnt of {study.hidden.name} their layers cannot hold either: its verdicts are about"
        " members this far from the Bayes loss.",
        "Heads that read the exact law of the future (future) show what can be asked of a logistic head, those that"
        " read the tokens (window) what needs no model; held out by history a head can do worse than none:"
        " a negative gain.",
    )
