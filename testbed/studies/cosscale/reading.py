"""Attention of a trained member on probe sequences: cosines, windows, rows, and the matrices of the heat maps.

Arrays are over (L, H), block and head, unless said otherwise.

cosine_mode, cosine_mean   (stage, weighting, place, L, H): before or after rotation; pairs alike or by attention;
                           without or with the diagonal
cosine_mass                (stage, weighting, L, H, bins), without the diagonal; eta_1* is the mode of [0, 1]
contrast                   attended mean cosine less that of all visible pairs, after rotation, without the diagonal
untrained_contrast         the same of the member's first weights, under its own methods
entropy, entropy_long      mean entropy of a row at m, and at the longest length, nats
effective_keys             e^H, averaged over rows
mass_width                 w_90, averaged over rows
by_distance                (L, H, m): mean weight at each distance
log_rows                   (L, b, Q, T): ln of the weights, heads averaged; the same sequences and queries for all arms
scale                      mean |q| |k| / sqrt d: the alpha of an arm that has none
tilted_mass, tilted_mean   (alphas, L, H[, bins]): attended cosine before rotation under alpha cos, these weights
tilted_by_distance         (alphas, L, H, m): mean weight at each distance then
untrained_mass, ...        the same under the member's first weights
heat                       (2, L, H, n, n): cosines before and after rotation of one longer sequence
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from testbed.measures.attention import attention_rows
from testbed.measures.attention_cosines import Cosines, attention_cosines
from testbed.measures.attention_scores import attention_inputs, rows_of
from testbed.methods import Method
from testbed.methods.cosine import CosScale
from testbed.models.transformer import Transformer
from testbed.sources import Source
from testbed.studies.cosscale.grid import MemberProbe
from testbed.studies.cosscale.results import BINS
from testbed.training.batches import with_begin
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences

Arrays = dict[str, NDArray[Any]]
MAX_QUERIES = 32
LOWEST = -1e30
"""Stands for ln 0 in what is stored."""


def attention_arrays(member: TrainedMember, probe: MemberProbe, device: str = "cpu") -> Arrays:
    """All of the above."""
    assert probe.reading is not None
    spec, reading = member.spec, probe.reading
    m = spec.data.max_context + 1
    model = Transformer(spec.model, spec.source.vocab_size, m)
    weights = _views(model, torch.from_numpy(np.array(member.weights)), device)
    tokens, queries = probe_tokens(spec.source, probe.seed, reading.n_sequences, m, model.begin, device)
    cosines = attention_cosines(model, weights, tokens, queries, BINS)
    rows = attention_rows(model, weights, tokens, queries)
    long_tokens, long_queries = probe_tokens(
        spec.source, probe.seed, max(2, reading.n_sequences // probe.ratio), probe.ratio * m, model.begin, device
    )
    first = _views(model, model.layout.initial_row(spec.initial_seed), device)
    found = cosine_arrays(cosines) | {
        "untrained_contrast": contrast(attention_cosines(model, first, tokens, queries, BINS)),
        "entropy": rows.mean("entropy")[:, 0],
        "effective_keys": np.nanmean(rows.effective_keys, axis=(2, 4))[:, 0],
        "mass_width": rows.mean("mass_width")[:, 0],
        "entropy_long": attention_rows(model, weights, long_tokens, long_queries).mean("entropy")[:, 0],
        "scale": _norm_product(model, weights, tokens),
    }
    found |= row_arrays(model, weights, tokens, queries, reading.n_rows)
    if probe.tilted:
        for name, these in (("tilted", weights), ("untrained", first)):
            read = [_tilted(model, these, tokens, queries, alpha) for alpha in probe.tilted]
            found |= {f"{name}_{key}": np.stack([one[key] for one in read]) for key in read[0]}
    if probe.heat:
        found["heat"] = heat_arrays(model, weights, spec.source, probe.seed, reading.heat_length, device)
    return found


def probe_tokens(
    source: Source, seed: int, n_sequences: int, length: int, begin: int, device: str
) -> tuple[Tensor, Tensor]:
    """(1, B, length) tokens behind the begin symbol, and the places from which judged tokens of the second half are
    predicted."""
    drawn = draw_sequences(source, "probe", seed, n_sequences, length)
    late = np.flatnonzero(drawn.judged.any(axis=0) & (np.arange(length) >= length // 2))
    chosen = late[np.unique(np.linspace(0, len(late) - 1, MAX_QUERIES).round().astype(int))]
    tokens = torch.from_numpy(drawn.tokens[:, :-1].astype(np.int64)).to(device)
    return with_begin(tokens[None], begin), torch.from_numpy(chosen).to(device)


def cosine_arrays(cosines: Cosines) -> Arrays:
    """Modes and means of all eight countings, the masses without the diagonal, and the contrast."""
    flags = (False, True)
    laws = [[[cosines.law(rotated=r, weighted=w, diagonal=d) for d in flags] for w in flags] for r in flags]
    return {
        "cosine_mode": np.array([[[law.mode[:, 0] for law in two] for two in four] for four in laws]),
        "cosine_mean": np.array([[[law.mean[:, 0] for law in two] for two in four] for four in laws]),
        "cosine_mass": np.array([[two[0].mass[:, 0] for two in four] for four in laws]).astype(np.float32),
        "contrast": contrast(cosines),
    }


def contrast(cosines: Cosines) -> NDArray[np.float64]:
    """(L, H): mean cosine by attention less that of all visible pairs, after rotation, without the diagonal."""
    by_attention, alike = (cosines.law(rotated=True, weighted=w, diagonal=False).mean[:, 0] for w in (True, False))
    found: NDArray[np.float64] = by_attention - alike
    return found


def row_arrays(
    model: Transformer, weights: Mapping[str, Tensor], tokens: Tensor, queries: Tensor, n_rows: int
) -> Arrays:
    """`by_distance` over all sequences, `log_rows` of the first `n_rows`."""
    L, H = model.config.depth, model.geometry.heads
    shape = (L, tokens.shape[1], len(queries), tokens.shape[2])
    log_rows, by_distance = np.full(shape, LOWEST), np.zeros((L, H, tokens.shape[2]))
    distance = (queries[:, None] - torch.arange(tokens.shape[2], device=tokens.device)).cpu().numpy()
    for rows in rows_of(model, weights, tokens, queries):
        log_w = torch.log_softmax(rows.logits[0].double(), dim=-1)  # (b, H, Q, T)
        mixed = torch.logsumexp(log_w, dim=1) - np.log(H)
        log_rows[rows.block, rows.batch, rows.wanted] = mixed.clamp(min=LOWEST).cpu().numpy()
        mean = log_w.exp().sum(dim=0).cpu().numpy() / (tokens.shape[1] * len(queries))  # (H, Q, T)
        seen = distance[rows.wanted] >= 0
        for head in range(H):
            np.add.at(by_distance[rows.block, head], distance[rows.wanted][seen], mean[head][seen])
    return {"log_rows": log_rows[:, :n_rows].astype(np.float32), "by_distance": by_distance}


def heat_arrays(
    model: Transformer, weights: Mapping[str, Tensor], source: Source, seed: int, length: int, device: str
) -> NDArray[np.float32]:
    """(2, L, H, n, n): cosines before and after rotation, of every query with every key, seen or not."""
    tokens = draw_sequences(source, "probe", seed, 1, length).tokens[:, :-1].astype(np.int64)
    seen = with_begin(torch.from_numpy(tokens)[None].to(device), model.begin)
    found = np.zeros((2, model.config.depth, model.geometry.heads, length, length), dtype=np.float32)
    for one in attention_inputs(model, weights, seen, torch.arange(length, device=device)):
        q, k = one.q_EBHTK, one.k_EBHTK
        for method, parameters in one.active:
            q, k = method.qk(q, k, one.at, parameters)
        found[0, one.block] = _cosine(q, k)
        for method, parameters in one.active:
            q = method.rotate(q, one.at.queries_T, one.at, parameters)
            k = method.rotate(k, one.at.keys_T, one.at, parameters)
        found[1, one.block] = _cosine(q, k)
    return found


def _cosine(q: Tensor, k: Tensor) -> NDArray[Any]:
    unit = torch.nn.functional.normalize
    found: NDArray[Any] = (unit(q, dim=-1) @ unit(k, dim=-1).transpose(-1, -2))[0, 0].cpu().numpy()
    return found


def _views(model: Transformer, row: Tensor, device: str) -> Mapping[str, Tensor]:
    views: Mapping[str, Tensor] = model.layout.views(row[None].to(device))
    return views


def _norm_product(model: Transformer, weights: Mapping[str, Tensor], tokens: Tensor) -> NDArray[np.float64]:
    """(L, H)."""
    found = [
        one.q_EBHTK.norm(dim=-1).mean(dim=(0, 1, 3)) * one.k_EBHTK.norm(dim=-1).mean(dim=(0, 1, 3))
        for one in attention_inputs(model, weights, tokens)
    ]
    return torch.stack(found).double().cpu().numpy() / model.geometry.head_dim**0.5


def _tilted(model: Transformer, weights: Mapping[str, Tensor], tokens: Tensor, queries: Tensor, alpha: float) -> Arrays:
    """Law and mean of the attended cosine before rotation if logits were alpha cos, and the weight by distance."""
    others: tuple[Method, ...] = tuple(one for one in model.config.methods if "qk" not in one.slots)
    changed = model.with_methods((*others, CosScale(alpha=alpha)))
    law = attention_cosines(changed, weights, tokens, queries, BINS).law(rotated=False, weighted=True, diagonal=False)
    by_distance = row_arrays(changed, weights, tokens, queries, 1)["by_distance"]
    return {"mass": law.mass[:, 0].astype(np.float32), "mean": law.mean[:, 0], "by_distance": by_distance}
