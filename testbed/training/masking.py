"""Masked tokens as training data: a model that sees both sides is scored on the tokens hidden from it, at these alone.

    begin x_0 x_1 [mask] x_3 ... x_(l-1)        target: x_2, read at its own place

A sequence has l = context_length tokens, so that a window has l + 1 places with the begin symbol and every query sees
l + 1 keys; symbol V begins, V + 1 masks. Hidden tokens are drawn among the judged ones, all choices alike: one, as when
2501.08570 evaluates, or `masked_sites`, or a share as in BERT (1810.04805), which hides 15 %; unlike there, a chosen
token is always replaced by the mask. Each time a sequence is drawn, other tokens of it are hidden. Loss and excess are
against the exact law of a hidden token given all that are not, `Source.predict_masked`.

In a config:

    [training]
    context_length = 63
    data = {batch = "masked", max_context = 63, masked_sites = 1}       # or masked_share = 0.15
    model = {block = "gau", causal = false, mask_symbol = true, methods = ["rope"]}
"""

from functools import lru_cache
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from testbed.sources.source import Floats, Source, Tokens
from testbed.training.sequences import SequenceSet, draw_sequences
from testbed.training.spec import EvaluationConfig, TrainingSpec
from testbed.training.streams import Stream, step_generator

Bools = NDArray[np.bool_]
LAWS_CHUNK = 2**14
"""Sequences whose exact laws are asked for at a time."""


def draw_sites(judged: Bools, n_masked: int, stream: Stream, seed: int, step: int = 0) -> Bools:
    """(N, L) n_masked of every row's judged positions, all choices alike; all of them where they are fewer.

    A function of stream, seed and step; row i is the same for any number of rows. Streams and steps are independent.
    """
    number = 1 + get_args(Stream).index(stream)  # 0: which targets a step takes
    scores = np.where(judged, step_generator(seed, number, step).random(judged.shape), 2.0)
    chosen = np.argsort(scores, axis=1, kind="stable")[:, :n_masked]
    masked = np.zeros(judged.shape, dtype=np.bool_)
    np.put_along_axis(masked, chosen, True, axis=1)
    return masked & judged


class MaskedSet(SequenceSet):
    """Fresh and held-out sequences with the exact law of every hidden token; `judged` says which are hidden."""


def masked_set(spec: TrainingSpec) -> MaskedSet:
    """The sequences on which this member is scored; members of one source and data seed share them."""
    return _masked_set(spec.source, spec.data.seed, spec.context_length, spec.data.n_masked, spec.evaluation)


@lru_cache(maxsize=32)
def _masked_set(source: Source, seed: int, length: int, n_masked: int, config: EvaluationConfig) -> MaskedSet:
    tokens, masked = [], []
    streams: tuple[tuple[Stream, int], ...] = ("evaluation", config.n_contexts), ("heldout", config.n_heldout)
    for stream, wanted in streams:
        one = draw_sequences(source, stream, seed, 1, length)
        hidden = draw_sites(one.judged, n_masked, stream, seed)
        n = max(2, -(-wanted // max(int(hidden.sum()), 1)))
        drawn = draw_sequences(source, stream, seed, n, length)
        tokens.append(drawn.tokens)
        masked.append(draw_sites(drawn.judged, n_masked, stream, seed))
    both = np.concatenate(tokens), np.concatenate(masked)
    return MaskedSet(*both, hidden_laws(source, *both), int(masked[0].sum()))


def hidden_laws(source: Source, tokens: Tokens, masked: Bools) -> Floats:
    """(n, V): the exact law of every hidden token, in the order of np.nonzero."""
    parts = [slice(first, first + LAWS_CHUNK) for first in range(0, len(tokens), LAWS_CHUNK)]
    return np.concatenate([source.predict_masked(tokens[part], masked[part]) for part in parts])
