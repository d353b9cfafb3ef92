"""A source made sharper or flatter, to a wanted entropy rate."""

from functools import cached_property
from typing import Any, Self

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from testbed.core import ConfigError
from testbed.sources.as_machine import EdgeMachine, as_edges
from testbed.sources.chain import DyadicChain
from testbed.sources.combinators.delegate import DelegatingSource
from testbed.sources.combinators.streams import check_streams
from testbed.sources.dyadic import quantise
from testbed.sources.edges import TOTAL_WEIGHT, Edges
from testbed.sources.machine_algebra import invariant_law
from testbed.sources.markov import MarkovSource
from testbed.sources.source import AnySource, Floats, Source, source
from testbed.sources.tempering import temper, temper_to_rate


@source("tempered")
class TemperedSource(DelegatingSource):
    """p -> p^b / sum p^b in every row of a chain, or at every state of a unifilar machine.

        inverse_temperature   b: above 1 sharper, below 1 flatter
        entropy_rate          the b nearest to 1 at which the rate is this one, nats, to 1e-6

    What is impossible stays so, and nothing else becomes impossible. The rate runs from that of equally likely
    choices (b -> 0) to that of the likeliest ones (b -> infinity); the error names this range where it is left.

    >>> chain = MarkovSource([[0.9, 0.1], [0.4, 0.6]])
    >>> round(TemperedSource(chain, entropy_rate=0.3).entropy_rate().value, 6)
    0.3
    """

    component: AnySource = Field(description="chain, or finite machine whose symbols tell its next state")
    entropy_rate_: float | None = Field(None, alias="entropy_rate", ge=0, description="wanted rate, nats a token")
    inverse_temperature: PositiveFloat | None = Field(None, le=1e6, description="b, given instead of a rate")

    def __init__(self, component: Any = None, /, **parameters: Any) -> None:
        if component is not None:
            parameters["component"] = component
        super().__init__(**parameters)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_streams([self.component], "component", "tempering")
        if (self.entropy_rate_ is None) == (self.inverse_temperature is None):
            raise ConfigError("entropy_rate: give it or inverse_temperature, one of the two")
        if not isinstance(self.component, DyadicChain):
            edges, _ = as_edges(self.component)
            if not edges.unifilar:
                raise ConfigError(
                    f"component: {self.component.type_name} is a machine whose symbols do not tell its next state (not"
                    " unifilar); its rate is no function of its edges, and tempering them has no one meaning"
                )
            if not (self.component.stationary and self.component.ergodic):
                raise ConfigError(f"component: {self.component.type_name} is not ergodic and has no one rate to temper")
        _ = self.inner  # a rate out of reach is refused now
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        from testbed.sources.combinators.recoded import RecodedSource

        chain = MarkovSource.random(vocab_size=3, order=2, seed=7)
        even = RecodedSource(MarkovSource([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0], [0.7, 0.3, 0.0]]), map=(0, 1, 1))
        return [
            cls(chain, entropy_rate=0.5),
            cls(chain, inverse_temperature=0.5),
            cls(even, entropy_rate=0.2),
            cls(MarkovSource([[0.0, 1.0], [1.0, 0.0]]), inverse_temperature=2.0),
        ]

    @cached_property
    def inner(self) -> Source:
        """The tempered chain or machine."""
        if isinstance(self.component, DyadicChain):
            kernel = self._temper_chain(self.component.kernel)
            return MarkovSource(weights=quantise(kernel).astype(np.float64))
        edges, law = as_edges(self.component)
        tempered = self._temper_edges(edges, law)
        return EdgeMachine(given=tempered, law=invariant_law(tempered, law), vocab_size=self.component.vocab_size)

    def _temper_chain(self, kernel: Floats) -> Floats:
        if self.inverse_temperature is not None:
            return temper(kernel, self.inverse_temperature)
        assert self.entropy_rate_ is not None
        return temper_to_rate(kernel, self.entropy_rate_)

    def _temper_edges(self, edges: Edges, state_law: Floats) -> Edges:
        """Rows of the edge table tempered; an edge is a symbol, since the machine is unifilar."""

        def with_rows(rows: Floats) -> Edges:
            return Edges(edges.symbols, edges.successors, quantise(rows))

        def rate_of(rows: Floats) -> float:
            tempered = with_rows(rows)
            law = invariant_law(tempered, state_law)
            mass = tempered.weights / float(TOTAL_WEIGHT)
            logs = np.log(mass, out=np.zeros_like(mass), where=mass > 0)
            return float(-(law @ (mass * logs).sum(axis=1)))

        if self.inverse_temperature is not None:
            return with_rows(temper(edges.probabilities, self.inverse_temperature))
        assert self.entropy_rate_ is not None
        return with_rows(temper_to_rate(edges.probabilities, self.entropy_rate_, rate_of))
