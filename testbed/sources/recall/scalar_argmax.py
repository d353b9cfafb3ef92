"""Argmax retrieval over the reals: the answer is the value beside the largest of n independent scalars."""

from typing import Literal, Self

import numpy as np
from pydantic import Field

from testbed.core import Truth
from testbed.sources.recall._draws import Integers, law_fingerprint, uniform_reals
from testbed.sources.recall._input_query import InputQuery
from testbed.sources.source import Floats, source

SCALARS = 4


@source("scalar_argmax")
class ScalarArgmax(InputQuery):
    """A real scalar beside each value; the answer is the value of the largest one, through the channel.

        v2 v0 v3 | ? | v0        with inputs 0.1, 0.9, 0.4

    The answer is certain up to the channel at every n. What grows harder is to tell the largest from the second: their
    mean gap is 1/(n + 1) for `uniform` scalars, 1 for `exponential` ones, about 1/sqrt(2 ln n) for `gaussian` ones, so
    each law asks for its own temperature (task T3; Velickovic et al. 2024). Scalars are drawn on 2^53 points; of equal
    ones, which n^2 2^-54 sequences have, the first counts.

    Tokens: values, then the question.
    """

    law: Literal["uniform", "exponential", "gaussian"] = Field(
        "gaussian", description="law of the scalars: uniform on (0, 1), exponential of mean 1, standard normal"
    )

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(n_values=4),
            cls(n_values=2, law="uniform", noise=0.1),
            cls(n_values=2, law="exponential", channel=np.array([[1.0, 0.0], [0.5, 0.5]])),
        ]

    @property
    def input_size(self) -> int:
        return 1

    @property
    def fingerprint(self) -> str:
        return law_fingerprint(self.type_name, self.law, self.channel_weights)

    def _draw(self, n_sequences: int, n_sites: int, seed: int, first_sequence: int) -> tuple[Floats, Integers]:
        quantile = uniform_reals(n_sequences, n_sites, seed, first_sequence, SCALARS)
        if self.law == "exponential":
            quantile = -np.log1p(-quantile)
        elif self.law == "gaussian":
            from scipy.special import ndtri

            quantile = ndtri(quantile)
        return quantile[..., None], quantile.argmax(axis=1)

    def cdf(self, scalars: Floats) -> Floats:
        """F(x) of the scalars' law, elementwise."""
        if self.law == "uniform":
            return np.clip(scalars, 0.0, 1.0)
        if self.law == "exponential":
            return -np.expm1(-np.maximum(scalars, 0.0))
        from scipy.special import ndtr

        return np.asarray(ndtr(scalars))

    def _site_weights(self, inputs: Floats, n_sites: int) -> tuple[Floats, Floats]:
        scalars = inputs[..., 0]
        far = n_sites - scalars.shape[1]
        if far == n_sites:
            return np.zeros(scalars.shape), np.ones(len(scalars))
        below = self.cdf(scalars.max(axis=1)) ** far  # no far scalar is larger
        weights = np.zeros(scalars.shape)
        weights[np.arange(len(scalars)), scalars.argmax(axis=1)] = below
        return weights, 1.0 - below

    def position_losses(self, length: int) -> Truth:
        """(length,) exact: the channel's entropy at the answer, for every n."""
        self.n_units(length)
        losses = self._context_losses(length)
        losses[-1] = self.known_loss
        return Truth.exact(losses)

    def entropy_rate(self) -> Truth:
        """Loss of the answer given all sites: the channel's entropy, the same for every n."""
        return Truth.exact(self.known_loss)
