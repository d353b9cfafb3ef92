"""A hidden Markov source given by its transitions."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from testbed.core import ArrayInput
from testbed.core.config import load_array
from testbed.sources.dyadic import check_rows
from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.source import Floats, source

MAX_ENTRIES = 2**27
AXES = {"symbol, from, to": (0, 1, 2), "from, symbol, to": (1, 0, 2), "symbol, to, from": (0, 2, 1)}


@source("hidden_markov")
class HiddenMarkovSource(MachineSource):
    """States that write symbols as they change: transitions[x, s, s'] = p(x, s' | s).

    Given as `transitions` (V, S, S), an array, nested lists or a .npy file, for every s summing to one over x and s'
    (another order of the axes is named by `layout`); or as `matrix` (S, S), row-stochastic, with `emissions` (S, V),
    where state s writes x with probability emissions[s, x] and then moves. Without emissions the states are the
    symbols, and the source is a Markov chain.

        HiddenMarkovSource([[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.5], [1.0, 0.0]]])        (the even process)

    Sequences start in the stationary law. A machine with several closed classes has more than one: its `initial` law
    of the state says how they are mixed, and must be invariant.

    >>> HiddenMarkovSource.from_stochastic_matrix([[0.5, 0.5], [1.0, 0.0]]).conditional_entropies(1).value.round(6)
    array([0.636514, 0.462098])
    """

    given_transitions: ArrayInput = Field(None, alias="transitions", description="p(x, s' | s), (V, S, S), or a file")
    layout: Literal["symbol, from, to", "from, symbol, to", "symbol, to, from"] = Field(
        "symbol, from, to", description="order of the axes of transitions"
    )
    matrix: ArrayInput = Field(None, description="in place of transitions: p(s' | s), (S, S), or a file")
    emissions: ArrayInput = Field(None, description="p(x | s), (S, V), beside matrix; left out: the states are seen")
    initial: ArrayInput = Field(None, description="invariant law of the first state, (S,); left out: the stationary")

    def __init__(self, transitions: Any = None, /, **parameters: Any) -> None:
        if transitions is not None:
            parameters["transitions"] = transitions
        super().__init__(**parameters)
        _ = self.stationary_law  # a reducible machine is refused when it is built

    @classmethod
    def from_simplexity(cls, transition_matrices: ArrayLike) -> Self:
        """From the transition matrices of the simplexity library: T[x, s, s'], rows summing to one over x and s'."""
        return cls(np.asarray(transition_matrices, dtype=np.float64))

    @classmethod
    def from_stochastic_matrix(cls, matrix: ArrayLike, emissions: ArrayLike | None = None) -> Self:
        """From a row-stochastic P[s, s'], as QuantEcon's `MarkovChain(P).P` and PyDTMC's `MarkovChain(p).p` have it.

        Without `emissions` (S, V) the states are the symbols.
        """
        return cls(matrix=matrix, emissions=emissions)

    @classmethod
    def random(cls, vocab_size: int, n_states: int, concentration: float = 1.0, seed: int = 0) -> Self:
        """Each state's law over (x, s') drawn from a symmetric Dirichlet law; small concentrations are spiky."""
        rng = np.random.default_rng(seed)
        rows = rng.dirichlet(np.full(vocab_size * n_states, concentration), size=n_states)
        rows = np.maximum(rows, np.finfo(np.float64).tiny)  # every transition is possible
        return cls(np.moveaxis(rows.reshape(n_states, vocab_size, n_states), 0, 1))

    @classmethod
    def examples(cls) -> list[Self]:
        two_coins = np.zeros((2, 2, 2))
        two_coins[0], two_coins[1] = np.diag([0.9, 0.2]), np.diag([0.1, 0.8])
        return [
            cls.random(vocab_size=2, n_states=3, seed=1),
            cls.random(vocab_size=3, n_states=2, concentration=0.2, seed=2),
            cls(matrix=[[1 - 1e-6, 1e-6], [1e-6, 1 - 1e-6]], emissions=[[0.9, 0.1], [0.2, 0.8]]),  # nearly decomposable
            cls(matrix=[[0.0, 1.0], [1.0, 0.0]], emissions=[[0.9, 0.1], [0.2, 0.8]]),  # periodic
            cls(two_coins, initial=[0.25, 0.75]),  # two coins, one of which is thrown for ever
            cls([[[1.0]]]),
        ]

    @model_validator(mode="before")
    @classmethod
    def _one_form(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        has = {name for name in ("transitions", "matrix", "emissions") if values.get(name) is not None}
        if has == {"transitions"} or ("matrix" in has and "transitions" not in has):
            return values
        if not has:
            raise ValueError("transitions: give them, or a matrix with emissions")
        if has == {"emissions"}:
            raise ValueError("emissions: these go with a matrix, which is missing")
        raise ValueError("transitions: give them, or a matrix with emissions, not both")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.given_transitions is not None:
            shape = self.given_transitions.shape
            if len(shape) != 3 or self.given_transitions.size == 0:
                raise ValueError(f"transitions: need three axes ({self.layout}), given shape {shape}")
            left, reached = (shape[axis] for axis in AXES[self.layout][1:])
            if left != reached:
                raise ValueError(
                    f"transitions: given shape {shape}, in the layout '{self.layout}' {left} states to leave and"
                    f" {reached} to reach, which must be equal; known layouts: {', '.join(map(repr, AXES))}"
                )
            check_rows(self._tensor_rows(), "transitions")
            return self
        assert self.matrix is not None
        if self.matrix.ndim != 2 or self.matrix.shape[0] != self.matrix.shape[1]:
            raise ValueError(f"matrix: given shape {self.matrix.shape}, must be (S, S)")
        check_rows(self.matrix, "matrix")
        if self.emissions is not None:
            if self.emissions.ndim != 2 or len(self.emissions) != len(self.matrix):
                raise ValueError(
                    f"emissions: given shape {self.emissions.shape}, must be ({len(self.matrix)}, V), one row a state"
                )
            check_rows(self.emissions, "emissions")
        if self.vocab_size * self.matrix.size > MAX_ENTRIES:
            raise ValueError(f"matrix: {len(self.matrix)} states and {self.vocab_size} symbols are over 2^27 entries")
        return self

    @property
    def vocab_size(self) -> int:
        if self.given_transitions is not None:
            return int(self.given_transitions.shape[AXES[self.layout][0]])
        assert self.matrix is not None
        return len(self.matrix) if self.emissions is None else int(self.emissions.shape[1])

    def _tensor_rows(self) -> Floats:
        """(S, V S'): the given transitions by the state that they leave."""
        assert self.given_transitions is not None
        tensor = self.given_transitions.transpose(AXES[self.layout])
        return np.moveaxis(tensor, 1, 0).reshape(tensor.shape[1], -1)

    def _make_edges(self) -> Edges:
        if self.given_transitions is not None:
            return Edges.from_tensor(self.given_transitions.transpose(AXES[self.layout]))
        assert self.matrix is not None
        n_states = len(self.matrix)
        written = np.eye(n_states) if self.emissions is None else self.emissions
        rows = []
        for state in range(n_states):
            symbols, successors = np.flatnonzero(written[state]), np.flatnonzero(self.matrix[state])
            rows.append(
                [(int(x), int(s), written[state, x] * self.matrix[state, s]) for x in symbols for s in successors]
            )
        return Edges.from_lists(rows)

    def _make_initial(self) -> Floats:
        return super()._make_initial() if self.initial is None else load_array(self.initial)  # type: ignore[return-value]
