"""`Ranking`: which of several options is best, from paired losses; never a bare argmin.

Options l = 0 .. L (context lengths, say) have true mean losses theta_l; every row of the losses has measured all of
them on the same kernel, data and seed, so that all evidence is on means of differences loss_l - loss_l' (paired).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from testbed.studies.judge.evidence import Evidence, check_alpha
from testbed.studies.judge.extremes import Max, Min
from testbed.studies.judge.mean import Mean
from testbed.studies.judge.replicates import Floats, Replicates

JUST_ABOVE_ZERO = float(np.nextafter(0.0, 1.0))


class OptionInterval(NamedTuple):
    """An estimate and a confidence interval on an option's index, ends included."""

    estimate: int
    lowest: int
    highest: int


@dataclass(frozen=True, init=False, eq=False)
class Ranking:
    """Paired losses of n_options, and the replicates behind them.

    losses      (n_rows, n_options), or (units at each level ..., n_options) in C order of the replicates; finite
    replicates  the rows' `Replicates`

    Raises ValueError for fewer than two options, the wrong number of rows, or losses that are not finite.
    """

    losses: Floats
    design: Replicates

    def __init__(self, losses: ArrayLike, replicates: Replicates) -> None:
        array = np.asarray(losses, dtype=np.float64)
        if array.ndim < 2 or array.shape[-1] < 2:
            raise ValueError(f"losses have shape (rows..., options) with two options at least, not {array.shape}")
        array = array.reshape(-1, array.shape[-1]).copy()
        if len(array) != replicates.n_rows:
            raise ValueError(f"losses have {len(array)} rows, the replicates {replicates.n_rows}")
        bad = np.argwhere(~np.isfinite(array))
        if bad.size:
            row, option = map(int, bad[0])
            where = f"{array[row, option]} for option {option} at {replicates.name_of(row)}"
            raise ValueError(f"{len(bad)} of {array.size} losses are not finite (first: {where})")
        array.flags.writeable = False
        object.__setattr__(self, "losses", array)
        object.__setattr__(self, "design", replicates)

    @property
    def n_options(self) -> int:
        return int(self.losses.shape[1])

    @cached_property
    def means(self) -> Floats:
        """Mean loss of every option, (n_options,): each unit counts equally within its parent."""
        return np.array([self.design.unit_means(column).mean() for column in self.losses.T])

    @cached_property
    def _forward(self) -> dict[tuple[int, int], Mean]:
        """loss_l - loss_l' for l < l'; the other order is minus it."""
        pairs = [(low, high) for high in range(self.n_options) for low in range(high)]
        return {(low, high): Mean(self.losses[:, low] - self.losses[:, high], self.design) for low, high in pairs}

    def difference(self, option: int, other: int) -> Evidence:
        """theta_option - theta_other: positive where `other` is better."""
        self._check(option)
        self._check(other)
        return self._forward[option, other] if option < other else -self._forward[other, option]

    def regret(self, option: int) -> Evidence:
        """max over l' != option of theta_option - theta_l': <= 0 iff it is best; then minus its lead over the next."""
        self._check(option)
        return Max(self.difference(option, other) for other in range(self.n_options) if other != option)

    def shortfall(self, last: int) -> Evidence:
        """What options 0 .. last lack against the rest:  S(m) = max_{l' > m} min_{l <= m} (theta_l - theta_l').

        theta_l - theta_l' separates, so S(m) = min_{l <= m} theta_l - min_{l' > m} theta_l', which never rises with m.
        Let l*_delta be the smallest l with theta_l <= min theta + delta, delta >= 0. Then l*_delta <= m iff
        S(m) <= delta: if the overall minimum lies in 0 .. m, both are true (S(m) <= 0); if not, it is
        min_{l' > m} theta_l', and S(m) <= delta says just that some l <= m is within delta of it.
        m = last < n_options - 1, else ValueError.
        """
        self._check(last)
        if last == self.n_options - 1:
            raise ValueError(f"no option is left beyond {last}: a shortfall needs last < {self.n_options - 1}")
        return Max(
            Min(self.difference(low, high) for low in range(last + 1)) for high in range(last + 1, self.n_options)
        )

    def best_set(self, alpha: float = 0.05) -> tuple[int, ...]:
        """The options that cannot be told from the best: a set that holds the best with probability 1 - alpha.

        Multiple comparison with the best (Hsu 1984, Ann. Stat. 12, 1136), paired: option l is left out iff
        "regret(l) <= 0" is rejected at alpha (Bonferroni over its rivals). The best option b has regret(b) <= 0, so it
        is left out with probability at most alpha, whatever happens to the others; of equally good ones, each singly.
        The option with the least mean is never left out.
        """
        check_alpha(alpha)
        least = int(np.argmin(self.means))
        return tuple(
            option
            for option in range(self.n_options)
            if option == least or self.regret(option).p_above(JUST_ABOVE_ZERO) > alpha
        )

    def smallest_within(self, delta: float, alpha: float = 0.05) -> OptionInterval:
        """l*_delta, the smallest option within delta of the minimum: estimate and 1 - alpha confidence interval.

        lowest    go up from m = 0 while "S(m) <= delta" (l*_delta <= m) is rejected at alpha / 2; the first m kept
        highest   go down from m = L - 1 while "S(m) > delta" (l*_delta > m) is, at alpha / 2; the last m rejected

        The hypotheses are nested and tested in a fixed order, so each side can err at one m alone: lowest exceeds
        l*_delta only if the true hypothesis at m = l*_delta is rejected, highest falls below it only if the one at
        m = l*_delta - 1 is. Each has probability at most alpha / 2: no correction over m. The interval is made to hold
        the estimate, which can only widen it. Raises ValueError for delta < 0.
        """
        check_alpha(alpha)
        if not 0 <= delta < np.inf:
            raise ValueError(f"delta is finite and >= 0, not {delta}")
        estimate = int(np.argmax(self.means <= self.means.min() + delta))
        last = self.n_options - 1
        shortfalls = [self.shortfall(m) for m in range(last)]
        lowest, highest = 0, last
        just_above = float(np.nextafter(delta, np.inf))  # S(m) = delta exactly is within
        while lowest < estimate and shortfalls[lowest].p_above(just_above) <= alpha / 2:
            lowest += 1
        while highest > estimate and shortfalls[highest - 1].p_below(delta) <= alpha / 2:
            highest -= 1
        return OptionInterval(estimate, lowest, highest)

    def edges(self, options: Sequence[int]) -> tuple[str, ...]:
        """Edges of the grid, "first" and "last", that a set or interval of options touches: the best may lie beyond."""
        return tuple(
            name for name, option in (("first", 0), ("last", self.n_options - 1)) if option in set(map(int, options))
        )

    def _check(self, option: int) -> None:
        if not 0 <= option < self.n_options:
            raise ValueError(f"options are 0 to {self.n_options - 1}, not {option}")
