"""What supplies the tables: a known joint law, a law of T tokens (a source's or a trained model's), or counts.

All are callables, positions -> table, with axes in the order of the positions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.maxent.checks import whole
from testbed.maxent.constraint import Floats, Positions, check_positions
from testbed.maxent.dense import check_cells
from testbed.maxent.law import marginal_of

MAX_TABLE_CELLS = 2**24


def _law_array(name: str, given: Any) -> Floats:
    """An array (V,) * n; its sum and signs are checked with every table."""
    law = np.asarray(given, dtype=np.float64)
    if law.ndim == 0 or len(set(law.shape)) > 1:
        raise ConfigError(f"{name}: given the shape {law.shape}; a law of n tokens has n axes of one length, V")
    return law


@dataclass(frozen=True, eq=False)
class JointMarginals:
    """Exact marginals of a joint law (V,) * n."""

    joint: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "joint", _law_array("joint", self.joint))

    def __call__(self, positions: Positions) -> Floats:
        return marginal_of(self.joint, positions)


@dataclass(frozen=True, eq=False)
class WindowMarginals:
    """Marginals of a law of T successive tokens, used at every place: what a model of length T knows (R1).

    block      (V,) * T, a law; ConfigError for an array with axes of other lengths
    alignment  positions beyond T are read from the window that ends with the last of them (latest), or that begins
               with the first of them (earliest); the same for a stationary law. Positions within 0 .. T - 1 are read
               where they stand.

    Raises ConfigError for positions that no window of T holds: those tables belong to the regime R2.
    """

    block: Floats
    alignment: Literal["latest", "earliest"] = "latest"

    def __post_init__(self) -> None:
        object.__setattr__(self, "block", _law_array("block", self.block))
        if self.alignment not in ("latest", "earliest"):
            raise ConfigError(f"alignment: given {self.alignment!r}; known: latest, earliest")

    def __call__(self, positions: Positions) -> Floats:
        wanted = check_positions(positions)
        length = self.block.ndim
        if max(wanted) - min(wanted) >= length:
            raise ConfigError(
                f"positions {wanted} span {max(wanted) - min(wanted) + 1} tokens; a law of {length} tokens cannot"
                " supply their table (regime R2): take it from a longer law, or from counts"
            )
        shift = 0
        if max(wanted) >= length:
            shift = max(wanted) - (length - 1) if self.alignment == "latest" else min(wanted)
        return marginal_of(self.block, tuple(p - shift for p in wanted))

    def shift_distances(self) -> Floats:
        """(T - 1,): total variation between the laws of the first and of the last s tokens, s = 1 .. T - 1.

        All zero iff the block law is stationary; else tables read at different places disagree by as much.
        """
        length = self.block.ndim
        return np.array(
            [
                np.abs(
                    marginal_of(self.block, tuple(range(s))) - marginal_of(self.block, tuple(range(length - s, length)))
                ).sum()
                / 2
                for s in range(1, length)
            ]
        )


@dataclass(frozen=True, eq=False)
class CountMarginals:
    """Relative frequencies in sampled sequences.

    tokens      (N, L) integers, or (L,) for one sequence
    vocab_size  V
    length      n: tables over positions 0 .. n - 1; L if left out
    pooled      count every stretch of n successive tokens, not the first of each sequence alone; all tables are then
                marginals of one empirical law, and agree
    """

    tokens: NDArray[np.integer[Any]]
    vocab_size: int
    length: int | None = None
    pooled: bool = True

    def __post_init__(self) -> None:
        vocab_size = whole("vocab_size", self.vocab_size, 1)
        tokens = np.atleast_2d(np.asarray(self.tokens))
        if tokens.ndim != 2 or tokens.dtype.kind not in "ui" or tokens.size == 0:
            raise ConfigError(f"tokens: need integers of shape (N, L), given {tokens.dtype} of shape {tokens.shape}")
        if tokens.min() < 0 or tokens.max() >= vocab_size:
            raise ConfigError(f"tokens: given {tokens.min()} .. {tokens.max()}, must lie in 0 .. {vocab_size - 1}")
        length = tokens.shape[1] if self.length is None else whole("length", self.length, 1)
        if length > tokens.shape[1]:
            raise ConfigError(f"length: given {length}; sequences have {tokens.shape[1]} tokens")
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "length", length)
        object.__setattr__(self, "vocab_size", vocab_size)

    @property
    def n_stretches(self) -> int:
        """N, the stretches counted; with `pooled` they overlap, and are not independent."""
        assert self.length is not None
        per_sequence = self.tokens.shape[1] - self.length + 1 if self.pooled else 1
        return self.tokens.shape[0] * per_sequence

    def __call__(self, positions: Positions) -> Floats:
        wanted = check_positions(positions)
        assert self.length is not None
        if max(wanted) >= self.length:
            raise ConfigError(f"positions: given {wanted}, must lie in 0 .. {self.length - 1}")
        check_cells(self.vocab_size, len(wanted), MAX_TABLE_CELLS, f"a table of counts on positions {wanted}")
        starts = self.tokens.shape[1] - self.length + 1 if self.pooled else 1
        index = np.zeros((self.tokens.shape[0], starts), dtype=np.int64)
        for p in wanted:
            index *= self.vocab_size
            index += self.tokens[:, p : p + starts].astype(np.int64)  # unsigned 64-bit ones would make it a float
        counts = np.bincount(index.reshape(-1), minlength=self.vocab_size ** len(wanted))
        return counts.reshape((self.vocab_size,) * len(wanted)) / self.n_stretches


def model_block_law(
    next_token: Callable[[NDArray[np.int64]], Floats], vocab_size: int, context_length: int, rows: int = 2**14
) -> Floats:
    """(V,) * T: the joint law of a model's T tokens, by enumerating its contexts.

        p(x_0 .. x_(T-1)) = prod_t p(x_t | x_0 .. x_(t-1))

    next_token  (N, t) tokens, t = 0 .. T - 1 -> (N, V) probabilities of the token that follows; called with at most
                `rows` contexts at a time

    Raises ConfigError, naming the context, where the probabilities are negative or do not sum to one within 1e-6 (a
    model's single precision), and divides by their sum.
    """
    vocab_size, context_length = whole("vocab_size", vocab_size, 1), whole("context_length", context_length, 1)
    rows = whole("rows", rows, 1)
    check_cells(vocab_size, context_length, what="the law of a model's tokens")
    joint = np.ones(1)
    for t in range(context_length):
        digits = vocab_size ** np.arange(t - 1, -1, -1, dtype=np.int64)
        laws = np.empty((len(joint), vocab_size))
        for first in range(0, len(joint), rows):
            numbers = np.arange(first, min(first + rows, len(joint)))
            contexts = numbers[:, None] // digits % vocab_size
            found = np.asarray(next_token(contexts), dtype=np.float64)
            if found.shape != (len(numbers), vocab_size):
                raise ConfigError(f"next_token: gave the shape {found.shape}, must be {(len(numbers), vocab_size)}")
            totals = found.sum(axis=1)
            wrong = ~(np.abs(totals - 1) <= 1e-6) | ~(found.min(axis=1) >= 0)
            if wrong.any():
                one = int(np.argmax(wrong))
                raise ConfigError(f"next_token: after {contexts[one].tolist()} it gave {found[one]}, which is no law")
            laws[numbers] = found / totals[:, None]
        joint = (joint[:, None] * laws).reshape(-1)
    return joint.reshape((vocab_size,) * context_length)
