"""Attention with every method's hooks: the fused kernel where methods change q and k alone, else the scores.

Axes   E member   B batch   T time   H head   K head dimension   D model dimension   M = B T
Values may be wider than queries and keys.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from testbed.methods import AttentionContext, Geometry, Method, Placement
from testbed.methods.method import Parameters

Active = list[tuple[Method, Parameters]]
"""The methods of a combination, each with its parameters in this block."""

UNFUSED_KEYS = 1024
"""Windows up to which values wider than keys go through the unfused kernel on a CPU: it is faster there."""
LARGEST_SCORES = 2**24
"""Scores that the explicit path forms at once where no gradient is wanted; beyond, it takes some queries at a time."""


@dataclass(frozen=True, eq=False)
class Bidirectional(Placement):
    """A placement in which every query sees every key."""

    sees_all: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class AttentionInputs:
    """What a block's attention is given, before any method acts on it: enough to form any of its rows again."""

    q_EBHTK: Tensor
    k_EBHTK: Tensor
    x_EBTD: Tensor
    at: Placement
    active: Active
    block: int


Watch = Callable[[AttentionInputs], None]
"""Called once a block with what its attention is given."""


def placed(
    n_keys: int,
    queries: Literal["all", "last"] | Tensor,
    geometry: Geometry,
    device: torch.device,
    positions_T: Tensor | None = None,
    causal: bool = True,
) -> Placement:
    """Queries at all places of a window of n keys, at the last, or at those given; positions 0, 1, 2, ... unless given.

    The same tensors at every call where nothing is given, so that a method can keep what it derives from them.
    """
    order_T = counting(0, n_keys, device)
    kind: Literal["all", "last", "some"]
    if isinstance(queries, Tensor):
        chosen_T, kind = queries, "some"
    else:
        kind = "all" if n_keys == 1 else queries
        chosen_T = order_T if kind == "all" else counting(n_keys - 1, n_keys, device)
    placement = Placement if causal else Bidirectional
    if positions_T is None:
        return placement(chosen_T, order_T, chosen_T, order_T, geometry, kind)
    return placement(positions_T[chosen_T], positions_T, chosen_T, order_T, geometry, kind)


@lru_cache(maxsize=256)
def counting(start: int, stop: int, device: torch.device) -> Tensor:
    """start .. stop - 1."""
    return torch.arange(start, stop, device=device)


def attend(
    q_EBHTK: Tensor,
    k_EBHTK: Tensor,
    v_EBHTK: Tensor,
    x_EBTD: Tensor,
    at: Placement,
    active: Active,
    block: int,
    watch: Watch | None = None,
) -> Tensor:
    """(E, B, H, T, K): attention of the queries over the keys that they see."""
    if watch is not None:
        watch(AttentionInputs(q_EBHTK, k_EBHTK, x_EBTD, at, active, block))
    for method, parameters in active:
        if method.overrides("values"):
            v_EBHTK = method.values(v_EBHTK, at, parameters)
    o_EBHTK = _attended(q_EBHTK, k_EBHTK, v_EBHTK, x_EBTD, at, active, block)
    for method, parameters in active:
        if method.overrides("output"):
            o_EBHTK = method.output(o_EBHTK, x_EBTD, parameters)
    return o_EBHTK


def _attended(
    q_EBHTK: Tensor, k_EBHTK: Tensor, v_EBHTK: Tensor, x_EBTD: Tensor, at: Placement, active: Active, block: int
) -> Tensor:
    """(E, B, H, T, K): the values that the queries read, as they are given."""
    E, B, H = q_EBHTK.shape[:3]
    explicit = any(method.is_explicit for method, _ in active)
    if explicit and (rows := _rows_at_once(q_EBHTK, at, active)) < len(at.query_order_T):
        parts = (slice(start, start + rows) for start in range(0, len(at.query_order_T), rows))
        attended = [
            _attended(q_EBHTK[..., part, :], k_EBHTK, v_EBHTK, x_EBTD[:, :, part], _part_of(at, part), active, block)
            for part in parts
        ]
        return torch.cat(attended, dim=-2)
    mask_TT, bias = masks_and_biases(at, active)
    q_EBHTK, k_EBHTK = scaled(q_EBHTK, k_EBHTK, x_EBTD, at, mask_TT, active)
    if explicit:
        context = AttentionContext(q_EBHTK, k_EBHTK, x_EBTD, at, visible(mask_TT, at), block)
        return weights_of(logits_of(bias, context, active), context, active) @ v_EBHTK
    if mask_TT is None and bias is None and at.n_keys == 1:
        return v_EBHTK  # a single key gets all the weight, whatever q and k are: their gradients are exactly zero
    q, k, v = (x.reshape(E * B, H, -1, x.shape[-1]) for x in (q_EBHTK, k_EBHTK, v_EBHTK))
    causal = not isinstance(at, Bidirectional)
    if mask_TT is None and bias is None and not (causal and at.queries == "some"):
        # a single query at the end sees every key; a full square needs the causal mask
        a = _fused(q, k, v, is_causal=causal and at.queries == "all")
    else:
        a = _fused(q, k, v, attn_mask=_joined(mask_TT, bias, at, q_EBHTK))
    return a.view(E, B, H, -1, v.shape[-1])


