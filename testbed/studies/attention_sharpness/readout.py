"""A trained readout carried to other lengths: its attention is set, its values and what reads them stay.

The target gets the weight e^g / (e^g + T), each of the T other keys (the begin symbol, the query's own token, T - 2
fair bits) 1 / (e^g + T): the clamp at its best. With n ones among the T - 2 the block's output is exactly

    x_q + [e^g v_u + v_begin + v_q + n v_1 + (T - 2 - n) v_0] W_out / (e^g + T)

and n is binomial: its law is met by its quantiles.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from testbed.training.member import TrainedMember

Floats = NDArray[np.float64]
QUANTILES = 201


def counts(n: int, quantiles: int = QUANTILES) -> Floats:
    """The middles of equal shares of a binomial law of n fair bits."""
    from scipy.special import bdtr

    places = np.arange(n + 1.0) if n < quantiles else np.arange(n // 2 - _reach(n), n // 2 + _reach(n) + 1.0)
    cumulative = bdtr(places, n, 0.5)
    at = np.searchsorted(cumulative, (np.arange(quantiles) + 0.5) / quantiles)
    return np.asarray(places[np.minimum(at, len(places) - 1)], dtype=np.float64)


def _reach(n: int) -> int:
    """Eight standard deviations, at most half."""
    return min(n // 2, math.ceil(4.0 * math.sqrt(n)))


def carried_excess(member: "TrainedMember", gap: float, lengths: list[int], noise: float) -> Floats:
    """(n_lengths,) mean KL from the law of a noisy copy to the readout's, nats, at each number of keys T >= 2."""
    parts = _parts(member)
    found = []
    for length in lengths:
        ones = counts(length - 2)
        losses = [_divergence(parts, gap, length, target, query, ones, noise) for target in (0, 1) for query in (0, 1)]
        found.append(float(np.mean(losses)))
    return np.array(found)


def log_law(parts: dict[str, Floats], gap: float, length: int, target: int, query: int, ones: Floats) -> Floats:
    """(n, 2) ln q of the next bit, for n numbers of ones among the T - 2 other tokens."""
    v, x, begin = parts["values"], parts["embedding"], 2
    others = ones[:, None] * v[1] + (length - 2 - ones)[:, None] * v[0]
    mixed = (math.exp(gap) * v[target] + v[begin] + v[query] + others) / (math.exp(gap) + length)
    logits = _normed(x[query] + mixed) @ parts["head"]
    found: Floats = logits - np.logaddexp(logits[:, :1], logits[:, 1:])
    return found


def _divergence(
    parts: dict[str, Floats], gap: float, length: int, target: int, query: int, ones: Floats, noise: float
) -> float:
    log_q = log_law(parts, gap, length, target, query, ones)
    law = np.array([1.0 - noise, noise]) if target == 0 else np.array([noise, 1.0 - noise])
    return float((law * (np.log(law) - log_q)).sum(axis=1).mean())


def _parts(member: "TrainedMember") -> dict[str, Floats]:
    """Embeddings (3, D), the values that each hands on (3, D), and the head (D, 2), gains folded in."""
    _, weights = member.opened()
    w = {name: value[0].double().numpy() for name, value in weights.items()}
    d = w["embedding"].shape[1]
    values = (_normed(w["embedding"]) * w["0.attention_norm"]) @ w["0.qkv"][:, 2 * d :] @ w["0.attention_out"]
    return {"embedding": w["embedding"], "values": values, "head": w["final_norm"][:, None] * w["head"]}


def _normed(x: Floats) -> Floats:
    from testbed.models.rms_norm import EPSILON

    found: Floats = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + EPSILON)
    return found
