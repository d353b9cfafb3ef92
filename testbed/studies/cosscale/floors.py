"""The best law within a window, exactly: what a model that sees the last w tokens loses on each source."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.sources.power_law.mixture_transition import MixtureTransitionSource
from testbed.sources.recall.far_source import FarSource
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Tokens

MAX_ENTRIES = 2**22
"""Pasts and next tokens that are enumerated."""


def windowed_floor(source: FarSource, tokens: Tokens, judged: NDArray[np.bool_]) -> float:
    """Mean KL of the best law given the tokens of a window shorter than the distance d: (share of copies)(ln n - H(C)).

    With a uniform kernel fresh symbols are independent of everything, so that places of different residue modulo d are
    independent; a window of fewer than d units holds none of the copied symbol's residue. Exact for these pointers.
    """
    columns = np.nonzero(judged)
    pointer = tokens[columns[0], columns[1] - 1].astype(np.int64) - source.n_symbols
    channel = np.asarray(source.channel_weights[0], dtype=np.float64) / 2.0**32
    return float(np.mean(pointer > 0) * (np.log(source.n_symbols) - law_entropies(channel)))


def enumerable(source: MixtureTransitionSource) -> bool:
    """Whether `lag_floors` can sum over all V^(n_lags + 1) tokens and pasts."""
    return (source.n_lags + 1) * np.log2(source.vocab_size) <= np.log2(MAX_ENTRIES)


@lru_cache(maxsize=8)
def lag_floors(source: MixtureTransitionSource, length: int) -> tuple[float, ...]:
    """KL of the best law given the last w = 0 .. n_lags tokens from the exact law, nats; the mean over the second half
    of sequences of `length` tokens.

        h_t(w) - h_t(n_lags),    h_t(w) = H(x_t | x_(t-w) .. x_(t-1))

    by carrying the joint law of the last n_lags tokens through the sequence from its start, where what lies before
    counts as fresh (`MixtureTransitionSource`); so the process need not be stationary yet. No model that sees w tokens
    stays below entry w; entry 0 is what is lost without context.

    Raises ValueError where V^(n_lags + 1) is above MAX_ENTRIES.

    >>> source = MixtureTransitionSource(vocab_size=4, fresh=0.2, lag_law=np.array([0.0, 1.0]), n_lags=2)
    >>> [round(one, 3) for one in lag_floors(source, 24)]      # the last token alone tells nothing
    [0.799, 0.799, 0.0]
    """
    if not enumerable(source):
        raise ValueError(f"source: {source.vocab_size}^{source.n_lags + 1} pasts and tokens, above {MAX_ENTRIES}")
    size, order = source.vocab_size, source.n_lags
    joint = np.ones(())  # (V,) * min(t, n_lags): law of the tokens before t
    losses = np.zeros(order + 1)
    for t in range(length):
        seen = min(t, order)
        pasts = np.arange(size**seen)[:, None] // size ** np.arange(seen)[::-1] % size
        law = source.predict(np.pad(pasts, ((0, 0), (0, 1))), positions=[seen])[:, 0]
        with_next = joint[..., None] * law.reshape((size,) * (seen + 1))
        if t >= length // 2:
            for w in range(order + 1):
                kept = with_next.sum(axis=tuple(range(seen - min(w, seen))))
                losses[w] += law_entropies(kept.ravel()) - law_entropies(kept.sum(axis=-1).ravel())
        joint = with_next.sum(axis=0) if seen == order else with_next
    losses /= length - length // 2
    return tuple(float(one) for one in losses - losses[-1])
