"""What is measured of a trained member under changed methods, at one length."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.measures.extrapolation import log_laws_at
from testbed.measures.places import spread_places
from testbed.runs import Cell, MeasureContext, Record
from testbed.sources import Source
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Tokens
from testbed.studies.length_extrapolation.grid import MemberProbe
from testbed.studies.length_extrapolation.heads import head_measures
from testbed.training.evaluation import clustered_mean
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


@lru_cache(maxsize=4)
def _calibration_tokens(source: Source, seed: int, train_length: int) -> Tokens:
    return draw_sequences(source, "probe", seed, N_CALIBRATION, train_length).tokens


def member_record(cell: Cell, probe: MemberProbe, member: TrainedMember, context: MeasureContext) -> Record:
    """Mean exact KL(P* || model) over late positions, and over all that were looked at.

    paired    mean of -ln q + ln p - KL at the sampled tokens: zero in expectation, whatever the model
    """
    spec = member.spec
    seen = scored_sequences(spec.source, probe.length, probe.n_sequences, probe.seed, probe.max_judged)
    one, late = seen.sequences, seen.late
    calibration = _calibration_tokens(spec.source, probe.seed, spec.data.max_context + 1)
    chunk = CHUNK["cpu" if context.device == "cpu" else "cuda"]
    log_q = log_laws_at(member, one.tokens, one.judged, probe.methods, calibration, chunk, context.device)
    divergence = one.divergences(log_q)
    at = np.arange(len(log_q)), one.token
    excess, error = clustered_mean(divergence[late], one.row[late])
    paired, paired_error = clustered_mean(one.log_laws[at] - log_q[at] - divergence, one.row)
    metrics: dict[str, Any] = {
        "excess": excess,
        "excess_error": error,
        "excess_everywhere": float(divergence.mean()),
        "no_context": seen.no_context,
        "n_judged": int(late.sum()),
        "paired_difference": paired,
        "paired_error": paired_error,
        "training_excess": member.scores["excess"],
    }
    if member.status == "diverged":
        metrics |= {"diverged_at": member.diverged_at}
    arrays = {}
    if probe.heads and member.status == "done":
        arrays = head_measures(member, spec.source, one.tokens, probe.methods, calibration, context.device)
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)
