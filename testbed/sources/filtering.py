"""Exact Bayes filters of finite edge-emitting machines. numba is imported at the first use."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources.dyadic import ROW_SUM_TOLERANCE
from testbed.sources.edges import Edges
from testbed.sources.machine_sampling import aligned_zeros, check_edges
from testbed.sources.source import PREDICT_LIMIT_BYTES, Floats, Tokens, require_memory, token_dtype

FEW_STATES = 8  # that fit a vector register
DENSE_LIMIT_BYTES = 2**27
EDGE_COST = 80  # entries of the dense tensor that are multiplied while one edge of a list is followed; measured
_BLOCK_LANES = (64, 256)  # sequences of a block of the dense kernel, at least and at most; 8 a symbol between them


class EdgeList(NamedTuple):
    """Edges of positive weight, group by group."""

    starts: NDArray[np.int64]  # the first edge of every group, and one past the last
    others: NDArray[np.signedinteger[Any]]  # sources or symbols
    targets: NDArray[np.signedinteger[Any]]
    probabilities: Floats


@dataclass(frozen=True, eq=False)
class MachineFilter:
    """What a Bayesian who knows the machine believes about its state, and so about every next token.

    b_0 = initial,     p(x_t | x_0 .. x_t-1) = sum over s, s' of b_t(s) T[x_t, s, s'],     b_t+1 ~ b_t T[x_t]

    Rounding of float64 apart this is exact at any length: beliefs are renormalised at every step. A state whose belief
    falls below 1e-308 counts as impossible. A sequence's values do not depend on what it is batched with.
    """

    edges: Edges
    vocab_size: int

    def __post_init__(self) -> None:
        check_edges(self.edges, self.vocab_size)

    def log_probs(self, initial: Floats, tokens: Tokens) -> Floats:
        """(N, L): ln p(tokens[:, t] | tokens[:, :t]), with the belief `initial`, (S,) or (N, S), before token 0.

        -inf where the token is impossible, nan after it.
        """
        return self._run(initial, tokens, keep=False)[0].T

    def beliefs(self, initial: Floats, tokens: Tokens) -> Floats:
        """(N, L + 1, S): p(state | tokens[:, :t]) for t = 0 .. L; nan after an impossible token.

        Raises ResourceError where the result would pass PREDICT_LIMIT_BYTES.
        """
        n_sequences, length = np.shape(tokens) if np.ndim(tokens) == 2 else (0, 0)
        require_memory(
            8 * n_sequences * (length + 1) * self.edges.n_states,
            PREDICT_LIMIT_BYTES,
            f"beliefs over {self.edges.n_states} states at {n_sequences} x {length + 1} positions",
            "ask for fewer sequences or tokens at a time",
        )
        return self._run(initial, tokens, keep=True)[1]

    def _run(self, initial: Floats, tokens: Tokens, keep: bool) -> tuple[Floats, Floats]:
        """Log probabilities (L, N), and beliefs if they are to be kept."""
        symbols = _checked_tokens(tokens, self.vocab_size)
        n_sequences, length = symbols.shape
        start = _checked_beliefs(initial, n_sequences, self.edges.n_states)
        log_probs = np.empty((length, n_sequences))
        beliefs = np.empty((n_sequences, length + 1, self.edges.n_states) if keep else (1, 0, 0))
        if n_sequences:
            self._fill(start, symbols, log_probs, beliefs)
        return log_probs, beliefs

    def _fill(
        self, start: Floats, symbols: NDArray[np.unsignedinteger[Any]], log_probs: Floats, beliefs: Floats
    ) -> None:
        """Fill log_probs (L, N), and beliefs unless these are empty, by the kernel that suits the machine."""
        if self._is_sparse:
            from testbed.sources._kernels.sparse_filter import filter_sparse

            filter_sparse(*self._edge_lists, start, symbols.astype(np.uint16), log_probs, beliefs)
            return
        from testbed.sources._kernels.filters import filter_dense, filter_few

        words, tokens_per_word = _packed(symbols)
        if self.edges.n_states <= FEW_STATES:
            filter_few(*self._few_table, start, words, tokens_per_word, log_probs, beliefs)
        else:
            lanes = min(max(_BLOCK_LANES[0], 8 * self.vocab_size), _BLOCK_LANES[1])
            filter_dense(self._panels, lanes, self.vocab_size, start, words, tokens_per_word, log_probs, beliefs)

    @cached_property
    def _is_sparse(self) -> bool:
        """Whether a list of edges is quicker than the dense tensor, or the tensor too large."""
        n_states = self.edges.n_states
        if n_states <= FEW_STATES:
            return False
        entries = self.vocab_size * n_states**2
        return 8 * entries > DENSE_LIMIT_BYTES or entries > EDGE_COST * int(np.count_nonzero(self.edges.weights))

    @cached_property
    def _few_table(self) -> tuple[Floats, int]:
        """T with its states padded to 2, 4 or 8, flat; and the logarithm of that number to base 2."""
        n_states = self.edges.n_states
        width_bits = max(1, (n_states - 1).bit_length())
        width = 1 << width_bits
        table = aligned_zeros(self.vocab_size * width**2, np.dtype(np.float64))
        table.reshape(-1, width, width)[:, :n_states, :n_states] = self.edges.tensor(self.vocab_size)
        return table, width_bits

    @cached_property
    def _panels(self) -> Floats:
        """T with its targets padded and cut into panels, each in one piece: (V, panels, S, PANEL), flat."""
        from testbed.sources._kernels.filters import PANEL

        n_states = self.edges.n_states
        panels = -(-n_states // PANEL)
        table = aligned_zeros(self.vocab_size * panels * n_states * PANEL, np.dtype(np.float64))
        by_panel = table.reshape(self.vocab_size, panels, n_states, PANEL)
        state, edge = np.nonzero(self.edges.weights)
        panel, column = np.divmod(self.edges.successors[state, edge], PANEL)
        np.add.at(
            by_panel,
            (self.edges.symbols[state, edge], panel, state, column),
            self.edges.probabilities[state, edge],
        )
        return table

    @cached_property
    def _edge_lists(self) -> tuple[EdgeList, EdgeList]:
        """All edges by symbol, then target, with their sources; and by source, then symbol, with their symbols."""
        edges = self.edges
        source, edge = np.nonzero(edges.weights)
        symbol = edges.symbols[source, edge]
        target = edges.successors[source, edge]
        probability = edges.probabilities[source, edge]
        by_symbol = np.lexsort((source, target, symbol))
        by_source = np.lexsort((target, symbol, source))
        symbol_starts = np.searchsorted(symbol[by_symbol], np.arange(self.vocab_size + 1))
        source_starts = np.searchsorted(source[by_source], np.arange(edges.n_states + 1))
        return (
            EdgeList(symbol_starts, source[by_symbol].astype(np.int32), target[by_symbol], probability[by_symbol]),
            EdgeList(source_starts, symbol[by_source], target[by_source], probability[by_source]),
        )


def _packed(symbols: NDArray[np.unsignedinteger[Any]]) -> tuple[NDArray[np.uint32], int]:
    """Rows of 8- or 16-bit tokens as 32-bit words, first token in the lowest bits, and how many make a word."""
    tokens_per_word = 4 // symbols.dtype.itemsize
    missing = -symbols.shape[1] % tokens_per_word
    padded = np.pad(symbols, ((0, 0), (0, missing))) if missing else symbols
    little = np.ascontiguousarray(padded, dtype=padded.dtype.newbyteorder("<"))
    return little.view("<u4").astype(np.uint32, copy=False), tokens_per_word


def _checked_tokens(tokens: Tokens, vocab_size: int) -> NDArray[np.unsignedinteger[Any]]:
    """`tokens` (N, L) in the smallest type, in one piece, if they are integers of 0 .. V - 1."""
    array = np.asarray(tokens)
    if array.ndim != 2 or (array.size and array.dtype.kind not in "ui"):
        raise ConfigError(f"tokens: need integers of shape (N, L), given {array.dtype} of shape {array.shape}")
    if array.size and not (int(array.min()) >= 0 and int(array.max()) < vocab_size):
        raise ConfigError(f"tokens: given values {array.min()} .. {array.max()}, must lie in 0 .. {vocab_size - 1}")
    return np.ascontiguousarray(array, dtype=token_dtype(vocab_size))


def _checked_beliefs(initial: Floats, n_sequences: int, n_states: int) -> Floats:
    """`initial` as (1, S) or (N, S), if each row is a law, or nan all over as after an impossible token."""
    array = np.asarray(initial, dtype=np.float64)
    if array.shape not in ((n_states,), (n_sequences, n_states)):
        raise ConfigError(
            f"initial: need a belief over {n_states} states, ({n_states},), or one a sequence, "
            f"({n_sequences}, {n_states}); given shape {array.shape}"
        )
    rows = np.ascontiguousarray(array.reshape(-1, n_states))
    wrong = (rows < 0).any(axis=1) | (np.abs(rows.sum(axis=1) - 1) > ROW_SUM_TOLERANCE)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ConfigError(
            f"initial: row {row} sums to {rows[row].sum():.9g}, least entry {rows[row].min():.3g}; must be a law"
        )
    return rows
