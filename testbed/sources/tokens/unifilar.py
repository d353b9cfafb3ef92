"""`UnifilarMachine`: a source whose next state follows from its state and the next symbol, as arrays."""

from dataclasses import dataclass

import numpy as np

from testbed.core import ConfigError
from testbed.sources.as_machine import as_edges
from testbed.sources.source import Source, require_memory
from testbed.sources.tokens.tokenizer import Floats, Integers, String

LIMIT_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class UnifilarMachine:
    """law (S, K) p(symbol | state), following (S, K) the state that the symbol leads to."""

    law: Floats
    following: Integers

    @classmethod
    def of(cls, source: Source) -> "UnifilarMachine":
        """ConfigError for a source that is no finite machine, or one whose symbols do not tell its state."""
        edges, _ = as_edges(source)
        if not edges.unifilar:
            raise ConfigError("component: the next state must follow from state and symbol, or tokens are no chain")
        following = np.zeros((edges.n_states, source.vocab_size), dtype=np.int64)
        state, edge = np.nonzero(edges.weights)
        following[state, edges.symbols[state, edge]] = edges.successors[state, edge]
        return cls(edges.emissions(source.vocab_size), following)

    @property
    def n_states(self) -> int:
        return len(self.law)

    @property
    def n_symbols(self) -> int:
        return self.law.shape[1]

    def read(self, string: String) -> tuple[Floats, Integers]:
        """p(string | s) and the state behind it, for every s."""
        chance, state = np.ones(self.n_states), np.arange(self.n_states)
        for symbol in string:
            chance = chance * self.law[state, symbol]
            state = self.following[state, symbol]
        return chance, state


def check_states(n_states: int) -> None:
    """ResourceError where the kernel of so many states is above 1 GiB."""
    what = f"the chain of tokens with {n_states} states"
    require_memory(8 * n_states**2, LIMIT_BYTES, what, "use fewer tokens or a smaller source")
