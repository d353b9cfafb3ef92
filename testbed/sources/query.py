"""`QuerySource`: context, then a question, then the one token that is scored."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from testbed.core import ConfigError, Truth, UndefinedError
from testbed.sources.source import Batch, Floats, Source, Tokens, check_positions, check_tokens, require_law_memory


class QuerySource(Source):
    """Sequences of `length - question_length - 1` units of context, a question, and the target.

        unit_n ... unit_2 unit_1 | question | target        (unit 1 is the nearest)

    Only the target is judged. h_l is its entropy given the question and units 1 .. l:  h_l = H(Y | question, u_1..u_l).
    The question is always seen. Targets are never fed back: one sequence, one target.
    """

    judges_all: ClassVar[bool] = False
    stationary: ClassVar[bool] = False
    question_length: ClassVar[int] = 1
    """Tokens between the context and the target."""

    @abstractmethod
    def _context_laws(self, tokens: Tokens, t: int) -> Floats:
        """(N, V): exact law of tokens[:, t], a position before the target, given all tokens before it."""

    @abstractmethod
    def _target_laws(self, tokens: Tokens, n_units: int) -> Floats:
        """(N, V): exact law of the last token, given the question and the nearest n_units units."""

    @abstractmethod
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max_context of the target, l in units of context, nats."""

    def n_units(self, length: int) -> int:
        """Units of context in a sequence of this length. Raises ConfigError where there is no room for a target."""
        if length < self.question_length + 1:
            raise ConfigError(
                f"length: given {length}; a sequence of {self.type_name} needs {self.question_length} tokens of"
                " question and one of target"
            )
        return length - self.question_length - 1

    def lengths(self, up_to: int) -> Sequence[int]:
        return range(self.question_length + 1, up_to + 1)

    def batch(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Batch:
        """Sampled sequences; only the last position is judged."""
        tokens = self.sample(n_sequences, length, seed, first_sequence)
        judged = np.zeros(tokens.shape, dtype=np.bool_)
        judged[:, -1:] = True
        return Batch(tokens, judged)

    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws. `context` counts units and bears on the target alone: at the other positions the law
        given all tokens before is returned, with or without it."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        length = tokens.shape[1]
        n_units = self.n_units(length)
        at = check_positions(positions, length)
        require_law_memory(len(tokens), len(at), self.vocab_size)
        laws = np.empty((len(tokens), len(at), self.vocab_size))
        for column, t in enumerate(at):
            if t == length - 1:
                laws[:, column] = self._target_laws(tokens, n_units if context is None else min(context, n_units))
            else:
                laws[:, column] = self._context_laws(tokens, t)
        return laws

    def block_entropies(self, max_length: int) -> Truth:
        raise UndefinedError(
            f"{self.type_name} asks one question a sequence: it has position_losses(length), but no blocks of a stream"
        )
