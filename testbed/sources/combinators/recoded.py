"""Every symbol replaced by another: renamed, or lumped together."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import ConfigError
from testbed.sources.as_machine import as_edges
from testbed.sources.combinators.delegate import DelegatingSource
from testbed.sources.combinators.noise import NoisySource
from testbed.sources.combinators.streams import check_streams
from testbed.sources.edges import Edges
from testbed.sources.machine_algebra import Machine, check_edge_count
from testbed.sources.source import AnySource, Floats, Source, Tokens, check_tokens, source, token_dtype


@source("recoded")
class RecodedSource(DelegatingSource):
    """Token x becomes map[x], position by position.

        map (1, 2, 0):  0 1 2 0 ...  as  1 2 0 1 ...         map (0, 1, 1):  0 1 2 0 ...  as  0 1 1 0 ...

    A permutation renames the symbols of any source and changes no entropy. A map that lumps symbols together cannot
    raise H(n); it needs a finite machine or chain, of which it is a channel of zeros and ones. No weight is rounded.

    The even process, from an order-1 chain over the edges of its two states:

    >>> from testbed.sources import MarkovSource
    >>> chain = MarkovSource([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])
    >>> RecodedSource(chain, map=[0, 1, 1]).conditional_entropies(2).value.round(6)
    array([0.636514, 0.605939, 0.549306])
    """

    component: AnySource = Field(description="any source for a permutation, a finite machine or chain for lumping")
    map: tuple[int, ...] = Field(min_length=1, description="new symbol of each symbol; 0 .. W - 1, all of them used")

    def __init__(self, component: Any = None, /, **parameters: Any) -> None:
        if component is not None:
            parameters["component"] = component
        super().__init__(**parameters)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_streams([self.component], "component", "a recoding")
        size = self.component.vocab_size
        if len(self.map) != size:
            raise ConfigError(f"map: {len(self.map)} entries for the component's {size} symbols; one each is needed")
        if min(self.map) < 0:
            raise ConfigError(f"map: entry {self.map.index(min(self.map))} is {min(self.map)}; symbols are >= 0")
        missing = set(range(max(self.map) + 1)) - set(self.map)
        if missing:
            raise ConfigError(f"map: nothing becomes {min(missing)}; use every new symbol 0 .. {max(self.map)}")
        if not self.is_permutation:
            as_edges(self.component)
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        from testbed.sources.markov import MarkovSource

        chain = MarkovSource.random(vocab_size=3, order=2, seed=6)
        even = MarkovSource([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])
        maps = (2, 0, 1), (0, 1, 1), (0, 0, 0)
        return [*(cls(chain, map=renamed) for renamed in maps), cls(even, map=(0, 1, 1))]

    @property
    def is_permutation(self) -> bool:
        """The map only renames."""
        return len(set(self.map)) == len(self.map)

    @property
    def vocab_size(self) -> int:
        return max(self.map) + 1

    @cached_property
    def inner(self) -> Source:
        """What the truths come from: the component itself if the map only renames, else the lumped machine."""
        if self.is_permutation:
            return self.component
        return NoisySource(self.component, channel=np.eye(self.vocab_size)[list(self.map)])

    def finite_form(self) -> Machine:
        """The lumped machine, or the component's with its symbols renamed."""
        edges, law = as_edges(self.inner)
        if not self.is_permutation:
            return edges, law
        check_edge_count(edges.weights.size)
        return Edges(self._new[edges.symbols].astype(np.int32), edges.successors, edges.weights), law

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"recoded:{self.map}:{self.component.fingerprint}".encode()).hexdigest()

    @property
    def _new(self) -> NDArray[np.int64]:
        return np.array(self.map)

    @property
    def _old(self) -> NDArray[np.int64]:
        """The inverse of a permutation."""
        return np.argsort(self._new)

    # -- tokens
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L): the component's own tokens, recoded."""
        tokens = self.component.sample(n_sequences, length, seed, first_sequence)
        return self._new.astype(token_dtype(self.vocab_size))[tokens]

    # -- laws
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, W) exact laws."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        if not self.is_permutation:
            return np.minimum(self.inner.predict(tokens, context, positions), 1.0)  # rounding may pass one, for W = 1
        return self.component.predict(self._old[tokens], context, positions)[..., self._old]

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        tokens = check_tokens(tokens, self.vocab_size, context)
        return self.inner.log_probs(self._old[tokens] if self.is_permutation else tokens, context)

    def count_contexts(self, length: int) -> int:
        return min(self.vocab_size**length, self.component.count_contexts(length))