def masks_and_biases(at: Placement, active: Active) -> tuple[Tensor | None, Tensor | None]:
    """The intersection of all methods' masks, and the sum of their biases times the factors of methods that scale
    biases too; None where there is none."""
    mask_TT: Tensor | None = None
    bias: Tensor | None = None
    for method, parameters in active:
        allowed_TT = method.mask(at)
        if allowed_TT is not None:
            mask_TT = allowed_TT if mask_TT is None else mask_TT & allowed_TT
        added = method.bias(at, parameters)
        if added is not None:
            bias = added if bias is None else bias + added
    if bias is not None:
        for method, parameters in active:
            if method.scales_biases and (factor := _factor(method, parameters, at, mask_TT)) is not None:
                bias = bias * factor
    return mask_TT, bias


def scaled(
    q_EBHTK: Tensor, k_EBHTK: Tensor, x_EBTD: Tensor, at: Placement, mask_TT: Tensor | None, active: Active
) -> tuple[Tensor, Tensor]:
    """q and k after `qk`, `keys`, `rotate`, and `scale` and `query_scale`, which are folded into q."""
    for method, parameters in active:
        q_EBHTK, k_EBHTK = method.qk(q_EBHTK, k_EBHTK, at, parameters)
    k_EBHTK = _kept(k_EBHTK, at, False, active)
    for method, parameters in active:
        q_EBHTK = method.rotate(q_EBHTK, at.queries_T, at, parameters)
        k_EBHTK = method.rotate(k_EBHTK, at.keys_T, at, parameters)
        factor = _factor(method, parameters, at, mask_TT)
        if factor is not None:
            q_EBHTK = q_EBHTK * factor
        if method.overrides("query_scale"):
            of_query = method.query_scale(x_EBTD, counted(mask_TT, at), parameters)
            q_EBHTK = q_EBHTK if of_query is None else q_EBHTK * of_query
    return q_EBHTK, _kept(k_EBHTK, at, True, active)


def _kept(k_EBHTK: Tensor, at: Placement, rotated: bool, active: Active) -> Tensor:
    """The keys as methods keep them."""
    for method, parameters in active:
        if method.overrides("keys"):
            k_EBHTK = method.keys(k_EBHTK, at, rotated, parameters)
    return k_EBHTK


def _factor(method: Method, parameters: Parameters, at: Placement, mask_TT: Tensor | None) -> Tensor | None:
    """What a method's `scale` multiplies logits by, (T, 1) or broadcastable to (E, 1, H, T, 1)."""
    if not method.overrides("scale"):
        return None
    if mask_TT is None and not parameters:
        return _constant_factor(method, at.query_order_T, at.n_keys, isinstance(at, Bidirectional), at.geometry)
    return _factor_of(method, counted(mask_TT, at), at.n_keys, at.geometry, parameters)


@lru_cache(maxsize=256)
def _constant_factor(
    method: Method, query_order_T: Tensor, n_keys: int, sees_all: bool, geometry: Geometry
) -> Tensor | None:
    """The factor of a method that learns nothing; kept for each tensor of places (by identity), of which a model has
    few. In short windows its ten small operations would cost a quarter of attention."""
    n_visible_T = torch.full_like(query_order_T, n_keys) if sees_all else query_order_T + 1
    return _factor_of(method, n_visible_T, n_keys, geometry, {})


def _factor_of(
    method: Method, n_visible_T: Tensor, n_keys: int, geometry: Geometry, parameters: Parameters
) -> Tensor | None:
    counted_T = torch.full_like(n_visible_T, n_keys) if method.counts_whole_window else n_visible_T
    factor = method.scale(counted_T, method.scale_dimension(geometry), geometry.train_length, parameters)
    return factor[:, None] if factor is not None and factor.ndim == 1 else factor


