"""`Edges`: a finite edge-emitting machine as integer weights, the form that samplers, filters and combinators share."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources.dyadic import quantise

TOTAL_WEIGHT = 2**32


@dataclass(frozen=True, eq=False)
class Edges:
    """From state s, edge m emits symbols[s, m] and leads to successors[s, m] with weights[s, m] / 2^32.

    symbols     (S, M) int32
    successors  (S, M) int32
    weights     (S, M) int64, rows sum to 2^32; 0 where a state has fewer than M edges

    No two edges of positive weight of a state share symbol and successor.
    """

    symbols: NDArray[np.int32]
    successors: NDArray[np.int32]
    weights: NDArray[np.int64]

    @property
    def n_states(self) -> int:
        return len(self.weights)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """(S, M) weights / 2^32, exact in float64."""
        return self.weights / float(TOTAL_WEIGHT)

    @property
    def unifilar(self) -> bool:
        """State and symbol determine the next state."""
        state, edge = np.nonzero(self.weights)
        symbol = self.symbols[state, edge]
        return len(np.unique(np.stack([state, symbol]), axis=1).T) == len(state)

    def emissions(self, vocab_size: int) -> NDArray[np.float64]:
        """(S, V): p(x | s), summed over the edges."""
        law = np.zeros((self.n_states, vocab_size))
        np.add.at(law, (np.arange(self.n_states)[:, None], self.symbols), self.probabilities)
        return law

    def tensor(self, vocab_size: int) -> NDArray[np.float64]:
        """(V, S, S): T[x, s, s'] = p(x, s' | s), dense."""
        dense = np.zeros((vocab_size, self.n_states, self.n_states))
        state = np.broadcast_to(np.arange(self.n_states)[:, None], self.symbols.shape)
        np.add.at(dense, (self.symbols, state, self.successors), self.probabilities)
        return dense

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the three arrays, little-endian."""
        head = f"edges:{self.weights.shape}:".encode()
        arrays = (self.symbols.astype("<i4"), self.successors.astype("<i4"), self.weights.astype("<i8"))
        return hashlib.sha256(head + b"".join(array.tobytes() for array in arrays)).hexdigest()

    @classmethod
    def from_lists(cls, edges: list[list[tuple[int, int, float]]]) -> "Edges":
        """From a list of (symbol, successor, probability) for each state; zero probabilities are left out.

        Edges with equal symbol and successor are added up. Probabilities are quantised to 2^-32, each row on its own.
        Raises ConfigError where a row is no law.
        """
        rows = []
        for state, given in enumerate(edges):
            row: dict[tuple[int, int], float] = {}
            for symbol, successor, probability in given:
                if not 0 <= successor < len(edges):
                    raise ConfigError(f"transitions: state {state} leads to {successor}; there are {len(edges)} states")
                if probability != 0:
                    row[symbol, successor] = row.get((symbol, successor), 0.0) + probability
            if not row:
                raise ConfigError(f"transitions: row {state} has no transition of positive probability")
            rows.append(row)
        width = max(len(row) for row in rows)
        symbols, successors = np.zeros((2, len(rows), width), dtype=np.int32)
        probabilities = np.zeros((len(rows), width))
        for state, row in enumerate(rows):
            for edge, ((symbol, successor), probability) in enumerate(row.items()):
                symbols[state, edge], successors[state, edge] = symbol, successor
                probabilities[state, edge] = probability
        return cls(symbols, successors, quantise(probabilities))

    @classmethod
    def from_tensor(cls, transitions: NDArray[np.float64]) -> "Edges":
        """From transitions[x, s, s'] = p(x, s' | s), quantised row by row (a row is a state's V x S outcomes)."""
        vocab_size, n_states, _ = transitions.shape
        weights = quantise(np.moveaxis(transitions, 1, 0).reshape(n_states, vocab_size * n_states))
        width = max(1, int(np.count_nonzero(weights, axis=1).max()))
        order = np.argsort(weights == 0, axis=1, kind="stable")[:, :width]  # positive ones first, in their order
        symbols, successors = np.divmod(order, n_states)
        return cls(symbols.astype(np.int32), successors.astype(np.int32), np.take_along_axis(weights, order, axis=1))
