"""The number of each claim."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.gate import learnt, usable
from testbed.studies.judge import Evidence, Max, Mean, Min, Open, Replicates, Student
from testbed.studies.variable_order.claims import STUDY
from testbed.studies.variable_order.config import Arm
from testbed.studies.variable_order.data import ArmData, Data, Floats
from testbed.studies.variable_order.settled import moving

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder

NEAR_COUNTS = 1.25
"""Of the excess of counting symbols: one layer, or attention alone, that has learnt no more than that is not judged."""


def evidence(study: "VariableOrder", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    best = data.best
    deep = [data.arms[Arm(layers).name] for layers in study.layers[1:]]
    one, two, most = data.arms[Arm(1).name], deep[0], deep[-1]
    bare, full = data.arms[Arm(2, "bare").name], data.arms[Arm(2, "full").name]
    own = learnt(full.own, np.full(len(full.own), data.full_below), 1.0)
    both = learnt(two.mean(), two.gap(0), 1.0) & learnt(most.mean(), most.gap(0), 1.0)
    adapts = learnt(
        two.mean(), two.gap(best), 1.0
    )  # what is no nearer than a fixed order says nothing on how it blends
    ahead = (two.mean() - most.mean()) / two.gap(best)

    def counts(arm: ArmData) -> NDArray[np.bool_]:
        return learnt(arm.mean(), arm.gap(0), NEAR_COUNTS)

    near = [data.mean(arm.mean()) for arm in deep]
    everywhere = [data.mean(arm.mean(part) / data.bar(part)) for arm in deep for part in data.parts]
    found: dict[str, Evidence] = {
        "one_fails": of_learnt(data, one.share(best), counts(one)),
        "beyond_one": Max([data.mean(arm.share(best)) for arm in deep]),
        "two_adapts": data.mean(two.mean() / data.bar()),
        "deep_adapts": Max([data.mean(arm.mean() / data.bar()) for arm in deep[1:]]),
        "everywhere": Max(everywhere),
        "near": Max(near),
        "two_blend": of_learnt(data, two.late, adapts),
        "depth_evidence": of_learnt(data, most.late - two.late, both),
        "deep_evidence": of_learnt(data, most.late, both),
        "beyond_counts": data.mean(most.mean() / most.gap_interpolation.mean(axis=-1)),
        "nearest": Min([data.mean(lead(arm, order, best)) for arm in deep for order in range(data.n_orders)]),
        "full_blind": of_learnt(data, full.late, own),
        "full_fixed": of_learnt(data, full.share(best), own),
        "depth_pays": of_learnt(data, ahead, both),
        "depth_modest": of_learnt(data, ahead, both),
        "bare_short": of_learnt(data, (bare.mean() - two.mean()) / two.gap(best), counts(bare)),
        "bare_fixed": of_learnt(data, bare.share(best), counts(bare)),
        "ppm_worse": data.mean((two.gap_ppm.mean(axis=-1) - two.mean()) / two.gap(best)),
    }
    for name, arms in on_layers(study).items():
        why = moving(study, data, arms)
        if why and not isinstance(found[name], Open):
            found[name] = Open(found[name], why)
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def on_layers(study: "VariableOrder") -> dict[str, tuple[Arm, ...]]:
    """Claims on what layers do, not only on models after so many steps, and the arms whose training must be over."""
    one, two, most, bare = Arm(1), Arm(2), Arm(study.layers[-1]), Arm(2, "bare")
    return {
        "one_fails": (one,),
        "two_blend": (two,),
        "depth_evidence": (two, most),
        "deep_evidence": (most,),
        "depth_pays": (two, most),
        "depth_modest": (two, most),
        "bare_short": (bare, two),
    }


def lead(arm: ArmData, order: int, best: int) -> Floats:
    """(R,): by how much context-tree weighting is nearer to a model than a fixed order is."""
    return np.asarray((arm.to_orders[:, order].mean(axis=-1) - arm.mean()) / arm.gap(best))


def of_learnt(data: Data, values: Floats, kept: NDArray[np.bool_]) -> Evidence:
    """The mean over runs that learnt; nothing is decided where they are too few."""
    if not usable(kept):
        return Open(Student(0.0, np.inf, 1), f"only {int(kept.sum())} of {len(kept)} runs learnt enough to be judged")
    numbers = tuple(int(one) for one in np.array(data.numbers)[kept])
    return Mean(values[kept], Replicates({"seed": numbers}, seed=0))
