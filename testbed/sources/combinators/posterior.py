"""Which of several sources wrote the tokens so far: Bayes' rule in log space."""

from collections.abc import Sequence

import numpy as np

from testbed.sources.source import Floats, Source, Tokens


def joint_scores(components: Sequence[Source], prior: Floats, tokens: Tokens) -> Floats:
    """(N, L + 1, C): ln (w_i p_i(tokens before t)) for t = 0 .. L; -inf once component i is ruled out.

    Logarithms are added up, so that nothing underflows, however long the sequence.
    """
    n_sequences, length = np.shape(tokens)
    scores = np.full((n_sequences, length + 1, len(components)), -np.inf)
    for number, component in enumerate(components):
        if prior[number] > 0:
            with np.errstate(invalid="ignore", divide="ignore"):
                found = component.log_probs(tokens)
            scores[:, 1:, number] = np.cumsum(np.where(np.isnan(found), -np.inf, found), axis=1)
            scores[:, 0, number] = 0.0
            scores[:, :, number] += np.log(prior[number])
    return scores


def posterior_weights(scores: Floats) -> Floats:
    """(N, L + 1, C): p(component | tokens before t); nan where none is left."""
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    return np.asarray(weights / weights.sum(axis=2, keepdims=True))


def log_evidence(scores: Floats) -> Floats:
    """(N, L + 1): ln sum_i w_i p_i(tokens before t); -inf where none is left."""
    highest = scores.max(axis=2)
    with np.errstate(invalid="ignore"):
        spread = np.log(np.exp(scores - highest[:, :, None]).sum(axis=2))
    return np.where(np.isneginf(highest), -np.inf, highest + spread)
