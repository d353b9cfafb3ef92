"""Random probabilistic deterministic automata."""

from typing import Self

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.source import source


@source("random_automaton")
class RandomAutomatonSource(MachineSource):
    """A random automaton of S states: each lets m symbols follow, and the symbol tells the next state.

        states   0 --a--> 2    0 --c--> 1    1 --b--> 1    1 --c--> 0    2 --a--> 0    2 --b--> 1        (S = 3, m = 2)
        a a c b b c a b ...

    Each state's symbols are drawn without replacement and its successors uniformly, but for its first edge, which
    follows one random cycle through all states, so that every automaton is irreducible. The m edges are equally likely,
    or their law is drawn from a symmetric Dirichlet of parameter `concentration`.

    After Akyurek et al. 2024 (2401.12973, RegBench), whose automata write strings of their own; here each writes one
    stream from its stationary law. The rate is exact, h = sum_s pi(s) H(p(. | s)).

    >>> round(RandomAutomatonSource(vocab_size=6, n_states=5, n_edges=2).entropy_rate().value, 9)
    0.693147181
    """

    vocab_size: int = Field(ge=1, le=65536, description="number of symbols V")
    n_states_: int = Field(alias="n_states", ge=1, le=4096, description="number of states S")
    n_edges: int = Field(ge=1, le=256, description="symbols m that are possible in a state, at most V")
    concentration: PositiveFloat | None = Field(
        None, description="Dirichlet parameter of a state's edges; equally likely if left out"
    )
    seed: int = Field(0, ge=0, lt=2**64, description="seed of the automaton")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_edges > self.vocab_size:
            raise ValueError(f"n_edges: given {self.n_edges}, at most vocab_size = {self.vocab_size} can differ")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(vocab_size=3, n_states=4, n_edges=2, seed=1),
            cls(vocab_size=2, n_states=3, n_edges=2, concentration=1.0, seed=2),
            cls(vocab_size=4, n_states=3, n_edges=1, seed=3),  # a cycle, no entropy
        ]

    @property
    def n_states(self) -> int:
        return self.n_states_

    def _make_edges(self) -> Edges:
        rng = np.random.Generator(np.random.Philox(self.seed))
        shape = self.n_states, self.n_edges
        symbols = np.stack([rng.permutation(self.vocab_size)[: self.n_edges] for _ in range(self.n_states)])
        successors = rng.integers(self.n_states, size=shape)
        cycle = rng.permutation(self.n_states)
        successors[cycle, 0] = np.roll(cycle, -1)
        laws = np.full(shape, 1.0 / self.n_edges)
        if self.concentration is not None:
            laws = rng.dirichlet(np.full(self.n_edges, self.concentration), size=self.n_states)
            laws = np.maximum(laws, np.finfo(np.float64).tiny)  # no edge of the cycle may be lost
        table = zip(symbols.tolist(), successors.tolist(), laws.tolist(), strict=True)
        return Edges.from_lists([list(zip(*row, strict=True)) for row in table])
