"""Exact frontiers: the Bayes law of one token as the small model, the Bayes law of all of them as the large one."""

import numpy as np

from testbed.sources import Source
from testbed.studies.adaptive_decoding.switching import auroc, divergences, entropies, kept_curve, skill
from testbed.studies.tables import Floats

Arrays = dict[str, Floats]


def laws_of(source: Source) -> tuple[Floats, Floats, Floats]:
    """(V, V) law of two successive tokens; (V, V, V) p(x | a b); (V, V) p(x | b)."""
    v = source.vocab_size
    two, one = source.context_law(2), source.context_law(1)
    pairs, kernel, single = np.zeros((v, v)), np.full((v, v, v), 1 / v), np.full((v, v), 1 / v)
    places = two.contexts.astype(np.int64)
    pairs[places[:, 0], places[:, 1]] = two.probabilities
    kernel[places[:, 0], places[:, 1]] = two.laws
    single[one.contexts[:, 0].astype(np.int64)] = one.laws
    return pairs, kernel, single


def ideal_arrays(source: Source, window: int) -> Arrays:
    """Of a source of order 2, with S the Bayes law of one token and L that of two:

    oracle, rolling, single, truth, seen   (len(SHARES),) frontiers: largest gain; mean entropy of S over `window`
                                           tokens, over one; entropy of the source's own law; mean gain after the last
                                           token, the best of what depends on that alone
    auroc       of the rolling entropy
    gain        E d_S, nats: L has no excess
    beyond      h_2 - h_3: what a third token is worth, 0
    identity    largest distance, over last tokens b, of E[gain | b] from H_S(b) - E[H_L | b]
    small       (2,) mean entropy of S after a symbol of the easy and of the hard regime, which has the later symbols
    """
    pairs, kernel, single = laws_of(source)
    small, large = entropies(single), entropies(kernel)
    gain = divergences(kernel, np.broadcast_to(np.log(np.where(single > 0, single, 1.0)), kernel.shape))
    last = pairs.sum(axis=0)
    seen = (pairs * gain).sum(axis=0) / np.where(last > 0, last, 1.0)
    residue = (pairs * large).sum(axis=0) / np.where(last > 0, last, 1.0)
    weights, scores = _strings(pairs, kernel, small, max(window, 2), window)

    def spread(table: Floats) -> Floats:
        """A table of the last two tokens, at every string."""
        return np.broadcast_to(table, weights.shape).ravel()

    at, mass = spread(gain), weights.ravel()
    h = np.asarray(source.conditional_entropies(3).value)
    return {
        "oracle": kept_curve(at, at, mass),
        "rolling": kept_curve(scores.ravel(), at, mass),
        "single": kept_curve(spread(np.broadcast_to(small, gain.shape)), at, mass),
        "truth": kept_curve(spread(large), at, mass),
        "seen": kept_curve(spread(np.broadcast_to(seen, gain.shape)), at, mass),
        "auroc": np.array(auroc(scores.ravel(), at, mass)),
        "gain": np.array(mass @ at),
        "beyond": np.array(h[2] - h[3]),
        "identity": np.array(np.abs(np.where(last > 0, seen - (small - residue), 0.0)).max()),
        "small": (small * last).reshape(2, -1).sum(axis=1) / last.reshape(2, -1).sum(axis=1),
    }


def _strings(pairs: Floats, kernel: Floats, small: Floats, n: int, window: int) -> tuple[Floats, Floats]:
    """(V,) * n each: probability of every string of n tokens, and the mean of `small` over its last `window`."""
    weights = pairs
    for _ in range(n - 2):
        weights = weights[..., None] * kernel
    scores = np.zeros((1,) * n)
    for back in range(window):
        shape = [1] * n
        shape[n - 1 - back] = len(small)
        scores = scores + small.reshape(shape) / window
    return weights, np.broadcast_to(scores, weights.shape)


def dialled(sources: list[Source], window: int) -> Arrays:
    """rolling, single (n,): exact skill on each source; small (n, 2): as in `ideal_arrays`."""
    found = [ideal_arrays(one, window) for one in sources]
    skills = {name: np.array([skill(one[name], one["oracle"]) for one in found]) for name in ("rolling", "single")}
    return {**skills, "small": np.array([one["small"] for one in found])}
