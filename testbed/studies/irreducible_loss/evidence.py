"""The number of each claim: the share of curves of which it is true.

A curve has a source and training sets of its own, so that curves are independent trials, over draws and classes alike.
Their probabilities differ by class; the number is their mean, and binomial bounds on it are conservative (Hoeffding
1956, Ann. Math. Stat. 27, 713). For another stream a draw counts if it is true of both streams.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.irreducible_loss.claims import STUDY
from testbed.studies.irreducible_loss.classes import CHAINS, COMMON, LINEAR, MEMORY, MIXING, RARE, TRAINED
from testbed.studies.irreducible_loss.data import Arrays, Data, Floats
from testbed.studies.irreducible_loss.reading import chosen, covered
from testbed.studies.judge import Evidence
from testbed.studies.judge.proportion import Proportion

if TYPE_CHECKING:
    from testbed.studies.irreducible_loss.study import IrreducibleLoss

Flags = NDArray[np.bool_]


def evidence(study: "IrreducibleLoss", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    table, regression = data.curves["table"], data.curves["regression"]
    two, other = data.curves["two_sizes"], data.curves["other_stream"]

    def shares(source: dict[str, Arrays], names: Iterable[str], flags: Callable[[Arrays], Flags]) -> Evidence:
        found = np.concatenate([flags(source[name]) for name in names])
        return Proportion(int(found.sum()), found.size, "curve")

    def near(one: Arrays, sweep: str) -> Flags:
        return np.asarray(np.abs(error(one, sweep)) <= study.bounds.off)

    def both(one: Arrays, truth: str) -> Flags:
        each = [covered(one[f"{stream}_power"], one[f"{stream}_{truth}"]) for stream in ("sharper", "flatter")]
        return np.asarray(each[0] & each[1])

    points = study.sweeps.early.points
    found: dict[str, Evidence] = {
        "late": shares(table, COMMON, lambda one: covered(one["late_power"], one["truth"])),
        "early": shares(table, COMMON, lambda one: covered(one["early_power"], one["truth"])),
        "early_low": shares(table, COMMON, lambda one: one["early_power"][:, 0] < one["truth"]),
        "early_stretched": shares(table, COMMON, lambda one: covered(one["early_stretched"], one["truth"])),
        "early_chosen": shares(table, COMMON, lambda one: covered(best_early(one, points), one["truth"])),
        "rare": shares(table, RARE, lambda one: covered(one["late_power"], one["truth"])),
        "entropy_rate": shares(table, RARE, lambda one: covered(one["late_power"], one["rate"])),
        "floor_of_class": shares(regression, CHAINS, lambda one: covered(one["late_power"], one["floor"])),
        "floor_is_bayes": shares(regression, CHAINS, lambda one: covered(one["late_power"], one["truth"])),
        "floor_right": shares(regression, (LINEAR,), lambda one: covered(one["late_power"], one["truth"])),
        "two_sizes_mixing": shares(two, MIXING, lambda one: near(one, "rich")),
        "two_sizes_memory": shares(two, MEMORY, lambda one: near(one, "rich")),
        "two_sizes_poor": shares(two, MIXING, lambda one: near(one, "poor")),
        "other_cross": shares(other, CHAINS, lambda one: both(one, "cross")),
        "other_entropy": shares(other, CHAINS, lambda one: both(one, "entropy")),
        "sharper_falls": shares(other, CHAINS, lambda one: slope(one, "sharper") < 0),
        "flatter_rises": shares(other, CHAINS, lambda one: slope(one, "flatter") > 0),
        "trained": shares(data.trained, TRAINED, lambda one: covered(one["power"], one["truth"])),
        "trained_floor": shares(data.trained, TRAINED, lambda one: covered(one["power"], one["floor"])),
    }
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def best_early(one: Arrays, points: int) -> Floats:
    """(R, 5): of the two laws the one of less AICc."""
    return chosen({law: one[f"early_{law}"] for law in ("power", "stretched")}, points)


def error(one: Arrays, sweep: str) -> Floats:
    """(R,) (L_inf - h) / (least loss - h)."""
    return np.asarray((one[f"{sweep}_limit"][:, 0] - one["rate"]) / (one[f"{sweep}_values"].min(axis=1) - one["rate"]))


def slope(one: Arrays, stream: str) -> Floats:
    """(R,) mean loss at the largest early size less that at the smallest."""
    losses = one[f"{stream}_first"].mean(axis=2)
    return np.asarray(losses[:, -1] - losses[:, 0])
