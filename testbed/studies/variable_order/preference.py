"""Which orders a learner prefers in one sequence, beyond what it prefers wherever it has counted as much.

    c ~ prod_l p_l^(w_l(n))             the blend of the orders' laws p_l that is nearest to the learner q itself, with
                                        weights by how often the present contexts were seen, n = (n_1, .., n_D), in any
                                        way (`cells`), and by nothing else; fitted for each learner anew
    y_t = ln q_t - ln c_t               what the learner does beyond that
    x_t = sum_l (l / D - 1/2) ln p_l    from short contexts to long ones
    g_s = sum_t <x y>_t / (sum_t <x x>_t + r)        the preference in sequence s, over its second half

<.>_t is the covariance over symbols under the constant blend nearest to context-tree weighting, the same for all
learners, and r half the mean over sequences of sum_t <x x>_t, so that where all orders say the same there is next to no
preference. g is the change of weights, in one step of Fisher scoring, that the learner makes for this sequence.

It is 0 in every sequence for whoever blends log-linearly with weights by counts, as long as these are constant within
the bins of `rivals.edges`: gates at other edges, or by ratios of counts, within wide bins look like a preference. It is
not 0 for who weights each order by that order's own confidence, which asks no evidence either: such learners are
measured and held against. Linear blends, gates by counts and partial matching have small ones or negative ones.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from testbed.sources.in_context import ContextTreeSource
from testbed.studies.variable_order.cells import cells_of, fit_cells
from testbed.studies.variable_order.rivals import Floats, Integers, leaves_of


def leaf_depths(tokens: Integers, source: ContextTreeSource, seed: int) -> Integers:
    """(N, L - D): how many of the last tokens matter at each position in truth; tokens as in `leaves_of`."""
    v, d = source.vocab_size, source.depth
    leaves, context = leaves_of(tokens, source, seed)
    below = (leaves[:, :, None] == leaves[:, None, :]).sum(axis=-1)  # contexts of D tokens of the same leaf
    depth = d - np.searchsorted(v ** np.arange(d + 1), below)
    return np.asarray(np.take_along_axis(depth, context, axis=1))


@dataclass(frozen=True, eq=False)
class Scale:
    """What preferences are measured with: the same for all learners on the same places.

    orders   (D + 1, N, T, V) laws of the fixed orders
    counts   (D + 1, N, T) of their contexts
    weight   (N, T, V) the constant blend nearest to context-tree weighting
    edges    of the bins of counts
    """

    orders: Floats
    counts: Integers
    weight: Floats
    edges: tuple[int, ...]

    @cached_property
    def cells(self) -> Integers:
        """(N, T)"""
        return cells_of(self.counts, self.edges)

    def by_counts(self, law: Floats) -> Floats:
        """(N, T, V) logarithm of the blend with weights by counts that is nearest to a learner."""
        logs = np.log(self.orders)
        alike = np.full(len(logs), 1.0 / len(logs))
        return fit_cells(logs, self.cells, law, alike).log_laws(logs, self.cells)

    def preferences(self, law: Floats) -> Floats:
        """(N,) of a learner with laws (N, T, V)."""
        depth = len(self.orders) - 1
        toward = np.tensordot(np.arange(depth + 1) / depth - 0.5, np.log(self.orders), axes=1)
        toward = toward - (self.weight * toward).sum(axis=-1, keepdims=True)
        beyond = np.log(law) - self.by_counts(law)
        both = (self.weight * toward * beyond).sum(axis=(1, 2))
        own = (self.weight * toward**2).sum(axis=(1, 2))
        return np.asarray(both / (own + 0.5 * own.mean()))


def slope(given: Floats, along: Floats) -> float:
    """Of given (N,) over along (N,), by least squares."""
    return float(np.mean((given - given.mean()) * (along - along.mean())) / along.var())


def permuted(given: Floats, along: Floats, n: int, seed: int) -> Floats:
    """(n,) slopes where every sequence has the depth of another one, drawn at random."""
    rng = np.random.default_rng(seed)
    return np.array([slope(given, rng.permutation(along)) for _ in range(n)])
