"""Sampled truths: unbiased means of exact conditional entropies, for laws whose contexts cannot be enumerated."""

import numpy as np

from testbed.core import Truth
from testbed.sources.source import Floats, Source

N_SEQUENCES = 4096
CHUNK_BYTES = 2**26
TRUTH_SEED = 0x7275_7468
"""Seed of the sequences that truths are averaged over; far from the seeds that people type."""


def law_entropies(laws: Floats) -> Floats:
    """-sum_x p ln p along the last axis, nats; 0 ln 0 = 0."""
    logs = np.log(laws, out=np.zeros_like(laws), where=laws > 0)
    return 0.0 - (laws * logs).sum(axis=-1)  # never -0.0


def sampled_position_losses(source: Source, length: int, n_sequences: int = N_SEQUENCES) -> Truth:
    """(length,): mean over n sequences of H(p(. | tokens before t)), t = 0 .. length - 1, with its standard error.

    Unbiased, and of less variance than the mean of -ln p at the tokens (Rao-Blackwell). The positions share sequences,
    so their errors are correlated. For a stationary source entry t is h_t.
    """
    if length == 0:
        return Truth.sampled(np.empty(0), np.empty(0))
    rows = max(1, min(n_sequences, CHUNK_BYTES // (8 * length * source.vocab_size)))
    total, squares = np.zeros(length), np.zeros(length)
    for first in range(0, n_sequences, rows):
        n = min(rows, n_sequences - first)
        batch = source.batch(n, length, seed=TRUTH_SEED, first_sequence=first)
        entropies = law_entropies(source.predict_batch(batch))
        total += entropies.sum(axis=0)
        squares += (entropies**2).sum(axis=0)
    mean = total / n_sequences
    variance = np.maximum(squares / n_sequences - mean**2, 0.0) * n_sequences / max(n_sequences - 1, 1)
    return Truth.sampled(mean, np.sqrt(variance / n_sequences))
