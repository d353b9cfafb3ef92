"""Base of sources that are another source under a new name."""

from abc import abstractmethod
from collections.abc import Sequence

from testbed.core import Truth
from testbed.sources.as_machine import as_edges
from testbed.sources.combinators.streams import form_is_rounded
from testbed.sources.machine_algebra import Machine
from testbed.sources.source import Floats, Source, Tokens


class DelegatingSource(Source):
    """Everything is that of `inner`, the source that the parameters describe."""

    @property
    @abstractmethod
    def inner(self) -> Source:
        """The source behind it."""

    @property
    def vocab_size(self) -> int:
        return self.inner.vocab_size

    @property
    def stationary(self) -> bool:  # type: ignore[override]
        return self.inner.stationary

    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        return self.inner.ergodic

    @property
    def period(self) -> int | None:  # type: ignore[override]
        return self.inner.period if self.ergodic else None

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    def finite_form(self) -> Machine:
        """That of `inner`; ConfigError where it has none."""
        return as_edges(self.inner)

    @property
    def rounded_form(self) -> bool:
        """Products of weights were rounded in `finite_form`."""
        return form_is_rounded(self.inner)

    def lengths(self, up_to: int) -> Sequence[int]:
        return self.inner.lengths(up_to)

    def writes_length(self, length: int) -> bool:
        return self.inner.writes_length(length)

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) tokens of `inner`."""
        return self.inner.sample(n_sequences, length, seed, first_sequence)

    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) laws of `inner`."""
        return self.inner.predict(tokens, context, positions)

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        return self.inner.log_probs(tokens, context)

    def count_contexts(self, length: int) -> int:
        return self.inner.count_contexts(length)

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max of `inner`."""
        return self.inner.conditional_entropies(max_context)

    def block_entropies(self, max_length: int) -> Truth:
        return self.inner.block_entropies(max_length)

    def position_losses(self, length: int) -> Truth:
        return self.inner.position_losses(length)

    def entropy_rate(self) -> Truth:
        """h of `inner`."""
        return self.inner.entropy_rate()

    def excess_entropy(self) -> Truth:
        """E of `inner`."""
        return self.inner.excess_entropy()
