"""A source's truths, checked a second time: by another algorithm, and on its own tokens."""

from dataclasses import dataclass

import numpy as np

from testbed.sources.source import Source
from testbed.training.evaluation import clustered_mean
from testbed.training.streams import first_sequence


@dataclass(frozen=True)
class SourceCheck:
    """h_l three ways, for l = 0 .. max_context, in nats.

    truth       what the source certifies
    enumerated  sum over all contexts of p(c) H(p(. | c)), p(c) multiplied out token by token from `predict`
    sampled     mean of -ln p over independent tokens, with `sampled_error`
    """

    truth: np.ndarray
    enumerated: np.ndarray
    sampled: np.ndarray
    sampled_error: np.ndarray

    @property
    def largest_difference(self) -> float:
        """Between truth and enumeration; rounding only, if both are right."""
        return float(np.abs(self.truth - self.enumerated).max())

    @property
    def largest_z(self) -> float:
        """Of the sampled means against the truth, in standard errors."""
        error = np.maximum(self.sampled_error, 1e-15)
        deviation = np.abs(self.sampled - self.truth)
        return float(np.where(deviation < 1e-12, 0.0, deviation / error).max())


def check_source(source: Source, max_context: int, n_sequences: int, seed: int) -> SourceCheck:
    """Certify h_0 .. h_max_context of a stationary source a second and a third time."""
    enumerated = np.empty(max_context + 1)
    sampled, error = np.empty(max_context + 1), np.empty(max_context + 1)
    tokens = source.sample(n_sequences, max_context + 1, seed=seed, first_sequence=first_sequence("probe"))
    for length in range(max_context + 1):
        law = source.context_law(length)
        entropy = -np.sum(np.where(law.laws > 0, law.laws * np.log(np.where(law.laws > 0, law.laws, 1.0)), 0.0), axis=1)
        enumerated[length] = law.probabilities @ entropy
        surprise = -source.log_probs(tokens, context=length)[:, max_context]
        sampled[length], error[length] = clustered_mean(surprise, np.arange(n_sequences))
    truth = np.asarray(source.conditional_entropies(max_context).value)
    return SourceCheck(truth, enumerated, sampled, error)
