"""Noisy retrieval with real-valued evidence: a shifted Gaussian vector at one site, unit noise at all of them."""

from functools import cached_property
from typing import Self

import numpy as np
from pydantic import Field

from testbed.core import Truth
from testbed.sources.randomness import derive_seed, random_words
from testbed.sources.recall._draws import Integers, law_fingerprint, uniform_index, uniform_law, uniform_reals
from testbed.sources.recall._input_query import InputQuery
from testbed.sources.source import Floats, source

SITES, EVIDENCE = 4, 5


@source("gaussian_retrieval")
class GaussianRetrieval(InputQuery):
    """Evidence x_j in R^K beside each value: N(mu u, I) at the true site, N(0, I) elsewhere, u a fixed unit vector.

        v2 v0 v3 | ? | v0        with inputs x_1 x_2 x_3, the second one drawn around mu u

    The true site is uniform; the answer is its value through the channel. The exact law weighs sites by a softmax of
    log-likelihood ratios mu (u . x_j) - mu^2 / 2, of inverse temperature 1 at every n (task T1). The largest of n
    noises is about sqrt(2 ln n): the site is found while mu is above that, and lost beyond.

    Tokens: values, then the question. The direction u is drawn by `seed`.
    """

    shift: float = Field(3.0, ge=0, le=100, description="mu, the evidence's mean at the true site, along u")
    n_dimensions: int = Field(1, ge=1, le=4096, description="K, the dimension of the evidence")
    seed: int = Field(0, ge=0, description="seed of the direction u")

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(n_values=4, shift=2.0),
            cls(n_values=2, shift=3.0, n_dimensions=3, noise=0.1, seed=1),
            cls(n_values=3, shift=0.0),
        ]

    @cached_property
    def direction(self) -> Floats:
        """u (K,), uniform on the sphere; +-1 for K = 1."""
        drawn = np.random.default_rng(derive_seed(self.seed, "direction")).standard_normal(self.n_dimensions)
        return drawn / np.linalg.norm(drawn)

    @property
    def input_size(self) -> int:
        return self.n_dimensions

    @property
    def fingerprint(self) -> str:
        return law_fingerprint(self.type_name, float(self.shift).hex(), self.direction, self.channel_weights)

    def _draw(self, n_sequences: int, n_sites: int, seed: int, first_sequence: int) -> tuple[Floats, Integers]:
        from scipy.special import ndtri

        site = uniform_index(random_words(n_sequences, 1, seed, first_sequence, SITES)[:, 0], n_sites)
        noise = ndtri(uniform_reals(n_sequences, n_sites * self.n_dimensions, seed, first_sequence, EVIDENCE))
        evidence = noise.reshape(n_sequences, n_sites, self.n_dimensions)
        evidence[np.arange(n_sequences), site] += self.shift * self.direction
        return evidence, site

    def log_likelihood_ratios(self, inputs: Floats) -> Floats:
        """(...,) ln p(x | true site) / p(x | other site) of evidence (..., K)."""
        return self.shift * (inputs @ self.direction) - self.shift**2 / 2

    def _site_weights(self, inputs: Floats, n_sites: int) -> tuple[Floats, Floats]:
        prior = uniform_law(n_sites)
        far = n_sites - inputs.shape[1]
        scores = np.log(prior[far:]) + self.log_likelihood_ratios(inputs)
        rest = prior[:far].sum()
        with np.errstate(divide="ignore"):
            largest = np.maximum(scores.max(axis=1, initial=-np.inf), np.log(rest))
        weights, unseen = np.exp(scores - largest[:, None]), rest * np.exp(-largest)
        total = weights.sum(axis=1) + unseen
        return weights / total[:, None], unseen / total

    def position_losses(self, length: int) -> Truth:
        """(length,): exact before the answer (standard error 0), sampled at the answer."""
        self.n_units(length)
        losses, errors = self._context_losses(length), np.zeros(length)
        losses[-1], errors[-1] = self._sampled_target_loss(length)
        return Truth.sampled(losses, errors)

    def entropy_rate(self) -> Truth:
        """Limit of the answer's loss as n grows, exact: any one site's evidence is drowned, the prior law is left."""
        return Truth.exact(self.prior_loss)
