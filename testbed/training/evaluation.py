"""The exact split of a member's loss: cross-entropy = Bayes risk h_l + excess, the excess a mean KL divergence.

    excess = sum_c p(c) KL( p(. | c) || q(. | c) ),      c over the contexts of l tokens

Where every context fits in the evaluation budget the sum is exact: nothing is sampled. Beyond it, it is the mean exact
KL over fresh windows, with a standard error clustered by sequence. The record says which.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.sources.source import Floats, Source, Tokens
from testbed.training.spec import EvaluationConfig, TrainingSpec
from testbed.training.windows import Integers, TargetSet, unique_contexts

NOMINAL_MEMBERS = 64
"""The budget counts contexts x (l + 1) x this many members, so that a member's score does not depend on its company."""


@dataclass(frozen=True)
class Scores:
    """What is said of one member's law, in nats.

    excess, excess_error     mean KL and its standard error (0 where exact)
    heldout                  cross-entropy on the held-out stream: what choices are made on
    fresh, fresh_error       cross-entropy on fresh windows of the evaluation stream
    paired, paired_error     mean of -ln q + ln p - KL(p || q) over the same windows: zero in expectation
    """

    excess: float
    excess_error: float
    heldout: float
    fresh: float
    fresh_error: float
    paired: float
    paired_error: float


@dataclass(frozen=True)
class EvaluationSet:
    """Contexts (n, l) with their weights (n,) and exact laws (n, V), and the windows that check them."""

    contexts: Tokens
    probabilities: Floats
    laws: Floats
    exact: bool
    heldout: Floats  # (n, V) frequencies in the held-out stream
    row: Integers  # (N,) context of each fresh window
    token: Integers  # (N,) what followed it
    sequence: Integers  # (N,) where it came from

    @cached_property
    def log_laws(self) -> Floats:
        """ln p, zero where p is zero (its weight is zero there)."""
        return np.log(self.laws, out=np.zeros_like(self.laws), where=self.laws > 0)

    def divergences(self, log_q: Floats) -> Floats:
        """(n,) KL(p(. | c) || q(. | c)) in every context."""
        return np.sum(self.laws * (self.log_laws - np.where(self.laws > 0, log_q, 0.0)), axis=1)

    def excess(self, log_q: Floats) -> float:
        """Mean KL: exact, or over the fresh windows."""
        return float(self.probabilities @ self.divergences(log_q))

    def heldout_loss(self, log_q: Floats) -> float:
        """Cross-entropy on the held-out stream."""
        return float(-np.sum(self.heldout * np.where(self.heldout > 0, log_q, 0.0)))

    def score(self, log_q: Floats) -> Scores:
        """All scores of the law ln q, (n, V)."""
        log_p, divergence = self.log_laws, self.divergences(log_q)
        surprise = -log_q[self.row, self.token]
        fresh, fresh_error = clustered_mean(surprise, self.sequence)
        paired, paired_error = clustered_mean(
            surprise + log_p[self.row, self.token] - divergence[self.row], self.sequence
        )
        excess_error = 0.0 if self.exact else clustered_mean(divergence[self.row], self.sequence)[1]
        return Scores(
            self.excess(log_q), excess_error, self.heldout_loss(log_q), fresh, fresh_error, paired, paired_error
        )


def clustered_mean(values: Floats, cluster: Integers) -> tuple[float, float]:
    """The mean of `values` and its standard error when values of one cluster may depend on each other.

    With sums S_c over clusters of n_c values:  se^2 = C / (C - 1) sum_c (S_c - n_c mean)^2 / N^2
    """
    mean = float(values.mean())
    change = np.diff(cluster)
    # windows lie in the order of their sequences; only other callers pay for a sort
    sorted_already = bool(np.all(change >= 0))
    index = np.cumsum(np.append(False, change != 0)) if sorted_already else np.unique(cluster, return_inverse=True)[1]
    deviation = np.bincount(index, weights=values - mean)
    n_clusters = len(deviation)
    if n_clusters < 2:
        return mean, float("nan")
    return mean, float(np.sqrt(n_clusters / (n_clusters - 1) * np.sum(deviation**2)) / len(values))


