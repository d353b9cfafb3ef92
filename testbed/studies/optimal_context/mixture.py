"""The floor for a known prior: the Bayes mixture, and what it costs at each context length.

The learner knows the law from which the kernel was drawn, and its order. It conditions on every token of every window
(not on the targets alone), and at a context c on c itself:

    q(x | c) = sum_i w_i p_i(c) p_i(x | c) / sum_i w_i p_i(c),      w_i ~ product over windows of p_i(window)

Averaged over the prior, no learner that sees windows of these lengths has a smaller excess.
"""

from functools import lru_cache

import numpy as np

from testbed.predictors import add_constant_law
from testbed.sources import LagMarkovSource, MarkovSource
from testbed.sources.chain import DyadicChain
from testbed.sources.lag_markov import MAX_FAMILY
from testbed.studies.optimal_context.config import Arm
from testbed.studies.optimal_context.tables import counts_of, divergence
from testbed.training.windows import TargetSet


def mixture_excess(source: DyadicChain, targets: TargetSet, arm: Arm) -> tuple[np.ndarray, str | None]:
    """(n_lengths,) exact excess of the mixture, nan where there is none, and what it is.

    "exact"               the full mixture, for designs whose family can be listed, windows of their own sequences
    "given the contexts"  for Dirichlet rows, at the true order: add the prior's parameter to the counts. It does not
                          use what the frequency of a context says of the kernel, so it is a reference, not a floor
    None                  for other priors
    """
    excess = np.full(len(arm.lengths), np.nan)
    if isinstance(source, LagMarkovSource) and source.family_size <= MAX_FAMILY and targets.targets_per_sequence == 1:
        for length, law in zip(arm.lengths, finite_mixture_laws(source, targets, arm.max_context), strict=True):
            excess[length] = divergence(source, length, law)
        return excess, "exact"
    if isinstance(source, MarkovSource) and source.has_dirichlet_rows:
        law = add_constant_law(counts_of(source, targets, arm.order), source.concentration)
        excess[arm.order :] = divergence(source, arm.order, law)
        return excess, "given the contexts"
    return excess, None


def finite_mixture_laws(source: LagMarkovSource, targets: TargetSet, max_context: int) -> list[np.ndarray]:
    """q(x | c) as (V^l, V) for l = 0 .. max_context."""
    blocks = _blocks(source.replace(seed=0), max_context)
    counts = counts_of(source, targets, max_context).reshape(-1)
    with np.errstate(divide="ignore"):
        log_likelihood = np.where(counts > 0, counts * np.log(blocks[-1]), 0.0).sum(axis=1)
    weights = np.exp(log_likelihood - log_likelihood.max())
    weights /= weights.sum()
    laws = []
    for block in blocks:
        joint = (weights @ block).reshape(-1, source.vocab_size)
        laws.append(joint / joint.sum(axis=1, keepdims=True))
    return laws


@lru_cache(maxsize=2)
def _blocks(source: LagMarkovSource, max_context: int) -> list[np.ndarray]:
    """For l = 0 .. max_context, (n, V^(l+1)): the law of l + 1 successive tokens under every kernel of the family."""
    members = [MarkovSource(kernel) for kernel in source.family()]
    blocks = []
    for length in range(max_context + 1):
        laws = [member.context_law(length) for member in members]
        blocks.append(np.stack([(law.probabilities[:, None] * law.laws).reshape(-1) for law in laws]))
    return blocks
