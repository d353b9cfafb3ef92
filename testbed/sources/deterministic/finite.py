"""Deterministic machines of finitely many states: all chance is in the seed, and every answer comes by exclusion."""

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.core import Truth, UndefinedError
from testbed.sources.randomness import in_range, random_words
from testbed.sources.source import (
    Floats,
    Source,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    token_dtype,
)

SEED_STREAM = 15
LOW = np.uint64(32)


@dataclass(frozen=True, eq=False)
class Level:
    """The prefixes of one length and what comes next; -1 stands for a prefix that does not occur.

    cells   (m,) prefix V + token, sorted, for each token that can follow; its place in the list is the longer prefix
    counts  (m,) the number of starts that write it
    """

    cells: NDArray[np.int64]
    counts: NDArray[np.int64]
    vocab_size: int

    def laws(self, prefix: NDArray[np.int64]) -> Floats:
        """(N, V): the law of the next token; nan for -1."""
        law = np.zeros((len(prefix), self.vocab_size))
        prefixes, tokens = np.divmod(self.cells, self.vocab_size)
        wanted, row = np.unique(prefix, return_inverse=True)
        begin, end = np.searchsorted(prefixes, wanted), np.searchsorted(prefixes, wanted, side="right")
        for number in range(int((end - begin).max(initial=0))):  # the number-th token of each prefix
            cell = np.minimum(begin + number, len(self.cells) - 1)[row]
            there = (begin + number < end)[row]
            law[np.flatnonzero(there), tokens[cell[there]]] = self.counts[cell[there]]
        with np.errstate(invalid="ignore"):
            return law / law.sum(axis=1, keepdims=True)

    def following(self, prefix: NDArray[np.int64], token: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) the prefix one token longer, or -1."""
        cell = prefix * self.vocab_size + token
        place = np.minimum(np.searchsorted(self.cells, cell), len(self.cells) - 1)
        return np.where(self.cells[place] == cell, place, -1)


class FiniteDeterministicSource(Source):
    """State s writes output(s) and goes to successor(s); the first state is uniform, and nothing else is random.

    `start` says on which states: "uniform" on all, "cycle" on those that recur, which the map permutes. The uniform law
    on all states is invariant only where the map permutes them all; elsewhere such sequences are not stationary, their
    truth is `position_losses`, and h_l is refused.

    The belief after t tokens is uniform on the first states that would have written them, so H(t) is the entropy of a
    partition, refined token by token until it is stable; it is then stable for good (Moore 1956), and

        h = 0,     E = H(last partition).

    To a learner without the time to search the seeds the stream may look like ln V nats per token all the same: its
    time-bounded entropy. That gap is what these sources are for.
    """

    start: Literal["uniform", "cycle"] = Field("uniform", description="first state: any, or one that recurs")

    @abstractmethod
    def _make_successors(self) -> NDArray[np.int64]:
        """(S,) the state after each state."""

    @abstractmethod
    def _make_outputs(self) -> NDArray[np.int64]:
        """(S,) the token that each state writes, 0 .. V - 1."""

    # -- the machine
    @cached_property
    def successors(self) -> NDArray[np.int64]:
        return self._make_successors()

    @cached_property
    def outputs(self) -> NDArray[np.int64]:
        return self._make_outputs()

    @cached_property
    def recurrent(self) -> NDArray[np.int64]:
        """The states on cycles: what is left of all of them after as many steps as there are states."""
        jump, steps = self.successors, 1
        while steps < len(self.successors):
            jump, steps = jump[jump], 2 * steps
        return np.unique(jump)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The states from which sequences start, with equal chances."""
        return np.arange(len(self.successors)) if self.start == "uniform" else self.recurrent

    @property
    def stationary(self) -> bool:  # type: ignore[override]
        return self.start == "cycle" or len(self.recurrent) == len(self.successors)

    @cached_property
    def _cycle(self) -> tuple[int, int]:
        """The recurrent states, those with equal futures merged: length of a cycle of theirs, and their number."""
        classes = self._refinement[1]
        kinds = np.unique(classes[self.recurrent])
        following = dict(zip(classes[self.recurrent], classes[self.successors[self.recurrent]], strict=True))
        length, here = 1, following[kinds[0]]
        while here != kinds[0]:
            length, here = length + 1, following[here]
        return length, len(kinds)

    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        """The recurrent states, those with equal futures merged, form one cycle."""
        length, n_kinds = self._cycle
        return length == n_kinds

    @property
    def period(self) -> int | None:  # type: ignore[override]
        """The length of the one cycle: its states are told apart in the end."""
        return self._cycle[0] if self.stationary and self.ergodic else None

    @property
    def fingerprint(self) -> str:
        head = f"deterministic:{self.vocab_size}:{self.start}:".encode()
        arrays = self.successors.astype("<i8").tobytes() + self.outputs.astype("<i8").tobytes()
        return hashlib.sha256(head + arrays).hexdigest()

    @cached_property
    def _refinement(self) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
        """For t = 0, 1, ... the number of starts in each class of equal first t tokens, and the classes of all states
        in the end. Refined by the tokens from t on, which gives the same classes: equal now, and equal from then on."""
        classes = np.zeros(len(self.successors), dtype=np.int64)
        counts = [np.array([len(self.starts)])]
        while True:
            pairs = self.outputs * (classes.max() + 1) + classes[self.successors]
            refined = np.unique(pairs, return_inverse=True)[1]
            if refined.max() == classes.max():
                return counts, refined
            classes = refined
            counts.append(np.bincount(classes[self.starts]))

    # -- truths
    @cached_property
    def _block_entropies(self) -> Floats:
        """H(0), H(1), ... until nothing more is learnt."""
        entropies = []
        for counts in self._refinement[0]:
            share = counts[counts > 0] / len(self.starts)
            entropies.append(-float(np.sum(share * np.log(share))) + 0.0)
        return np.maximum.accumulate(entropies)

    def position_losses(self, length: int) -> Truth:
        """(length,) H(t + 1) - H(t), exact, stationary or not."""
        length = in_range("length", length, 2**34)
        losses = np.zeros(length)
        known = np.diff(self._block_entropies)[:length]
        losses[: len(known)] = known
        return Truth.exact(losses)

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max, exact where the source is stationary."""
        max_context = in_range("max_context", max_context, 2**34)
        self._require_stationary("conditional_entropies")
        return self.position_losses(max_context + 1)

    def entropy_rate(self) -> Truth:
        """0: the seed is finite."""
        return Truth.exact(0.0)

    def excess_entropy(self) -> Truth:
        """E, the entropy of what a whole sequence tells of its seed; exact where the source is stationary."""
        self._require_stationary("excess_entropy")
        return Truth.exact(self._block_entropies[-1])

    def _require_stationary(self, what: str) -> None:
        if not self.stationary:
            raise UndefinedError(
                f"{what}: {self.type_name} starts from all states, of which only {len(self.recurrent)} of"
                f" {len(self.successors)} recur, and is not stationary; it has position_losses, or take start = 'cycle'"
            )

    # -- prediction
    @cached_property
    def _tree(self) -> tuple[list[Level], NDArray[np.int64]]:
        """The prefixes that occur, level by level until the partition is stable, and for each of the last level its
        present state, up to equal futures."""
        prefix = np.zeros(len(self.starts), dtype=np.int64)
        state = self.starts
        levels = []
        for _ in range(len(self._refinement[0]) - 1):
            cells, prefix, counts = np.unique(
                prefix * self.vocab_size + self.outputs[state], return_inverse=True, return_counts=True
            )
            levels.append(Level(cells, counts, self.vocab_size))
            state = self.successors[state]
        states = np.empty(int(prefix.max()) + 1, dtype=np.int64)
        states[prefix] = state
        return levels, states

    def _walk(self, tokens: NDArray[np.int64], wanted: set[int]) -> dict[int, Floats]:
        """The laws (N, V) of the next token after the first t tokens, for each wanted t; nan after impossible ones."""
        levels, states = self._tree
        place = np.zeros(len(tokens), dtype=np.int64)  # a prefix, later a state; -1 after an impossible token
        found = {}
        for t in range(max(wanted, default=-1) + 1):
            if t == len(levels):
                place = np.where(place >= 0, states[place], -1)
            if t in wanted:
                law = levels[t].laws(place) if t < len(levels) else self._certain(place)
                found[t] = np.where(place[:, None] >= 0, law, np.nan)
            if t < tokens.shape[1]:
                token = tokens[:, t]
                if t < len(levels):
                    following = levels[t].following(place, token)
                else:
                    following = np.where(self.outputs[place] == token, self.successors[place], -1)
                place = np.where(place >= 0, following, -1)
        return found

    def _certain(self, state: NDArray[np.int64]) -> Floats:
        """(N, V): the law of the one token that each state writes."""
        return (self.outputs[state][:, None] == np.arange(self.vocab_size)).astype(np.float64)

    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws, nan after an impossible token; `context` only where the source is stationary."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        if context is not None:
            self._require_stationary("context")
        reach = tokens.shape[1] if context is None else context
        laws = np.empty((len(tokens), len(at), self.vocab_size))
        early = self._walk(tokens, {t for t in at if t <= reach})
        for column, t in enumerate(at):
            laws[:, column] = early[t] if t <= reach else self._walk(tokens[:, t - reach : t], {reach})[reach]
        return laws

    # -- samples
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) tokens; the first state is start floor(word n_starts / 2^64), uniform to a relative 2^-48."""
        length = in_range("length", length, 2**34)
        words = random_words(n_sequences, 2, seed, first_sequence, SEED_STREAM).astype(np.uint64)
        n_starts = np.uint64(len(self.starts))
        index = (((words[:, 0] * n_starts) >> LOW) + words[:, 1] * n_starts) >> LOW
        state = self.starts[index.astype(np.int64)]
        tokens = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        for t in range(length):
            tokens[:, t] = self.outputs[state]
            state = self.successors[state]
        return tokens
