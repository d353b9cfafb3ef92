"""Markov chains whose transition law is drawn anew for every sequence: in-context learning of n-grams."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import Truth, UndefinedError
from testbed.predictors.grouping import context_groups, earlier_counts, earlier_symbols
from testbed.sources.in_context.binary_chain import MAX_LENGTH, binary_chain_losses
from testbed.sources.in_context.dirichlet_entropies import (
    count_entropies,
    expected_binary_chain_rate,
    expected_entropy,
    urn_entropies,
)
from testbed.sources.in_context.drawn_chains import enumerable, enumerated_losses, mean_rate
from testbed.sources.in_context.urn import Ratio, check_urns, sample_urns, urn_laws
from testbed.sources.masked_checks import check_masked, check_sites
from testbed.sources.randomness import in_range
from testbed.sources.sampled_truth import sampled_position_losses
from testbed.sources.source import (
    Floats,
    Source,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    source,
)

MAX_CONTEXT = 2**16  # h_l takes time O(l), so all of them up to l take O(l^2)
CHUNK_ENTRIES = 2**22


@source("dirichlet_markov")
class DirichletMarkovSource(Source):
    """Every sequence has its own order-k chain, whose V^k rows are independent Dirichlet(a, ..., a) laws.

        0 0 1 0 0 1 0 0 1 ...   and, as the next sequence,   1 1 1 1 0 1 1 1 1 ...        (k = 1)

    The first k tokens are uniform. The Bayes law is the smoothed count of what followed the last k tokens before,

        p(x | x_0 .. x_(t-1)) = (n(c, x) + a) / (n(c) + V a),

    and sequences are drawn by it (a Polya urn with integer counts), so that what is sampled is the mixture exactly.
    `concentration` is a rational number: 1, 0.5, "1/3".

    Order 0 is the biased coin, an exchangeable and so stationary stream: h_l is exact for every l, the rate is
    h = psi(V a + 1) - psi(a + 1), and h_l - h falls as (V - 1) / (2 l). For orders k >= 1 a sequence starts from
    uniform tokens, not from its chain's own stationary law, so the stream is not stationary: `position_losses` takes
    the place of h_l. It is ln V for t < k, exact for V = 2 at order 1 up to 512 tokens and where all strings can be
    listed, else sampled. The rate is E[h] over the drawn chains, exact for V = 2 at order 1 (.4809 nats for a = 1),
    else sampled. The excess entropy is infinite: V^k (V - 1) parameters are learnt without end.

    Edelman et al. 2024 (2402.11004), statistical induction heads: a = 1, V = 2 and 3, k = 1; they start from the
    stationary law, which differs by less than .001 nats a token in the mean of the first 100.

    >>> coin = DirichletMarkovSource(vocab_size=2, order=0)
    >>> (coin.conditional_entropies(1024).value[[1, 16, 1024]] - coin.entropy_rate().value).round(6).tolist()
    [0.136514, 0.026212, 0.000486]
    """

    ergodic = False

    vocab_size: int = Field(ge=2, le=65536, description="number of symbols V")
    order_: int = Field(1, alias="order", ge=0, le=20, description="number of past tokens k that a chain looks at")
    concentration: Ratio = Field(1, description="Dirichlet parameter a of every row, rational; small is spiky")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_urns(self.vocab_size, self.order_)
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(vocab_size=2, order=1),
            cls(vocab_size=3, order=0, concentration="1/3"),
            cls(vocab_size=2, order=2, concentration=0.5),
            cls(vocab_size=5, order=1, concentration=20),
        ]

    @property
    def order(self) -> int:
        """k."""
        return self.order_

    @property
    def alpha(self) -> Fraction:
        """The concentration a as a fraction."""
        return Fraction(str(self.concentration))

    @property
    def stationary(self) -> bool:  # type: ignore[override]
        """At order 0 alone: an exchangeable stream."""
        return self.order == 0

    @property
    def fingerprint(self) -> str:
        text = f"dirichlet_markov:{self.vocab_size}:{self.order}:{self.alpha}"
        return hashlib.sha256(text.encode()).hexdigest()

    # -- samples
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) by urns; row i depends on (source, seed, first_sequence + i) alone."""
        return sample_urns(self.vocab_size, self.order, self.alpha, n_sequences, length, seed, first_sequence)

    # -- prediction
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws; `context` at order 0 alone, where it means the urn after the last l draws."""
        given = check_tokens(tokens, self.vocab_size, context)
        self._refuse_context(context)
        at = check_positions(positions, given.shape[1])
        require_law_memory(len(given), len(at), self.vocab_size)
        laws = np.full((len(given), len(at), self.vocab_size), 1.0 / self.vocab_size)
        past = [column for column, t in enumerate(at) if t >= self.order]
        wanted = np.array([at[column] for column in past], dtype=np.int64) - self.order
        step = max(1, CHUNK_ENTRIES // max(given.shape[1] * self.vocab_size, 1))
        for first in range(0, len(given) if past else 0, step):
            part = slice(first, first + step)
            laws[part, past] = urn_laws(self._counts(given[part], context, wanted), self.alpha)
        return laws

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before), from counts: no (N, L, V) array is made."""
        if context is not None:
            return super().log_probs(tokens, context)
        given = check_tokens(tokens, self.vocab_size)
        result = np.full(given.shape, -np.log(self.vocab_size))
        following = given[:, self.order :]
        *_, groups = context_groups(given, self.order)
        pairs, drawn = earlier_counts(groups * self.vocab_size + following), earlier_counts(groups)
        p, q = self.alpha.numerator, self.alpha.denominator
        result[:, self.order :] = np.log((q * pairs + p) / (q * drawn + p * self.vocab_size))
        return result

    def predict_masked(self, tokens: Tokens, masked: NDArray[np.bool_]) -> Floats:
        """(n, V): at order 0 draws are exchangeable, so (n_x + a) / (n + V a) with the counts of the n tokens seen."""
        if self.order > 0:
            return super().predict_masked(tokens, masked)
        given, hidden = check_masked(tokens, masked, self.vocab_size)
        row = np.nonzero(hidden)[0]
        require_law_memory(1, len(row) + len(given), self.vocab_size)
        flat = np.arange(len(given))[:, None] * self.vocab_size + given
        counts = np.bincount(flat[~hidden], minlength=len(given) * self.vocab_size)
        return urn_laws(counts.reshape(len(given), self.vocab_size), self.alpha)[row]

    def most_masked(self) -> int | None:
        return None if self.order == 0 else super().most_masked()

    def _counts(self, tokens: NDArray[np.int64], context: int | None, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N, n_wanted, V): what followed the last k tokens before positions k + wanted."""
        *_, groups = context_groups(tokens, self.order)
        counts = earlier_symbols(groups, tokens[:, self.order :], self.vocab_size)
        recent = counts[:, wanted]
        if context is not None:  # order 0: of all counts, those before the last `context` tokens are taken off
            recent = recent - counts[:, np.maximum(wanted - context, 0)]
        return recent

    def _refuse_context(self, context: int | None) -> None:
        if context is not None and not self.stationary:
            raise UndefinedError(
                f"context: a sequence of {self.type_name} at order {self.order} starts from uniform tokens and is not"
                " stationary, so there is no law given the last l tokens at an unknown time; give context=None"
            )

    # -- truths
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max, exact at order 0 (beta-binomial sums); refused at orders >= 1."""
        max_context = in_range("max_context", max_context, MAX_CONTEXT)
        if not self.stationary:
            raise UndefinedError(
                f"h_l: a sequence of {self.type_name} at order {self.order} is not stationary; position_losses gives"
                " the Bayes loss of every position"
            )
        return Truth.exact(urn_entropies(self.vocab_size, self.alpha, max_context))

    def entropy_rate(self) -> Truth:
        """E[h]: exact at order 0 and for V = 2 at order 1; else sampled, the mean of drawn chains' exact rates."""
        if self.order == 0:
            return Truth.exact(expected_entropy(self.vocab_size, float(self.alpha)))
        if self.vocab_size == 2 and self.order == 1:
            return Truth.exact(expected_binary_chain_rate(self.alpha))
        return mean_rate(self.vocab_size, self.vocab_size**self.order, float(self.alpha))

    def state_entropies(self, max_context: int) -> Truth:
        """S(l) for l = 0 .. max at order 0, exact: the entropy of the counts, the Bayes state after l tokens; ln(l + 1)
        for V = 2 and a = 1, without bound. Refused at orders >= 1."""
        max_context = in_range("max_context", max_context, MAX_CONTEXT)
        if not self.stationary:
            raise UndefinedError(
                f"S(l): the state of {self.type_name} at order {self.order} is the counts of all transitions, whose law"
                " has no closed form; it is known at order 0"
            )
        return Truth.exact(count_entropies(self.vocab_size, self.alpha, max_context))

    def excess_entropy(self) -> Truth:
        """Infinite: the loss approaches its limit as V^k (V - 1) / (2 t)."""
        return Truth.exact(np.inf)

    def masked_losses(self, length: int, n_masked: int = 1) -> Truth:
        """(length,): at order 0 exact, h_(length - n_masked) everywhere; else listed or sampled."""
        if self.order > 0:
            return super().masked_losses(length, n_masked)
        length, n_masked = check_sites(self, length, n_masked)
        seen = in_range("length", max(length - n_masked, 0), MAX_CONTEXT)
        return Truth.exact(np.full(length, urn_entropies(self.vocab_size, self.alpha, seen)[-1]))

    def position_losses(self, length: int) -> Truth:
        """(length,) Bayes losses: exact at order 0, for V = 2 at order 1 up to 512 tokens, and where at most 4096
        strings stand before the last position; else sampled."""
        length = in_range("length", length, MAX_CONTEXT)
        if self.stationary:
            return super().position_losses(length)
        if self.vocab_size == 2 and self.order == 1 and length <= MAX_LENGTH:
            return Truth.exact(binary_chain_losses(self.alpha, length))
        if enumerable(self.vocab_size, length):
            return enumerated_losses(self, length)
        return sampled_position_losses(self, length)


@source("dirichlet_iid")
class DirichletIIDSource(DirichletMarkovSource):
    """Independent tokens whose law is drawn for every sequence from a Dirichlet(a, ..., a): the averaging source.

    The best a learner can do is to average over the whole past with equal weights: p(x) = (n_x + a) / (t + V a).
    It is `dirichlet_markov` of order 0.
    """

    vocab_size: int = Field(2, ge=2, le=65536, description="number of symbols V")
    order_: Literal[0] = Field(0, alias="order", description="always 0")

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(vocab_size=4), cls(vocab_size=2, concentration="1/16")]


@source("biased_coin")
class BiasedCoinSource(DirichletIIDSource):
    """A coin whose bias is drawn for every sequence from a Beta(a, a), uniform for a = 1.

        h_l = mean of hb((n + 1) / (l + 2)) over n = 0 .. l,     h = 1/2,     h_l - h ~ 1 / (2 l)        (a = 1)

    It is `dirichlet_markov` of order 0 with two symbols.
    """

    vocab_size: Literal[2] = Field(2, description="always 2")

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(), cls(concentration=0.5), cls(concentration=1000)]
