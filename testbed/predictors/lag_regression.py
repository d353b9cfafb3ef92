"""Logistic regression on the last l tokens: a learner that pays for every lag, not for every context."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.predictors.softmax_regression import SoftmaxRegression, fit_softmax
from testbed.predictors.windows import checked_contexts, checked_integer, checked_windows

if TYPE_CHECKING:
    from testbed.predictors.windows import Integers

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LagRegression:
    """ln q(x | c) = b_x + sum_j W_j(c_j, x) - ln sum, c_j the token j places back, j = 1 .. l; W ~ N(0, 1/penalty).

    (V - 1) + l (V - 1)^2 free numbers: (V - 1)^2 for each context token, so that its excess on D targets is
    l (V - 1)^2 / (2 D) + (V - 1) / (2 D) to leading order where the law has this form
    (`testbed.theory.ParameterLaw`), and never falls below its own bias elsewhere.

    >>> contexts = np.array([[0, 1], [1, 1], [0, 0], [1, 0]] * 50)
    >>> fitted = LagRegression(vocab_size=2, n_lags=2).fit(contexts, contexts[:, 0])     # copies the older token
    >>> fitted.laws(np.array([[0, 1], [1, 1]])).argmax(axis=1).tolist()
    [0, 1]
    """

    vocab_size: int
    n_lags: int
    penalty: float = 1.0

    def __post_init__(self) -> None:
        checked_integer("vocab_size", self.vocab_size, 2)
        checked_integer("n_lags", self.n_lags, 0)
        if not self.penalty > 0:
            raise ConfigError(f"penalty: given {self.penalty}, must be positive")

    @property
    def n_parameters(self) -> int:
        """Free numbers, up to constants that change no law."""
        return (self.vocab_size - 1) * (1 + self.n_lags * (self.vocab_size - 1))

    def fit(self, contexts: NDArray[np.integer], targets: NDArray[np.integer]) -> "FittedLagRegression":
        """Maximum a posteriori weights from targets (n,) behind contexts (n, m >= l), oldest first."""
        given, following = checked_windows(contexts, targets, self.vocab_size, self.n_lags)
        laws = np.zeros((len(given), self.vocab_size))
        laws[np.arange(len(given)), following] = 1.0
        return FittedLagRegression(self, fit_softmax(self.design(given), laws, self.penalty))

    def design(self, contexts: "Integers") -> Any:
        """(n, l V) sparse one-hot matrix of the last l tokens, nearest first."""
        from scipy.sparse import csr_matrix

        n = len(contexts)
        nearest = contexts[:, ::-1][:, : self.n_lags].astype(np.int64)
        columns = nearest + np.arange(self.n_lags) * self.vocab_size
        pointers = np.arange(n + 1) * self.n_lags
        shape = (n, self.n_lags * self.vocab_size)
        return csr_matrix((np.ones(columns.size), columns.ravel(), pointers), shape=shape)


@dataclass(frozen=True, eq=False)
class FittedLagRegression:
    """Lag regression after its targets."""

    learner: LagRegression
    regression: SoftmaxRegression

    def laws(self, contexts: NDArray[np.integer]) -> Floats:
        """(n, V) after contexts (n, m >= l), oldest first."""
        given = checked_contexts(contexts, self.learner.vocab_size, self.learner.n_lags)
        return np.exp(self.regression.log_laws(self.learner.design(given)))
