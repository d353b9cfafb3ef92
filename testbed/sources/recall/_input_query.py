"""`InputQuery`: a value query whose evidence is real-valued and stands beside the tokens."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from testbed.core import ConfigError, UndefinedError
from testbed.sources.randomness import in_range
from testbed.sources.recall._draws import Integers
from testbed.sources.recall._value_query import ValueQuery
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import (
    Batch,
    Floats,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    token_dtype,
)


class InputQuery(ValueQuery):
    """A `ValueQuery` whose sites are single value tokens, each with real-valued `inputs` beside it.

        v_1 v_2 ... v_n ? answer        inputs (L, K): evidence at the sites, zeros at ? and at the answer

    The question's token is n_values. Laws are conditional on the inputs; values do not depend on them.
    """

    takes_inputs: ClassVar[bool] = True
    site_length: ClassVar[int] = 1

    @property
    def vocab_size(self) -> int:
        return self.n_values + 1

    @property
    @abstractmethod
    def input_size(self) -> int:
        """K, the number of real inputs at a position."""

    @abstractmethod
    def _draw(self, n_sequences: int, n_sites: int, seed: int, first_sequence: int) -> tuple[Floats, Integers]:
        """Inputs (N, n, K) of the sites, and the true site (N,)."""

    @abstractmethod
    def _site_weights(self, inputs: Floats, n_sites: int) -> tuple[Floats, Floats]:
        """Posterior (N, m) of the nearest m sites from their inputs (N, m, K), and (N,) of the n - m others."""

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        return self.batch(n_sequences, length, seed, first_sequence).tokens

    def batch(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Batch:
        """Tokens (N, L), inputs (N, L, K); only the last position is judged."""
        n_sites = self.n_units(in_range("length", length, 2**32))
        values = self._draw_values(n_sequences, n_sites, seed, first_sequence)
        evidence, site = self._draw(n_sequences, n_sites, seed, first_sequence)
        inputs = np.zeros((n_sequences, length, self.input_size))
        inputs[:, :n_sites] = evidence
        tokens = np.full((n_sequences, length), self.n_values, dtype=token_dtype(self.vocab_size))
        tokens[:, :n_sites] = values
        tokens[:, -1] = self._draw_answers(values[np.arange(n_sequences), site], seed, first_sequence)
        judged = np.zeros(tokens.shape, dtype=np.bool_)
        judged[:, -1] = True
        return Batch(tokens, judged, inputs)

    def predict(
        self,
        tokens: Tokens,
        context: int | None = None,
        positions: Sequence[int] | None = None,
        inputs: Floats | None = None,
    ) -> Floats:
        """(N, L, V) exact laws given the inputs (N, L, K) of the same sequences. `context` counts sites, the nearest
        first, and bears on the answer alone."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        given = check_inputs(inputs, (*tokens.shape, self.input_size))
        length = tokens.shape[1]
        n_units = self.n_units(length)
        at = check_positions(positions, length)
        require_law_memory(len(tokens), len(at), self.vocab_size)
        laws = np.empty((len(tokens), len(at), self.vocab_size))
        for column, t in enumerate(at):
            if t < length - 1:
                laws[:, column] = self._context_laws(tokens, t)
            else:
                seen = n_units if context is None else min(context, n_units)
                near = slice(n_units - seen, n_units)
                laws[:, column] = self._answers_of(tokens[:, near], *self._site_weights(given[:, near], n_units))
        return laws

    def log_probs(self, tokens: Tokens, context: int | None = None, inputs: Floats | None = None) -> Floats:
        """(N, L): ln p(tokens[:, t] | what stands before it, inputs)."""
        law = self.predict(tokens, context, inputs=inputs)
        with np.errstate(divide="ignore"):
            return np.log(np.take_along_axis(law, np.asarray(tokens, dtype=np.int64)[..., None], axis=2)[..., 0])

    def _context_laws_at(self, tokens: Tokens, at: list[int]) -> Floats:
        law = np.zeros((len(at), self.vocab_size))
        question = np.array(at) == tokens.shape[1] - 2
        law[question, self.n_values] = 1.0
        law[~question, : self.n_values] = self.value_law
        return np.broadcast_to(law, (len(tokens), *law.shape))

    def _target_laws(self, tokens: Tokens, n_units: int) -> Floats:
        raise UndefinedError(f"{self.type_name} takes inputs: its laws come from predict(tokens, inputs=...)")

    def _context_losses(self, length: int) -> Floats:
        """(length,): exact losses before the answer, whose entry is left 0."""
        losses = np.full(length, float(law_entropies(self.value_law)))
        losses[-2:] = 0.0
        return losses


def check_inputs(inputs: Floats | None, shape: tuple[int, ...]) -> Floats:
    """The real-valued inputs as float64 of this shape (N, L, K), else a ConfigError."""
    if inputs is None:
        raise ConfigError(f"inputs: the law depends on real-valued inputs of shape {shape}; none were given")
    array = np.asarray(inputs, dtype=np.float64)
    if array.shape != shape:
        raise ConfigError(f"inputs: given shape {array.shape}, must be {shape}")
    return array
