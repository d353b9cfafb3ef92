"""Any finite source as an edge-emitting machine: order-k chains, machines, and what combinators make of them."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources.chain import DyadicChain
from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.machine_algebra import check_edge_count, machine_period
from testbed.sources.source import Source
from testbed.sources.stationary import next_states


class EdgeMachine(MachineSource):
    """A machine given as edges and the invariant law of its state: what combinators hold inside; no config."""

    given: Edges
    law: NDArray[np.float64] | None = None
    vocab_size: int

    def _make_edges(self) -> Edges:
        return self.given

    def _make_initial(self) -> NDArray[np.float64]:
        return super()._make_initial() if self.law is None else self.law


@runtime_checkable
class FiniteForm(Protocol):
    """A source that is no machine itself and can be written as one."""

    def finite_form(self) -> tuple[Edges, NDArray[np.float64]]:
        """The machine and the law of its first state; ConfigError where a component has none."""


def as_edges(source: Source, parameter: str = "component") -> tuple[Edges, NDArray[np.float64]]:
    """(edges, law of the first state) of a source with finitely many states.

    Of an order-k chain the states are the last k tokens in base V, oldest first, and the weights its own, carried over
    exactly; it starts from its stationary law. A product of machines is quantised anew.

    Raises ConfigError that names `parameter` for a source without such a form.
    """
    if isinstance(source, DyadicChain):
        return _chain_edges(source)
    if isinstance(source, MachineSource):
        return source.edges, source.initial_law
    if isinstance(source, FiniteForm):
        try:
            return source.finite_form()
        except ConfigError as error:
            raise ConfigError(f"{parameter}.{error}") from None
    raise ConfigError(
        f"{parameter}: {source.type_name} is no finite machine; needed is a Markov chain, a machine with hidden states,"
        " or a product, mixture or recoding of these"
    )


def is_machine(source: Source) -> bool:
    """Whether `as_edges` takes it."""
    try:
        as_edges(source)
    except ConfigError:
        return False
    return True


def period(source: Source) -> int:
    """Period of the states that an ergodic source visits; 1 for a source that is no machine."""
    return machine_period(as_edges(source)) if source.ergodic and is_machine(source) else 1


def _chain_edges(chain: DyadicChain) -> tuple[Edges, NDArray[np.float64]]:
    vocab_size, n_states = chain.vocab_size, chain.vocab_size**chain.order
    check_edge_count(n_states * vocab_size)
    weights = chain.weights.reshape(n_states, vocab_size).astype(np.int64)
    symbols = np.broadcast_to(np.arange(vocab_size, dtype=np.int32), weights.shape)
    successors = next_states(n_states, vocab_size).astype(np.int32)
    return Edges(np.ascontiguousarray(symbols), successors, weights), chain.stationary_law.reshape(-1)
