"""The table of order l: one Dirichlet posterior for each context of l tokens."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.predictors.counts import add_constant_law
from testbed.predictors.grouping import context_groups, earlier_counts
from testbed.predictors.windows import checked_contexts, checked_integer, checked_tokens, checked_windows

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def order_table_code_lengths(tokens: NDArray[np.integer], vocab_size: int, order: int, constant: float = 0.5) -> Floats:
    """(N, L) sequential code length of every token under the table of order l, nats:

        -ln (n(c, x) + a) / (n(c) + V a),

    n counting what followed the context c of l tokens so far in the same row; the first l tokens cost ln V each.
    tokens (N, L), or (L,) for one sequence. a = 1/2 is Krichevsky & Trofimov's (1981): never more than

        S ((V - 1) / 2 ln(T / S) + ln V)     nats above the best law of order l in hindsight,  S = V^l, T >= e S.

    >>> order_table_code_lengths(np.array([0, 1, 0, 1, 0]), vocab_size=2, order=1).round(3).tolist()
    [0.693, 0.693, 0.693, 0.288, 0.288]
    """
    table = OrderTable(vocab_size, order, constant)
    rows = np.atleast_2d(checked_tokens(tokens, vocab_size)).astype(np.int64)
    lengths = np.full(rows.shape, np.log(vocab_size))
    if rows.shape[1] > order:
        *_, groups = context_groups(rows, order)
        pairs = earlier_counts(groups * vocab_size + rows[:, order:])
        seen = earlier_counts(groups)
        lengths[:, order:] = np.log((seen + vocab_size * table.constant) / (pairs + table.constant))
    return lengths.reshape(np.shape(tokens))


@dataclass(frozen=True)
class OrderTable:
    """The learner that counts what followed each context of l tokens, and adds a to every count.

    a = 1/2 is Krichevsky & Trofimov's; any a is the Bayes mixture under rows drawn from Dirichlet(a).

    >>> contexts = np.array([[0], [1], [0]])
    >>> OrderTable(vocab_size=2, order=1).fit(contexts, np.array([1, 0, 1])).laws(np.array([[0], [1]])).round(3)
    array([[0.167, 0.833],
           [0.75 , 0.25 ]])
    """

    vocab_size: int
    order: int
    constant: float = 0.5

    def __post_init__(self) -> None:
        vocab_size = checked_integer("vocab_size", self.vocab_size, 1)
        if vocab_size ** (checked_integer("order", self.order, 0) + 1) >= 2**62:
            raise ConfigError(
                f"vocab_size and order: given {self.vocab_size} and {self.order}, need V >= 1, l >= 0, V^(l+1) < 2^62"
            )
        if not 0 < self.constant < np.inf:
            raise ConfigError(f"constant: given {self.constant}, must be positive and finite")

    def fit(self, contexts: NDArray[np.integer], targets: NDArray[np.integer]) -> "FittedOrderTable":
        """The counts of targets (n,) behind contexts (n, m >= l), oldest first."""
        given, following = checked_windows(contexts, targets, self.vocab_size, self.order)
        codes, rows = np.unique(self.codes(given), return_inverse=True)
        flat = rows * self.vocab_size + following
        counts = np.bincount(flat, minlength=len(codes) * self.vocab_size).reshape(-1, self.vocab_size)
        return FittedOrderTable(self, codes, counts)

    def codes(self, contexts: NDArray[np.integer]) -> Integers:
        """(n,): the last l tokens of contexts (n, m) as one number in base V, oldest first."""
        codes = np.zeros(len(contexts), dtype=np.int64)
        for lag in range(self.order, 0, -1):
            codes = codes * self.vocab_size + contexts[:, contexts.shape[1] - lag]
        return codes


@dataclass(frozen=True, eq=False)
class FittedOrderTable:
    """Counts (n_contexts, V) of the contexts that occurred, whose codes (n_contexts,) rise."""

    table: OrderTable
    codes: Integers
    counts: Integers

    def laws(self, contexts: NDArray[np.integer]) -> Floats:
        """(n, V): the posterior mean after contexts (n, m >= l); uniform after one that never occurred."""
        given = checked_contexts(contexts, self.table.vocab_size, self.table.order)
        wanted = self.table.codes(given)
        at = np.minimum(np.searchsorted(self.codes, wanted), max(len(self.codes) - 1, 0))
        counts = np.zeros((len(wanted), self.table.vocab_size), dtype=np.int64)
        if len(self.codes):
            known = self.codes[at] == wanted
            counts[known] = self.counts[at[known]]
        return add_constant_law(counts, self.table.constant)
