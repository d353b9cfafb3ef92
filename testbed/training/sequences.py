"""Whole sequences as training data: what is scored are the positions that the source judges, at a fixed length.

For sources whose law depends on where a sequence starts or ends (recall, parity, laws drawn per sequence), no window
can be cut out at any offset: a window is the sequence. The model sees the begin symbol and all tokens but the last.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.sources.source import Floats, Source, Tokens
from testbed.training.evaluation import Scores, clustered_mean
from testbed.training.spec import EvaluationConfig, TrainingSpec
from testbed.training.streams import Stream, first_sequence

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class SequenceBatch:
    """tokens (n, L) and judged (n, L)."""

    tokens: Tokens
    judged: Bools


def draw_sequences(source: Source, stream: Stream, seed: int, n: int, length: int, first_row: int = 0) -> SequenceBatch:
    """Sequences first_row .. first_row + n - 1 of a stream."""
    batch = source.batch(n, length, seed=seed, first_sequence=first_sequence(stream, first_row))
    return SequenceBatch(batch.tokens, batch.judged)


@dataclass(frozen=True)
class SequenceSet:
    """Fresh and held-out sequences with the exact law of every judged position.

    tokens (N, L), judged (N, L), laws (n, V): fresh sequences first, `n_fresh` judged positions in all of them
    """

    tokens: Tokens
    judged: Bools
    laws: Floats
    n_fresh: int
    exact: bool = False

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """(n,) the sequence that a judged position lies in."""
        return np.nonzero(self.judged)[0]

    @cached_property
    def token(self) -> NDArray[np.int64]:
        """(n,) the token at a judged position."""
        return self.tokens[self.judged].astype(np.int64)

    @cached_property
    def log_laws(self) -> Floats:
        """ln p, zero where p is zero (its weight is zero there)."""
        return np.log(self.laws, out=np.zeros_like(self.laws), where=self.laws > 0)

    def divergences(self, log_q: Floats) -> Floats:
        """(n,) KL(p || q) at every judged position."""
        return np.sum(self.laws * (self.log_laws - np.where(self.laws > 0, log_q, 0.0)), axis=1)

    def excess(self, log_q: Floats) -> float:
        """Mean KL over the judged positions of the fresh sequences."""
        return float(self.divergences(log_q)[: self.n_fresh].mean())

    def heldout_loss(self, log_q: Floats) -> float:
        """Cross-entropy on the held-out stream."""
        return float(-log_q[np.arange(len(log_q)), self.token][self.n_fresh :].mean())

    def score(self, log_q: Floats) -> Scores:
        """All scores of the law ln q, (n, V); errors are clustered by sequence."""
        divergence, fresh = self.divergences(log_q), slice(0, self.n_fresh)
        at = np.arange(len(log_q)), self.token
        surprise, row = -log_q[at], self.row[fresh]
        paired = clustered_mean((surprise + self.log_laws[at] - divergence)[fresh], row)
        excess, excess_error = clustered_mean(divergence[fresh], row)
        mean, error = clustered_mean(surprise[fresh], row)
        return Scores(excess, excess_error, self.heldout_loss(log_q), mean, error, *paired)


def sequence_set(spec: TrainingSpec) -> SequenceSet:
    """The sequences on which this member is scored; members of one source and data seed share them."""
    return _sequence_set(spec.source, spec.data.seed, spec.sequence_length, spec.evaluation)


@lru_cache(maxsize=32)
def _sequence_set(source: Source, seed: int, length: int, config: EvaluationConfig) -> SequenceSet:
    parts = []
    for stream, wanted in (("evaluation", config.n_contexts), ("heldout", config.n_heldout)):
        one = draw_sequences(source, stream, seed, 1, length)  # type: ignore[arg-type]
        n = max(2, -(-wanted // max(int(one.judged.sum()), 1)))
        parts.append(draw_sequences(source, stream, seed, n, length))  # type: ignore[arg-type]
    tokens = np.concatenate([part.tokens for part in parts])
    judged = np.concatenate([part.judged for part in parts])
    laws = judged_laws(source, tokens, judged)
    return SequenceSet(tokens, judged, laws, int(parts[0].judged.sum()))


def judged_laws(source: Source, tokens: Tokens, judged: Bools, chunk_bytes: int = 2**27) -> Floats:
    """(n, V): the exact law of every judged position, in the order of np.nonzero."""
    columns = np.flatnonzero(judged.any(axis=0))
    rows = max(1, chunk_bytes // (8 * max(len(columns), 1) * source.vocab_size))
    parts = []
    for start in range(0, len(tokens), rows):
        part = slice(start, start + rows)
        laws = source.predict(tokens[part], positions=columns.tolist())
        parts.append(laws[judged[part][:, columns]])
    return np.concatenate(parts)