def logits_of(bias: Tensor | None, context: AttentionContext, active: Active) -> Tensor:
    """(E, B, H, T, T) all scores, after every method; -inf where a key is not visible."""
    given = (method.scores(context, parameters) for method, parameters in active)
    a_EBHTT = next((a for a in given if a is not None), None)
    if a_EBHTT is None:
        a_EBHTT = context.q_EBHTK @ context.k_EBHTK.transpose(-1, -2) / math.sqrt(context.q_EBHTK.shape[-1])
    for method, parameters in active:  # positions first: they may score pairs again, without what others add
        if "position" in method.slots:
            a_EBHTT = method.logits(a_EBHTT, context, parameters)
    if bias is not None:
        a_EBHTT = a_EBHTT + bias
    for method, parameters in active:
        if "position" not in method.slots:
            a_EBHTT = method.logits(a_EBHTT, context, parameters)
    return a_EBHTT.masked_fill(~context.visible_TT, -math.inf)


def weights_of(a_EBHTT: Tensor, context: AttentionContext, active: Active) -> Tensor:
    """(E, B, H, T, T) attention weights of scores: T x T memory, only where a method or a measure asks for it."""
    normalised = (method.normalise(a_EBHTT, context, parameters) for method, parameters in active)
    w_EBHTT = next((w for w in normalised if w is not None), None)
    if w_EBHTT is None:
        w_EBHTT = a_EBHTT.softmax(dim=-1)
    for method, parameters in active:
        w_EBHTT = method.reweigh(w_EBHTT, context, parameters)
    return w_EBHTT


def visible(mask_TT: Tensor | None, at: Placement) -> Tensor:
    """(T, T) the keys that a query may see: those not after it, all in a bidirectional model, and every mask."""
    if isinstance(at, Bidirectional):
        seen_TT = torch.ones(len(at.query_order_T), at.n_keys, dtype=torch.bool, device=at.keys_T.device)
    else:
        seen_TT = at.query_order_T[:, None] >= at.key_order_T[None, :]
    return seen_TT if mask_TT is None else seen_TT & mask_TT


def counted(mask_TT: Tensor | None, at: Placement) -> Tensor:
    """(T,) how many keys each query sees."""
    if mask_TT is not None:
        return visible(mask_TT, at).sum(dim=-1)
    if isinstance(at, Bidirectional):
        return torch.full_like(at.query_order_T, at.n_keys)
    return at.query_order_T + 1


def at_places(x_EMD: Tensor, at: Placement, B: int) -> Tensor:
    """(E, B n, D): the rows of a window's n query places."""
    if at.queries == "all":
        return x_EMD
    E, _, d = x_EMD.shape
    x_EBTD = x_EMD.reshape(E, B, -1, d)
    if at.queries == "last":
        return x_EBTD[:, :, -1]
    return x_EBTD[:, :, at.query_order_T].reshape(E, -1, d)


def _rows_at_once(q_EBHTK: Tensor, at: Placement, active: Active) -> int:
    """How many queries the explicit path takes at a time."""
    if torch.is_grad_enabled() or any(method.needs_all_queries for method, _ in active):
        return len(at.query_order_T)
    E, B, H = q_EBHTK.shape[:3]
    return max(1, LARGEST_SCORES // (E * B * H * at.n_keys))


def _part_of(at: Placement, part: slice) -> Placement:
    return replace(at, queries_T=at.queries_T[part], query_order_T=at.query_order_T[part], queries="some")


def _fused(q: Tensor, k: Tensor, v: Tensor, **how: Any) -> Tensor:
    """torch's kernel. On a CPU it keeps scores in pieces for q, k, v of one size only, so long windows get it."""
    missing = v.shape[-1] - q.shape[-1]
    if missing > 0 and k.shape[-2] > UNFUSED_KEYS and q.device.type == "cpu":
        how["scale"] = q.shape[-1] ** -0.5
        q, k = F.pad(q, (0, missing)), F.pad(k, (0, missing))
    return F.scaled_dot_product_attention(q, k, v, **how)


def _joined(mask_TT: Tensor | None, bias: Tensor | None, at: Placement, q_EBHTK: Tensor) -> Tensor:
    """What is visible and the biases as one argument of the attention kernel: (T, T) or (E B, H, T, T)."""
    allowed_TT = visible(mask_TT, at)
    if bias is None:
        return allowed_TT
    E, B, H = q_EBHTK.shape[:3]
    blocked_TT = torch.zeros_like(allowed_TT, dtype=q_EBHTK.dtype).masked_fill(~allowed_TT, -math.inf)
    return (bias + blocked_TT).expand(E, B, H, *allowed_TT.shape).flatten(0, 1)
