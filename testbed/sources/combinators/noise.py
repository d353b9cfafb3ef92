"""A stream seen through a memoryless channel."""

from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ArrayInput, ConfigError
from testbed.sources.as_machine import as_edges
from testbed.sources.combinators.streams import check_streams
from testbed.sources.dyadic import check_rows
from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.machine_algebra import edge_list, edges_from_list, invariant_law
from testbed.sources.source import AnySource, Floats, source

MAX_ENTRIES = 2**26


@source("noisy")
class NoisySource(MachineSource):
    """Each token of a finite machine or chain passes a channel p(y | x) on its own.

        flip      with this probability the token becomes one of the V - 1 others, all equally likely
        noise     (V,) law of what is added to the token, mod V
        channel   (V, W) rows p(y | x), any W
        erasure   with this probability the token is replaced by the extra symbol V (or W), after the channel above

        0 1 1 0 1 ...  with flips:  0 1 0 0 1 ...    with erasures (V = 2):  0 1 2 0 1 ...

    The machine keeps the component's states, p(y, s' | s) = sum_x p(x, s' | s) p(y | x), quantised once to 2^-32: this
    composed machine is what is sampled and analysed. It is in general not unifilar, and so h is a bracket.

    Noise that is added mod V cannot lower h:  h >= max(h(component), H(noise)). Erasures can, since an erased token
    tells nothing: of an order-1 chain  h = H_b(e) + (1 - e) sum_n (1 - e) e^n H(X_(n+1) | X_0).

    >>> from testbed.sources import IIDSource
    >>> float(NoisySource(IIDSource([1.0, 0.0]), flip=0.5).entropy_rate().upper)
    0.6931471805599453
    """

    component: AnySource = Field(description="finite machine or chain")
    flip: float | None = Field(None, ge=0, le=1, description="probability of one of the other V - 1 symbols")
    noise: ArrayInput = Field(None, description="law of what is added mod V, (V,)")
    channel: ArrayInput = Field(None, description="p(y | x), (V, W)")
    erasure: float | None = Field(None, ge=0, le=1, description="probability of the extra symbol; None: there is none")

    def __init__(self, component: Any = None, /, **parameters: Any) -> None:
        if component is not None:
            parameters["component"] = component
        super().__init__(**parameters)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_streams([self.component], "component", "a channel")
        given = [name for name in ("flip", "noise", "channel") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(f"{given[1]}: {given[0]} is given too; one of flip, noise and channel is the channel")
        if not given and self.erasure is None:
            raise ConfigError("flip: give a channel: one of flip, noise and channel, or erasure")
        size = self.component.vocab_size
        if self.flip and size == 1:
            raise ConfigError(f"flip: given {self.flip}, but the component has one symbol and no other to flip to")
        if self.noise is not None and self.noise.shape != (size,):
            raise ConfigError(f"noise: needs one probability for each of {size} symbols, given {self.noise.shape}")
        if self.channel is not None and (self.channel.ndim != 2 or len(self.channel) != size):
            raise ConfigError(
                f"channel: needs one row for each of the component's {size} symbols, given shape {self.channel.shape}"
            )
        for name in ("noise", "channel"):
            if getattr(self, name) is not None:
                check_rows(getattr(self, name), name)
        edges, _ = as_edges(self.component)  # what is no machine is refused now
        outputs = size if self.channel is None else self.channel.shape[1]
        if size * outputs > MAX_ENTRIES or edges.weights.size * outputs > MAX_ENTRIES:
            raise ConfigError(
                f"component: {edges.weights.size} edges over {size} symbols, each seen as {outputs}, are more than the"
                " 2^26 transitions that are kept"
            )
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        from testbed.sources.iid import IIDSource
        from testbed.sources.markov import MarkovSource

        chain = MarkovSource([[0.9, 0.1], [0.2, 0.8]])
        ring = MarkovSource([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]])
        return [
            cls(ring, flip=0.15),  # Mess3
            cls(chain, flip=0.0),
            cls(chain, noise=[0.75, 0.25], erasure=0.5),
            cls(MarkovSource([[0.0, 1.0], [1.0, 0.0]]), channel=[[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]),
            cls(IIDSource([0.5, 0.5]), erasure=1.0),
        ]

    @property
    def channel_matrix(self) -> Floats:
        """(V, W) p(y | x), the erasure symbol last if there is one."""
        size = self.component.vocab_size
        if self.channel is not None:
            matrix = self.channel / self.channel.sum(axis=1, keepdims=True)
        elif self.noise is not None:
            shift = (np.arange(size)[None, :] - np.arange(size)[:, None]) % size
            matrix = (self.noise / self.noise.sum())[shift]
        else:
            flip = self.flip or 0.0
            matrix = np.full((size, size), flip / max(size - 1, 1))
            np.fill_diagonal(matrix, 1.0 - flip)
        if self.erasure is not None:
            erased = np.full((size, 1), self.erasure)
            matrix = np.concatenate([(1.0 - self.erasure) * matrix, erased], axis=1)
        return matrix

    @property
    def vocab_size(self) -> int:
        size = self.component.vocab_size if self.channel is None else self.channel.shape[1]
        return size + (self.erasure is not None)

    def _make_edges(self) -> Edges:
        edges, _ = as_edges(self.component)
        matrix = self.channel_matrix
        state, symbol, successor, mass = edge_list(edges)
        each = np.arange(matrix.shape[1])
        n = len(each)
        return edges_from_list(
            edges.n_states,
            np.repeat(state, n),
            np.tile(each, len(state)),
            np.repeat(successor, n),
            (mass[:, None] * matrix[symbol]).ravel(),
        )

    def _make_initial(self) -> Floats:
        """The component's, up to what quantising changes of its stationary law."""
        return invariant_law(self.edges, as_edges(self.component)[1])
