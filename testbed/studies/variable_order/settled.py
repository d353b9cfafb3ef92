"""Whether training was over: claims on what layers do are not decided while their excess still falls.

    fall = 1 - excess at the end / excess at half of the steps

linear in the logarithm of the steps between points of the path. The learning rate falls to its last value at the end
(to 0 by default), so that a small fall says that this training is over, not that a longer one would bring nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.variable_order.config import Arm
from testbed.studies.variable_order.data import ArmData, Data, Floats

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder


def fall(arm: ArmData) -> Floats:
    """(R,): share of its excess that the last doubling of steps took off."""
    at, steps = np.log(arm.path_step[-1] / 2), np.log(np.maximum(arm.path_step, 0.5))
    half = np.array([np.interp(at, steps, path) for path in arm.path_excess])
    return np.asarray(1.0 - arm.path_excess[:, -1] / half)


def moving(study: "VariableOrder", data: Data, arms: Sequence[Arm]) -> str:
    """Why nothing is decided on these arms; empty where training was over in all of them."""
    falls = {arm.said: float(fall(data.arms[arm.name]).mean()) for arm in arms}
    late = [f"{one:.0%} off the excess of {said}" for said, one in falls.items() if not one <= study.bounds.settled]
    if not late:
        return ""
    return (
        f"training was not over: the last doubling of steps took {' and '.join(late)}, where at most"
        f" {study.bounds.settled:.0%} is allowed"
    )
