"""The gate: a trained arm speaks for its replicates that learnt the task, and a claim that needs more is not decided.

A replicate has learnt if its excess at n = m lies below a share of the KL of the best law without context. What is said
of attention that has not learnt where to look is about the training, not about attention.

`least` and `largest` combine numbers of which some are not known, because their arms did not learn. The minimum over
all is at most the minimum over the known, so an upper bound of the known one bounds it; a lower bound it has none:

    known minimum:  upper(alpha) and p_below hold for the whole      lower(alpha) = -inf, p_above = 1

so that a claim about every case can fail on those that learnt, and cannot hold while one has not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.studies.judge import Evidence, Max, Min, Open, Replicates, mean_if_known, unknown
from testbed.studies.judge.evidence import MINIMUM_REPLICATES, check_alpha

Bools = NDArray[np.bool_]


def learnt(excess: ArrayLike, no_context: ArrayLike, share: float) -> Bools:
    """Which replicates have learnt: excess < share x no_context; not those that diverged (nan).

    >>> learnt([0.01, 0.2, float("nan")], [1.0, 1.0, 1.0], 0.05).tolist()
    [True, False, False]
    """
    with np.errstate(invalid="ignore"):
        found: Bools = np.asarray(excess, dtype=np.float64) < share * np.asarray(no_context, dtype=np.float64)
    return found


def usable(kept: ArrayLike) -> bool:
    """Whether enough replicates are left for a verdict to rest on them."""
    return int(np.sum(np.asarray(kept))) >= MINIMUM_REPLICATES


def too_few_learnt(kept: ArrayLike, unit: str = "runs") -> Open:
    """What stands for a number that speaks of the replicates kept, where they are not `usable`.

    >>> too_few_learnt([True, False, False]).reason
    'only 1 of 3 runs learnt enough to be judged'
    """
    found = np.asarray(kept)
    return unknown(f"only {int(found.sum())} of {found.size} {unit} learnt enough to be judged")


def mean_of_learnt(values: NDArray[np.float64], kept: Bools, numbers: Sequence[int]) -> Evidence:
    """The mean over the runs kept, of (R,) values and runs of these numbers; open where they are too few."""
    if not usable(kept):
        return too_few_learnt(kept)
    left = tuple(int(one) for one in np.asarray(numbers)[kept])
    return mean_if_known(values[kept], Replicates({"seed": left}, seed=0))


@dataclass(frozen=True)
class Partial(Evidence):
    """The minimum (sign 1) or the maximum (sign -1) of several numbers, of which only `known` are.

    >>> from testbed.studies.judge.evidence import Exact
    >>> Partial(Exact(0.5)).p_above(0.0), Partial(Exact(0.5)).p_below(0.6)
    (1.0, 0.0)
    """

    known: Evidence
    sign: int = 1

    @property
    def estimate(self) -> float:
        return self.known.estimate

    @property
    def n_independent(self) -> int | None:
        return self.known.n_independent

    @property
    def replicates(self) -> dict[str, int]:
        return self.known.replicates

    def p_above(self, r: float) -> float:
        return self.known.p_above(r) if self.sign < 0 or r == -math.inf else 1.0

    def p_below(self, r: float) -> float:
        return self.known.p_below(r) if self.sign > 0 or r == math.inf else 1.0

    def lower(self, alpha: float) -> float:
        check_alpha(alpha)
        return self.known.lower(alpha) if self.sign < 0 else -math.inf

    def upper(self, alpha: float) -> float:
        check_alpha(alpha)
        return self.known.upper(alpha) if self.sign > 0 else math.inf

    def with_replicates(self, n: int) -> "Partial":
        return Partial(self.known.with_replicates(n), self.sign)


def least(parts: Sequence[Evidence | None]) -> Evidence | None:
    """Evidence on the smallest of the numbers, None standing for one that is not known; None if none is."""
    known = [one for one in parts if one is not None]
    if not known:
        return None
    return Min(known) if len(known) == len(parts) else Partial(Min(known), 1)


def largest(parts: Sequence[Evidence | None]) -> Evidence | None:
    """Evidence on the largest of the numbers, likewise."""
    known = [one for one in parts if one is not None]
    if not known:
        return None
    return Max(known) if len(known) == len(parts) else Partial(Max(known), -1)
