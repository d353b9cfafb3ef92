"""Tables of counts over contexts, and their exact excess."""

import numpy as np

from testbed.predictors import add_constant_law
from testbed.sources.chain import DyadicChain
from testbed.studies.optimal_context.config import Arm
from testbed.training.windows import TargetSet


def counts_of(source: DyadicChain, targets: TargetSet, length: int) -> np.ndarray:
    """(V^l, V): how often each token followed each context of this length, contexts in lexicographic order."""
    contexts, following, _ = targets.windows(length)
    flat = codes_of(contexts, source.vocab_size) * source.vocab_size + following
    return np.bincount(flat, minlength=source.vocab_size ** (length + 1)).reshape(-1, source.vocab_size)


def codes_of(contexts: np.ndarray, vocab_size: int) -> np.ndarray:
    """(n,) each context as one number in base V, oldest token first."""
    code = np.zeros(len(contexts), dtype=np.int64)
    for column in range(contexts.shape[1]):
        code = code * vocab_size + contexts[:, column]
    return code


def divergence(source: DyadicChain, length: int, law: np.ndarray) -> float:
    """sum_c p(c) KL(p(. | c) || q(. | c)) of a law (V^l, V), nats."""
    exact = source.context_law(length)
    p, q = exact.laws, law[codes_of(exact.contexts, source.vocab_size)]
    ratio = np.log(np.where(p > 0, p, 1.0)) - np.log(q)
    return float(exact.probabilities @ np.sum(np.where(p > 0, p * ratio, 0.0), axis=1))


def table_excess(source: DyadicChain, targets: TargetSet, arm: Arm) -> np.ndarray:
    """(n_lengths,): exact excess of the table of every order, add one half."""
    return np.array(
        [divergence(source, length, add_constant_law(counts_of(source, targets, length))) for length in arm.lengths]
    )
