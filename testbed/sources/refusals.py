"""Truths that a law has not, refused in one place."""

from abc import abstractmethod

from testbed.core import Truth, UndefinedError
from testbed.sources.randomness import in_range
from testbed.sources.source import Source


class WithoutContextEntropies(Source):
    """A source of sequences whose law depends on their length or start, so that no h_l is the same for all."""

    @abstractmethod
    def _why_no_context(self) -> str:
        """The reason, as a sentence that begins with the type's name and says which truth is given instead."""

    def conditional_entropies(self, max_context: int) -> Truth:
        """Refused: UndefinedError with the reason."""
        in_range("max_context", max_context, 2**62)
        raise UndefinedError(self._why_no_context())

    def excess_entropy(self) -> Truth:
        """Refused: UndefinedError with the reason."""
        raise UndefinedError(self._why_no_context())
