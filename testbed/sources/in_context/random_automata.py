"""A family of random automata, one for each sequence: in-context learning of regular languages."""

from typing import Self

from pydantic import Field, PositiveFloat, model_validator

from testbed.sources.in_context.drawn_mixture import DrawnMixture
from testbed.sources.in_context.random_automaton import RandomAutomatonSource
from testbed.sources.randomness import derive_seed
from testbed.sources.source import Source, source

MAX_EDGES = 2**20


@source("random_automata")
class RandomAutomataSource(DrawnMixture):
    """One of n random automata (`random_automaton`) writes each sequence, from its stationary law.

    The Bayes law mixes the n automata's laws by their posterior, each automaton's state being filtered as well. After
    Akyurek et al. 2024 (2401.12973, RegBench), with a finite family, so that this law is exact:

        h = mean of h_i,     E = mean of E_i + ln n        (for n different automata; weights 1 / n to 2^-32)

    >>> family = RandomAutomataSource(vocab_size=4, n_states=3, n_edges=2, n_automata=8)
    >>> round(family.entropy_rate().value, 9)
    0.693147181
    """

    vocab_size_: int = Field(alias="vocab_size", ge=1, le=65536, description="number of symbols V")
    n_states: int = Field(ge=1, le=4096, description="number of states of each automaton")
    n_edges: int = Field(ge=1, le=256, description="symbols that are possible in a state, at most V")
    n_automata: int = Field(ge=1, le=1024, description="size n of the family")
    concentration: PositiveFloat | None = Field(
        None, description="Dirichlet parameter of a state's edges; equally likely if left out"
    )
    seed: int = Field(0, ge=0, lt=2**64, description="seed of the family")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_edges > self.vocab_size_:
            raise ValueError(f"n_edges: given {self.n_edges}, at most vocab_size = {self.vocab_size_} can differ")
        edges = self.n_automata * self.n_states * self.n_edges
        if edges > MAX_EDGES:
            raise ValueError(f"n_automata: {self.n_automata} such automata have {edges} edges, over the limit of 2^20")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(vocab_size=4, n_states=3, n_edges=2, n_automata=3, seed=1),
            cls(vocab_size=2, n_states=2, n_edges=2, n_automata=2, concentration=1.0, seed=4),
            cls(vocab_size=2, n_states=1, n_edges=2, n_automata=2),  # twice the same
        ]

    @property
    def vocab_size(self) -> int:
        return self.vocab_size_

    def _make_components(self) -> list[Source]:
        return [
            RandomAutomatonSource(
                vocab_size=self.vocab_size,
                n_states=self.n_states,
                n_edges=self.n_edges,
                concentration=self.concentration,
                seed=derive_seed(self.seed, "automaton", number),
            )
            for number in range(self.n_automata)
        ]
