"""Samples of a query over bits as an MLP reads them, and their exact laws."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.sources.bit_query import BitQuerySource
from testbed.sources.source import Tokens
from testbed.training.streams import Stream, first_sequence

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Samples:
    """bits (N, n) nearest first, question (N,), answer (N,), and the sequences (N, n + 2) that they come from."""

    bits: NDArray[np.uint8]
    question: NDArray[np.int64]
    answer: NDArray[np.uint8]
    tokens: Tokens


def draw_samples(source: BitQuerySource, stream: Stream, seed: int, n_samples: int, n_bits: int) -> Samples:
    """The first n_samples of a stream of a data seed: more of them begin with the fewer."""
    tokens = source.sample(n_samples, n_bits + 2, seed=seed, first_sequence=first_sequence(stream))
    bits = np.ascontiguousarray(tokens[:, :-2][:, ::-1]).astype(np.uint8)
    return Samples(bits, tokens[:, -2].astype(np.int64) - 2, tokens[:, -1].astype(np.uint8), tokens)


@lru_cache(maxsize=2)  # members of one data seed are scored one after the other
def evaluation_samples(source: BitQuerySource, seed: int, n_samples: int, n_bits: int) -> Samples:
    """Fresh samples on which members of a data seed are scored."""
    return draw_samples(source, "evaluation", seed, n_samples, n_bits)


def answer_laws(source: BitQuerySource, samples: Samples, context_length: int) -> Floats:
    """(N,) the exact probability of the answer 1 given the nearest l bits and the question."""
    last = samples.tokens.shape[1] - 1
    return np.asarray(source.predict(samples.tokens, context=context_length, positions=[last])[:, 0, 1])


@dataclass(frozen=True)
class TaskScores:
    """Exact scores of one member, by question.

    excess    (Q,) mean KL(P_l || q) over fresh samples of the question, nats; nan where none was drawn
    counts    (Q,) how many there were
    total     sum over questions of their exact frequency times excess
    paired    mean of -ln q(y) + ln p(y) - KL over all samples, zero in expectation; and its standard error
    """

    excess: Floats
    counts: NDArray[np.int64]
    total: float
    paired: tuple[float, float]


def task_scores(source: BitQuerySource, samples: Samples, context_length: int, logits: NDArray[Any]) -> TaskScores:
    """Score a member's logits ln q(1) - ln q(0), (N,), against the exact laws.

    KL(p || q) = sum over y of p(y) (ln p(y) - ln q(y)),  ln q(1) = -ln(1 + e^-z),  ln q(0) = -ln(1 + e^z)
    """
    one = answer_laws(source, samples, context_length)
    z = np.asarray(logits, dtype=np.float64)
    log_q = -np.logaddexp(0.0, np.stack([z, -z]))  # rows: answers 0 and 1
    p = np.stack([1.0 - one, one])
    log_p = np.log(p, out=np.zeros_like(p), where=p > 0)
    divergence = np.sum(p * (log_p - log_q), axis=0)
    counts = np.bincount(samples.question, minlength=len(source.tasks))
    with np.errstate(invalid="ignore"):
        excess = np.bincount(samples.question, divergence, minlength=len(source.tasks)) / counts
    drawn = counts > 0
    law = source.question_law
    total = float(law[drawn] @ excess[drawn] / law[drawn].sum())
    rows = np.arange(len(z))
    paired = log_p[samples.answer, rows] - log_q[samples.answer, rows] - divergence
    error = float(paired.std(ddof=1) / np.sqrt(len(paired)))
    return TaskScores(np.asarray(excess), counts, total, (float(paired.mean()), error))
