"""A finite family of Markov chains, one for each sequence: memorise the family, or learn in context."""

from typing import Self

from pydantic import Field, PositiveFloat, model_validator

from testbed.sources.chain import MAX_TABLE_ENTRIES, check_size
from testbed.sources.in_context.drawn_mixture import DrawnMixture
from testbed.sources.markov import MarkovSource
from testbed.sources.randomness import derive_seed
from testbed.sources.source import Source, source


@source("markov_mixture")
class MarkovMixtureSource(DrawnMixture):
    """One of n order-k chains with Dirichlet rows, drawn once by `seed`, writes each sequence from its stationary law.

    The Bayes law finds out which chain it reads and then uses that chain's table; a learner that has not memorised the
    n chains counts in context, as in `dirichlet_markov`, to which this tends for n -> infinity (Park et al. 2024,
    2412.01003: unigram or bigram, retrieval or inference).

        h = mean of h_i,     E = mean of E_i + ln n        (for n different chains; weights 1 / n to 2^-32)

    >>> family = MarkovMixtureSource(vocab_size=3, order=1, n_chains=4)
    >>> bool(family.conditional_entropies(8).value[-1] > family.entropy_rate().value)
    True
    """

    vocab_size_: int = Field(alias="vocab_size", ge=2, le=65536, description="number of symbols V")
    order: int = Field(1, ge=0, le=20, description="number of past tokens k that each chain looks at")
    n_chains: int = Field(ge=1, le=1024, description="size n of the family")
    concentration: PositiveFloat = Field(1.0, description="Dirichlet parameter of the chains' rows; small is spiky")
    seed: int = Field(0, ge=0, lt=2**64, description="seed of the family")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_size(self.vocab_size_, self.order)
        entries = self.n_chains * self.vocab_size_ ** (self.order + 1)
        if entries > MAX_TABLE_ENTRIES:
            raise ValueError(
                f"n_chains: {self.n_chains} such chains have {entries} transitions, over the limit of 2^26"
            )
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(vocab_size=2, order=1, n_chains=3, seed=1),
            cls(vocab_size=3, order=0, n_chains=2, concentration=0.5, seed=2),
            cls(vocab_size=2, order=2, n_chains=1),
        ]

    @property
    def vocab_size(self) -> int:
        return self.vocab_size_

    def _make_components(self) -> list[Source]:
        return [
            MarkovSource(
                vocab_size=self.vocab_size,
                order=self.order,
                concentration=self.concentration,
                seed=derive_seed(self.seed, "chain", number),
            )
            for number in range(self.n_chains)
        ]
