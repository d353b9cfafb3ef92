"""Planted heads: one broad head, whose entropy answers to multipliers, and one sharp head that finds the relevant pair.

broad    H = 0.75 ln m at n = m, sigma 1.5; grows by b ln r, b smaller the stronger the multiplier, and least of all
         under the claimed one
sharp    H = 0.6, sigma 6; mass 0.8 on the relevant pair at n = m, of which multipliers keep more than none does
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.length_extrapolation.config import MULTIPLIERS, NONE, Arm, Change, Task
from testbed.studies.length_extrapolation.oracle import power_of
from testbed.studies.length_extrapolation.results import Floats

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

SPREAD = (1.5, 6.0)
"""Standard deviation of the logits of the broad and of the sharp head."""
BROAD_SHARE, SHARP_ENTROPY = 0.75, 0.6
"""H / ln m of the one, H of the other, at n = m."""
SLOPE, CLAIMED_SLOPE = 0.8, 0.02
"""b without a multiplier, and under the claimed one."""
MASS, BROAD_MASS = 0.8, 0.05
LOSS, CLAIMED_LOSS, OTHERS_GAIN = 0.3, 0.05, 0.05
"""Mass that the sharp head loses at the largest ratio without a multiplier (and in worlds where much is lost) and under
the claimed one, and that it gains under others."""


def strength(study: "LengthExtrapolation", task: Task, change: Change | None) -> float:
    """Of the multiplier in a change, from 0 (none) to 1: 1 - 1 / lambda^2 at the longest length, for sigma = 2."""
    if change is None:
        return 0.0
    laws = [one.methods[0] for one in study.changes if one.kind in MULTIPLIERS]
    mine = next((method for method in change.methods if method in laws), None)
    if mine is None:
        return 0.0
    m, head_dim = task.train_length, study.head_dim(task)
    return 1.0 - power_of(mine, study.largest(task) * m, head_dim, m, 2.0) ** -2


def near_boundary(study: "LengthExtrapolation", arm: Arm) -> bool:
    """Arms with CosScale but for the first: their sharp head stands at the frozen boundary, sigma = sqrt(2 ln m)."""
    return arm.name in {normed for normed, _ in study.normed_arms[1:]}


def planted_heads(
    study: "LengthExtrapolation",
    world: str,
    task: Task,
    arm: Arm,
    change: str,
    ratio: int,
    noise: Callable[[float], Floats],
) -> dict[str, Floats]:
    """{measure: (n_seeds, 1, 2)} of the two heads in this world."""
    one = None if change == NONE else study.change(change)
    claimed = one is not None and study.change(study.scaling).methods[0] in one.methods
    log_m, grown = math.log(task.train_length), math.log(ratio)
    share = grown / math.log(study.largest(task))
    broad = BROAD_SHARE * log_m
    if claimed and world == "relative_entropy":
        broad *= 1.0 + grown / log_m
    else:
        broad += grown * (CLAIMED_SLOPE if claimed else SLOPE * (1.0 - strength(study, task, one)))
    sharp = SHARP_ENTROPY * (1.0 + (0.6 * share if world == "frozen_grows" else 0.0))
    spread = math.sqrt(2 * log_m) if near_boundary(study, arm) else SPREAD[1]
    found = {
        "entropy": _pair(broad * noise(0.01), sharp * noise(0.02)),
        "logit_std": _pair(SPREAD[0] * noise(0.02), spread * noise(0.01)),
        "r_value": _pair(0.5 * noise(0.05), 2.0 * noise(0.05)),
    }
    if task.role in ("recall", "fillers"):
        mass = MASS - share * _lost(world, claimed, one)
        found["key_mass"] = _pair(BROAD_MASS * noise(0.05), mass * noise(0.01))
        drift = 5 * share if claimed and world == "reshaped" else 0.1 * share
        found["drift"] = _pair(*(drift * study.shape_margin * noise(0.1) for _ in range(2)))
    return found


def _lost(world: str, claimed: bool, change: Change | None) -> float:
    if claimed:
        return LOSS if world == "focus_lost" else CLAIMED_LOSS
    if change is None or (len(change.methods) == 1 and change.kind not in MULTIPLIERS):
        return LOSS
    return LOSS if world == "mass_lost" else -OTHERS_GAIN


def _pair(broad: Floats, sharp: Floats) -> Floats:
    return np.stack([broad, sharp], axis=-1)[:, None, :]
