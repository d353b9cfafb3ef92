"""Sequences from laws drawn per sequence, by Polya urns with integer counts: exactly the Dirichlet mixture."""

from fractions import Fraction
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from testbed.core import ConfigError
from testbed.sources.randomness import in_range, random_words
from testbed.sources.source import Floats, Tokens, token_dtype

TOKEN_STREAM = 1 << 16
START_STREAM = 2 << 16
TREE_STREAM = 3 << 16
"""Numbers of the random streams. A rejected word is replaced by the same word of the next stream, hence the gaps."""

MAX_URN_ENTRIES = 2**24
MAX_RATIO_PART = 2**16
MAX_TOTAL = 2**32 - 1


def _ratio(given: object) -> int | str:
    """A positive rational as an integer or as "p/q" in lowest terms; decimals are taken as they are written."""
    try:
        if isinstance(given, bool) or not isinstance(given, int | float | str | Fraction):
            raise ValueError
        value = Fraction(str(given))
    except (ValueError, ZeroDivisionError):
        raise ValueError(f'given {given!r}, must be a positive number such as 1, 0.5 or "1/3"') from None
    if not value > 0:
        raise ValueError(f"given {given}, must be positive")
    if max(value.numerator, value.denominator) > MAX_RATIO_PART:
        near = max(Fraction(1, MAX_RATIO_PART), min(Fraction(MAX_RATIO_PART), value.limit_denominator(1000)))
        raise ValueError(
            f"given {given} = {value}; numerator and denominator are at most {MAX_RATIO_PART}, so that urns hold"
            f" integers; {near} is near"
        )
    return value.numerator if value.denominator == 1 else str(value)


Ratio = Annotated[int | float | str, BeforeValidator(_ratio)]
"""A positive rational field: 1, 0.3 (which means 3/10) or "1/3"."""


def check_urns(vocab_size: int, order: int, name: str = "order") -> None:
    """Refuse sources of more than 2^24 counts, V^(order + 1)."""
    if vocab_size ** (order + 1) > MAX_URN_ENTRIES:
        raise ValueError(
            f"{name}: {vocab_size} symbols at {name} {order} need {vocab_size}^{order + 1} counts; at most 2^24 are"
            " kept"
        )


def sample_urns(
    vocab_size: int,
    order: int,
    concentration: Fraction,
    n_sequences: int,
    length: int,
    seed: int,
    first_sequence: int,
    *,
    rows: NDArray[np.int32] | None = None,
    stream: int = TOKEN_STREAM,
) -> Tokens:
    """(N, L): `order` uniform tokens, then each from the urn of its context.

    rows (1 or N, V^order) is the urn of each context, contexts in base V with the last token lowest; left out, every
    context has its own.
    """
    length = in_range("length", length, MAX_TOTAL)
    p, q = concentration.numerator, concentration.denominator
    if q * length + p * vocab_size > MAX_TOTAL:
        raise ConfigError(
            f"length: {length} tokens with concentration {concentration} fill an urn beyond 2^32; at most"
            f" {max((MAX_TOTAL - p * vocab_size) // q, 0)} are drawn"
        )
    words = random_words(n_sequences, length, seed, first_sequence, stream)
    tokens = np.zeros(words.shape, dtype=np.uint16)
    if tokens.size:
        from testbed.sources._kernels.urn import draw_urns

        own = np.arange(vocab_size**order, dtype=np.int32)[None, :] if rows is None else rows
        last = np.uint64(stream), np.uint64(first_sequence), np.uint64(seed)
        draw_urns(tokens, words, own, vocab_size, order, p, q, *last)
    return tokens.astype(token_dtype(vocab_size), copy=False)


def urn_laws(counts: NDArray[np.integer], concentration: Fraction) -> Floats:
    """(..., V): (q n_x + p) / (q n + V p), the urn's next draw, for concentration p / q."""
    weights = counts * float(concentration.denominator) + float(concentration.numerator)
    laws: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return laws
