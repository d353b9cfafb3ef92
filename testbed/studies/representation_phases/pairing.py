"""Counts that a share of runs alone cannot tell: runs whose end is not known yet, and pairs of runs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.studies.judge import Evidence
from testbed.studies.judge.proportion import Proportion
from testbed.studies.judge.undecided import unknown

Bools = NDArray[np.bool_]
FEWEST = 6
"""Pairs that tell, under which nothing is decided."""


@dataclass(frozen=True)
class Between(Evidence):
    """A share of which only bounds were seen: runs whose end is open count against whatever is said.

    It lies above `low`, in which they count as failures, and below `high`, in which they count as successes.

    >>> Between(Proportion(2, 10), Proportion(7, 10)).estimate
    0.2
    """

    low: Proportion
    high: Proportion

    @property
    def estimate(self) -> float:
        return self.low.estimate

    @property
    def n_independent(self) -> int | None:
        return min(self.low.trials, self.high.trials)

    @property
    def replicates(self) -> dict[str, int]:
        return self.low.replicates

    def p_above(self, r: float) -> float:
        return self.low.p_above(r)

    def p_below(self, r: float) -> float:
        return self.high.p_below(r)

    def lower(self, alpha: float) -> float:
        return self.low.lower(alpha)

    def upper(self, alpha: float) -> float:
        return self.high.upper(alpha)

    def with_replicates(self, n: int) -> "Between":
        return Between(self.low.with_replicates(n), self.high.with_replicates(n))


def share(flags: Bools, open_ends: Bools | None = None) -> Evidence:
    """Of runs, each with weights and tokens of its own (drawn sources: with a source of its own too)."""
    low = Proportion(int(np.sum(flags)), len(flags), "run")
    if open_ends is None:
        return low
    return Between(low, Proportion(int(np.sum(flags | open_ends)), len(flags), "run"))


def discordant(first: Bools, second: Bools, open_first: Bools, open_second: Bools) -> Evidence:
    """Of replicates in which one run of two has phases and the other none, the share in which it is the first.

    McNemar's exact test (1947, Psychometrika 12, 153): 1/2 where phases are as frequent in both. Runs of a replicate
    share its source and seed. Open ends count against whatever is said.
    """

    def count(a: Bools, b: Bools) -> Proportion | None:
        n = int(np.sum(a & ~b)), int(np.sum(b & ~a))
        return Proportion(n[0], sum(n), "replicate") if sum(n) >= FEWEST else None

    low = count(first, second | open_second)
    high = count(first | open_first, second)
    if low is None or high is None:
        return unknown(f"the two runs differ in fewer than {FEWEST} replicates", 0.5)
    return Between(low, high)


def re_paired_sign(match: ArrayLike) -> Evidence:
    """Of disjoint pairs of runs, the share in which runs match themselves better than each other.

    match   (R, R) how well one thing of run i goes with another thing of run j, the more the larger

    Pairs (0, 1), (2, 3), .. with m_ii + m_jj above m_ij + m_ji, among pairs in which the two differ. Where the two
    things have nothing to do with each other a swap changes nothing, so that the share is 1/2; pairs are independent.
    """
    m = np.asarray(match, dtype=np.float64)
    i = np.arange(0, len(m) - 1, 2)
    gain = m[i, i] + m[i + 1, i + 1] - m[i, i + 1] - m[i + 1, i]
    told = np.abs(gain) > 1e-12
    if told.sum() < FEWEST:
        return unknown(f"re-pairing changes fewer than {FEWEST} pairs of runs", 0.5)
    return Proportion(int((gain > 1e-12).sum()), int(told.sum()), "pair of runs")
