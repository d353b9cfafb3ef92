"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.belief_geometry.claims import claims
from testbed.studies.belief_geometry.data import Data, gather, learnt
from testbed.studies.belief_geometry.evidence import evidence, factored_rank, joint_share
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.belief_geometry.study import BeliefGeometry


def judgement(study: "BeliefGeometry", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails, and where networks did not learn their source."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm or replicate are missing or diverged")
    found = checks(study, data)
    lost = [arm.name for arm in study.arms if not learnt(study, data, arm.name)]
    numbers = evidence(study, data, lost)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, lost))


def checks(study: "BeliefGeometry", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    excess = min(float(arrays["excess"].min()) for arrays in data.arms.values())
    null = max(float(arrays["null"].max()) for arrays in data.arms.values())
    over = max(float((arrays["law"] - arrays["bound"]).max()) for arrays in data.arms.values())
    product, rank = data.arms[study.factored], factored_rank(study)
    flat = float(np.abs(product["rank_factored"][:, rank - 1 :] - product["rank_factored"][:, rank - 1 : rank]).max())
    whole = float(product["rank_joint"][:, -1].min())
    return (
        Check("no excess is negative", excess > -1e-6, f"least {excess:.1e} nats"),
        Check("shuffled beliefs are not read", null < 0.05, f"largest R² of a null {null:.3f}"),
        Check("an affine map of the law is within the bound on all its functions", over < 0.01, f"largest {over:.1e}"),
        Check(
            f"two exact beliefs side by side are used up at rank {rank}", flat < 0.01, f"largest later gain {flat:.1e}"
        ),
        Check("an exact joint belief gives all of itself", whole > 0.999, f"least R² {whole:.4f}"),
    )


def notes(study: "BeliefGeometry", data: Data, lost: list[str]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for arm in study.arms:
        arrays, name = data.arms[arm.name], arm.name
        r2 = {
            "last stream": data.last(name),
            "all streams": data.together(name),
            **data.rivals(name),
            "affine map of the law": arrays["law"],
            "own logits": arrays["logits"],
        }
        each = ", ".join(f"{label} {values.mean():.3f}" for label, values in r2.items())
        risk = arrays["risk"][0]
        said.append(
            f"{name}: mean R² of the belief from {each}. Excess {arrays['excess'].mean():.4f} nats, mean over positions"
            f" ({arrays['excess'].mean() / (risk[0] - risk).mean():.1%} of what context is worth), at most"
            f" {arrays['excess'].mean(axis=0).max():.4f}."
        )
    edge = [
        f"{arm.name} ({data.rates[arm.name]:g})"
        for arm in study.arms
        if data.rates[arm.name] in (arm.learning_rates[0], arm.learning_rates[-1])
    ]
    chosen = ", ".join(f"{name} {rate:g}" for name, rate in data.rates.items())
    hidden = ", ".join(data.hidden(study)) or "none"
    spread = study.spread
    bare = data.together(spread, "_untrained") - data.last(spread, "_untrained")
    later = [one.id.partition(".")[2] for one in claims(study) if one.decided_at != study.decided_at]
    return (
        *said,
        f"Sources, other than the product, whose belief no function of the next token's law gives: {hidden}.",
        f"{spread}: all layers together give {(data.together(spread) - data.last(spread)).mean():.3f} more R² than the"
        f" last one, which they hold; before training {bare.mean():.3f} more.",
        f"{study.factored}: ranks above {factored_rank(study)} add {joint_share(study, data).mean():.0%} of what they"
        f" add to an exact joint belief; before training {joint_share(study, data, '_untrained').mean():.0%}.",
        f"Learning rates: {chosen}; at an edge of the grid: {', '.join(edge) if edge else 'none'}.",
        f"Too little learnt for a verdict: {', '.join(lost) if lost else 'no arm'}.",
        *(
            [f"Decided at a larger scale, verdicts here being on networks short of Bayes: {', '.join(later)}."]
            if later
            else []
        ),
    )
