"""Losses of learners whose data are counts of a window and its next token: exact, and drawn in one go for any D.

D targets drawn independently are one multinomial draw of V^l x V counts, whatever D. With the exact law p(c, x) a
learner's loss is a sum, -sum p ln q: there is no test set and no noise but that of the training data.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from testbed.predictors import fit_softmax

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def risk(law: Floats) -> float:
    """H(X | C) of p(c, x) (C, V): the Bayes loss of the window, nats."""
    return float(xlogy(law.sum(axis=-1), law.sum(axis=-1)).sum() - xlogy(law, law).sum())


def cross_entropy(tested: Floats, trained: Floats) -> float:
    """-sum p(c, x) ln q(x | c): the loss on p of who has learnt q(c, x); infinite where q rules out what p has.

    Contexts that q never shows take no part: p must not show them either.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(trained) - np.log(trained.sum(axis=-1, keepdims=True))
        return float(-np.where(tested > 0, tested * logs, 0.0).sum())


def n_parameters(law: Floats) -> int:
    """Free numbers of a table: V - 1 for each context that occurs."""
    return int((law.sum(axis=-1) > 0).sum()) * (law.shape[1] - 1)


def counts_of(law: Floats, n: int, rng: np.random.Generator) -> Integers:
    """(C, V) counts of n independent targets."""
    flat = law.ravel()
    return np.asarray(rng.multinomial(n, flat / flat.sum()).reshape(law.shape))


def table_loss(counts: Integers, tested: Floats, constant: float = 0.5) -> float:
    """Loss on p(c, x) of the table of counts (C, V) with a constant added to every one."""
    filled = counts + constant
    return float(-(tested * np.log(filled / filled.sum(axis=-1, keepdims=True))).sum())


def lag_features(window: int, vocab_size: int) -> Floats:
    """(V^l, l V) one-hot of each token of each window."""
    words = np.stack(np.unravel_index(np.arange(vocab_size**window), (vocab_size,) * window), axis=1)
    return np.asarray(np.eye(vocab_size)[words].reshape(len(words), -1))


def regression_loss(counts: Floats, features: Floats, tested: Floats, penalty: float) -> float:
    """Loss on p(c, x) of the softmax regression on l one-hot lags that fits the counts best, less a ridge."""
    seen = counts.sum(axis=1)
    some = seen > 0
    laws = counts[some] / seen[some, None]
    fitted = fit_softmax(features[some], laws, penalty, multiplicity=seen[some])
    return float(-(tested * fitted.log_laws(features)).sum())


def marginal(counts: NDArray[Any], vocab_size: int, order: int) -> NDArray[Any]:
    """(V^order, V): counts (V^l, V) of windows, summed over all but the last `order` tokens."""
    return np.asarray(counts.reshape(-1, vocab_size**order, vocab_size).sum(axis=0))
