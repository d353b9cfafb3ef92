"""Entropies of a machine's output, from the beliefs about its state: exact where those are few, else bracketed.

With S_0 the state before the first token, in its stationary law, and X^n the first n tokens:

    h_l = H(X_l | X^l)            falls to h      (beliefs from the stationary law)
    f_l = H(X_l | X^l, S_0)       rises to h      (beliefs from single states; Birch 1962, Cover & Thomas th. 4.5.1)

so  f_n <= h <= h_m  for all n, m. What h_l adds from l = n on is at most

    sum over l >= n of (h_l - h)  <=  sum of (h_l - f_l)  =  I(S_0; X_n X_(n+1) ... | X^n)  <=  I(S_0; S_n | X^n)

(chain rule, then data processing: S_n stands between S_0 and what follows), and I(S_0; S_n | X^n) = H(S_n | X^n) -
H(S_n | X^n, S_0) are mean uncertainties of the two kinds of beliefs. Hence, for every n,

    sum over l < n of (h_l - h)  <=  E  <=  sum over l < n of (h_l - h) + I(S_0; S_n | X^n).

A unifilar machine has h = H(X | S) itself and H(S_n | X^n, S_0) = 0. With G(b) = H(X | b) - sum over s of b(s) H(X | s)
then  h_l - h = mean of G over the beliefs after l tokens,  and E = sum over b of (expected visits of b) G(b).
"""

from functools import cached_property
from typing import Self

import numpy as np

from testbed.core import Truth, UndefinedError
from testbed.sources.beliefs import MAX_COST, BeliefGraph, Floats, bin_sums
from testbed.sources.coarse_beliefs import REACH, LongBounds, long_bounds
from testbed.sources.edges import Edges
from testbed.sources.equivalent_states import EdgeList, merge, state_classes
from testbed.sources.machine_laws import drop_equal_classes, recurrent_part, solved_excess, transition_matrix
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.stationary import closed_classes

ROUNDING = 1e-12  # every bound is moved outward by this
NARROW = 1e-12  # a bracket narrower than this is not worth another level
MAX_LEVELS = 1024
MERGED_EDGES = 2**21  # machines with more are taken as they are: merging would take seconds


