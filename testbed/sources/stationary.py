"""Stationary laws of finite chains, by one set of routes for two forms of the transition law.

kernel (V^k, V)   an order-k chain, state s = the last k tokens in base V, oldest first. The token x leads from s to
                  (s V + x) mod V^k, so one step of the chain is a reshape and a sum.
kernel (S, S)     any chain as a sparse matrix (scipy csr_array), row-stochastic.

No dense matrix is formed except for small chains and as the fallback.
"""

import itertools
from typing import TYPE_CHECKING, Union

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, UndefinedError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Kernel = Union[Floats, "csr_array"]

GTH_STATES = 128  # below this elimination is as fast as iterating, and exact to rounding for any mixing time
ELIMINATED_STATES = 512  # elimination takes a second at 1024, minutes at 4096
SOLVED_QUICKLY = 1024  # the linear system takes hundredths of a second; beyond, iterating for longer pays
DIRECT_STATES = 4096  # above this a dense matrix (128 MiB) is not worth having
POWER_STEPS = 1000
POWER_WORK = 10**8  # kernel entries that iterating may touch, beyond the first 1000 steps
ROUNDING = 1e-14  # L1 residuals below this are rounding


def next_states(n_states: int, vocab_size: int) -> NDArray[np.int64]:
    """(V^k, V): the state that token x leads to from state s."""
    state, token = np.arange(n_states)[:, None], np.arange(vocab_size)[None, :]
    return (state * vocab_size + token) % n_states


