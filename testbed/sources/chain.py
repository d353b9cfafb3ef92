"""Order-k chains with dyadic laws: what is sampled is what is analysed.

Every transition probability is an integer weight over 2^32. All truths are computed from those weights in float64, by
marginalising the law of (k+1)-blocks  J(c, x) = pi(c) p(x | c)  over its oldest tokens.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, Truth, UndefinedError
from testbed.sources.correlations import chain_correlations
from testbed.sources.dyadic import quantise64
from testbed.sources.masked_checks import check_sites
from testbed.sources.sampling import ChainSampler
from testbed.sources.source import Floats, Source, Tokens, check_positions, check_tokens, require_law_memory
from testbed.sources.stationary import advance, stationary_law

MAX_STATES = 2**20
MAX_TABLE_ENTRIES = 2**26
TOTAL_WEIGHT = 2**32


class DyadicChain(Source):
    """An order-k chain over V symbols, from integer weights of shape (V,) * k + (V,), oldest symbol first."""

    @abstractmethod
    def _make_weights(self) -> NDArray[np.uint64]:
        """Integer weights (V,) * k + (V,), each row summing to 2^32."""

    # -- the law
    @cached_property
    def weights(self) -> NDArray[np.uint64]:
        """Integer transition weights over 2^32, shape (V,) * k + (V,); read-only."""
        weights = np.ascontiguousarray(self._make_weights(), dtype=np.uint64)
        weights.flags.writeable = False
        return weights

    @property
    @abstractmethod
    def order(self) -> int:
        """k, the number of past tokens that the law depends on; known without computing the weights."""

    @cached_property
    def kernel(self) -> Floats:
        """p(x | c) = weights / 2^32, exactly, shape (V,) * k + (V,); read-only."""
        kernel = self.weights.astype(np.float64) / TOTAL_WEIGHT
        kernel.flags.writeable = False
        return kernel

    @cached_property
    def stationary_law(self) -> Floats:
        """pi(c), shape (V,) * k; zero on transient contexts."""
        law = stationary_law(self._rows).reshape((self.vocab_size,) * self.order)
        law.flags.writeable = False
        return law

    @cached_property
    def initial_weights(self) -> NDArray[np.uint64]:
        """pi as integer weights over 2^64, (V^k,): the law from which sequences start."""
        weights = quantise64(self.stationary_law.reshape(-1))
        weights.flags.writeable = False
        return weights

    @cached_property
    def period(self) -> int | None:  # type: ignore[override]
        """That of the causal states; None for chains of too many transitions that are not all possible."""
        from testbed.sources.periods import causal_states, machine_cycle

        if self.order == 0 or self.weights.all():
            return 1
        found = causal_states(self)
        return None if found is None else machine_cycle(found.edges)

    @property
    def fingerprint(self) -> str:
        head = f"chain:{self.vocab_size}:{self.order}:".encode()
        little = self.weights.astype("<u8").tobytes() + self.initial_weights.astype("<u8").tobytes()
        return hashlib.sha256(head + little).hexdigest()

    @property
    def _rows(self) -> Floats:
        """The kernel as (V^k, V)."""
        return self.kernel.reshape(-1, self.vocab_size)

    @cached_property
    def _joints(self) -> list[Floats]:
        """For l = 0 .. k the exact law of l + 1 successive tokens, as (V^l, V)."""
        joint = self.stationary_law.reshape(-1, 1) * self._rows
        joints = [joint]
        for length in range(self.order - 1, -1, -1):
            joint = joint.reshape(self.vocab_size, self.vocab_size**length, self.vocab_size).sum(axis=0)
            joints.append(joint)
        return joints[::-1]

    @cached_property
    def _laws(self) -> list[Floats]:
        """For l = 0 .. k the law of a token given the last l, as (V^l, V); nan for contexts of probability zero."""
        with np.errstate(invalid="ignore"):
            shorter = [joint / joint.sum(axis=1, keepdims=True) for joint in self._joints[:-1]]
        return [*shorter, self._rows]

    # -- truths
    @cached_property
    def _entropies(self) -> Floats:
        """h_0 .. h_k. Conditioning never adds entropy; rounding could seem to, hence the running minimum."""
        h = [float(_negative_p_log_q(joint, law)) for joint, law in zip(self._joints, self._laws, strict=True)]
        return np.minimum.accumulate(h)

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_l = -sum_c,x J_l(c, x) ln p_l(x | c), exact; h_l = h_k for l >= k."""
        if max_context < 0:
            raise ConfigError(f"max_context: given {max_context}, must be at least 0")
        return Truth.exact(self._entropies[np.minimum(np.arange(max_context + 1), self.order)])

    def entropy_rate(self) -> Truth:
        """h = h_k, exact."""
        return Truth.exact(self._entropies[-1])

    def excess_entropy(self) -> Truth:
        """E = sum over l < k of (h_l - h), exact."""
        return Truth.exact(float(np.sum(self._entropies - self._entropies[-1])))

    def masked_losses(self, length: int, n_masked: int = 1) -> Truth:
        """(length,): for one masked token exact up to V^(2k+1) = 2^20: the k tokens on either side tell all there is,

        H(X_t | the rest) = H(b + 1 + a) - H(X_t's neighbours alone),     b = min(t, k), a = min(length - 1 - t, k)
        """
        if n_masked != 1 or self.vocab_size ** (2 * self.order + 1) > MAX_STATES:
            return super().masked_losses(length, n_masked)
        length, _ = check_sites(self, length, n_masked)
        k, known = self.order, {}
        losses = np.empty(length)
        for t in range(length):
            before, after = min(t, k), min(length - 1 - t, k)
            if (before, after) not in known:
                known[before, after] = self._masked_loss(before, after)
            losses[t] = known[before, after]
        return Truth.exact(losses)

    def _masked_loss(self, before: int, after: int) -> float:
        """H(X_b | b tokens before it, a after it), nats."""
        size = self.vocab_size
        block = self._joints[min(before, self.order)].reshape(-1)  # of b + 1 tokens, then one more at a time
        for step in range(after):
            depth = min(before + 1 + step, self.order)
            with np.errstate(invalid="ignore"):
                longer = block.reshape(-1, size**depth, 1) * self._laws[depth]
            block = np.nan_to_num(longer, nan=0.0).reshape(-1)
        joint = np.moveaxis(block.reshape(size**before, size, size**after), 1, 2).reshape(-1, size)
        with np.errstate(invalid="ignore"):
            law = joint / joint.sum(axis=1, keepdims=True)
        return max(_negative_p_log_q(joint, law), 0.0)

    def statistical_complexity(self) -> Truth:
        """C_mu, nats: the entropy of the causal states, which are the contexts, those with equal futures merged; exact.

        Raises UndefinedError for chains of more transitions than are compared.
        """
        from testbed.sources.periods import causal_states

        found = causal_states(self)
        if found is None:
            raise UndefinedError(
                f"C_mu: {self.type_name} has {self._rows.size} transitions, too many to tell which contexts have equal"
                " futures"
            )
        law = found.law[found.law > 0]
        return Truth.exact(max(0.0, -float(law @ np.log(law))))

    def two_point(self, lags: int | Sequence[int]) -> Truth:
        """kappa(m) = (P(x_t = x_(t-m)) - sum p^2) / (1 - sum p^2) at these lags, exact: the joint law of x_(t-m) and
        the context is advanced m times. See `testbed.sources.correlations`."""
        return chain_correlations(self._rows, self.stationary_law.reshape(-1), lags)

    # -- prediction
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws; nan where the context has probability zero and is shorter than k."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        law = np.empty((len(tokens), len(at), self.vocab_size))
        for column, t in enumerate(at):
            depth = self._depth(t, context)
            law[:, column] = self._laws[depth][self._codes(tokens, t, depth)]
        return law

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before), from the tables: no (N, L, V) array is made."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        result = np.empty(tokens.shape)
        with np.errstate(divide="ignore"):
            logs = [np.log(law) for law in self._laws]
        for t in range(tokens.shape[1]):
            depth = self._depth(t, context)
            result[:, t] = logs[depth][self._codes(tokens, t, depth), tokens[:, t]]
        return result

    def _depth(self, t: int, context: int | None) -> int:
        return min(t, self.order) if context is None else min(t, self.order, context)

    def _codes(self, tokens: NDArray[np.int64], t: int, depth: int) -> NDArray[np.int64]:
        """(N,) the `depth` tokens before t as one number in base V, oldest first."""
        code = np.zeros(len(tokens), dtype=np.int64)
        for step in range(t - depth, t):
            code = code * self.vocab_size + tokens[:, step]
        return code

    # -- samples
    @cached_property
    def _sampler(self) -> ChainSampler:
        return ChainSampler(self.weights.astype(np.int64), self.initial_weights)

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) stationary sequences; row i depends on (source, seed, first_sequence + i) alone."""
        tokens: Tokens = self._sampler.sample(n_sequences, length, seed=seed, first_sequence=first_sequence)
        return tokens

    def check_stationary(self) -> float:
        """sum |pi P - pi|: how far the stationary law is from invariant; rounding only."""
        flat = self.stationary_law.reshape(-1)
        return float(np.abs(advance(flat, self._rows) - flat).sum())


def check_size(vocab_size: int, order: int) -> None:
    """Refuse chains whose tables would not fit: V^k up to 2^20 contexts, V^(k+1) up to 2^26 transitions."""
    if vocab_size**order > MAX_STATES or vocab_size ** (order + 1) > MAX_TABLE_ENTRIES:
        raise ConfigError(
            f"order: {vocab_size} symbols at order {order} give {vocab_size}^{order} contexts; at most 2^20 contexts"
            " and 2^26 transitions are kept"
        )


def _negative_p_log_q(joint: Floats, law: Floats) -> float:
    positive = joint > 0
    return -float(np.sum(joint[positive] * np.log(law[positive]))) + 0.0  # never -0.0
