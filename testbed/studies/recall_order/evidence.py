"""The number of each claim, and what has not been learnt where it is left undecided."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.gate import usable
from testbed.studies.judge import Evidence, Max, Mean, Replicates, unknown
from testbed.studies.judge.proportion import Proportion
from testbed.studies.recall_order.claims import NEEDS, STUDY, named_claims
from testbed.studies.recall_order.config import Arm
from testbed.studies.recall_order.data import Bools, Data, Floats, effect, harm, size_effect

if TYPE_CHECKING:
    from testbed.studies.recall_order.study import RecallOrder


def kept(study: "RecallOrder", data: Data, arms: tuple[Arm, ...]) -> Bools:
    """(R,) replicates in which all these arms have learnt in both orders."""
    return np.asarray(np.all([data.learnt(study, arm) for arm in arms], axis=0))


def evidence(study: "RecallOrder", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id: of replicates whose arms have learnt, open where these are too few."""
    found: dict[str, Evidence] = {}
    for name in named_claims(study):
        if name == "softmax":
            rows = data.learnt(study, "softmax")
            found[f"{STUDY}.{name}"] = Proportion(int(rows.sum()), len(rows), "seed")
            continue
        rows = kept(study, data, NEEDS[name])
        if not usable(rows) or rows.mean() < study.bounds.kept:
            lost = ", ".join(
                f"{arm} in {int((~data.learnt(study, arm)).sum())} of {len(rows)} replicates"
                for arm in NEEDS[name]
                if not data.learnt(study, arm).all()
            )
            found[f"{STUDY}.{name}"] = unknown(f"not learnt in both orders: {lost}")
        else:
            found[f"{STUDY}.{name}"] = number(study, data, name, rows)
    return found


def number(study: "RecallOrder", data: Data, name: str, rows: Bools) -> Evidence:
    """The number of one claim on these replicates."""
    replicates = Replicates.grid({"seed": int(rows.sum())}, seed=0)

    def mean(values: Floats) -> Evidence:
        return Mean(values[rows], replicates)

    if name == "size":
        return mean(size_effect(data))
    once = effect(study, data, "once")
    if name == "order":
        return mean(once)
    twice, most = effect(study, data, "twice"), study.bounds.left * once
    parts = [twice - most, -twice - most, study.bounds.effect - once, harm(study, data)]
    return Max([mean(one) for one in parts])
