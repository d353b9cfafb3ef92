"""Chains drawn per sequence whose stationary law is always uniform: in-context bigrams without in-context unigrams."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Self

import numpy as np
from pydantic import Field

from testbed.core import Truth
from testbed.predictors.grouping import earlier_symbols
from testbed.sources.in_context.dirichlet_entropies import count_entropies, expected_entropy, urn_entropies
from testbed.sources.in_context.urn import MAX_TOTAL, START_STREAM, TOKEN_STREAM, Ratio, sample_urns, urn_laws
from testbed.sources.randomness import in_range
from testbed.sources.source import (
    Floats,
    Source,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    source,
    token_dtype,
)

MAX_CONTEXT = 2**16  # h_l takes time O(l), so all of them up to l take O(l^2)
CHUNK_ENTRIES = 2**22


@source("doubly_stochastic_markov")
class DoublyStochasticMarkovSource(Source):
    """Every sequence adds independent steps modulo V, whose law is drawn for it from a Dirichlet(a, ..., a):

        x_t = x_(t-1) + s_t mod V,     x_0 uniform,     P(s_t = s) = w_s,     w ~ Dirichlet(a, ..., a)

        0 1 2 0 1 2 2 0 1 ...     (V = 3, a sequence that mostly steps by 1)

    Its transition matrix, sum_s w_s C^s with the cyclic shift C, is circulant and hence doubly stochastic: all tokens
    are equally frequent in every sequence, counting them tells nothing, and the plateau of in-context unigrams must be
    absent from training curves (the control of Edelman et al. 2024, 2402.11004). For V = 2 this is every doubly
    stochastic chain, with rows (p, 1 - p) and (1 - p, p) and p ~ Beta(a, a). For V > 2 it is a family with an exact
    posterior: the uniform law on all doubly stochastic matrices has none in closed form.

    The stream is stationary. The steps are an urn, as in `dirichlet_iid`, and l tokens show l - 1 of them:

        h_0 = ln V,     h_l = h_(l-1) of the urn,     h = psi(V a + 1) - psi(a + 1),     the excess entropy infinite.

    >>> DoublyStochasticMarkovSource(vocab_size=2).conditional_entropies(2).value.round(4).tolist()
    [0.6931, 0.6931, 0.6365]
    """

    ergodic = False

    vocab_size: int = Field(ge=2, le=65536, description="number of symbols V")
    concentration: Ratio = Field(1, description="Dirichlet parameter a of the steps' law, rational; small is spiky")

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(vocab_size=2), cls(vocab_size=3, concentration="1/3"), cls(vocab_size=5, concentration=50)]

    @property
    def alpha(self) -> Fraction:
        """The concentration a as a fraction."""
        return Fraction(str(self.concentration))

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"doubly_stochastic_markov:{self.vocab_size}:{self.alpha}".encode()).hexdigest()

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) running sums of a uniform start and the urn's steps."""
        length = in_range("length", length, MAX_TOTAL)

        def urn(n_draws: int, stream: int) -> Tokens:
            return sample_urns(
                self.vocab_size, 0, self.alpha, n_sequences, n_draws, seed, first_sequence, stream=stream
            )

        start = urn(min(length, 1), START_STREAM)  # an urn's first draw is uniform
        steps = urn(max(length - 1, 0), TOKEN_STREAM)
        sums = np.cumsum(np.concatenate([start, steps], axis=1), axis=1, dtype=np.int64)
        return (sums % self.vocab_size).astype(token_dtype(self.vocab_size))

    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws: the urn of the steps among the tokens seen, turned to where the last token stands."""
        given = check_tokens(tokens, self.vocab_size, context)
        at = check_positions(positions, given.shape[1])
        require_law_memory(len(given), len(at), self.vocab_size)
        laws = np.full((len(given), len(at), self.vocab_size), 1.0 / self.vocab_size)
        past = [column for column, t in enumerate(at) if t >= 1]
        if not past or context == 0:
            return laws
        wanted = np.array([at[column] for column in past], dtype=np.int64)
        steps = np.diff(given, axis=1) % self.vocab_size  # step i leads to token i + 1
        chunk = max(1, CHUNK_ENTRIES // (given.shape[1] * self.vocab_size))
        for first in range(0, len(given), chunk):
            part = slice(first, first + chunk)
            groups = np.repeat(np.arange(len(steps[part]))[:, None], steps.shape[1], axis=1)
            counts = earlier_symbols(groups, steps[part], self.vocab_size)
            seen = counts[:, wanted - 1]
            if context is not None:
                seen = seen - counts[:, np.maximum(wanted - context, 0)]
            step_laws = urn_laws(seen, self.alpha)
            turned = (np.arange(self.vocab_size) - given[part][:, wanted - 1, None]) % self.vocab_size
            laws[part, past] = np.take_along_axis(step_laws, turned, axis=2)
        return laws

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 = ln V, then the urn's h_0, h_1, ...; exact."""
        max_context = in_range("max_context", max_context, MAX_CONTEXT)
        urn = urn_entropies(self.vocab_size, self.alpha, max_context - 1) if max_context else np.empty(0)
        return Truth.exact(np.concatenate([[np.log(self.vocab_size)], urn]))

    def entropy_rate(self) -> Truth:
        """h = psi(V a + 1) - psi(a + 1), exact."""
        return Truth.exact(expected_entropy(self.vocab_size, float(self.alpha)))

    def state_entropies(self, max_context: int) -> Truth:
        """S(l) for l = 0 .. max, exact: the uniform last token and, independent of it, the counts of l - 1 steps."""
        max_context = in_range("max_context", max_context, MAX_CONTEXT)
        counts = count_entropies(self.vocab_size, self.alpha, max_context - 1) if max_context else np.empty(0)
        return Truth.exact(np.concatenate([[0.0], np.log(self.vocab_size) + counts]))

    def excess_entropy(self) -> Truth:
        """Infinite: h_l - h falls as (V - 1) / (2 l)."""
        return Truth.exact(np.inf)