def advance(law: Floats, kernel: Kernel) -> Floats:
    """The law of the state one token later: (S,) -> (S,)."""
    if not isinstance(kernel, np.ndarray):
        following: Floats = law @ kernel
        return following
    n_states, vocab_size = kernel.shape
    if n_states == 1:
        return law
    return (law[:, None] * kernel).reshape(vocab_size, n_states // vocab_size, vocab_size).sum(axis=0).ravel()


def closed_classes(kernel: Kernel) -> list[NDArray[np.int64]]:
    """The sets of states that the chain cannot leave, each strongly connected, ordered by their first state."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n_states, vocab_size = kernel.shape
    if isinstance(kernel, np.ndarray):
        origin, token = np.nonzero(kernel > 0)
        target = (origin * vocab_size + token) % n_states
    else:
        origin, target = (kernel > 0).nonzero()
    graph = csr_array((np.ones(len(origin), dtype=np.int8), (origin, target)), shape=(n_states, n_states))
    n_components, component = connected_components(graph, directed=True, connection="strong")
    is_open = np.zeros(n_components, dtype=bool)
    is_open[component[origin[component[origin] != component[target]]]] = True
    classes = [np.flatnonzero(component == label) for label in np.flatnonzero(~is_open)]
    return sorted(classes, key=lambda states: int(states[0]))


def stationary_law(kernel: Kernel) -> Floats:
    """(S,) the law that `advance` leaves unchanged; zero on transient states.

    Grassmann-Taksar-Heyman elimination for at most 128 recurrent states; beyond that power iteration, and where it
    mixes too slowly elimination again (up to 512 states), a dense linear system (up to 4096), or the leading Arnoldi
    vector. Periodic chains are fine.

    Raises ConfigError where the chain has several closed classes and hence no single stationary law.
    """
    classes = closed_classes(kernel)
    if len(classes) > 1:
        raise ConfigError(_reducible_message(classes, kernel))
    recurrent = classes[0]
    if len(recurrent) <= GTH_STATES:
        return _by_elimination(kernel, recurrent)
    law, converged = _by_power_iteration(kernel, recurrent)
    if converged:
        return law
    if len(recurrent) <= ELIMINATED_STATES:
        return _by_elimination(kernel, recurrent)
    if len(recurrent) <= DIRECT_STATES:
        return _by_solving(kernel, recurrent)
    return _by_arnoldi(kernel, law)


def eliminate(matrix: Floats) -> Floats:
    """Stationary law of an irreducible stochastic matrix (S, S) by GTH elimination: no subtractions, so every entry
    is accurate relative to itself, also for nearly decomposable chains (Grassmann, Taksar & Heyman 1985)."""
    a = np.array(matrix, dtype=np.float64)
    n = len(a)
    for last in range(n - 1, 0, -1):
        a[:last, last] /= a[last, :last].sum()
        a[:last, :last] += np.outer(a[:last, last], a[last, :last])
    law = np.ones(n)
    for state in range(1, n):
        law[state] = law[:state] @ a[:state, state]
    return law / law.sum()


def _by_elimination(kernel: Kernel, recurrent: NDArray[np.int64]) -> Floats:
    law = np.zeros(kernel.shape[0])
    law[recurrent] = eliminate(_matrix(kernel, recurrent))
    return law


def _by_solving(kernel: Kernel, recurrent: NDArray[np.int64]) -> Floats:
    """pi (P - 1) = 0 with one equation replaced by sum pi = 1, by LU with pivoting; sparse: with pi of one state set to
    1, and normalised afterwards."""
    if not isinstance(kernel, np.ndarray):
        return _by_sparse_solving(kernel, recurrent)
    system = _matrix(kernel, recurrent).T - np.eye(len(recurrent))
    system[-1] = 1.0
    target = np.zeros(len(recurrent))
    target[-1] = 1.0
    law = np.zeros(kernel.shape[0])
    law[recurrent] = np.maximum(np.linalg.solve(system, target), 0.0)
    return law / law.sum()


def _by_sparse_solving(kernel: "csr_array", recurrent: NDArray[np.int64]) -> Floats:
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import spsolve

    system = (eye_array(len(recurrent)) - kernel[recurrent][:, recurrent]).T.tocsc()
    law = np.zeros(kernel.shape[0])
    law[recurrent[0]] = 1.0
    law[recurrent[1:]] = np.maximum(spsolve(system[1:, 1:], -system[1:, [0]].toarray().ravel()), 0.0)
    return law / law.sum()


def _matrix(kernel: Kernel, recurrent: NDArray[np.int64]) -> Floats:
    """The transition matrix among the recurrent states."""
    if not isinstance(kernel, np.ndarray):
        dense: Floats = kernel[recurrent][:, recurrent].toarray()
        return dense
    n_states, vocab_size = kernel.shape
    position = np.full(n_states, -1)
    position[recurrent] = np.arange(len(recurrent))
    matrix = np.zeros((len(recurrent), len(recurrent)))
    targets = position[(recurrent[:, None] * vocab_size + np.arange(vocab_size)) % n_states]
    reached = kernel[recurrent] > 0  # by closure, every reached target is recurrent
    rows = np.broadcast_to(np.arange(len(recurrent))[:, None], targets.shape)
    np.add.at(matrix, (rows[reached], targets[reached]), kernel[recurrent][reached])
    return matrix


def _by_power_iteration(kernel: Kernel, recurrent: NDArray[np.int64]) -> tuple[Floats, bool]:
    """Iterate from the uniform law on the recurrent states. The error left is estimated from the residuals' ratio r as
    residual * r / (1 - r), because a small residual alone means little where mixing is slow."""
    law = np.zeros(kernel.shape[0])
    law[recurrent] = 1.0 / len(recurrent)
    n_steps = POWER_STEPS
    if len(recurrent) > SOLVED_QUICKLY:
        n_steps = max(POWER_STEPS, min(20 * POWER_STEPS, POWER_WORK // kernel.size))
    previous, rate = 0.0, 1.0
    for _ in range(n_steps):
        following = advance(law, kernel)
        following /= following.sum()
        residual = float(np.abs(following - law).sum())
        if previous > 0 and residual > ROUNDING:  # below it the ratio is noise
            rate = 0.5 * rate + 0.5 * residual / previous
        law, previous = following, residual
        if residual == 0.0 or (rate < 1.0 and residual * rate / (1.0 - rate) < 1e-15):
            return law, True
        if residual < ROUNDING:
            return law, rate < 0.99  # then the error left is below 1e-12
    return law, False


def _by_arnoldi(kernel: Kernel, start: Floats) -> Floats:
    """Leading eigenvector of the lazy chain (1 + P) / 2, whose only eigenvalue of modulus one is 1."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

    n_states = kernel.shape[0]
    lazy = LinearOperator(
        (n_states, n_states), matvec=lambda v: 0.5 * (v.ravel() + advance(v.ravel(), kernel)), dtype=np.float64
    )
    try:
        _, vectors = eigs(lazy, k=1, which="LM", v0=start, ncv=40, maxiter=200, tol=1e-15)
    except ArpackNoConvergence:
        vectors = start[:, None]
    law = np.abs(vectors[:, 0].real)
    law[start == 0] = 0.0
    law /= law.sum()
    residual = float(np.abs(advance(law, kernel) - law).sum())
    if residual > 1e-12:
        raise UndefinedError(
            f"the stationary law of this chain of {n_states} states could not be found to 1e-12 (residual"
            f" {residual:.1e}): it mixes too slowly for iteration and is too large for elimination"
        )
    return law


def _reducible_message(classes: list[NDArray[np.int64]], kernel: Kernel) -> str:
    n_states, vocab_size = kernel.shape
    if not isinstance(kernel, np.ndarray):
        shown = "; ".join(_list_states(states) for states in classes[:4])
        more = f"; and {len(classes) - 4} more" if len(classes) > 4 else ""
        return (
            f"transitions: the machine is reducible, with {len(classes)} closed classes of states, so it has no single"
            f" stationary law: {shown}{more}. Connect them by transitions of positive probability, or mix machines"
            " with given weights"
        )
    order = round(np.log(n_states) / np.log(vocab_size)) if n_states > 1 else 0
    shown = "; ".join(_describe(states, order, vocab_size) for states in classes[:4])
    more = f"; and {len(classes) - 4} more" if len(classes) > 4 else ""
    return (
        f"kernel: the chain is reducible, with {len(classes)} closed classes of contexts, so it has no single"
        f" stationary law: {shown}{more}. Connect them by transitions of positive probability"
    )


def _describe(states: NDArray[np.int64], order: int, vocab_size: int) -> str:
    """A closed class as its contexts, oldest token first: {0 1, 1 0, ...}."""
    digits = vocab_size ** np.arange(order - 1, -1, -1)
    contexts = (" ".join(str(state // digit % vocab_size) for digit in digits) for state in itertools.islice(states, 4))
    return "{" + ", ".join(contexts) + (f", ... {len(states)} in all" if len(states) > 4 else "") + "}"


def _list_states(states: NDArray[np.int64]) -> str:
    """A closed class of a general machine: {0, 3, 4}."""
    listed = ", ".join(str(state) for state in states[:8])
    return "{" + listed + (f", ... {len(states)} in all" if len(states) > 8 else "") + "}"
