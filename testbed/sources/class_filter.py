"""The Bayes filter of a reducible machine: a filter for each closed class of states, weighed in log space."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from testbed.sources.edges import Edges
from testbed.sources.filtering import MachineFilter
from testbed.sources.source import PREDICT_LIMIT_BYTES, Floats, Tokens, require_memory

CHUNK_BYTES = 2**26


class ClassFilter:
    """As `MachineFilter`, for laws of the first state that lie on several closed classes.

    One filter over all states would lose a class whose evidence falls 1e-308 below another's, for ever: nothing leads
    back to it. Here the evidence of each class is kept as a logarithm,

        ln p(x_t | before) = ln sum_c e^(A_c(t+1)) - ln sum_c e^(A_c(t)),     A_c(t) = ln w_c p_c(x_0 .. x_t-1)

    classes  the states of each class, which no edge leaves
    """

    def __init__(self, edges: Edges, vocab_size: int, classes: Sequence[NDArray[np.int64]]) -> None:
        self._classes, self._n_states = classes, edges.n_states
        self._filters = [MachineFilter(_part(edges, states), vocab_size) for states in classes]

    def log_probs(self, initial: Floats, tokens: Tokens) -> Floats:
        """(N, L): ln p(tokens[:, t] | tokens[:, :t]); -inf where the token is impossible, nan after it."""
        result = np.empty(tokens.shape)
        for rows in self._chunks(tokens):
            scores, best = self._scores(initial, tokens[rows])
            highest = scores.max(axis=0)
            with np.errstate(invalid="ignore"):  # -inf less -inf is nan, after an impossible token
                evidence = highest + np.log(np.exp(scores - highest).sum(axis=0))
                evidence[np.isneginf(highest)] = -np.inf
                result[rows] = np.diff(evidence, axis=1) + best
        return result

    def beliefs(self, initial: Floats, tokens: Tokens) -> Floats:
        """(N, L + 1, S): p(state | tokens[:, :t]) for t = 0 .. L; nan after an impossible token."""
        n_sequences, length = tokens.shape
        require_memory(
            8 * n_sequences * (length + 1) * self._n_states,
            PREDICT_LIMIT_BYTES,
            f"beliefs over {self._n_states} states at {n_sequences} x {length + 1} positions",
            "ask for fewer sequences or tokens at a time",
        )
        result = np.zeros((n_sequences, length + 1, self._n_states))
        for rows in self._chunks(tokens):
            scores, _ = self._scores(initial, tokens[rows])
            with np.errstate(invalid="ignore"):
                shares = np.exp(scores - scores.max(axis=0))
                shares /= shares.sum(axis=0)
            result[rows][np.isnan(shares[0])] = np.nan
            for share, states, part in zip(shares, self._classes, self._filters, strict=True):
                inside = part.beliefs(_conditional(initial, states), tokens[rows])
                place, time = np.nonzero(share > 0)
                result[rows][place[:, None], time[:, None], states] = share[place, time, None] * inside[place, time]
        return result

    def _scores(self, initial: Floats, tokens: Tokens) -> tuple[Floats, Floats]:
        """(C, N, L + 1): ln w_c p_c(tokens before t), less the sum before t of (N, L): the largest ln p_c(token)."""
        found = np.stack(
            [
                part.log_probs(_conditional(initial, states), tokens)
                for states, part in zip(self._classes, self._filters, strict=True)
            ]
        )
        found[np.isnan(found)] = -np.inf
        best = found.max(axis=0)
        scores = np.empty((len(found), len(tokens), tokens.shape[1] + 1))
        scores[:, :, 0] = np.log([initial[states].sum() for states in self._classes])[:, None]
        found -= np.where(np.isneginf(best), 0.0, best)
        np.cumsum(found, axis=2, out=scores[:, :, 1:])
        scores[:, :, 1:] += scores[:, :, :1]
        return scores, best

    def _chunks(self, tokens: Tokens) -> Iterator[slice]:
        step = max(1, CHUNK_BYTES // (8 * len(self._classes) * (tokens.shape[1] + 1)))
        return (slice(first, first + step) for first in range(0, len(tokens), step))


def _conditional(law: Floats, states: NDArray[np.int64]) -> Floats:
    part: Floats = law[states] / law[states].sum()
    return part


def _part(edges: Edges, states: NDArray[np.int64]) -> Edges:
    """These states alone, renumbered."""
    number = np.zeros(edges.n_states, dtype=np.int32)
    number[states] = np.arange(len(states))
    weights = edges.weights[states]
    successors = np.where(weights > 0, number[edges.successors[states]], np.int32(0))
    return Edges(np.ascontiguousarray(edges.symbols[states]), successors, weights)
