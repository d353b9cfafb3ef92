"""What is measured at each cell."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.measures.extrapolation import log_laws_at
from testbed.methods.infoscale import InfoScale
from testbed.runs import Cell, MeasureContext, Record
from testbed.sources import Source
from testbed.sources.recall.far_source import FarSource
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Tokens
from testbed.studies.attention_theory.simulate import random_keys
from testbed.studies.cosscale.floors import windowed_floor
from testbed.studies.cosscale.grid import KeysProbe, MemberProbe
from testbed.studies.cosscale.reading import attention_arrays
from testbed.training.evaluation import clustered_mean
from testbed.training.member import TrainedMember
from testbed.training.sequences import SequenceSet, draw_sequences, judged_laws

MAX_PLACES = 32
"""Judged places looked at in the second half of a sequence."""


def keys_record(cell: Cell, probe: KeysProbe) -> Record:
    """Attended cosines of random keys: what softmax makes of them without any training."""
    rng = np.random.default_rng([probe.seed, 0xC05])
    return Record(cell.key, cell.study, cell.resolved(), "done", {}, random_keys(probe.settings, rng))


def tuning_record(cell: Cell, probe: MemberProbe, member: TrainedMember, context: MeasureContext) -> Record:
    """Cross-entropy on held-out tokens, and what the gate asks for, measured as of the members that are judged."""
    if member.status == "diverged":
        return Record(cell.key, cell.study, cell.resolved(), "diverged", {"diverged_at": member.diverged_at})
    spec = member.spec
    seen = scored(spec.source, spec.data.max_context + 1, probe.n_sequences, probe.seed)
    excess = _excess(member, seen, None, context)["excess"]
    metrics: dict[str, Any] = {"heldout": member.scores["heldout"], "excess": excess, "no_context": seen.no_context}
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics)


def member_record(cell: Cell, probe: MemberProbe, member: TrainedMember, context: MeasureContext) -> Record:
    """The exact excess at both lengths, the path of training, and what attention looks like.

    excess         mean exact KL(P* || model) over judged places of the second half of fresh sequences of m tokens
    excess_long    the same at the longest length; excess_long_infoscale: with InfoScale added there, CosScale arms only
    ranged         the same with positions in range: as trained without positions, ReRoPE in place of RoPE;
                   ranged_infoscale: with InfoScale added; arms without CosScale, windows and biases only
    no_context     KL of the best law without context, at m; floor: of the best law within a window (far task only)
    paired         mean of -ln q + ln p - KL at the sampled tokens, zero in expectation; paired_error: its exact
                   standard deviation given the places; paired_range: how far one token can move it
    """
    spec = member.spec
    if member.status == "diverged":
        return Record(cell.key, cell.study, cell.resolved(), "diverged", {"diverged_at": member.diverged_at})
    m = spec.data.max_context + 1
    metrics: dict[str, Any] = {"training_excess": member.scores["excess"], "heldout": member.scores["heldout"]}
    for suffix, length in (("", m), ("_long", probe.ratio * m)):
        seen = scored(spec.source, length, probe.n_sequences, probe.seed)
        metrics |= {f"{name}{suffix}": value for name, value in _excess(member, seen, None, context).items()}
        metrics |= {f"no_context{suffix}": seen.no_context, f"floor{suffix}": seen.floor}
        if suffix and probe.arm.rpartition("-")[0].endswith("cosscale"):
            with_infoscale = _excess(member, seen, (*spec.model.methods, InfoScale()), context)
            metrics["excess_long_infoscale"] = with_infoscale["excess"]
        if suffix and probe.ranged:
            for name, methods in (("ranged", probe.ranged), ("ranged_infoscale", (*probe.ranged, InfoScale()))):
                metrics[name] = _excess(member, seen, methods, context)["excess"]
    arrays = {f"path_{name}": values for name, values in member.path.items()}
    if probe.reading is not None:
        arrays |= attention_arrays(member, probe, context.device)
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)


@dataclass(frozen=True)
class Scored:
    """Fresh sequences with the exact laws of the places looked at.

    no_context   KL of the best law without context from the exact laws
    floor        KL of the best law given what a window shorter than the distance shows; nan where there is no such law
    """

    tokens: Tokens
    judged: NDArray[np.bool_]
    laws: SequenceSet
    no_context: float
    floor: float


@lru_cache(maxsize=8)  # the arms of a replicate are measured on the same sequences
def scored(source: Source, length: int, n_sequences: int, seed: int) -> Scored:
    """Sequences of the evaluation stream, judged in their second half."""
    drawn = draw_sequences(source, "evaluation", seed, n_sequences, length)
    late = np.arange(length) >= length // 2
    columns = np.flatnonzero((drawn.judged & late).any(axis=0))
    kept = np.zeros(length, dtype=np.bool_)
    kept[columns[np.unique(np.linspace(0, len(columns) - 1, MAX_PLACES).round().astype(int))]] = True
    judged = drawn.judged & kept
    laws = judged_laws(source, drawn.tokens, judged)
    no_context = float(law_entropies(laws.mean(axis=0)) - law_entropies(laws).mean())
    floor = windowed_floor(source, drawn.tokens, judged) if isinstance(source, FarSource) else float("nan")
    return Scored(drawn.tokens, judged, SequenceSet(drawn.tokens, judged, laws, len(laws)), no_context, floor)


def _excess(
    member: TrainedMember, seen: Scored, methods: tuple[Any, ...] | None, context: MeasureContext
) -> dict[str, float]:
    log_q = log_laws_at(member, seen.tokens, seen.judged, methods, device=context.device)
    one = seen.laws
    divergence = one.divergences(log_q)
    at = np.arange(len(log_q)), one.token
    excess, error = clustered_mean(divergence, one.row)
    surprise = np.where(one.laws > 0, one.log_laws - log_q, 0.0)
    variance = np.maximum(np.sum(one.laws * surprise**2, axis=1) - divergence**2, 0.0)
    off = np.where(one.laws > 0, np.abs(surprise - divergence[:, None]), 0.0)
    return {
        "excess": excess,
        "excess_error": error,
        "paired": float(np.mean(one.log_laws[at] - log_q[at] - divergence)),
        "paired_error": float(np.sqrt(variance.sum()) / len(variance)),
        "paired_range": float(off.max() / len(variance)),
    }
