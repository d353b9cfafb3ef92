"""What is measured of a trained member: its excess at the four corners of one length."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from testbed.models.transformer import Transformer
from testbed.runs import Cell, MeasureContext, Record
from testbed.sources import Source
from testbed.sources.recall.reliability_classes import ReliabilityClasses
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Floats, Tokens
from testbed.studies.dilution_or_position.grid import Probe
from testbed.studies.dilution_or_position.places import CORNERS, Group, groups_of, needed_sites, reduced
from testbed.training.batches import with_begin
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences

CHUNK = {"cpu": 16_384, "cuda": 262_144}
"""Positions of one forward pass."""
FIRST_STEP = 1 << 40
"""Positions that are drawn for a step are here those of steps from this one on: none of them was trained on."""


@dataclass(frozen=True)
class Drawn:
    """Fresh sequences of one length with their kept places and exact laws of the answer.

    tokens (N, n), laws (N, V) of the answer given all tokens, kept_laws (N, V) given the kept ones alone, sharpened
    (N, V) of an exact head whose logits are multiplied, where the source has one
    """

    tokens: Tokens
    groups: list[Group]
    laws: Floats
    kept_laws: Floats
    sharpened: Floats | None

    @property
    def law_gap(self) -> float:
        """Largest difference between the two: 0 where the kept sites suffice."""
        return float(np.abs(self.laws - self.kept_laws).max())


@lru_cache(maxsize=4)  # a member's changes are measured one after the other
def drawn(source: Source, length: int, train_length: int, n_sequences: int, seed: int) -> Drawn:
    """Sequences of the evaluation stream; their kept places depend on the same numbers alone."""
    tokens = draw_sequences(source, "evaluation", seed, n_sequences, length).tokens
    rng = np.random.default_rng([seed, length, train_length])
    groups = groups_of(needed_sites(source, tokens), length, train_length, rng)
    laws = source.predict(tokens, positions=[length - 1])[:, 0]
    kept = np.concatenate([reduced(tokens, group) for group in groups])
    sharpened = None
    if isinstance(source, ReliabilityClasses):
        sharpened = source.tempered_answers(tokens, math.log(length) / math.log(train_length))
    return Drawn(tokens, groups, laws, source.predict(kept, positions=[train_length - 1])[:, 0], sharpened)


def positions_in_range(model: Transformer, train_length: int, index: int) -> NDArray[np.int64]:
    """(m,) positions of a training window; drawn anew for each index where the arm trains on drawn ones."""
    drawn_ones = (one.training_positions(train_length, FIRST_STEP + index) for one in model.config.methods)
    return next((np.asarray(one) for one in drawn_ones if one is not None), np.arange(train_length))


def last_log_laws(
    model: Transformer,
    weights: dict[str, torch.Tensor],
    tokens: Tokens,
    positions: NDArray[np.int64],
    device: torch.device,
) -> Floats:
    """(N, V) ln q of the last token of sequences (N, L), the model's window standing at these positions (L,)."""
    rows = max(1, CHUNK["cuda" if device.type == "cuda" else "cpu"] // tokens.shape[1])
    plain = np.array_equal(positions, np.arange(len(positions)))
    positions_T = None if plain else torch.from_numpy(positions).to(device)
    parts = []
    for start in range(0, len(tokens), rows):
        seen = torch.from_numpy(tokens[start : start + rows, :-1].astype(np.int64)).to(device)
        logits_EBV = model.logits(weights, with_begin(seen[None], model.begin), "last", positions_T=positions_T)
        parts.append(F.log_softmax(logits_EBV[0].double(), dim=-1).cpu().numpy())
    return np.concatenate(parts)


@torch.no_grad()
def corner_log_laws(
    model: Transformer, weights: dict[str, torch.Tensor], seen: Drawn, seed: int, device: torch.device
) -> dict[str, Floats]:
    """(N, V) ln q of the answer at every corner."""
    length = seen.tokens.shape[1]
    train_length = len(seen.groups[0].kept) + 2
    rng = np.random.default_rng([seed, length])
    parts: dict[str, list[Floats]] = {corner: [] for corner in CORNERS[:-1]}
    for index, group in enumerate(seen.groups):
        few, many = reduced(seen.tokens, group), seen.tokens[group.rows]
        in_range = positions_in_range(model, train_length, index)
        for corner, tokens, positions in (
            ("base", few, in_range),
            ("position", few, group.true_positions(length)),
            ("dilution", many, group.shared_positions(in_range, length, rng)),
        ):
            parts[corner].append(last_log_laws(model, weights, tokens, positions, device))
    found = {corner: np.concatenate(one) for corner, one in parts.items()}
    return found | {"both": last_log_laws(model, weights, seen.tokens, np.arange(length), device)}


def divergences(laws: Floats, log_q: Floats) -> Floats:
    """(N,) KL(p || q), nats."""
    log_p = np.log(laws, out=np.zeros_like(laws), where=laws > 0)
    return np.asarray(np.sum(laws * (log_p - np.where(laws > 0, log_q, 0.0)), axis=1))


def member_record(cell: Cell, probe: Probe, member: TrainedMember, context: MeasureContext) -> Record:
    """Mean exact KL(P* || model) of the answer at every corner, P* the law given the tokens that the corner shows.

    law_gap   largest difference between the laws given all tokens and given the kept ones: 0 where these suffice, and
              then P* is the same at all corners
    injected  mean KL(P* || exact head with its logits times ln n / ln m): what sharper attention costs, on sources that
              have such a head
    paired    mean of -ln q + ln p - KL at the sampled answers over all corners: zero in expectation, whatever the model
    """
    spec = member.spec
    train_length = spec.data.max_context + 1
    seen = drawn(spec.source, probe.length, train_length, probe.n_sequences, probe.seed)
    device = torch.device(context.device)
    trained, weights = member.opened(context.device)
    log_q = corner_log_laws(trained.with_methods(probe.methods), weights, seen, probe.seed, device)
    answer = np.arange(len(seen.tokens)), seen.tokens[:, -1].astype(np.int64)
    metrics: dict[str, Any] = {}
    differences = []
    for corner in CORNERS:
        laws = seen.kept_laws if corner in ("base", "position") else seen.laws
        excess = divergences(laws, log_q[corner])
        metrics[corner] = float(excess.mean())
        metrics[f"{corner}_error"] = float(excess.std(ddof=1) / np.sqrt(len(excess)))
        differences.append(np.log(laws[answer]) - log_q[corner][answer] - excess)
    paired = np.mean(differences, axis=0)
    metrics |= {
        "no_context": float(law_entropies(seen.kept_laws.mean(axis=0)) - law_entropies(seen.kept_laws).mean()),
        "law_gap": seen.law_gap,
        "paired_difference": float(paired.mean()),
        "paired_error": float(paired.std(ddof=1) / np.sqrt(len(paired))),
        "training_excess": member.scores["excess"],
    }
    if seen.sharpened is not None:
        metrics["injected"] = float(divergences(seen.laws, np.log(np.maximum(seen.sharpened, 1e-300))).mean())
    if member.status == "diverged":
        metrics |= {"diverged_at": member.diverged_at}
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
