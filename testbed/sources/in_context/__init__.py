"""Laws drawn per sequence: what a reader must learn from the tokens before it.

Dirichlet laws are sampled by Polya urns with integer counts, so that samples and Bayes laws are of one law exactly; the
finite families are mixtures of machines.
"""

from testbed.sources.in_context.context_tree import ContextTreeSource
from testbed.sources.in_context.dirichlet_markov import BiasedCoinSource, DirichletIIDSource, DirichletMarkovSource
from testbed.sources.in_context.doubly_stochastic_markov import DoublyStochasticMarkovSource
from testbed.sources.in_context.fixed_context_tree import FixedContextTreeSource
from testbed.sources.in_context.markov_mixture import MarkovMixtureSource
from testbed.sources.in_context.random_automata import RandomAutomataSource
from testbed.sources.in_context.random_automaton import RandomAutomatonSource

__all__ = [
    "BiasedCoinSource",
    "ContextTreeSource",
    "DirichletIIDSource",
    "DirichletMarkovSource",
    "DoublyStochasticMarkovSource",
    "FixedContextTreeSource",
    "MarkovMixtureSource",
    "RandomAutomataSource",
    "RandomAutomatonSource",
]
