"""Back-off over context lengths: what was seen after the longest context known, and the rest left to shorter ones.

Prediction by partial matching (Cleary & Witten 1984) with the escapes of method C (Moffat 1990), blended instead of
excluded (Witten & Bell 1991), so that the law of every token sums to one in closed form:

    q_k(x | c) = (n(c x) + d(c) q_(k-1)(x | c without its oldest token)) / (n(c) + d(c)),      q_(-1) = 1 / V,

where n counts what followed the context c of k tokens so far, and d(c) how many different symbols did. A context that
was never seen leaves everything to the next shorter one.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.predictors.grouping import context_groups, earlier_counts, earlier_sums, earlier_symbols
from testbed.predictors.windows import checked_integer, checked_tokens

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def back_off_code_lengths(tokens: NDArray[np.integer], vocab_size: int, depth: int) -> Floats:
    """(N, L) code length of every token, -ln q(x_t | x_0 .. x_(t-1)) in nats; the first `depth` tokens cost ln V each.

    tokens (N, L), each row a sequence of its own, or (L,) for one sequence. Every token's code length uses the tokens
    before it alone, so that the sum over a row is the length of a code for that sequence: its mean over any source is
    at least the source's entropy. Time O(N L D log(N L)), memory O(N L).

    >>> lengths = back_off_code_lengths(np.array([0, 1] * 8), vocab_size=2, depth=2)
    >>> (lengths[:4] / np.log(2)).round(3).tolist(), lengths[-2:].round(3).tolist()
    ([1.0, 1.0, 1.0, 2.0], [0.01, 0.011])

    Raises ConfigError for tokens outside 0 .. V - 1 or a negative depth.
    """
    rows = _checked(tokens, vocab_size, depth)
    lengths = np.full(rows.shape, np.log(vocab_size))
    if rows.shape[1] > depth:
        following = rows[:, depth:]
        law = np.full(following.shape, 1.0 / vocab_size)
        for groups in context_groups(rows, depth):
            pairs = earlier_counts(groups * vocab_size + following)
            seen = earlier_counts(groups)
            different = earlier_sums(groups, (pairs == 0).astype(np.float64))
            law = np.where(seen > 0, (pairs + different * law) / np.maximum(seen + different, 1.0), law)
        lengths[:, depth:] = -np.log(law)
    return lengths.reshape(np.shape(tokens))


def back_off_law(tokens: NDArray[np.integer], vocab_size: int, depth: int) -> Floats:
    """(N, L, V): q(x | x_0 .. x_(t-1)), whose -ln at the tokens `back_off_code_lengths` returns; uniform for t < D."""
    rows = _checked(tokens, vocab_size, depth)
    laws = np.full((*rows.shape, vocab_size), 1.0 / vocab_size)
    if rows.shape[1] > depth:
        following = rows[:, depth:]
        for groups in context_groups(rows, depth):
            counts = earlier_symbols(groups, following, vocab_size)
            seen = counts.sum(axis=-1, keepdims=True)
            different = (counts > 0).sum(axis=-1, keepdims=True)
            blended = (counts + different * laws[:, depth:]) / np.maximum(seen + different, 1)
            laws[:, depth:] = np.where(seen > 0, blended, laws[:, depth:])
    return laws.reshape(*np.shape(tokens), vocab_size)


def _checked(tokens: NDArray[np.integer], vocab_size: int, depth: int) -> Integers:
    checked_integer("depth", depth, 0)
    return np.atleast_2d(checked_tokens(tokens, vocab_size)).astype(np.int64)
