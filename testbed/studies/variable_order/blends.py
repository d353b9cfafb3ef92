"""Blends of all orders with constant weights: learners of D + 1 numbers that know neither counts nor evidence.

    linear        q = sum_l w_l p_l           w >= 0, sum 1
    loglinear     q ~ prod_l p_l^(w_l)        any w

p_l are the laws of the fixed orders. The weights are the same for every sequence and position and are fitted to
sequences apart from those that are scored: they minimise the mean KL(context-tree weighting || q). Neither blend asks
which order does well in a sequence, so that what they can do shows no adaptation.
"""

from functools import lru_cache

import numpy as np

from testbed.sources.in_context import ContextTreeSource
from testbed.studies.variable_order.rivals import Floats, order_laws, tokens_of

CONSTANT = ("linear", "loglinear")
"""Both blends."""


def linear(weights: Floats, orders: Floats) -> Floats:
    """(..., V) of weights (D + 1,) and orders (D + 1, ..., V)."""
    return np.asarray(np.tensordot(weights, orders, axes=1))


def loglinear(weights: Floats, orders: Floats) -> Floats:
    """(..., V), likewise."""
    logs = np.tensordot(weights, np.log(orders), axes=1)
    law = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(law / law.sum(axis=-1, keepdims=True))


def fit_linear(orders: Floats, bayes: Floats) -> Floats:
    """(D + 1,) weights, for orders (D + 1, n, V) and bayes (n, V)."""
    from scipy.optimize import minimize

    def loss(free: Floats) -> tuple[float, Floats]:
        w = np.exp(free - free.max())
        w /= w.sum()
        mixed = linear(w, orders)
        share = w * np.einsum("nv,onv->o", bayes / mixed, orders) / len(bayes)
        return -float((bayes * np.log(mixed)).sum(axis=-1).mean()), w - share

    free = minimize(loss, np.zeros(len(orders)), jac=True, method="BFGS").x
    w = np.exp(free - free.max())
    return np.asarray(w / w.sum())


def fit_loglinear(orders: Floats, bayes: Floats) -> Floats:
    """(D + 1,) weights, likewise; the loss is convex in them."""
    from scipy.optimize import minimize

    logs = np.log(orders)

    def loss(w: Floats) -> tuple[float, Floats]:
        law = loglinear(w, orders)
        slope = np.einsum("nv,onv->o", law - bayes, logs) / len(bayes)
        return -float((bayes * np.log(law)).sum(axis=-1).mean()), slope

    return np.asarray(minimize(loss, np.full(len(orders), 1.0 / len(orders)), jac=True, method="BFGS").x)


@lru_cache(maxsize=4)
def constants(source: ContextTreeSource, length: int, n: int, seed: int) -> dict[str, Floats]:
    """By name in `CONSTANT`: weights (D + 1,), fitted to n fresh sequences of the source."""
    tokens = tokens_of(source, seed, n, length)
    bayes, orders = source.predict(tokens)[:, source.depth :], order_laws(tokens, source)
    flat = orders.reshape(len(orders), -1, source.vocab_size), bayes.reshape(-1, source.vocab_size)
    return {"linear": fit_linear(*flat), "loglinear": fit_loglinear(*flat)}


def constant_laws(weights: dict[str, Floats], orders: Floats) -> dict[str, Floats]:
    """The law (..., V) of each blend, for orders (D + 1, ..., V)."""
    return {"linear": linear(weights["linear"], orders), "loglinear": loglinear(weights["loglinear"], orders)}
