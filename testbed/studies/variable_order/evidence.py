"""The number of each claim."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.drawing import LEVEL
from testbed.studies.gate import learnt, mean_of_learnt
from testbed.studies.judge import Evidence, Max, Min, Open, Region
from testbed.studies.variable_order.blends import FITTED
from testbed.studies.variable_order.claims import STUDY, claims
from testbed.studies.variable_order.config import Arm
from testbed.studies.variable_order.data import ArmData, Data, Floats
from testbed.studies.variable_order.settled import moving, turning

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder

NEAR_COUNTS = 1.25
"""Of the excess of counting symbols: one layer, or attention alone, that has learnt no more than that is not judged."""


def evidence(study: "VariableOrder", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    best = data.best
    deep = [data.arms[Arm(layers).name] for layers in study.layers[1:]]
    one, two, most = data.arms[Arm(1).name], deep[0], deep[-1]
    full = data.arms[Arm(2, "full").name]
    own = learnt_full(data)
    both = learnt(two.mean(), two.gap(0), 1.0) & learnt(most.mean(), most.gap(0), 1.0)
    ahead = (two.mean() - most.mean()) / two.gap(best)

    def counts(arm: ArmData) -> NDArray[np.bool_]:
        return learnt(arm.mean(), arm.gap(0), NEAR_COUNTS)

    def above(arm: ArmData) -> Evidence:
        return data.mean(data.beyond(arm, "follows"))

    def of_learnt(values: Floats, kept: NDArray[np.bool_]) -> Evidence:
        return mean_of_learnt(values, kept, data.numbers)

    def unasking(arm: ArmData) -> Evidence:
        return data.mean(arm.mean() / data.bar(names=FITTED))

    found: dict[str, Evidence] = {
        "one_fails": of_learnt(one.share(best), counts(one)),
        "one_nats": of_learnt(one.mean(), counts(one)),
        "two_constant": data.mean(two.mean() / data.bar()),
        "deep_constant": Max([data.mean(arm.mean() / data.bar()) for arm in deep[1:]]),
        "two_unasking": unasking(two),
        "deep_unasking": Max([unasking(arm) for arm in deep[1:]]),
        "everywhere": Max([data.mean(arm.mean(part) / data.bar(part)) for arm in deep for part in data.parts]),
        "falls": Min([data.mean(one) for arm in deep for one in later(data, arm)]),
        "near": Max([data.mean(arm.share(best)) for arm in deep]),
        "near_nats": Max([data.mean(arm.mean()) for arm in deep]),
        "two_follows": above(two),
        "deep_follows": Min([above(arm) for arm in deep[1:]]),
        "true_depth": Min([along_truth(data, arm) for arm in deep]),
        "deep_evidence": of_learnt(most.follows, both),
        "depth_follows": of_learnt(most.follows - two.follows, both),
        "full_blind": of_learnt(full.follows, own),
        "depth_pays": of_learnt(ahead, both),
        "depth_modest": of_learnt(ahead, both),
        "ppm_worse": data.mean((data.gaps["ppm"].mean(axis=-1) - two.mean()) / two.gap(best)),
    }
    if study.attention_only:
        bare = data.arms[Arm(2, "bare").name]
        found["bare_short"] = of_learnt((bare.mean() - two.mean()) / two.gap(best), counts(bare))
        found["bare_blend"] = of_learnt(bare.mean() / data.bar(), counts(bare))
    named = {one.id.removeprefix(f"{STUDY}."): one.region for one in claims(study)}
    assert set(found) == set(named)
    pairs = on_differences(study)
    for name, arms in on_layers(study).items():
        why = moving(study, data, arms)
        if not why and name in pairs:
            why = turning(study, data, pairs[name], named[name], found[name].estimate)
        if why and not isinstance(found[name], Open):
            found[name] = Open(found[name], why)
    blind = {arm.said: along_truth(data, data.arms[arm.name]) for arm in (Arm(1), Arm(2, "full"))}
    found["true_depth"] = controlled(found["true_depth"], named["true_depth"], blind)
    simple = {"a fitted learner that asks no evidence": data.mean(data.bar(names=FITTED))}
    found["near_nats"] = controlled(found["near_nats"], named["near_nats"], simple)
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def controlled(number: Evidence, region: Region, controls: dict[str, Evidence]) -> Evidence:
    """Open where the number is as claimed and not every control is shown to fail, by its interval."""
    if not region.contains(number.estimate, number.estimate):
        return number
    passing = [who for who, one in controls.items() if not region.excludes(*one.interval((1 - LEVEL) / 2))]
    return Open(number, f"a control is not shown to fail: {', '.join(passing)}") if passing else number


def learnt_full(data: Data) -> NDArray[np.bool_]:
    """(R,): which models on full trees come nearer to the highest order there than the order below it does."""
    own = data.arms[Arm(2, "full").name].own
    return learnt(own, np.full(len(own), data.full_below), 1.0)


def along_truth(data: Data, arm: ArmData) -> Evidence:
    """The slope along the true depth, above those of who asks no evidence and above permutations: the lesser."""
    return Min([data.mean(data.beyond(arm, "depth")), data.mean(arm.depth - arm.chance)])


def later(data: Data, arm: ArmData) -> tuple[Floats, Floats]:
    """(R,) each, positive where the excess falls and ends below who asks no evidence: first half less second half, and
    the best such learner of the second half less the arm there; in units of that learner."""
    middle = arm.excess.shape[1] // 2
    first, second = slice(0, middle), slice(middle, None)
    bar = data.bar(second, FITTED)
    return (arm.mean(first) - arm.mean(second)) / bar, (bar - arm.mean(second)) / bar


def on_layers(study: "VariableOrder") -> dict[str, tuple[Arm, ...]]:
    """Claims on what layers do, not only on models after so many steps, and the arms whose training must be over."""
    one, two, most, bare = Arm(1), Arm(2), Arm(study.layers[-1]), Arm(2, "bare")
    found: dict[str, tuple[Arm, ...]] = dict.fromkeys(("one_fails", "one_nats"), (one,))
    found |= dict.fromkeys(("depth_follows", "depth_pays", "depth_modest"), (two, most))
    return found | (dict.fromkeys(("bare_short", "bare_blend"), (bare, two)) if study.attention_only else {})


def on_differences(study: "VariableOrder") -> dict[str, tuple[Arm, Arm]]:
    """Claims on one arm's excess less another's, of which the difference must be stable as well."""
    two, most = Arm(2), Arm(study.layers[-1])
    return {"depth_pays": (two, most), "depth_modest": (two, most), "bare_short": (Arm(2, "bare"), two)}
