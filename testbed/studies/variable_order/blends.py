"""Blends of all orders that never ask which order did well in the sequence: what they can do shows no adaptation.

    linear        q = sum_l w_l p_l           w >= 0, sum 1
    loglinear     q ~ prod_l p_l^(w_l)        any w
    placed        likewise, with weights of its own for each quarter of the sequence
    counts        likewise, w_l(n_1, .., n_D): any dependence on how often the present contexts were seen (`cells`)
    sure          likewise, w_l(n) + u_l(n) H_l + v_l(n) H_l^2: by counts and by each order's own confidence
    confident     q = sum_l w_l p_l,          w_l ~ exp(-8 H_l), sum 1, fitted to nothing
    confident_log q ~ prod_l p_l^(w_l)        likewise

p_l are the laws of the fixed orders, H_l their entropies. The weights of the first three are the same in every
sequence. All but the last two are fitted to sequences apart from those that are scored, and minimise mean KL(context-
tree weighting || q).
"""

from functools import lru_cache

import numpy as np

from testbed.sources.in_context import ContextTreeSource
from testbed.studies.variable_order.cells import CellBlend, cells_of, fit_cells
from testbed.studies.variable_order.config import quarters
from testbed.studies.variable_order.rivals import Floats, Integers, order_laws, seen, tokens_of

CONSTANT = ("linear", "loglinear", "placed")
"""Blends with constant weights."""
POWERS = {"counts": 0, "sure": 2}
"""Blends by counts, and the highest power of confidence that they go by."""
FITTED = (*CONSTANT, *POWERS, "interpolation")
"""Learners that ask no evidence and are fitted: the bar of who adapts."""
UNASKING = (*FITTED, "steep", "confident", "confident_log", "ppm")
"""All learners that ask no evidence."""
CONFIDENCE = 8.0


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
    """By name in `CONSTANT`: weights (D + 1,), of `placed` (QUARTERS, D + 1), fitted to n fresh sequences."""
    tokens = tokens_of(source, seed, n, length)
    bayes, orders = source.predict(tokens)[:, source.depth :], order_laws(tokens, source)

    def flat(part: slice) -> tuple[Floats, Floats]:
        v = source.vocab_size
        return orders[:, :, part].reshape(len(orders), -1, v), bayes[:, part].reshape(-1, v)

    every = flat(slice(None))
    placed = np.stack([fit_loglinear(*flat(part)) for part in quarters(bayes.shape[1])])
    return {"linear": fit_linear(*every), "loglinear": fit_loglinear(*every), "placed": placed}


def constant_laws(weights: dict[str, Floats], orders: Floats) -> dict[str, Floats]:
    """The law (N, P, V) of each blend, for orders (D + 1, N, P, V) at all scored positions."""
    parts = quarters(orders.shape[2])
    placed = [loglinear(w, orders[:, :, part]) for w, part in zip(weights["placed"], parts, strict=True)]
    return {
        "linear": linear(weights["linear"], orders),
        "loglinear": loglinear(weights["loglinear"], orders),
        "placed": np.concatenate(placed, axis=1),
    }


def entropy(orders: Floats) -> Floats:
    """(D + 1, ...) of laws (D + 1, ..., V), nats."""
    return np.asarray(-(orders * np.log(orders)).sum(axis=-1))


def features(orders: Floats, powers: int) -> Floats:
    """((D + 1) (powers + 1), ..., V): logarithms of the orders' laws times powers of their entropies."""
    logs, h = np.log(orders), entropy(orders)[..., None]
    return np.concatenate([logs * h**power for power in range(powers + 1)])


@lru_cache(maxsize=4)
def by_counts(
    source: ContextTreeSource, length: int, n: int, edges: tuple[int, ...], seed: int
) -> dict[str, CellBlend]:
    """By name in `POWERS`, fitted to n fresh sequences; constant weights where a cell was not seen."""
    tokens = tokens_of(source, seed, n, length)
    bayes, orders = source.predict(tokens)[:, source.depth :], order_laws(tokens, source)
    cells, constant = cells_of(seen(tokens, source.depth), edges), constants(source, length, n, seed)["loglinear"]
    return {
        name: fit_cells(
            features(orders, powers), cells, bayes, np.concatenate([constant, np.zeros(powers * len(orders))])
        )
        for name, powers in POWERS.items()
    }


def counted_laws(blends: dict[str, CellBlend], orders: Floats, cells: Integers) -> dict[str, Floats]:
    """The law (N, P, V) of each blend by counts."""
    return {name: np.exp(one.log_laws(features(orders, POWERS[name]), cells)) for name, one in blends.items()}


def confident_laws(orders: Floats) -> dict[str, Floats]:
    """The law (N, P, V) of both blends that go by confidence alone."""
    weights = np.exp(-CONFIDENCE * entropy(orders))
    weights = (weights / weights.sum(axis=0))[..., None]
    logs = (weights * np.log(orders)).sum(axis=0)
    law = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return {
        "confident": (weights * orders).sum(axis=0),
        "confident_log": np.asarray(law / law.sum(axis=-1, keepdims=True)),
    }
