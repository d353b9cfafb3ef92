"""`TokenChain`: the exact law of a token stream, as a chain on pairs of a token and what is known after it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from testbed.sources.edges import Edges

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

SAME = 12  # digits to which two beliefs that are the same agree
MOST_BELIEFS = 20_000


@dataclass(frozen=True, eq=False)
class TokenChain:
    """The stationary token stream of a tokenizer over a unifilar source, seen from token to token.

    token    (S,) the token that led to each state; with it the state says all of the past that the future depends on
    kernel   (S, S) p(next state | state); to each token there is one next state at the most, so that tokens tell states
    law      (S,) of the state after a token, stationary
    lengths  (V,) symbols in each token; V counts tokens that never come, too

    Everything follows exactly (float64): entropies of tokens at every order, their rate, E[length]. The tokens are a
    one-to-one reading of the symbols, so  h_tokens = h_symbols E[length], which is not put in anywhere.
    """

    token: Integers
    kernel: Floats
    law: Floats
    lengths: Integers

    @property
    def vocab_size(self) -> int:
        return len(self.lengths)

    @cached_property
    def token_law(self) -> Floats:
        """(V,) how often each token comes."""
        return np.asarray(np.bincount(self.token, weights=self.law, minlength=self.vocab_size), dtype=np.float64)

    @property
    def mean_length(self) -> float:
        """E[length], symbols in a token."""
        return float(self.token_law @ self.lengths)

    @property
    def entropy_rate(self) -> float:
        """Nats per token: the entropy of the next token given the state, on average."""
        return float(self.law @ _entropies(self.kernel))

    @property
    def unigram_entropy(self) -> float:
        """H of one token, nats: the loss of the best model that knows how often tokens come, and nothing else."""
        return float(_entropies(self.token_law[None])[0])

    def conditional_entropies(self, max_context: int) -> Floats:
        """(max + 1,) h_0 .. h_max of the token stream, nats per token.

        The belief about the state after l tokens of an unknown past is a row; equal ones are put together, and one that
        is sure of its state has h as its rest. Where there are over 20,000 different beliefs the rest is nan.
        """
        per_state = _entropies(self.kernel)
        found = np.full(max_context + 1, np.nan)
        known = np.zeros(len(self.token))  # (S,) weight of the contexts that are sure of their state
        beliefs, weights = self.law[None], np.ones(1)  # the other contexts, grouped by what they leave open
        for context in range(max_context + 1):
            following = beliefs @ self.kernel
            found[context] = known @ per_state + weights @ _entropies(self._of_tokens(following))
            known = known @ self.kernel
            beliefs, weights = self._split(following, weights, known)
            if len(beliefs) > MOST_BELIEFS:
                break
        return found

    def _of_tokens(self, following: Floats) -> Floats:
        """(n, S) laws of the next state -> (n, V) of the next token."""
        laws = np.zeros((len(following), self.vocab_size))
        np.add.at(laws.T, self.token, following.T)
        return laws

    def _split(self, following: Floats, weights: Floats, known: Floats) -> tuple[Floats, Floats]:
        """The beliefs after each next token, with their weights; those sure of their state are added to `known`."""
        rows: list[Floats] = [np.zeros((0, len(self.token)))]
        masses: list[Floats] = [np.zeros(0)]
        for states in self._states_of_tokens:
            part = following[:, states]
            several = np.count_nonzero(part, axis=1) > 1
            known[states] += weights[~several] @ part[~several]
            if several.any():
                mass = part[several].sum(axis=1)
                row = np.zeros((len(mass), len(self.token)))
                row[:, states] = part[several] / mass[:, None]
                rows.append(row)
                masses.append(weights[several] * mass)
        every, mass = np.concatenate(rows), np.concatenate(masses)
        if not len(every):
            return every, mass
        _, first, group = np.unique(every.round(SAME), axis=0, return_index=True, return_inverse=True)
        return every[first], np.asarray(np.bincount(group.reshape(-1), weights=mass), dtype=np.float64)

    @cached_property
    def _states_of_tokens(self) -> list[Integers]:
        order = np.argsort(self.token, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(self.token[order])) + 1)

    @property
    def edges(self) -> Edges:
        """The chain as a machine: weights are rounded to 2^-32, as those of every source are."""
        reached = [np.flatnonzero(row) for row in self.kernel]
        return Edges.from_lists(
            [
                [(int(self.token[s]), int(s), float(row[s])) for s in states]
                for row, states in zip(self.kernel, reached, strict=True)
            ]
        )


def stationary_chain(token: Integers, kernel: Floats, lengths: Integers) -> TokenChain:
    """The chain on the states that it comes back to, with its stationary law.

    Raises ConfigError where there are several closed classes.
    """
    from scipy.sparse import csr_array

    from testbed.sources.stationary import stationary_law

    law = np.asarray(stationary_law(csr_array(kernel)))
    kept = np.flatnonzero(law > 0)
    inner = kernel[np.ix_(kept, kept)]
    inner = inner / inner.sum(axis=1, keepdims=True)
    return TokenChain(token[kept], inner, law[kept] / law[kept].sum(), lengths)


def _entropies(laws: Floats) -> Floats:
    """(n,) entropy of each row, nats."""
    safe = np.where(laws > 0, laws, 1.0)
    return np.asarray(-np.sum(laws * np.log(safe), axis=1))
