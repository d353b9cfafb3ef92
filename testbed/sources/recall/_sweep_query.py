"""`SweepQuery`: a query source that finds the laws of all its context positions in one pass."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from testbed.sources.query import QuerySource
from testbed.sources.source import Floats, Tokens, check_positions, check_tokens, require_law_memory


class SweepQuery(QuerySource):
    """`predict` walks once over the context, however many positions are asked for."""

    @abstractmethod
    def _context_laws_at(self, tokens: Tokens, at: list[int]) -> Floats:
        """(N, len(at), V): exact laws at these positions before the target, given all tokens before each."""

    def _context_laws(self, tokens: Tokens, t: int) -> Floats:
        return self._context_laws_at(tokens, [t])[:, 0]

    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws. `context` counts units, the nearest first, and bears on the target alone; at the other
        positions the law given all tokens before is returned."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        length = tokens.shape[1]
        n_units = self.n_units(length)
        at = check_positions(positions, length)
        require_law_memory(len(tokens), len(at), self.vocab_size)
        laws = np.empty((len(tokens), len(at), self.vocab_size))
        before = [column for column, t in enumerate(at) if t < length - 1]
        if before:
            laws[:, before] = self._context_laws_at(tokens, [at[column] for column in before])
        if len(before) < len(at):
            law = self._target_laws(tokens, n_units if context is None else min(context, n_units))
            laws[:, [column for column, t in enumerate(at) if t == length - 1]] = law[:, None]
        return laws
