"""Finite families of sources of which every sequence draws one: the truths that do not need all pairs compared."""

from abc import abstractmethod
from functools import cached_property

import numpy as np

from testbed.core import Truth
from testbed.sources.as_machine import EdgeMachine
from testbed.sources.combinators.delegate import DelegatingSource
from testbed.sources.combinators.mixture import MixtureSource
from testbed.sources.randomness import in_range
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Floats, Source
from testbed.sources.truth_sums import scale_truth, sum_truths

DIFFERENT = 1e-9
MAX_PAIR_ENTRIES = 2**26


class DrawnMixture(DelegatingSource):
    """A `mixture` of equally likely components, finite and irreducible machines, that are drawn by a seed."""

    @abstractmethod
    def _make_components(self) -> list[Source]:
        """The family."""

    @cached_property
    def inner(self) -> MixtureSource:
        """The family as a mixture; its `posterior` says which component the tokens point to."""
        return MixtureSource(self._make_components())

    @property
    def components(self) -> tuple[Source, ...]:
        """The family."""
        return self.inner.components

    @cached_property
    def _pairs(self) -> Floats:
        """(n, V^2): the law of two successive tokens of every component."""
        laws = np.zeros((len(self.components), self.vocab_size, self.vocab_size))
        for law, component in zip(laws, self.components, strict=True):
            found = component.context_law(1)
            law[found.contexts[:, 0]] = found.probabilities[:, None] * found.laws
        return laws.reshape(len(laws), -1)

    @cached_property
    def _all_differ(self) -> bool:
        """Every two components are seen to differ in the law of two tokens; else the mixture compares whole laws."""
        from scipy.spatial.distance import pdist

        if len(self.components) == 1:
            return True
        if len(self.components) * self.vocab_size**2 > MAX_PAIR_ENTRIES:
            return False
        return bool(pdist(self._pairs, "chebyshev").min() > DIFFERENT)

    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        """Only a family of one law is."""
        return len(self.components) == 1 if self._all_differ else self.inner.ergodic

    @cached_property
    def _machine(self) -> EdgeMachine:
        edges, law = self.inner.finite_form()
        return EdgeMachine(given=edges, law=law, vocab_size=self.vocab_size)

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max of the family's direct sum, as one machine: exact while its beliefs can be listed."""
        return self._machine.conditional_entropies(in_range("max_context", max_context, 2**31))

    def position_losses(self, length: int) -> Truth:
        """h_t: every component is stationary."""
        length = in_range("length", length, 2**31)
        return self.conditional_entropies(length - 1) if length else Truth.exact(np.empty(0))

    def block_entropies(self, max_length: int) -> Truth:
        return Source.block_entropies(self, max_length)

    def entropy_rate(self) -> Truth:
        """h = sum_i w_i h_i."""
        return self._mean([component.entropy_rate() for component in self.components])

    def excess_entropy(self) -> Truth:
        """E = sum_i w_i E_i + H(w) for components of different laws."""
        if not self._all_differ:
            return self.inner.excess_entropy()
        choice = law_entropies(self.inner.component_probabilities)
        within = self._mean([component.excess_entropy() for component in self.components])
        return sum_truths([within, Truth.exact(choice)])

    def _mean(self, truths: list[Truth]) -> Truth:
        weights = self.inner.component_probabilities.tolist()
        return sum_truths([scale_truth(truth, weight) for truth, weight in zip(truths, weights, strict=True)])
