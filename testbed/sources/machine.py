"""`MachineSource`: the output of a finite edge-emitting machine (hidden Markov source), with its exact truths."""

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, Truth, UndefinedError
from testbed.sources.dyadic import check_rows, quantise64
from testbed.sources.edges import Edges
from testbed.sources.source import (
    PREDICT_LIMIT_BYTES,
    Floats,
    Source,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    require_memory,
)

if TYPE_CHECKING:
    from testbed.sources.class_filter import ClassFilter
    from testbed.sources.filtering import MachineFilter
    from testbed.sources.machine_sampling import MachineSampler
    from testbed.sources.machine_truths import MachineTruths

INVARIANT = 1e-11  # L1 distance of a given first law from the law one step later
CHUNK_BYTES = 2**26


class MachineSource(Source):
    """A stationary source written by a machine: state s draws an edge, emits its symbol x, goes to its successor s'.

    A subclass gives `vocab_size` and `_make_edges`; a reducible machine also `_make_initial`, an invariant law of the
    state. The beliefs about the state after each token are the mixed states of the process.

    Exact: predictions, likelihoods; h_l as long as the distinct beliefs after l tokens can be listed; the entropy rate
    of unifilar machines and of those with finitely many beliefs; E where the beliefs are finitely many. What is not
    exact is a rigorous bracket: see `testbed.sources.machine_truths`.
    """

    @abstractmethod
    def _make_edges(self) -> Edges:
        """The machine, with dyadic weights."""

    def _make_initial(self) -> Floats:
        """(S,) the law of the state before the first token, which must be invariant; default: the stationary law."""
        from testbed.sources.machine_laws import machine_stationary_law

        return machine_stationary_law(self.edges)

    # -- the law
    @cached_property
    def edges(self) -> Edges:
        return self._make_edges()

    @property
    def n_states(self) -> int:
        return self.edges.n_states

    @cached_property
    def stationary_law(self) -> Floats:
        """(S,) the law of the state at any time; read-only."""
        from testbed.sources.equivalent_states import EdgeList
        from testbed.sources.machine_laws import transition_matrix

        law = np.array(self._make_initial(), dtype=np.float64)
        if law.shape != (self.n_states,):
            raise ConfigError(f"initial: given shape {law.shape}, must be ({self.n_states},), one weight a state")
        law = check_rows(law, "initial")
        law = law / law.sum()
        moved = float(np.abs(law @ transition_matrix(EdgeList.of(self.edges)) - law).sum())
        if moved > INVARIANT:
            raise ConfigError(
                f"initial: a step changes this law of the state by {moved:.2g} (L1), so sequences would not be"
                " stationary; give an invariant law"
            )
        transient = np.ones(self.n_states, dtype=bool)
        transient[np.concatenate(self.closed_classes)] = False
        if law[transient].any():  # rounding
            law = np.where(transient, 0.0, law)
            law /= law.sum()
        law.flags.writeable = False
        return law

    @cached_property
    def closed_classes(self) -> list[NDArray[np.int64]]:
        """The sets of states that the machine cannot leave: one, unless it is reducible."""
        from testbed.sources.equivalent_states import EdgeList
        from testbed.sources.machine_laws import transition_matrix
        from testbed.sources.stationary import closed_classes

        return closed_classes(transition_matrix(EdgeList.of(self.edges)))

    @property
    def initial_law(self) -> Floats:
        """(S,) the law of the state before the first token: the stationary one."""
        return self.stationary_law

    @cached_property
    def initial_weights(self) -> NDArray[np.uint64]:
        """`initial_law` as integer weights over 2^64, by which the first state is drawn."""
        weights = quantise64(self.initial_law)
        weights.flags.writeable = False
        return weights

    @cached_property
    def transitions(self) -> Floats:
        """(V, S, S): T[x, s, s'] = p(x, s' | s), dense; refused above 1 GiB."""
        require_memory(
            8 * self.vocab_size * self.n_states**2,
            PREDICT_LIMIT_BYTES,
            f"the transitions of {self.n_states} states over {self.vocab_size} symbols",
            "use the list of `edges`",
        )
        dense = self.edges.tensor(self.vocab_size)
        dense.flags.writeable = False
        return dense

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of V, the edges and the 64-bit weights of the first state."""
        head = f"machine:{self.vocab_size}:{self.edges.fingerprint}:".encode()
        return hashlib.sha256(head + self.initial_weights.astype("<u8").tobytes()).hexdigest()

    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        """The states, those with equal futures merged, form one closed class, or all their classes write one process.

        Decided exactly for up to a few hundred states; classes too large to be compared count as different.
        """
        return self.truths.n_components == 1

    @cached_property
    def period(self) -> int | None:  # type: ignore[override]
        """That of the merged states: the source's own where these are unifilar, else a multiple."""
        from testbed.sources.periods import machine_cycle

        return machine_cycle(self.truths.edges) if self.ergodic else None

    @property
    def unifilar(self) -> bool:
        """State and symbol determine the next state."""
        return self.edges.unifilar

    # -- truths
    @cached_property
    def truths(self) -> "MachineTruths":
        from testbed.sources.machine_truths import MachineTruths

        return MachineTruths.of(self.edges, self.vocab_size, self.stationary_law)

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max, nats: exact within the limit on beliefs, beyond it between the rate and the last exact h_n."""
        if max_context < 0:
            raise ConfigError(f"max_context: given {max_context}, must be at least 0")
        return self.truths.conditional_entropies(max_context)

    def entropy_rate(self) -> Truth:
        """h, nats: exact for a unifilar machine or finitely many beliefs, else Birch's bracket f_n <= h <= h_n."""
        return self.truths.entropy_rate

    def excess_entropy(self) -> Truth:
        """E, nats: exact for finitely many beliefs, else a bracket from partial sums."""
        return self.truths.excess_entropy

    def statistical_complexity(self) -> Truth:
        """C_mu, nats: the entropy of the causal states, exact where they are finitely many.

        Raises UndefinedError where the beliefs found within the limit do not close.
        """
        from testbed.sources.machine_truths import law_entropy

        found = self.truths.epsilon_machine
        if found is None:
            raise UndefinedError(
                "C_mu: this machine is not unifilar, and its mixed states did not close within the limit: as far as is"
                " known its causal states are infinitely many, and no entropy of theirs is given"
            )
        return Truth.exact(law_entropy(found[1]))

    def state_uncertainties(self, max_context: int) -> Truth:
        """H(S_l | X^l) for l = 0 .. max, nats: how unsure the state is after l tokens of the stationary process.

        Raises UndefinedError where the beliefs after max tokens pass the limit.
        """
        from testbed.sources.beliefs import BeliefGraph
        from testbed.sources.equivalent_states import EdgeList
        from testbed.sources.machine_truths import Levels

        if max_context < 0:
            raise ConfigError(f"max_context: given {max_context}, must be at least 0")
        graph = BeliefGraph(EdgeList.of(self.edges), self.vocab_size, self.stationary_law[None])
        levels = Levels(graph, np.ones(1))
        while len(levels.uncertainties) <= max_context:
            if not levels.grow():
                raise UndefinedError(
                    f"the beliefs after {len(levels.uncertainties)} tokens are too many to list; give a smaller"
                    " max_context"
                )
        return Truth.exact(levels.uncertainties[: max_context + 1])

    # -- prediction
    @cached_property
    def _filter(self) -> "MachineFilter | ClassFilter":
        from testbed.sources.class_filter import ClassFilter
        from testbed.sources.filtering import MachineFilter

        possible = [states for states in self.closed_classes if self.initial_law[states].any()]
        if len(possible) > 1:
            return ClassFilter(self.edges, self.vocab_size, possible)
        return MachineFilter(self.edges, self.vocab_size)

    @cached_property
    def _emissions(self) -> Floats:
        """(S, V): p(x | s)."""
        require_memory(
            8 * self.n_states * self.vocab_size,
            PREDICT_LIMIT_BYTES,
            f"the emissions of {self.n_states} states over {self.vocab_size} symbols",
            "`log_probs` needs none",
        )
        return self.edges.emissions(self.vocab_size)

    def beliefs(self, tokens: Tokens) -> Floats:
        """(N, L + 1, S): the law of the state after 0 .. L tokens; nan after an impossible one."""
        tokens = check_tokens(tokens, self.vocab_size)
        return self._filter.beliefs(self.initial_law, tokens)

    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws, by the forward filter from the stationary law; nan after an impossible token.

        context=l: the filter runs over the last min(t, l) tokens alone.
        """
        tokens = check_tokens(tokens, self.vocab_size, context)
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        laws = np.empty((len(tokens), len(at), self.vocab_size))
        reach = max(at, default=0) if context is None else context
        early = [column for column, t in enumerate(at) if t <= reach]
        late = [column for column, t in enumerate(at) if t > reach]
        longest = max((at[column] for column in early), default=0)
        for rows in self._row_chunks(len(tokens), longest + 1):
            beliefs = self._filter.beliefs(self.initial_law, tokens[rows, :longest])
            laws[rows, early] = beliefs[:, [at[column] for column in early]] @ self._emissions
        for column in late:
            for rows in self._row_chunks(len(tokens), reach + 1):
                window = tokens[rows, at[column] - reach : at[column]]
                laws[rows, column] = self._filter.beliefs(self.initial_law, window)[:, -1] @ self._emissions
        return laws

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before it), by the filter: no (N, L, V) array is made."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        length = tokens.shape[1]
        reach = length if context is None else min(context, length)
        result = np.empty(tokens.shape)
        result[:, : reach + 1] = self._filter.log_probs(self.initial_law, tokens[:, : reach + 1])
        for t in range(reach + 1, length):
            result[:, t] = self._filter.log_probs(self.initial_law, tokens[:, t - reach : t + 1])[:, -1]
        return result

    def _row_chunks(self, n_sequences: int, n_positions: int) -> list[slice]:
        """Rows whose beliefs at so many positions take at most 64 MiB."""
        step = max(1, CHUNK_BYTES // (8 * n_positions * self.n_states))
        return [slice(first, first + step) for first in range(0, n_sequences, step)]

    # -- samples
    @cached_property
    def _sampler(self) -> "MachineSampler":
        from testbed.sources.machine_sampling import MachineSampler

        return MachineSampler(self.edges, self.initial_weights, self.vocab_size)

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) stationary sequences; row i depends on (source, seed, first_sequence + i) alone."""
        tokens: Tokens = self._sampler.sample(n_sequences, length, seed=seed, first_sequence=first_sequence)
        return tokens
