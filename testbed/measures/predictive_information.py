"""What a window tells of the future, E(l), and what a Bayesian keeps of it, S(l): two sizes of a source's state."""

import numpy as np

from testbed.core import Truth, UndefinedError
from testbed.sources.chain import DyadicChain
from testbed.sources.source import Source


def predictive_information(source: Source, max_context: int) -> Truth:
    """E(l) = I(l tokens; the whole future) = sum_{j<l} (h_j - h) = H(block l) - l h, for l = 0 .. max_context, nats.

    Grows to the excess entropy, or without bound (Bialek, Nemenman & Tishby 2001). Exact where h_l and h are; bounds
    are rounded outward; standard errors add.

    >>> from testbed.sources.in_context import BiasedCoinSource
    >>> predictive_information(BiasedCoinSource(), 2).value.round(6).tolist()  # ln 2 - 1/2, and hb(1/3) - 1/2
    [0.0, 0.193147, 0.329661]
    """
    rate = source.entropy_rate()
    h = source.conditional_entropies(max_context)[:max_context]

    def sums(terms: np.ndarray) -> np.ndarray:
        return np.append(0.0, np.cumsum(terms))

    if "sampled" in (h.kind, rate.kind):
        halves = (h.upper - h.lower) / 2 + float(rate.upper - rate.lower) / 2
        return Truth.sampled(
            sums(np.asarray(h.value) - rate.value), sums(h.standard_error + float(rate.standard_error) + halves)
        )
    lower = np.maximum(h.lower - float(rate.upper), 0.0)
    if h.kind == rate.kind == "exact":
        return Truth.exact(sums(lower))
    return Truth.bracket(
        np.maximum(np.nextafter(sums(lower), -np.inf), 0.0), np.nextafter(sums(h.upper - float(rate.lower)), np.inf)
    )


def state_entropies(source: Source, max_context: int) -> Truth:
    """S(l), l = 0 .. max_context, nats: entropy of the Bayes state after l tokens, as the source itself gives it.

    For an order-k chain it is H(block of min(l, k) tokens): those are its states, where no two have equal futures.

    Raises UndefinedError where the state is not known, or real-valued.
    """
    own = getattr(source, "state_entropies", None)
    if own is not None:
        found: Truth = own(max_context)
        return found
    if isinstance(source, DyadicChain):
        blocks = source.block_entropies(source.order)
        lengths = np.minimum(np.arange(max_context + 1), source.order)
        return Truth.exact(np.append(0.0, blocks.lower)[lengths])
    raise UndefinedError(f"S(l): {source.type_name} does not say what the state of a Bayesian is after l tokens")
