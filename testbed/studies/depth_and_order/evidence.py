"""The number of each claim."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.depth_and_order.claims import PLATEAUS, STUDY
from testbed.studies.depth_and_order.config import BLOCKS, Shape, layers_needed
from testbed.studies.depth_and_order.data import Arm, Built, Data
from testbed.studies.gate import mean_of_learnt, too_few_learnt, usable
from testbed.studies.judge import Evidence, Min, Student
from testbed.studies.judge.proportion import Proportion

if TYPE_CHECKING:
    from testbed.studies.depth_and_order.study import DepthAndOrder


def evidence(study: "DepthAndOrder", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    orders = [one.order for one in study.orders]
    deepest = max(study.depths)

    def there(shape: Shape, k: int) -> Evidence:
        return share_there(data, (shape.name, k), study.bounds.there)

    found: dict[str, Evidence] = {
        "coin": Min([there(shape, 0) for shape in study.shapes]),
        "one_layer": Min([staying(data, (f"{block}_1", k)) for block in BLOCKS for k in orders[1:]]),
    }
    for k in orders[1:]:
        needed = layers_needed("attention", k)
        if needed in study.depths:
            found[f"attention_{k}"] = there(Shape(block="attention", depth=needed), k)
        if k >= 2 and needed - 1 in study.depths:
            found[f"attention_short_{k}"] = staying(data, (f"attention_{needed - 1}", k))
        if k in study.headed:
            found[f"heads_{k}"] = there(Shape(block="attention", depth=2, heads=k), k)
        found[f"full_two_{k}"] = there(Shape(block="full", depth=2), k)
        if k >= 2 and 3 in study.depths:
            found[f"full_three_{k}"] = there(Shape(block="full", depth=3), k)
    for k in PLATEAUS:
        found[f"plateau_{k}"] = Min(
            [one for block in BLOCKS for one in plateau(study, data, (f"{block}_{deepest}", k))]
        )
    for k in orders[2:]:
        found[f"later_{k}"] = Min([later(study, data, f"{block}_{deepest}", k) for block in BLOCKS])
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def share_there(data: Data, arm: Arm, there: float) -> Proportion:
    """Of runs, those that got there, with exact bounds: ends are bimodal, there or stalled, and bounds on their mean
    say nothing of a few runs."""
    got = data.ratio(arm) < there
    return Proportion(int(got.sum()), len(got), "run")


def staying(data: Data, arm: Arm) -> Evidence:
    """What is left of the gap at the end, less what the last doubling took off, if anything: of runs that have learnt
    something, that is, lie below the counts of order 0. A model that has not been trained stays, and says nothing."""
    kept = data.arms[arm].final < data.levels[arm[1]].counts[0]
    return mean_of_learnt(data.ratio(arm) - np.maximum(data.fall(arm), 0.0), kept, data.numbers)


def price(built: Built) -> Evidence:
    """Excess over the gap: the mean of the sequences' excess, over the mean of the level on the same sequences; its
    error by the delta method."""
    ratio = float(built.excess.mean() / built.short.mean())
    spread = (built.excess - ratio * built.short).std(ddof=1) / built.short.mean()
    return Student(ratio, float(spread), len(built.excess), "sequence")


def plateau(study: "DepthAndOrder", data: Data, arm: Arm) -> list[Evidence]:
    """Slower than above, and slower than below: means over runs that got there and came through all three bands."""
    sides = data.dwelling(arm, study.bounds.band)
    kept = (data.ratio(arm) < study.bounds.there) & np.isfinite(sides).all(axis=1)
    return [mean_of_learnt(side, kept, data.numbers) for side in sides.T]


def later(study: "DepthAndOrder", data: Data, shape: str, k: int) -> Evidence:
    """Of the replicates whose run on order k - 1 lost half of its gap, those whose run of the same number on order k
    took `slower` times as many steps for half of its own, or made as many without getting so far. Where order k - 1 was
    not learnt nothing is compared."""
    before, after = data.learnt_at((shape, k - 1)), data.learnt_at((shape, k))
    kept = np.isfinite(before)
    if not usable(kept):
        return too_few_learnt(kept, f"runs on order {k - 1}")
    made = float(np.log(data.arms[shape, k].step[-1]))
    longer = np.minimum(after[kept], made) - before[kept] >= np.log(study.bounds.slower)
    return Proportion(int(longer.sum()), len(longer), "replicate")
