"""Machines made of machines: from lists of edges, side by side, one beside another; their periods, and equality.

A machine is an `Edges` and the law of its first state, (S,) float64.
"""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.sources.dyadic import quantise
from testbed.sources.edges import Edges
from testbed.sources.stationary import closed_classes, stationary_law

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Machine = tuple[Edges, Floats]

MAX_EDGES = 2**24
MAX_COMPARED_STATES = 512
INDEPENDENT, DIFFERENT = 1e-10, 1e-11  # of vectors of unit length
FAR = 1e-9  # symbols whose probabilities differ by more need no closer look
PRIMES = (1_838_618_057, 1_889_380_673)  # a chance in 10^18 for both to divide what is not zero
MODULAR_WORK = 2**27  # entries of the vectors that are reduced, at most: some seconds


def edge_list(edges: Edges) -> tuple[Integers, Integers, Integers, Floats]:
    """(state, symbol, successor, probability) of every edge of positive weight, each (n,)."""
    state, number = np.nonzero(edges.weights)
    return (
        state,
        edges.symbols[state, number].astype(np.int64),
        edges.successors[state, number].astype(np.int64),
        edges.probabilities[state, number],
    )


def edges_from_list(
    n_states: int, states: ArrayLike, symbols: ArrayLike, successors: ArrayLike, probabilities: ArrayLike
) -> Edges:
    """A machine from any number of edges, (n,) each; those of equal state, symbol and successor are added up.

    Zero probabilities are left out; each state's row is quantised to 2^-32, once. Exact where they are dyadic already.
    Raises ConfigError where a row is no law, or for more than 2^24 edges in the rectangular form.
    """
    mass = np.asarray(probabilities, dtype=np.float64)
    kept = mass > 0
    columns = np.stack([np.asarray(column, dtype=np.int64)[kept] for column in (states, symbols, successors)])
    order = np.lexsort(columns[::-1])
    columns, mass = columns[:, order], mass[kept][order]
    first = np.ones(len(mass), dtype=bool)
    first[1:] = (columns[:, 1:] != columns[:, :-1]).any(axis=0)
    group = np.cumsum(first) - 1
    total = np.bincount(group, weights=mass)
    state, symbol, successor = columns[:, first]
    counts = np.bincount(state, minlength=n_states)
    check_edge_count(n_states * int(counts.max(initial=1)))
    column = np.arange(len(state)) - (np.cumsum(counts) - counts)[state]
    shape = (n_states, max(1, int(counts.max(initial=1))))
    symbol_array, successor_array = np.zeros((2, *shape), dtype=np.int32)
    table = np.zeros(shape)
    symbol_array[state, column], successor_array[state, column], table[state, column] = symbol, successor, total
    return Edges(symbol_array, successor_array, quantise(table))


def check_edge_count(n_edges: int) -> None:
    """Refuse machines of more than 2^24 edges."""
    if n_edges > MAX_EDGES:
        raise ConfigError(f"the composed machine would have {n_edges} edges; at most 2^24 are kept")


def direct_sum(machines: Sequence[Machine], weights: Sequence[float]) -> Machine:
    """One of the machines, chosen with these weights at the start: states side by side, edges carried over exactly."""
    width = max(edges.weights.shape[1] for edges, _ in machines)
    check_edge_count(width * sum(edges.n_states for edges, _ in machines))
    offset, parts, laws = 0, [], []
    for (edges, law), weight in zip(machines, weights, strict=True):
        padding = ((0, 0), (0, width - edges.weights.shape[1]))
        parts.append(
            (
                np.pad(edges.symbols, padding),
                np.pad(edges.successors + np.int32(offset), padding),
                np.pad(edges.weights, padding),
            )
        )
        laws.append(weight * law)
        offset += edges.n_states
    symbols, successors, table = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return Edges(symbols, successors, table), np.concatenate(laws)


