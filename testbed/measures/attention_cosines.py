"""Cosines between queries and keys: the law that CosScale's theorem 3.4 speaks of, before and after rotation.

Four ways to count, all reported: before or after positions rotate q and k; every visible pair alike or by its attention
weight; with or without the diagonal, which is special where q and k share a projection.

Axes   L block   E member   B batch   H head   Q query   T key
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from testbed.measures.attention_scores import ENTRIES, Rows, rows_of
from testbed.models.transformer import Calibrated, Transformer

Floats = NDArray[np.float64]
SMOOTHING = 5
"""Bins over which the histogram is averaged before its mode is read."""


@dataclass(frozen=True, eq=False)
class CosineLaw:
    """edges (bins + 1,), mass (L, E, H, bins) summing to one, mean (L, E, H)."""

    edges: Floats
    mass: Floats
    mean: Floats

    @property
    def mode(self) -> Floats:
        """(L, E, H): the middle of the fullest bin, bins averaged over five neighbours; eta_1* of 2501.08570."""
        smooth = np.apply_along_axis(np.convolve, -1, self.mass, np.ones(SMOOTHING) / SMOOTHING, "same")
        middle = (self.edges[:-1] + self.edges[1:]) / 2
        found: Floats = middle[smooth.argmax(axis=-1)]
        return found


@dataclass(frozen=True, eq=False)
class Cosines:
    """Sums over pairs: (2 stages, 2 weightings, 2 places, L, E, H[, bins]), places off and on the diagonal."""

    edges: Floats
    mass: Floats
    total: Floats

    def law(self, *, rotated: bool, weighted: bool, diagonal: bool) -> CosineLaw:
        """The law of the cosine, counted this way. nan where no pair is counted."""
        places = slice(0, 2 if diagonal else 1)
        mass = self.mass[int(rotated), int(weighted), places].sum(axis=0)
        total = self.total[int(rotated), int(weighted), places].sum(axis=0)
        with np.errstate(invalid="ignore"):
            count = mass.sum(axis=-1)
            return CosineLaw(self.edges, mass / count[..., None], total / count)


def attention_cosines(
    model: Transformer,
    weights: Mapping[str, Tensor],
    tokens_EBT: Tensor,
    queries: Tensor | None = None,
    bins: int = 200,
    calibrated: Calibrated | None = None,
    entries: int = ENTRIES,
) -> Cosines:
    """cos(q_i, k_j) over visible pairs of these queries (all, if left out), after `qk` and after `rotate`.

    Methods that score far pairs at other positions on the explicit path (ReRoPE and its kin) rotate more than that.
    """
    shape = (2, 2, 2, model.config.depth, tokens_EBT.shape[0], model.geometry.heads)
    mass, total = np.zeros((*shape, bins)), np.zeros(shape)
    for rows in rows_of(model, weights, tokens_EBT, queries, calibrated, entries):
        seen = rows.logits.isfinite()
        diagonal = rows.at.query_order_T[:, None] == rows.at.key_order_T
        for stage, cosine in enumerate(_cosines(rows)):
            index = ((cosine + 1.0) * (bins / 2)).long().clamp(0, bins - 1)
            for weighting, w in enumerate((seen.to(cosine.dtype), rows.weights)):
                for place, there in enumerate((~diagonal, diagonal)):
                    counted = w * there
                    mass[stage, weighting, place, rows.block] += _histogram(index, counted, bins)
                    total[stage, weighting, place, rows.block] += _over_pairs(counted * cosine)
    return Cosines(np.linspace(-1.0, 1.0, bins + 1), mass, total)


def _cosines(rows: Rows) -> tuple[Tensor, Tensor]:
    """(E, b, H, Q, T) before and after rotation."""
    q, k = rows.q_EBHQK, rows.k_EBHTK
    for method, parameters in rows.active:
        q, k = method.qk(q, k, rows.at, parameters)
    before = _cosine(q, k)
    for method, parameters in rows.active:
        q = method.rotate(q, rows.at.queries_T, rows.at, parameters)
        k = method.rotate(k, rows.at.keys_T, rows.at, parameters)
    return before, _cosine(q, k)


def _cosine(q: Tensor, k: Tensor) -> Tensor:
    return F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-1, -2)


def _histogram(index: Tensor, counted: Tensor, bins: int) -> Floats:
    """(E, H, bins)."""
    E, _, H = index.shape[:3]
    head = torch.arange(E * H, device=index.device).view(E, 1, H, 1, 1) * bins
    found = torch.bincount((index + head).flatten(), counted.double().flatten(), E * H * bins)
    return found.view(E, H, bins).cpu().numpy()


def _over_pairs(values: Tensor) -> Floats:
    """(E, H)."""
    found: Floats = values.double().sum(dim=(1, 3, 4)).cpu().numpy()
    return found
