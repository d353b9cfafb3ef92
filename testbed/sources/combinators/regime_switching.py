"""Several machines, of which one writes at a time and a hidden chain says which."""

import math
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ArrayInput, ConfigError
from testbed.sources.as_machine import as_edges
from testbed.sources.combinators.streams import check_streams
from testbed.sources.dyadic import check_rows
from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.machine_algebra import Machine, check_edge_count, edge_list, edges_from_list, invariant_law
from testbed.sources.source import AnySource, Floats, Tokens, source
from testbed.sources.stationary import closed_classes, stationary_law

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@source("regime_switching")
class RegimeSwitchingSource(MachineSource):
    """Regime r writes tokens of its component for a geometric time of mean dwell[r], then another regime takes over.

        components (a, b), dwell 4:   a a a | b b b b b b | a | b b ...

    After every token regime r ends with probability 1 / dwell[r], and regime r' follows with probability
    switches[r, r']. Regimes are not announced: the reader filters them (`regime_beliefs`).

    What a regime's component knows of its past, when its turn comes again:

        memory "restart"   nothing: it begins in its stationary law. States (r, s): sum of the components' states
        memory "keep"      the state it had when it was interrupted. States (r, s_1 .. s_K): K times their product

    One machine of p(x, s' | s), quantised to 2^-32. Stationary law: rho_r pi_r(s), or rho_r prod_k pi_k(s_k), with rho
    that of the regimes and pi of the components (computed from the quantised machine, of which this is true to 2^-32).
    Periodic components that keep their states may stay in step for ever: this law says how likely each phase is.
    Longer dwell times at equal rho raise burstiness and leave h_0 as it is.
    """

    components: tuple[AnySource, ...] = Field(description="finite machines or chains of one V")
    dwell: float | tuple[float, ...] = Field(description="mean tokens a stay, at least 1; one for all or one each")
    switches: ArrayInput = Field(
        None, description="p(next regime | this one ends), (K, K), zero diagonal; left out: equal"
    )
    memory: Literal["restart", "keep"] = Field("restart", description="what an interrupted component remembers")

    def __init__(self, components: Any = None, /, **parameters: Any) -> None:
        if components is not None:
            parameters["components"] = components
        super().__init__(**parameters)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_streams(self.components, "components", "regime switching", at_least=2)
        n = len(self.components)
        for number, component in enumerate(self.components):
            if component.vocab_size != self.vocab_size:
                raise ConfigError(
                    f"components[{number}]: {component.type_name} has {component.vocab_size} symbols, but components[0]"
                    f" has {self.vocab_size}; regimes need one V"
                )
            if not (component.stationary and component.ergodic):
                raise ConfigError(
                    f"components[{number}]: {component.type_name} has no single stationary law to start a regime from"
                )
            as_edges(component, f"components[{number}]")
        if isinstance(self.dwell, tuple) and len(self.dwell) != n:
            raise ConfigError(f"dwell: {len(self.dwell)} given for {n} components; give one, or one each")
        if min(self.dwells) < 1:
            raise ConfigError(f"dwell: given {self.dwell}, a stay lasts at least 1 token")
        if self.switches is not None:
            if self.switches.shape != (n, n):
                raise ConfigError(f"switches: needs the shape ({n}, {n}), given {self.switches.shape}")
            check_rows(self.switches, "switches")
            if np.diag(self.switches).any():
                raise ConfigError("switches: the diagonal must be zero; how long a regime stays is `dwell`")
        groups = closed_classes(self._sparse_regimes)
        if len(groups) > 1:
            listed = ", ".join(str(regimes.tolist()) for regimes in groups)
            raise ConfigError(
                f"switches: the regimes {listed} are never left for one another, so no single law of the regimes is"
                " stationary; connect them by switches of positive probability and a finite dwell"
            )
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        from testbed.sources.iid import IIDSource
        from testbed.sources.markov import MarkovSource

        chain = MarkovSource([[0.9, 0.1], [0.3, 0.7]])
        coins = [IIDSource([0.9, 0.1]), IIDSource([0.2, 0.8])]
        return [
            cls(coins, dwell=5.0),
            cls([chain, coins[0]], dwell=(8.0, 2.0), memory="keep"),
            cls([chain, chain], dwell=4.0),
            cls([chain, *coins], dwell=3.0, switches=[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
            cls(coins, dwell=1.0),
            cls([MarkovSource([[0.0, 1.0], [1.0, 0.0]]), coins[0]], dwell=1.0, memory="keep"),
        ]

    @property
    def vocab_size(self) -> int:
        return self.components[0].vocab_size

    @property
    def dwells(self) -> tuple[float, ...]:
        """Mean stay of each regime, tokens."""
        return self.dwell if isinstance(self.dwell, tuple) else (self.dwell,) * len(self.components)

    @property
    def regime_matrix(self) -> Floats:
        """(K, K): p(regime of the next token | regime of this one), before quantisation."""
        n = len(self.components)
        leaving = 1.0 / np.array(self.dwells)
        switches = self.switches
        if switches is None:
            switches = (1.0 - np.eye(n)) / (n - 1)
        switches = switches / switches.sum(axis=1, keepdims=True)
        return np.diag(1.0 - leaving) + leaving[:, None] * switches

    @property
    def _sparse_regimes(self) -> "csr_array":
        from scipy.sparse import csr_array

        return csr_array(self.regime_matrix)

    def _machines(self) -> list[Machine]:
        return [as_edges(component) for component in self.components]

    def _make_edges(self) -> Edges:
        return self._restarting() if self.memory == "restart" else self._keeping()

    def _make_initial(self) -> Floats:
        if self.memory == "restart":
            return super()._make_initial()
        law = stationary_law(self._sparse_regimes)
        for _, part in self._machines():
            law = np.outer(law, part).ravel()
        return invariant_law(self.edges, law)

    def _restarting(self) -> Edges:
        machines, matrix = self._machines(), self.regime_matrix
        sizes = [edges.n_states for edges, _ in machines]
        starts = np.cumsum([0, *sizes])
        columns: list[list[np.ndarray]] = []
        for regime, (edges, _) in enumerate(machines):
            state, symbol, successor, mass = edge_list(edges)
            state = state + starts[regime]
            columns.append([state, symbol, successor + starts[regime], mass * matrix[regime, regime]])
            for other, (_, law) in enumerate(machines):
                if other == regime or matrix[regime, other] == 0:
                    continue
                entered = np.flatnonzero(law)
                n = len(entered)
                check_edge_count(n * len(state))
                joint = mass[:, None] * matrix[regime, other] * law[entered]
                columns.append(
                    [
                        np.repeat(state, n),
                        np.repeat(symbol, n),
                        np.tile(entered + starts[other], len(state)),
                        joint.ravel(),
                    ]
                )
        return edges_from_list(int(starts[-1]), *(np.concatenate(column) for column in zip(*columns, strict=True)))

    def _keeping(self) -> Edges:
        machines, matrix = self._machines(), self.regime_matrix
        sizes = [edges.n_states for edges, _ in machines]
        n_inner = math.prod(sizes)
        columns: list[list[np.ndarray]] = []
        for regime, (edges, _) in enumerate(machines):
            state, symbol, successor, mass = edge_list(edges)
            before, after = math.prod(sizes[:regime]), math.prod(sizes[regime + 1 :])
            followers = np.flatnonzero(matrix[regime])
            check_edge_count(before * after * len(state) * len(followers))
            others = (np.arange(before)[:, None] * sizes[regime] * after + np.arange(after)).ravel()  # s_r = 0
            shape = (len(others), len(state), len(followers))
            start = (regime * n_inner + others[:, None] + state * after)[:, :, None]
            end = followers * n_inner + (others[:, None] + successor * after)[:, :, None]
            joint = (mass[:, None] * matrix[regime, followers])[None]
            parts = (start, symbol[None, :, None], end, joint)
            columns.append([np.broadcast_to(part, shape).ravel() for part in parts])
        n_states = len(machines) * n_inner
        return edges_from_list(n_states, *(np.concatenate(column) for column in zip(*columns, strict=True)))

    def regime_of_state(self) -> np.ndarray:
        """(S,) the regime of each state."""
        sizes = [edges.n_states for edges, _ in self._machines()]
        if self.memory == "keep":
            return np.repeat(np.arange(len(sizes)), math.prod(sizes))
        return np.repeat(np.arange(len(sizes)), sizes)

    def regime_beliefs(self, tokens: Tokens) -> Floats:
        """(N, L + 1, K): p(regime of token t | tokens before it) for t = 0 .. L."""
        beliefs = self.beliefs(tokens)
        membership = np.eye(len(self.components))[self.regime_of_state()]
        return np.asarray(beliefs @ membership)
