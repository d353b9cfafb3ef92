"""What became of each run: there, at rest above, or still falling."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.depth_and_order.data import Arm, Data

if TYPE_CHECKING:
    from testbed.studies.depth_and_order.study import DepthAndOrder

FATES = {0: "there", 1: "at rest above", 2: "still falling"}
"""In this order: a run that is there is not asked whether it rests."""


def fates(study: "DepthAndOrder", data: Data, arm: Arm) -> NDArray[np.int64]:
    """(R,) number of each run's fate. One that is not there and fell by less than `rest` of the gap over the last
    doubling of its steps is at rest above; else it has not failed, its training has ended."""
    there = data.ratio(arm) < study.bounds.there
    falling = ~(data.fall(arm) < study.bounds.rest)  # unknown is not at rest
    return np.where(there, 0, np.where(falling, 2, 1)).astype(np.int64)
