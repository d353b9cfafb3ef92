"""Noisy retrieval: weak evidence at every site says which one carries the true value."""

from functools import cached_property
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ArrayInput, ConfigError, Truth
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.randomness import TOTAL, choose, in_range, random_words
from testbed.sources.recall._draws import Integers, exact_at, law_fingerprint, uniform_index, uniform_law
from testbed.sources.recall._value_query import ValueQuery
from testbed.sources.sampled_truth import law_entropies, sampled_position_losses
from testbed.sources.source import Floats, Tokens, source, token_dtype

SITES, SIGNAL, BACKGROUND = 4, 5, 6


@source("noisy_retrieval")
class NoisyRetrieval(ValueQuery):
    """One site j* of n, uniform, carries the true value; its evidence token follows `signal`, the others' `background`.

        e0 v2  e1 v0  e0 v3 | ? | v0        (j* = 2, if e1 is rare in the background)

    The answer's law is a softmax of log-likelihood ratios over sites, then a mixture of the values' channel rows:

        p(y) = sum_j w_j C(v_j, y),    w_j ~ p(j) f1(e_j) / f0(e_j)

    with an inverse temperature of 1 at every n: attention that sharpens with n is wrong here (task T1). Evidence that
    the background never shows settles the site at once.

    Tokens: values 0 .. n_values - 1, evidence, then the question. As n grows without bound the evidence is drowned:

    >>> float(NoisyRetrieval(n_values=2).entropy_rate().value / np.log(2))
    1.0
    """

    signal: ArrayInput = Field(np.array([0.1, 0.9]), description="law f1 of evidence at the true site, (S,)")
    background: ArrayInput = Field(np.array([0.9, 0.1]), description="law f0 of evidence at the other sites, (S,)")

    @model_validator(mode="after")
    def _check_evidence(self) -> Self:
        for name, law in zip(("signal", "background"), self._given_laws, strict=True):
            if law.ndim != 1:
                raise ConfigError(f"{name}: needs one law over the evidence tokens, a list of S probabilities")
            check_rows(law, name)
        if len(self._given_laws[0]) != len(self._given_laws[1]):
            raise ConfigError(
                f"background: has {len(self._given_laws[1])} probabilities, signal {len(self._given_laws[0])}; both are"
                " laws over the same evidence tokens"
            )
        return self

    @property
    def _given_laws(self) -> list[Floats]:
        """signal, background; an empty law where nothing is given, which is refused."""
        return [np.empty(0) if law is None else law for law in (self.signal, self.background)]

    @classmethod
    def examples(cls) -> list[Self]:
        laws = np.array([[0.0, 0.5, 0.5], [0.5, 0.5, 0.0]])
        return [
            cls(n_values=3, noise=0.1),
            cls(n_values=2, signal=laws[0], background=laws[1]),  # token 2 settles the site, 0 excludes it
            cls(n_values=2, signal=laws[0, 1:], background=laws[0, 1:]),  # no evidence
            cls(n_values=2, signal=np.array([0.0, 1.0]), background=np.array([1.0, 0.0])),  # certainty
        ]

    # -- laws
    @cached_property
    def evidence_weights(self) -> Integers:
        """(2, S): background, signal; integer weights over 2^32."""
        return quantise(np.stack(self._given_laws[::-1]))

    @cached_property
    def evidence_laws(self) -> Floats:
        """(2, S): f0, f1."""
        return self.evidence_weights / float(TOTAL)

    @cached_property
    def likelihood_ratios(self) -> Floats:
        """(S,) f1 / f0; infinite where the background never shows the token."""
        background, signal = self.evidence_laws
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(signal > 0, signal / background, 0.0)

    @property
    def n_evidence(self) -> int:
        """S, the number of evidence tokens."""
        return self.evidence_weights.shape[1]

    @property
    def vocab_size(self) -> int:
        return self.n_values + self.n_evidence + 1

    @property
    def fingerprint(self) -> str:
        return law_fingerprint(self.type_name, self.evidence_weights, self.channel_weights)

    # -- draws
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        n = self.n_units(in_range("length", length, 2**32))
        rows = np.arange(n_sequences)
        site = uniform_index(random_words(n_sequences, 1, seed, first_sequence, SITES)[:, 0], n)
        evidence = choose(random_words(n_sequences, n, seed, first_sequence, BACKGROUND), self.evidence_weights[0])
        signal = random_words(n_sequences, 1, seed, first_sequence, SIGNAL)[:, 0]
        evidence[rows, site] = choose(signal, self.evidence_weights[1])
        values = self._draw_values(n_sequences, n, seed, first_sequence)
        tokens = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        tokens[:, 0:-2:2] = evidence + self.n_values
        tokens[:, 1:-2:2] = values
        tokens[:, -2] = self.vocab_size - 1
        tokens[:, -1] = self._draw_answers(values[rows, site], seed, first_sequence)
        return tokens

    # -- prediction
    def _ratios(self, tokens: Tokens, n: int) -> Floats:
        """(N, n) p(j) f1 / f0 of each site's evidence; 0 for what is no evidence token."""
        index = tokens[:, 0 : 2 * n : 2] - self.n_values
        fits = (index >= 0) & (index < self.n_evidence)
        return np.where(fits, self.likelihood_ratios[np.where(fits, index, 0)], 0.0) * uniform_law(n)

    def _context_laws_at(self, tokens: Tokens, at: list[int]) -> Floats:
        n = self.n_units(tokens.shape[1])
        laws = np.zeros((len(tokens), len(at), self.vocab_size))
        t = np.array(at)
        laws[:, t == 2 * n, -1] = 1.0
        laws[:, (t < 2 * n) & (t % 2 == 1), : self.n_values] = self.value_law
        columns = np.flatnonzero((t < 2 * n) & (t % 2 == 0))
        if len(columns):
            site = t[columns] // 2
            prior = uniform_law(n)
            seen = np.cumsum(self._ratios(tokens, n), axis=1)
            seen = np.concatenate([np.zeros((len(tokens), 1)), seen], axis=1)[:, site]
            left = np.cumsum(prior[::-1])[::-1][site]
            true = (prior[site] / (seen + left))[..., None]
            background, signal = self.evidence_laws
            laws[:, columns, self.n_values : -1] = true * signal + (1.0 - true) * background
        return laws

    def _target_laws(self, tokens: Tokens, n_units: int) -> Floats:
        n = self.n_units(tokens.shape[1])
        far = n - n_units
        weights = self._ratios(tokens, n)[:, far:]
        unseen = np.full(len(tokens), uniform_law(n)[:far].sum())
        settled = np.isinf(weights)
        unseen[settled.any(axis=1)] = 0.0
        weights = np.where(settled.any(axis=1, keepdims=True), settled, weights)
        with np.errstate(invalid="ignore"):  # no site is possible: the law is undefined
            total = weights.sum(axis=1) + unseen
            return self._answers_of(tokens[:, 2 * far : 2 * n][:, 1::2], weights / total[:, None], unseen / total)

    # -- truths
    def position_losses(self, length: int) -> Truth:
        """(length,) mean entropy of the exact law over sequences of this length, sampled; but at the values, the first
        evidence and the question, where the law is the same in all of them, it is exact (standard error 0)."""
        n = self.n_units(length)
        true = float(uniform_law(n)[0])
        background, signal = self.evidence_laws
        values, evidence = law_entropies(self.value_law), law_entropies(true * signal + (1.0 - true) * background)
        known: list[tuple[slice | int, float]] = [
            (slice(1, 2 * n, 2), float(values)),
            (0, float(evidence)),
            (2 * n, 0.0),
        ]
        return exact_at(sampled_position_losses(self, length), known)

    def entropy_rate(self) -> Truth:
        """Limit of the answer's loss as n grows, exact: the site is settled with probability f1(f0 = 0), else lost
        among n, and the answer follows its prior law."""
        settled = float(self.evidence_laws[1][np.isinf(self.likelihood_ratios)].sum())
        return Truth.exact(settled * self.known_loss + (1.0 - settled) * self.prior_loss)