def is_exact(source: Source, context_length: int, config: EvaluationConfig) -> bool:
    """Whether every context of this length fits in the budget."""
    contexts = source.count_contexts(context_length)
    return contexts * (context_length + 1) * NOMINAL_MEMBERS <= config.evaluation_budget


def evaluation_set(spec: TrainingSpec) -> EvaluationSet:
    """The contexts and windows on which this member is scored; members of one source, data seed and l share them."""
    data = spec.data
    return _evaluation_set(
        spec.source, data.seed, data.max_context, data.targets_per_sequence, spec.context_length, spec.evaluation
    )


@lru_cache(maxsize=64)
def _evaluation_set(
    source: Source, seed: int, max_context: int, per_sequence: int, context_length: int, config: EvaluationConfig
) -> EvaluationSet:
    def windows(stream: Any, n_targets: int) -> tuple[Tokens, Tokens, Integers]:
        drawn = TargetSet.draw(source, stream, seed, n_targets, max_context, per_sequence)
        return drawn.windows(context_length)

    fresh_contexts, fresh_tokens, sequence = windows("evaluation", config.n_contexts)
    held_contexts, held_tokens, _ = windows("heldout", config.n_heldout)
    exact = is_exact(source, context_length, config)
    if exact:
        law = source.context_law(context_length)
        contexts, probabilities, laws = law.contexts, law.probabilities, law.laws
    else:
        contexts, row = unique_contexts(np.concatenate([fresh_contexts, held_contexts]), source.vocab_size)
        probabilities = np.bincount(row[: len(fresh_contexts)], minlength=len(contexts)) / len(fresh_contexts)
        laws = _laws_after(source, contexts)
    everywhere = np.concatenate([contexts, fresh_contexts, held_contexts])
    _, index = unique_contexts(everywhere, source.vocab_size)
    own, fresh_row, held_row = np.split(index, [len(contexts), len(contexts) + len(fresh_contexts)])
    position = np.empty(len(own), dtype=np.int64)
    position[own] = np.arange(len(own))  # every window's context is among `contexts`
    vocab_size = source.vocab_size
    heldout = np.bincount(position[held_row] * vocab_size + held_tokens, minlength=len(contexts) * vocab_size)
    return EvaluationSet(
        contexts,
        probabilities,
        laws,
        exact,
        heldout.reshape(-1, vocab_size) / len(held_tokens),
        position[fresh_row],
        fresh_tokens.astype(np.int64),
        sequence,
    )


def _laws_after(source: Source, contexts: Tokens) -> NDArray[np.float64]:
    """(n, V): the exact law of the token that follows each context of a stationary source."""
    n, length = contexts.shape
    padded = np.concatenate([contexts, np.zeros((n, 1), dtype=contexts.dtype)], axis=1)
    return source.predict(padded, context=length, positions=[length])[:, 0]


def path_steps(n_steps: int, n_points: int, spacing: Literal["log", "even"] = "log") -> list[int]:
    """At most `n_points` numbers of finished steps: log-spaced from the 64th part of `n_steps` to all of them, or even.

    >>> path_steps(640, 4)
    [10, 40, 160, 640]
    >>> path_steps(640, 4, "even")
    [160, 320, 480, 640]
    """
    if spacing == "even":
        return sorted({max(1, round(n_steps * (i + 1) / n_points)) for i in range(n_points)})
    return sorted({round(step) for step in np.geomspace(max(n_steps / 64, 1), n_steps, n_points)} | {n_steps})[
        -n_points:
    ]


__all__ = ["EvaluationSet", "Scores", "clustered_mean", "evaluation_set", "is_exact", "path_steps"]
