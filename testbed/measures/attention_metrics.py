"""What can be said of one row of attention: its weights, its logits, and how far its keys stand from the query.

Rows lie along the last axis, one entry a key; leading axes are free. Invisible keys have weight 0 and logit -inf.
Entropies are in nats. Measures of weights as a law (entropy, width) are nan where the row is none: an entry below zero,
or a sum that is not one, as with affine attention.
"""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

SUM_TOLERANCE = 1e-3


def is_law(weights: Tensor) -> Tensor:
    """(...,) bool: no weight is negative, and they sum to one."""
    return (weights.amin(dim=-1) >= 0) & ((weights.sum(dim=-1) - 1.0).abs() < SUM_TOLERANCE)


def entropy(weights: Tensor) -> Tensor:
    """(...,): H = -sum p ln p, nats."""
    found = torch.special.entr(weights.clamp(min=0.0)).sum(dim=-1)
    return found.masked_fill(~is_law(weights), float("nan"))


def concentration(weights: Tensor) -> Tensor:
    """(...,): sum p^2, the inverse of the participation ratio."""
    return weights.square().sum(dim=-1)


def two_largest(weights: Tensor) -> tuple[Tensor, Tensor]:
    """(...,) twice: the largest entry and the second largest; 0 for a second that is not there."""
    if weights.shape[-1] == 1:
        return weights[..., 0], torch.zeros_like(weights[..., 0])
    top = weights.topk(2, dim=-1).values
    return top[..., 0], top[..., 1]


def logit_std(logits: Tensor) -> Tensor:
    """(...,): standard deviation sigma of the row's visible logits (divided by their number)."""
    seen = logits.isfinite()
    n = seen.sum(dim=-1)
    mean = torch.where(seen, logits, 0.0).sum(dim=-1, keepdim=True) / n[..., None]
    return (torch.where(seen, logits - mean, 0.0).square().sum(dim=-1) / n).sqrt()


def critical_scale_and_gap(logits: Tensor) -> tuple[Tensor, Tensor]:
    """(...,) twice: Lambda = max over j >= 2 of ln j / t_(j), t_(j) the j-th smallest gap to the largest logit, and
    t_(2), the gap of the two largest (Hayase & Karakida 2026, 2605.12697). 0 and infinity where one key is visible.
    """
    ordered = logits.sort(dim=-1, descending=True).values
    gaps = ordered[..., :1] - ordered[..., 1:]
    if gaps.shape[-1] == 0:
        return torch.zeros_like(logits[..., 0]), torch.full_like(logits[..., 0], float("inf"))
    counts = torch.arange(2, logits.shape[-1] + 1, device=logits.device, dtype=logits.dtype)
    return (counts.log() / gaps).amax(dim=-1), gaps[..., 0]


def mass_by_distance(weights: Tensor, distances: Tensor) -> Tensor:
    """(..., Q, D): weight on the keys at each distance |query - key| = 0 .. D - 1; `distances` (Q, T) integers."""
    index = distances.abs()
    found = weights.new_zeros(*weights.shape[:-1], int(index.max()) + 1)
    return found.scatter_add_(-1, index.expand(weights.shape), weights)


def window_mass(by_distance: Tensor, reach: int) -> Tensor:
    """(...,): W_w, the weight within distance `reach` = w on either side, from `mass_by_distance`."""
    return by_distance[..., : reach + 1].sum(dim=-1)


def mass_width(by_distance: Tensor, mass: float = 0.9) -> Tensor:
    """(...,): the least w that holds this much of the weight, from `mass_by_distance`."""
    short = by_distance.cumsum(dim=-1) < mass - 1e-6  # rounding does not push a full window out by one
    found = short.sum(dim=-1).to(by_distance.dtype)
    return found.masked_fill(~is_law(by_distance), float("nan"))


def shape_drift(weights_m: Tensor, weights_n: Tensor, originals: Tensor) -> Tensor:
    """(...,): KL(p_m || p_n restricted to the originals and renormalised), nats: how attention among the original
    keys changes as others join them.

    weights_m (..., m) over the originals alone, weights_n (..., n) over all keys, `originals` (m,) their places in the
    longer row. Infinite where an original loses all its weight. The mass they keep, F_n, is another measure.
    """
    before, after = weights_m.double(), weights_n.double()[..., originals]
    after = after / after.sum(dim=-1, keepdim=True)
    ratio = torch.where(before > 0, before / after, 1.0)
    return (before * ratio.log()).sum(dim=-1)


def entropy_slope(n_keys: ArrayLike, entropies: ArrayLike) -> float:
    """b_H: least-squares slope of H on ln n; 0 for length-invariant attention, 1 for attention that spreads with n.

    >>> round(entropy_slope([64, 256, 1024], [3.0, 3.0 + 0.25 * np.log(4), 3.0 + 0.25 * np.log(16)]), 6)
    0.25
    """
    x = np.log(np.asarray(n_keys, dtype=np.float64))
    y: NDArray[np.float64] = np.asarray(entropies, dtype=np.float64)
    return float(np.polyfit(x, y, 1)[0])


def train_length_tax(excess: float, baseline_excess: float) -> float:
    """What a method costs where nothing need be extrapolated: its KL at the training length less that of the plain
    model there, nats."""
    return excess - baseline_excess
