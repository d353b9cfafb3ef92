"""The finished records as arrays, one row a replicate, and the numbers that are made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.gate import learnt
from testbed.studies.recall_order.config import LIMITED, ORDERS, Arm, Order

if TYPE_CHECKING:
    from testbed.studies.recall_order.study import RecallOrder

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
GUESS = 0.5
"""The error rate of a guess."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of an arm in one order, one row a replicate; nan where a run diverged or it was not measured.

    excess, before, error    (R,) nats at the end and at three quarters of the steps; error rate at the end
    whole                    (R,) error rate after the steps with the bound on, the memory free
    bounded, nats            (R, n) error rates and losses by number of states; early: (R, n_middle) rates at
                             three quarters of these steps
    reader                   (R, n) error rates of the best reader of what is handed on
    numbers                  numbers in the state; 0 for a cache
    """

    excess: Floats
    before: Floats
    error: Floats
    whole: Floats
    bounded: Floats
    nats: Floats
    early: Floats
    reader: Floats
    numbers: int = 0


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    runs[arm, order]    trained networks
    exact[order]        (C(n, m),) least error with M states
    rates               chosen, by arm
    diverged            runs that did
    """

    runs: dict[tuple[Arm, Order], Runs]
    exact: dict[Order, Floats]
    rates: dict[Arm, float]
    diverged: int = 0

    def learnt(self, study: "RecallOrder", arm: Arm) -> Bools:
        """(R,) replicates whose runs have learnt in both orders: excess under the gate, and next to no errors."""
        both = [self.order_learnt(study, arm, order) for order in ORDERS]
        return np.asarray(both[0] & both[1])

    def order_learnt(self, study: "RecallOrder", arm: Arm, order: Order) -> Bools:
        """(R,) the same of one order; a run that diverged has not."""
        runs, bounds = self.runs[arm, order], study.bounds
        return np.asarray(learnt(runs.excess, np.log(2.0), bounds.gate) & (runs.error <= bounds.errors))


def gather(study: "RecallOrder", records: Sequence[Record]) -> Data | None:
    """None where records of an arm, order or replicate are missing."""
    members = {
        (one.probe["arm"], one.probe["order"], one.probe["seed"]): one
        for one in records
        if one.probe["kind"] == "member" and one.status != "failed"
    }
    exact = next((one for one in records if one.probe["kind"] == "exact"), None)
    wanted = {(arm, order, seed) for arm in study.arms for order in ORDERS for seed in study.seeds}
    if exact is None or not wanted <= members.keys():
        return None
    return Data(
        runs={
            (a, o): _runs(study, a, [members[a, o, seed] for seed in study.seeds]) for a in study.arms for o in ORDERS
        },
        exact={order: exact.arrays[order] for order in ORDERS},
        rates={arm: members[arm, ORDERS[0], study.seeds[0]].probe["learning_rate"] for arm in study.arms},
        diverged=sum(members[one].status != "done" for one in wanted),
    )


def _runs(study: "RecallOrder", arm: Arm, records: list[Record]) -> Runs:
    def metric(name: str) -> Floats:
        given = [one.metrics.get(name) if one.status == "done" else None for one in records]
        return np.array([np.nan if one is None else float(one) for one in given])

    def array(name: str, n: int) -> Floats:
        missing = np.full(n, np.nan)
        return np.stack([one.arrays.get(name, missing) for one in records])

    n = len(study.memory.states) if arm in LIMITED else 0
    found = metric("numbers")
    return Runs(
        metric("excess"),
        metric("before"),
        metric("error"),
        metric("whole"),
        array("bounded_error", n),
        array("bounded_nats", n),
        array("early_error", sum(study.memory.between) if n else 0),
        array("reader_error", n),
        int(np.nanmax(found)) if np.isfinite(found).any() else 0,
    )


# -- numbers
def middle(study: "RecallOrder", errors: Floats) -> Floats:
    """(R,) mean over the middle of the numbers of states, of (R, n)."""
    return np.asarray(errors[:, np.array(study.memory.between)].mean(axis=1))


def effect(study: "RecallOrder", data: Data, arm: Arm, what: str = "bounded") -> Floats:
    """(R,) what few states add to the error with the large set first less what they add with the small set first, over
    the middle of the numbers of states; `what` = "early" at three quarters of the steps with the bound on, "reader" of
    the best reader, where nothing is subtracted."""
    found = [getattr(data.runs[arm, order], what) for order in ORDERS]
    small, large = (one.mean(axis=1) if what == "early" else middle(study, one) for one in found)
    return np.asarray(large - small - (0.0 if what == "reader" else baseline(data, arm)))


def baseline(data: Data, arm: Arm) -> Floats:
    """(R,) the same difference with the memory free: it is subtracted."""
    small, large = (data.runs[arm, order].whole for order in ORDERS)
    return np.asarray(large - small)


def size_effect(data: Data) -> Floats:
    """(R,) error with the large set first less that with the small set first, of the small state that is trained; a run
    that diverged errs as a guess does."""
    small, large = (np.nan_to_num(data.runs["narrow", order].error, nan=GUESS) for order in ORDERS)
    return np.asarray(large - small)


def harm(study: "RecallOrder", data: Data) -> Floats:
    """(R,) error with the text written twice less that with it once, the large set first, over the middle."""
    once, twice = (middle(study, data.runs[arm, "large_first"].bounded) for arm in LIMITED)
    return np.asarray(twice - once)