class MachineTruths:
    """h_l, h, E and the epsilon-machine of the stationary process that `edges` write from the invariant `law`.

    States without probability are left out, states with equal futures merged, and of closed classes that write one
    process one is kept: none of it changes an entropy.
    """

    def __init__(self, edges: EdgeList, vocab_size: int, law: Floats, max_cost: int = MAX_COST) -> None:
        support = np.flatnonzero(law > 0)
        inside = edges.restrict(support)
        many = len(inside.origins) > MERGED_EDGES
        classes = np.arange(len(support)) if many else state_classes(inside)
        self.vocab_size, self.max_cost = vocab_size, max_cost
        merged = inside if many else merge(inside, classes)
        self.edges, self.law = merged, bin_sums(classes, law[support], merged.n_states)
        if not many:
            self.edges, self.law = drop_equal_classes(merged, self.law, vocab_size)

    @classmethod
    def of(cls, edges: Edges, vocab_size: int, law: Floats) -> Self:
        return cls(EdgeList.of(edges), vocab_size, law)

    # -- the machine
    @cached_property
    def n_components(self) -> int:
        """Closed classes of the merged states: one for an ergodic process."""
        return len(closed_classes(transition_matrix(self.edges)))

    @cached_property
    def _free(self) -> "Levels":
        """Beliefs from the stationary law, l tokens later."""
        values = self.edges.entropies()
        return Levels(BeliefGraph(self.edges, self.vocab_size, self.law[None], values, self.max_cost), np.ones(1))

    @cached_property
    def _told(self) -> "Levels":
        """Beliefs from the state itself, l tokens later."""
        starts = np.eye(self.edges.n_states)
        return Levels(BeliefGraph(self.edges, self.vocab_size, starts, max_cost=self.max_cost), self.law)

    def _long_bounds(self, gap: float) -> LongBounds | None:
        """Bounds for contexts whose beliefs cannot be listed, if they may narrow a bracket this wide."""
        return self._long if gap > REACH.get(self.edges.n_states, np.inf) else None

    @cached_property
    def _long(self) -> LongBounds:
        return long_bounds(self.edges, self.vocab_size, self.law)

    @cached_property
    def epsilon_machine(self) -> tuple[EdgeList, Floats] | None:
        """The causal states with their stationary law; None where the beliefs found within the limit do not close."""
        if self.edges.unifilar:
            return self.edges, self.law
        while not self._free.graph.closed:
            if len(self._free.entropies) >= MAX_LEVELS or not self._free.grow():
                return None
        if not self._free.graph.finite:
            return None
        edges, law = recurrent_part(self._free.graph)
        classes = state_classes(edges)
        merged = merge(edges, classes)
        return merged, bin_sums(classes, law, merged.n_states)

    # -- the entropy rate
    @cached_property
    def entropy_rate(self) -> Truth:
        """h: exact for unifilar machines and where the beliefs close, else bracketed."""
        return _outward(*self._rate_bounds) if self._exact_rate is None else Truth.exact(self._exact_rate)

    @cached_property
    def _exact_rate(self) -> float | None:
        """H(X | S) of the machine, or of its epsilon-machine, if one of them is unifilar and finite."""
        if self.edges.unifilar:
            return float(self.law @ self.edges.entropies())
        free, told = self._free, self._told
        while not free.graph.finite and len(free.entropies) < MAX_LEVELS:
            grown = free.grow()
            if not (told.grow() or grown) or free.entropies[-1] - max(told.entropies, default=0.0) < NARROW:
                break
        if not free.graph.finite or self.epsilon_machine is None:
            return None
        edges, law = self.epsilon_machine
        return float(law @ edges.entropies())

    @cached_property
    def _rate_bounds(self) -> tuple[float, float]:
        if self._exact_rate is not None:
            return self._exact_rate, self._exact_rate
        lower = max(self._told.entropies, default=0.0)
        upper = min(self._free.entropies, default=float(np.log(self.vocab_size)))
        long = self._long_bounds(upper - lower)
        if long is not None:
            lower, upper = max(lower, long.rate_lower), min(upper, float(long.upper[-1]))
        return min(lower, upper), upper  # they may cross by rounding

    # -- entropies of every context length
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max: exact as long as the beliefs can be listed, from there on bracketed."""
        free, wanted = self._free, max_context + 1
        while len(free.entropies) < (wanted if free.graph.closed else min(wanted, MAX_LEVELS)):
            if self._converged() or not free.grow():
                break
        known = np.minimum.accumulate(np.array(free.entropies[:wanted]))
        if len(known) == wanted:
            return Truth.exact(known)
        if self._exact_rate is not None and self._converged():
            rest = np.full(wanted - len(known), self._exact_rate)
            return Truth.exact(np.append(np.maximum(known, self._exact_rate), rest))
        lower, upper = self._bounds(wanted)
        return _outward(lower[:wanted], upper[:wanted])

    def _converged(self) -> bool:
        """h_l has come down to h, up to rounding, so that all that follow are h."""
        if not self._free.entropies or not (self.edges.unifilar or self._free.graph.finite):
            return False
        return self._free.entropies[-1] <= self._rate_bounds[0] + 1e-15

    def _bounds(self, n: int = 0) -> tuple[Floats, Floats]:
        """Lower and upper bounds of h_0 .. h_(n-1), or of more where more are known."""
        lower_rate = self._rate_bounds[0]
        known = np.minimum.accumulate(np.array(self._free.entropies))
        last = float(known[-1]) if len(known) else float(np.log(self.vocab_size))
        long = self._long_bounds(last - lower_rate)
        size = max(n, len(known), 0 if long is None else len(long.upper))
        lower, upper = np.full(size, lower_rate), np.full(size, last)
        if long is not None:
            lower[: len(long.lower)] = np.maximum(long.lower, lower_rate)
            upper[: len(long.upper)] = np.minimum(long.upper, last)
            upper[len(long.upper) :] = min(float(long.upper[-1]), last)
        lower[: len(known)] = upper[: len(known)] = known
        return np.minimum(lower, upper), upper

    # -- the excess entropy
    @cached_property
    def excess_entropy(self) -> Truth:
        """E: exact where the beliefs close, else bracketed by partial sums and I(S_0; S_n | X^n)."""
        free = self._free
        if self.edges.unifilar:  # once no belief is unsure the graph will close: go on to that
            while not (free.graph.finite or 0 < free.uncertainties[-1] < NARROW):
                if len(free.entropies) >= MAX_LEVELS or not free.grow():
                    break
            solved = solved_excess(free.graph) if free.graph.finite else None
            return self._excess_bounds() if solved is None else Truth.exact(solved)
        if self._exact_rate is not None and self.epsilon_machine is not None:
            edges, law = self.epsilon_machine
            return MachineTruths(edges, self.vocab_size, law, self.max_cost).excess_entropy
        told = self._told
        while len(told.entropies) < MAX_LEVELS and free.uncertainties[-1] - told.uncertainties[-1] > 10 * NARROW:
            free.grow()
            if not told.grow():
                break
        return self._excess_bounds()

    def _excess_bounds(self) -> Truth:
        lower_rate, upper_rate = self._rate_bounds
        lower, upper = self._bounds()
        mutual = np.array(self._free.uncertainties)
        if not self.edges.unifilar:
            n = min(len(mutual), len(self._told.uncertainties))
            mutual = mutual[:n] - self._told.uncertainties[:n]
        long = self._long_bounds(float(mutual[-1]))
        if long is not None:
            mutual = np.append(mutual, long.mutual[len(mutual) :])
        partial = np.append(0.0, np.cumsum(upper - lower_rate))
        n = min(len(mutual), len(partial))
        above = float((partial[:n] + np.maximum(mutual[:n], 0.0)).min())
        below = min(float(np.maximum(lower - upper_rate, 0.0).sum()), above)
        return _outward(below, above, 1.0 + 0.1 * len(lower))


class Levels:
    """The law over a belief graph's nodes after l tokens, l = 0, 1, ..., and the means that are wanted of it.

    entropies      H(X_l | X^l) for the levels reached, l = 0, 1, ...
    uncertainties  H(S_l | X^l), and for one level more while the graph still grows
    """

    def __init__(self, graph: BeliefGraph, weights: Floats) -> None:
        self.graph, self.law = graph, graph.start_law(weights)
        self.entropies: list[float] = []
        self.uncertainties = [self._mean(graph.uncertainties)]
        self._exhausted = False

    def grow(self) -> bool:
        """One level more; False where the graph's limit forbids it."""
        if self._exhausted:
            return False
        if not (self.graph.closed or self.graph.expand()):
            self._exhausted = True
            if self.graph.look_ahead():  # one level of entropies is still to be had
                self.entropies.append(self._mean(self.graph.entropies))
            return False
        self.entropies.append(self._mean(self.graph.entropies))
        self.law = self.graph.advance(self.law)
        self.uncertainties.append(self._mean(self.graph.uncertainties))
        return True

    def _mean(self, values: Floats) -> float:
        possible = np.flatnonzero(self.law)
        return float((self.law[possible] * values[possible]).sum())  # summed pairwise


def start_entropies(edges: Edges, vocab_size: int, start: Floats, length: int) -> Truth:
    """(length,): H(X_t | X_0 .. X_(t-1)) where the first state is drawn from any law `start`, exact.

    Raises UndefinedError where the beliefs are too many to list.
    """
    levels = Levels(BeliefGraph(EdgeList.of(edges), vocab_size, start[None]), np.ones(1))
    while len(levels.entropies) < length:
        if not levels.grow():
            raise UndefinedError(
                f"the beliefs after {len(levels.entropies)} tokens are too many to list; at most that many positions"
                " can be given"
            )
    return Truth.exact(levels.entropies)


def law_entropy(law: Floats) -> float:
    """-sum p ln p, nats."""
    return float(law_entropies(law)) + 0.0  # never -0.0


def _outward(lower: Floats | float, upper: Floats | float, n_terms: float = 1.0) -> Truth:
    slack = ROUNDING * n_terms
    return Truth.bracket(np.maximum(np.asarray(lower) - slack, 0.0), np.asarray(upper) + slack)
