"""What is measured of a trained member under changed methods, at one length."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.measures.extrapolation import log_laws_at
from testbed.measures.masked import masked_log_laws
from testbed.measures.places import spread_places
from testbed.runs import Cell, MeasureContext, Record
from testbed.sources import Source
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Floats, Tokens
from testbed.studies.length_extrapolation.grid import MemberProbe
from testbed.studies.length_extrapolation.heads import drift_measures, head_measures
from testbed.training.evaluation import clustered_mean
from testbed.training.masking import MaskedSet, draw_sites, hidden_laws
from testbed.training.member import TrainedMember
from testbed.training.sequences import SequenceSet, draw_sequences, judged_laws

N_CALIBRATION = 64
"""Sequences of the training length that calibrated methods read; none of them is scored."""
CHUNK = {"cpu": 16_384, "cuda": 131_072}
"""Positions of one forward pass."""


@dataclass(frozen=True)
class Scored:
    """Fresh sequences with the exact laws of the positions looked at.

    late        (n,) which of these stand in the second half of their sequence: what "at length n" means
    no_context  KL of the best law without context from the exact laws, over late positions
    """

    sequences: SequenceSet
    late: NDArray[np.bool_]
    no_context: float


@lru_cache(maxsize=4)  # a member's changes are measured one after the other
def scored_sequences(source: Source, length: int, n_sequences: int, seed: int, max_judged: int) -> Scored:
    """Sequences of the evaluation stream; at most `max_judged` of the positions judged in each half, spread over it."""
    drawn = draw_sequences(source, "evaluation", seed, n_sequences, length)
    columns = np.flatnonzero(drawn.judged.any(axis=0))
    looked_at = np.zeros(length, dtype=np.bool_)
    for half in (columns[columns < length // 2], columns[columns >= length // 2]):
        if len(half):
            looked_at[half[spread_places(len(half), max_judged, seed)]] = True
    judged = drawn.judged & looked_at
    laws = judged_laws(source, drawn.tokens, judged)
    late = np.nonzero(judged)[1] >= length // 2
    mine = laws[late]
    no_context = float(law_entropies(mine.mean(axis=0)) - law_entropies(mine).mean())
    return Scored(SequenceSet(drawn.tokens, judged, laws, len(laws)), late, no_context)


@lru_cache(maxsize=256)
def late_places(source: Source, length: int, max_judged: int) -> int:
    """Judged places in the second half of a sequence that are looked at: the fewest of a few sequences."""
    judged = draw_sequences(source, "evaluation", 0, 2, length).judged[:, length // 2 :]
    return min(max_judged, int(judged.sum(axis=1).min()))


@lru_cache(maxsize=4)
def hidden_sequences(source: Source, length: int, n_sequences: int, seed: int) -> Scored:
    """The same for a model that sees both sides: one hidden token a sequence, anywhere in it, all of them late."""
    drawn = draw_sequences(source, "evaluation", seed, n_sequences, length)
    hidden = draw_sites(drawn.judged, 1, "evaluation", seed)
    laws = hidden_laws(source, drawn.tokens, hidden)
    no_context = float(law_entropies(laws.mean(axis=0)) - law_entropies(laws).mean())
    return Scored(MaskedSet(drawn.tokens, hidden, laws, len(laws)), np.ones(len(laws), dtype=np.bool_), no_context)


@lru_cache(maxsize=4)
def _calibration_hidden(source: Source, seed: int, length: int, n_masked: int) -> tuple[Tokens, NDArray[np.bool_]]:
    drawn = draw_sequences(source, "probe", seed, N_CALIBRATION, length)
    return drawn.tokens, draw_sites(drawn.judged, n_masked, "probe", seed)


@lru_cache(maxsize=4)
def _calibration_tokens(source: Source, seed: int, train_length: int) -> Tokens:
    return draw_sequences(source, "probe", seed, N_CALIBRATION, train_length).tokens


def paired_sums(one: SequenceSet, log_q: Floats, divergence: Floats) -> dict[str, float]:
    """What says whether tokens, laws and model belong together: -ln q + ln p - KL(p || q), summed over the tokens.

    paired_sum         zero in expectation, whatever the model: a sum of martingale differences
    paired_variance    the sum of their variances under the exact laws
    paired_largest     the largest that one of them can be
    """
    with np.errstate(invalid="ignore"):
        ratio = np.where(one.laws > 0, one.log_laws - log_q, 0.0)
    away = np.where(one.laws > 0, np.abs(ratio - divergence[:, None]), 0.0)
    return {
        "paired_sum": float((ratio[np.arange(len(log_q)), one.token] - divergence).sum()),
        "paired_variance": float((one.laws * away**2).sum()),
        "paired_largest": float(away.max()),
    }


def member_record(cell: Cell, probe: MemberProbe, member: TrainedMember, context: MeasureContext) -> Record:
    """Mean exact KL(P* || model) over late positions, and over all that were looked at."""
    spec = member.spec
    source, methods = spec.source, probe.methods
    chunk = CHUNK["cpu" if context.device == "cpu" else "cuda"]
    if spec.data.batch == "masked":
        seen = hidden_sequences(source, probe.length, probe.n_sequences, probe.seed)
        one, late = seen.sequences, seen.late
        hidden = _calibration_hidden(source, probe.seed, spec.context_length, spec.data.n_masked)
        log_q = masked_log_laws(member, one.tokens, one.judged, methods, hidden, chunk, context.device)
    else:
        seen = scored_sequences(source, probe.length, probe.n_sequences, probe.seed, probe.max_judged)
        one, late = seen.sequences, seen.late
        calibration = _calibration_tokens(source, probe.seed, spec.data.max_context + 1)
        log_q = log_laws_at(member, one.tokens, one.judged, methods, calibration, chunk, context.device)
    divergence = one.divergences(log_q)
    excess, error = clustered_mean(divergence[late], one.row[late])
    paired = paired_sums(one, log_q, divergence)
    metrics: dict[str, Any] = {
        "excess": excess,
        "excess_error": error,
        "excess_everywhere": float(divergence.mean()),
        "no_context": seen.no_context,
        "n_judged": int(late.sum()),
        **paired,
        "training_excess": member.scores["excess"],
    }
    if member.status == "diverged":
        metrics |= {"diverged_at": member.diverged_at}
    arrays = {}
    if probe.heads and member.status == "done":
        arrays = head_measures(member, source, one.tokens, methods, calibration, context.device)
        arrays |= drift_measures(member, source, one.tokens, methods, context.device)
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)
