"""Whether training was over: claims on what layers do are not decided while twice the steps still bring much.

    fall = (excess after half of the steps - excess at the end) / excess of the best fixed order

The former are the tuning's runs at the rate that was chosen: whole trainings of half as many steps, their schedule run
to its end, on replicates of their own. The unit is that of the claims. A share of the excess itself would not do: where
the excess goes to zero by a power of the steps, every doubling takes the same share off, forever, however near to
context-tree weighting a model has come. That twice the steps bring less than a claim's margin does not say what a
hundred times the steps would.

Two things are asked. The far end of the fall's interval (Welch's, of the means of both sets of runs) is at most what is
allowed. And where a claim is on a difference of arms, that difference would still lie on the same side of the claim's
bound if the next doubling changed it by as much as either end of the interval of its own fall.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Region
from testbed.studies.variable_order.config import Arm
from testbed.studies.variable_order.data import ArmData, Data, Floats

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder


class Fall(NamedTuple):
    """What twice the steps took off, in units of the best fixed order's excess, with the ends of its interval."""

    mean: float
    low: float
    high: float

    @property
    def said(self) -> str:
        """With its interval."""
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def fall(study: "VariableOrder", data: Data, arm: Arm, less: Arm | None = None) -> Fall:
    """Of an arm, or of its excess less that of another one; all positions."""
    unit = float(data.positions[f"order_{data.best}"].mean()) * study.task.scored / study.task.length
    parts = [(1, data.half[arm.name]), (-1, data.arms[arm.name].own)]
    if less is not None:
        parts += [(-1, data.half[less.name]), (1, data.arms[less.name].own)]
    mean = sum(sign * float(values.mean()) for sign, values in parts)
    reach = welch([values for _, values in parts])
    return Fall(mean / unit, (mean - reach) / unit, (mean + reach) / unit)


def welch(samples: Sequence[Floats]) -> float:
    """Half the width of the interval of a sum of means, Welch's degrees of freedom; infinite where one has no spread
    to speak of because it is a single run."""
    from scipy.stats import t

    if min(map(len, samples)) < 2:
        return float("inf")
    own = np.array([one.var(ddof=1) / len(one) for one in samples])
    if not own.sum() > 0:
        return 0.0
    freedom = own.sum() ** 2 / sum(one**2 / (len(sample) - 1) for one, sample in zip(own, samples, strict=True))
    return float(t.isf((1 - LEVEL) / 2, freedom) * np.sqrt(own.sum()))


def within(arm: ArmData) -> Floats:
    """(R,): share of its excess that came off from half of the steps on, the learning rate falling; linear in the
    logarithm of the steps between points of the path."""
    at, steps = np.log(arm.path_step[-1] / 2), np.log(np.maximum(arm.path_step, 0.5))
    half = np.array([np.interp(at, steps, path) for path in arm.path_excess])
    return np.asarray(1.0 - arm.path_excess[:, -1] / half)


def moving(study: "VariableOrder", data: Data, arms: Sequence[Arm]) -> str:
    """Why nothing is decided on these arms; empty where training was over in all of them."""
    falls = {arm.said: fall(study, data, arm) for arm in arms}
    late = [f"{one.said} off {said}" for said, one in falls.items() if not one.high <= study.bounds.settled]
    if not late:
        return ""
    return (
        f"training was not over: twice the steps took {' and '.join(late)}, of the best fixed order's excess, where at"
        f" most {study.bounds.settled:g} is allowed"
    )


def turning(study: "VariableOrder", data: Data, pair: tuple[Arm, Arm], region: Region, estimate: float) -> str:
    """Why nothing is decided on a difference, the first arm's excess less the second's; empty where it is stable."""
    found = fall(study, data, pair[0], pair[1])
    ends = estimate - found.high, estimate - found.low
    if region.contains(*ends) or region.excludes(*ends):
        return ""
    return (
        f"training was not over: twice the steps took {found.said} off the difference itself, so that once more might"
        " decide otherwise"
    )
