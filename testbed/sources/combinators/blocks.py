"""k tokens of a stream, read as one symbol."""

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import Truth
from testbed.sources.as_machine import as_edges
from testbed.sources.combinators.streams import (
    check_streams,
    check_vocab_size,
    form_is_rounded,
    predict_by_windows,
    require_stationary,
)
from testbed.sources.machine_algebra import Machine, invariant_law, machine_power
from testbed.sources.randomness import in_range
from testbed.sources.source import AnySource, Floats, Source, Tokens, check_tokens, source, token_dtype
from testbed.sources.truth_sums import group_truth, scale_truth

PREFIX_ENTRIES = 2**22  # tokens of the continued sequences that are looked at together


@source("blocks")
class BlockSource(Source):
    """Successive blocks of k tokens of the component, each one symbol in base V, oldest token first.

        0 1 | 1 0 | 1 1 ...  as  1 2 3 ...               (V = 2, k = 2)

    An injective recoding keeps what is known and changes the unit: with h_j and H(n) of the component,

        h_l(blocks) = H((l + 1) k) - H(l k) = sum of h_j over j = l k .. l k + k - 1,   rate k h,   E unchanged.

    Blocks of a stream whose period shares a factor with k are not ergodic: where blocks begin within it stays. A
    component that is not stationary leaves position_losses and the rate; h_l, E and laws given `context` are refused.

    >>> from testbed.sources import IIDSource
    >>> BlockSource(IIDSource([0.5, 0.5]), length=3).entropy_rate().value / math.log(2)
    3.0
    """

    component: AnySource = Field(description="source that scores every position")
    length: int = Field(ge=1, le=31, description="tokens a block k")

    def __init__(self, component: Any = None, length: Any = None, /, **parameters: Any) -> None:
        given = {"component": component, "length": length}
        super().__init__(**parameters, **{name: value for name, value in given.items() if value is not None})

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_streams([self.component], "component", "a block recoding")
        check_vocab_size(self.vocab_size, "length")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        from testbed.sources.markov import MarkovSource

        return [
            cls(MarkovSource.random(vocab_size=2, order=3, seed=4), length=2),
            cls(MarkovSource.random(vocab_size=3, order=1, seed=4), length=1),
            cls(MarkovSource([[0.0, 1.0], [1.0, 0.0]]), length=2),
        ]

    @property
    def vocab_size(self) -> int:
        size: int = self.component.vocab_size**self.length
        return size

    @property
    def stationary(self) -> bool:  # type: ignore[override]
        return self.component.stationary

    @cached_property
    def ergodic(self) -> bool:  # type: ignore[override]
        """The component is, and its period has no factor in common with k; True only where that is known."""
        period = self.component.period
        return self.component.ergodic and (self.length == 1 if period is None else math.gcd(period, self.length) == 1)

    @property
    def period(self) -> int | None:  # type: ignore[override]
        """That of the component: k steps at a time go through the same cycle."""
        return self.component.period if self.ergodic else None

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"blocks:{self.length}:{self.component.fingerprint}".encode()).hexdigest()

    def finite_form(self) -> Machine:
        """The component's machine, k steps at a time, quantised anew: of the blocks' law up to 2^-32."""
        edges, law = as_edges(self.component)
        blocks = machine_power(edges, self.length, self.component.vocab_size)
        return blocks, invariant_law(blocks, law)

    @property
    def rounded_form(self) -> bool:
        """Products of weights were rounded in `finite_form`."""
        return self.length > 1 or form_is_rounded(self.component)

    # -- tokens
    def encode(self, tokens: Tokens) -> Tokens:
        """(N, L) blocks from the component's tokens (N, L k)."""
        parts = np.asarray(tokens, dtype=np.int64)
        code = np.zeros((len(parts), parts.shape[1] // self.length), dtype=np.int64)
        for step in range(self.length):
            code = code * self.component.vocab_size + parts[:, step :: self.length]
        return code.astype(token_dtype(self.vocab_size))

    def decode(self, tokens: Tokens) -> Tokens:
        """(N, L k) tokens of the component from blocks (N, L)."""
        code = check_tokens(tokens, self.vocab_size)
        digits = self.component.vocab_size ** np.arange(self.length - 1, -1, -1)
        parts = code[:, :, None] // digits % self.component.vocab_size
        return parts.reshape(len(code), code.shape[1] * self.length).astype(token_dtype(self.component.vocab_size))

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) blocks: the component's own tokens, L k of them, under the same seed."""
        length = in_range("length", length, 2**34)
        return self.encode(self.component.sample(n_sequences, length * self.length, seed, first_sequence))

    def lengths(self, up_to: int) -> list[int]:
        return [length for length in range(up_to + 1) if self.writes_length(length)]

    def writes_length(self, length: int) -> bool:
        return self.component.writes_length(length * self.length)

    # -- laws
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V^k), by the chain rule over every continuation of k tokens; `context` counts blocks."""
        return predict_by_windows(self, self._laws, tokens, context, positions)

    def _laws(self, tokens: Tokens, positions: Sequence[int]) -> Floats:
        plain = self.decode(tokens)
        law = np.empty((len(plain), len(positions), self.vocab_size))
        for column, t in enumerate(positions):
            before = t * self.length
            rows = max(1, PREFIX_ENTRIES // (self.vocab_size * (before + self.length)))
            for first in range(0, len(plain), rows):
                part = plain[first : first + rows, :before]
                law[first : first + rows, column] = self._block_laws(part)
        return law

    def _block_laws(self, before: Tokens) -> Floats:
        """(N, V^k): law of the next k tokens after `before` (N, n)."""
        n_sequences, size = len(before), self.component.vocab_size
        law = np.ones((n_sequences, 1))
        grown = before
        for step in range(self.length):
            symbols = np.tile(np.arange(size, dtype=before.dtype), len(grown))[:, None]
            grown = np.concatenate([np.repeat(grown, size, axis=0), symbols], axis=1)  # (N V^(step + 1), n + step + 1)
            following = self.component.predict(grown[::size], positions=[before.shape[1] + step])[:, 0]
            joint = law.reshape(-1, 1) * following
            joint[law.ravel() == 0] = 0.0  # an impossible prefix may have no law after it
            law = joint.reshape(n_sequences, size ** (step + 1))
        return law

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L): the sum of the component's over each block, where all blocks before are seen."""
        if context is not None:
            return super().log_probs(tokens, context)
        code = check_tokens(tokens, self.vocab_size)
        single = self.component.log_probs(self.decode(code))
        result: Floats = single.reshape(*code.shape, self.length).sum(axis=2)
        return result

    def count_contexts(self, length: int) -> int:
        return self.component.count_contexts(length * self.length)

    # -- truths
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_l = sum of the component's h_j over j = l k .. l k + k - 1, in nats a block."""
        max_context = in_range("max_context", max_context, 2**34)
        require_stationary(self, "h_l")
        return group_truth(self.component.conditional_entropies((max_context + 1) * self.length - 1), self.length)

    def position_losses(self, length: int) -> Truth:
        length = in_range("length", length, 2**34)
        return group_truth(self.component.position_losses(length * self.length), self.length)

    def entropy_rate(self) -> Truth:
        """k h, nats a block: the limit of H(n) / n."""
        return scale_truth(self.component.entropy_rate(), self.length)

    def excess_entropy(self) -> Truth:
        """That of the component."""
        require_stationary(self, "E")
        return self.component.excess_entropy()
