"""Long-run laws of machines and of the beliefs about them, by linear algebra."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.sources.beliefs import BeliefGraph, Floats
from testbed.sources.edges import Edges
from testbed.sources.equivalent_states import EdgeList
from testbed.sources.machine_algebra import Machine, edges_from_list, same_process
from testbed.sources.stationary import closed_classes, stationary_law

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SOLVED_NODES = 20_000  # transient beliefs whose expected visits are solved for


def transition_matrix(edges: EdgeList) -> "csr_array":
    """(S, S) sparse: p(s' | s), summed over the symbols."""
    from scipy.sparse import csr_array

    shape = (edges.n_states, edges.n_states)
    return csr_array((edges.probabilities, (edges.origins, edges.successors)), shape=shape)


def machine_stationary_law(edges: Edges) -> Floats:
    """(S,) the stationary law of a machine; zero on transient states.

    Raises ConfigError, naming the closed classes, where there are several.
    """
    return stationary_law(transition_matrix(EdgeList.of(edges)))


def drop_equal_classes(edges: EdgeList, law: Floats, vocab_size: int) -> tuple[EdgeList, Floats]:
    """Of closed classes that write one process the simplest, with the probability of them all.

    Classes too large to be compared are kept, and so is a unifilar machine whose equivalent states are merged: the
    states of two classes of one process would have been.
    """
    classes = [] if edges.unifilar else closed_classes(transition_matrix(edges))
    if len(classes) < 2:
        return edges, law
    parts = [edges.restrict(states) for states in classes]
    order = sorted(range(len(parts)), key=lambda i: (not parts[i].unifilar, len(parts[i].origins), i))
    kept: dict[int, Machine] = {}
    merged = np.zeros(edges.n_states)
    for i in order:
        share = law[classes[i]].sum()
        machine = edges_from_list(parts[i].n_states, *parts[i][:4]), law[classes[i]] / share
        twin = next((j for j, other in kept.items() if same_process(machine, other, vocab_size)), i)
        merged[classes[twin]] += share * (machine[1] if twin == i else kept[twin][1])
        kept.setdefault(twin, machine)
    states = np.sort(np.concatenate([classes[i] for i in kept]))
    return edges.restrict(states), merged[states]


def recurrent_part(graph: BeliefGraph) -> tuple[EdgeList, Floats]:
    """The closed classes of a closed graph, with the law that node 0 leads to in the long run."""
    edges = _graph_edges(graph)
    matrix = transition_matrix(edges)
    classes = closed_classes(matrix)
    arrivals = _expected_visits(matrix, np.concatenate(classes)) @ matrix
    law = np.zeros(graph.n_nodes)
    for states in classes:
        inside = matrix[states][:, states]
        law[states] = stationary_law(inside) * (arrivals[states].sum() + (0 in states))
    recurrent = np.concatenate(classes)
    return edges.restrict(recurrent), law[recurrent] / law.sum()


def solved_excess(graph: BeliefGraph) -> float | None:
    """E = sum over b of (expected visits of b) G(b), for the closed graph of a unifilar machine from its stationary
    law, with the graph's `mean_values` those of H(X | s). No term is negative: nothing cancels. None for large graphs.
    """
    if graph.n_nodes > SOLVED_NODES:
        return None
    matrix = transition_matrix(_graph_edges(graph))
    visits = _expected_visits(matrix, np.concatenate(closed_classes(matrix)))
    return float(visits @ np.maximum(graph.entropies - graph.mean_values, 0.0))


def _graph_edges(graph: BeliefGraph) -> EdgeList:
    return EdgeList(*graph.transitions, graph.n_nodes)


def _expected_visits(matrix: "csr_array", recurrent: NDArray[np.int64]) -> Floats:
    """(nodes,): how often node 0 and what follows it are at each transient node; zero on recurrent ones."""
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import spsolve

    visits = np.zeros(matrix.shape[0])
    is_transient = np.ones(len(visits), dtype=bool)
    is_transient[recurrent] = False
    transient = np.flatnonzero(is_transient)
    if len(transient) and transient[0] == 0:
        inside = matrix[transient][:, transient]
        system = (eye_array(len(transient)) - inside).T.tocsc()
        visits[transient] = spsolve(system, np.eye(1, len(transient)).ravel())
    return visits