def tensor_product(left: Machine, right: Machine, right_vocab_size: int) -> Machine:
    """Both at once: state s1 S2 + s2, symbol x1 V2 + x2; products of probabilities, quantised."""
    (edges1, law1), (edges2, law2) = left, right
    n1, n2 = edges1.n_states, edges2.n_states
    check_edge_count(edges1.weights.size * edges2.weights.size)

    def outer(a: NDArray[np.integer], b: NDArray[np.integer], factor: int) -> Integers:
        table = a.astype(np.int64)[:, None, :, None] * factor + b[None, :, None, :]
        return table.reshape(n1 * n2, -1)

    symbols = outer(edges1.symbols, edges2.symbols, right_vocab_size)
    successors = outer(edges1.successors, edges2.successors, n2)
    mass = (edges1.probabilities[:, None, :, None] * edges2.probabilities[None, :, None, :]).reshape(n1 * n2, -1)
    states = np.broadcast_to(np.arange(n1 * n2)[:, None], mass.shape)
    edges = edges_from_list(n1 * n2, states.ravel(), symbols.ravel(), successors.ravel(), mass.ravel())
    return edges, np.outer(law1, law2).ravel()


def machine_power(edges: Edges, n_steps: int, vocab_size: int) -> Edges:
    """Every n steps at once: the symbols of a path as one number in base V, oldest first; quantised once."""
    start, symbol, end, mass = edge_list(edges)
    first = np.searchsorted(start, np.arange(edges.n_states + 1))  # edge_list is in the order of states
    paths = start, symbol, end, mass
    for _ in range(n_steps - 1):
        n_next = np.diff(first)[paths[2]]
        check_edge_count(int(n_next.sum()))
        path = np.repeat(np.arange(len(n_next)), n_next)
        within = np.arange(len(path)) - (np.cumsum(n_next) - n_next)[path]
        edge = first[paths[2]][path] + within
        paths = (
            paths[0][path],
            paths[1][path] * vocab_size + symbol[edge],
            end[edge],
            paths[3][path] * mass[edge],
        )
    return edges_from_list(edges.n_states, *paths)


def invariant_law(edges: Edges, masses: Floats) -> Floats:
    """(S,): on each closed class of states its stationary law, with the total mass that `masses` (S,) has there.

    So a law that is invariant but for rounding becomes so for these weights, also where there are several classes.
    """
    from scipy.sparse import csr_array

    start, _, end, mass = edge_list(edges)
    matrix = csr_array((mass, (start, end)), shape=(edges.n_states,) * 2)
    classes = closed_classes(matrix)
    law = np.zeros(edges.n_states)
    for states in classes:
        share = 1.0 if len(classes) == 1 else masses[states].sum()
        if share > 0:
            law[states] = share * stationary_law(matrix[states][:, states])
    return law / law.sum()


def machine_period(machine: Machine) -> int:
    """The greatest common divisor of the lengths of all cycles among the states of positive probability.

    These must be one closed class, as the states of an ergodic machine in its stationary law are.
    """
    edges, law = machine
    start, _, end, _ = edge_list(edges)
    inside = law[start] > 0
    start, end = start[inside], end[inside]
    level = np.full(edges.n_states, -1)
    frontier = np.array([int(np.argmax(law > 0))])
    level[frontier] = depth = 0
    while len(frontier):
        depth += 1
        reached = np.zeros(edges.n_states, dtype=bool)
        ahead = np.zeros(edges.n_states, dtype=bool)
        ahead[frontier] = True
        reached[end[ahead[start]]] = True
        frontier = np.flatnonzero(reached & (level < 0))
        level[frontier] = depth
    return max(1, math.gcd(*np.unique(level[start] + 1 - level[end]).tolist()))


def same_process(left: Machine, right: Machine, vocab_size: int) -> bool | None:
    """Whether both write the same law, decided on the span of the vectors p(word, state); None above 512 states.

    Two machines of S1 and S2 states write one law if and only if they agree on the words whose vectors span what words
    can reach, at most S1 + S2 of them (Tzeng 1992). Irreducible machines in their stationary laws are compared exactly,
    in their integer weights modulo primes. For others word probabilities that agree to 1e-11, relatively, count as
    equal.
    """
    edges, law = direct_sum([left, right], [1.0, 1.0])
    n_states, n_left = edges.n_states, left[0].n_states
    if n_states > MAX_COMPARED_STATES:
        return None
    shown = [law @ edges.emissions(vocab_size) for edges, law in (left, right)]
    if np.abs(shown[0] - shown[1]).max() > FAR:
        return False
    if n_states**3 * vocab_size <= MODULAR_WORK and _irreducible(left) and _irreducible(right):
        answers = [_same_modulo(prime, left, right, vocab_size) for prime in PRIMES]
        if None not in answers:
            return all(answers)
    start, symbol, end, mass = edge_list(edges)
    sign = np.where(np.arange(n_states) < n_left, 1.0, -1.0)
    basis = np.empty((0, n_states))
    queue = deque([law / np.linalg.norm(law)])
    while queue:
        vector = queue.popleft()  # short words first: most laws differ there
        if abs(sign @ vector) > DIFFERENT:
            return False
        residual = vector - basis.T @ (basis @ vector)
        residual -= basis.T @ (basis @ residual)  # again, against rounding
        size = np.linalg.norm(residual)
        if size < INDEPENDENT:
            continue
        basis = np.vstack([basis, residual / size])
        after = np.zeros((vocab_size, n_states))
        np.add.at(after, (symbol, end), vector[start] * mass)
        norms = np.linalg.norm(after, axis=1)
        queue.extend(after[x] / norms[x] for x in np.flatnonzero(norms))
    return True


def _irreducible(machine: Machine) -> bool:
    """The states of positive probability are one closed class, and the law is the stationary one."""
    from scipy.sparse import csr_array

    edges, law = machine
    start, _, end, mass = edge_list(edges)
    matrix = csr_array((mass, (start, end)), shape=(edges.n_states,) * 2)
    support = np.flatnonzero(law)
    if np.abs(law @ matrix - law).sum() > FAR:
        return False
    return any(np.array_equal(states, support) for states in closed_classes(matrix))


def _same_modulo(prime: int, left: Machine, right: Machine, vocab_size: int) -> bool | None:
    """Whether two irreducible machines agree on every word modulo a prime; None where it divides a pivot.

    If they do not, their laws differ. Vectors p(word, state) are kept as a basis in reduced echelon form.
    """
    laws = []
    for edges, law in (left, right):
        found = _stationary_modulo(edges, np.flatnonzero(law), prime)
        if found is None:
            return None
        laws.append(found)
    edges, _ = direct_sum([left, right], [1.0, 1.0])
    state, number = np.nonzero(edges.weights)
    weight = edges.weights[state, number] % prime
    symbol, end = edges.symbols[state, number], edges.successors[state, number]
    basis, pivots = np.empty((0, edges.n_states), dtype=np.int64), np.empty(0, dtype=np.int64)
    queue = deque([np.concatenate([laws[0], -laws[1] % prime])])
    while queue:
        vector = queue.popleft()
        if vector.sum() % prime:
            return False
        vector = (vector - (vector[pivots][:, None] * basis % prime).sum(axis=0)) % prime
        if not vector.any():
            continue
        pivot = int(np.argmax(vector > 0))
        vector = vector * pow(int(vector[pivot]), -1, prime) % prime
        basis = np.vstack([(basis - basis[:, [pivot]] * vector % prime) % prime, vector])
        pivots = np.append(pivots, pivot)
        after = np.zeros((vocab_size, edges.n_states), dtype=np.int64)
        np.add.at(after, (symbol, end), vector[state] * weight % prime)
        queue.extend(after % prime)
    return True


def _stationary_modulo(edges: Edges, states: Integers, prime: int) -> Integers | None:
    """(S,) the stationary law of the closed class `states` modulo a prime, by elimination; None at a pivot of zero."""
    place = np.full(edges.n_states, -1)
    place[states] = np.arange(len(states))
    state, number = np.nonzero(edges.weights * (place >= 0)[:, None])
    a = np.zeros((len(states),) * 2, dtype=np.int64)
    np.add.at(a, (place[state], place[edges.successors[state, number]]), edges.weights[state, number])
    a %= prime
    for last in range(len(states) - 1, 0, -1):
        leaving = int(a[last, :last].sum() % prime)
        if not leaving:
            return None
        a[:last, last] = a[:last, last] * pow(leaving, -1, prime) % prime
        a[:last, :last] = (a[:last, :last] + np.outer(a[:last, last], a[last, :last]) % prime) % prime
    part = np.ones(len(states), dtype=np.int64)
    for one in range(1, len(states)):
        part[one] = (part[:one] * a[:one, one] % prime).sum() % prime
    total = int(part.sum() % prime)
    if not total:
        return None
    law = np.zeros(edges.n_states, dtype=np.int64)
    law[states] = part * pow(total, -1, prime) % prime
    return law
