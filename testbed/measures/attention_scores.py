"""A model's attention rows, formed again in pieces: logits and weights of chosen queries, never T x T at once.

The forward pass takes its usual path; each block's q, k and x are kept, and the rows wanted are formed from them by the
functions that the explicit path uses. Methods whose later queries depend on earlier ones need all rows of a sequence.

Axes   L block   E member   B batch   H head   Q query   T key   K head dimension
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from testbed.core import ConfigError
from testbed.models.attention import (
    Active,
    AttentionContext,
    AttentionInputs,
    Placement,
    logits_of,
    masks_and_biases,
    placed,
    scaled,
    visible,
    weights_of,
)
from testbed.models.transformer import Calibrated, Transformer

ENTRIES = 2**23
"""Numbers that one piece of rows may hold."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of one block.

    batch, wanted       which sequences, and which of the queries asked for
    q_EBHQK, k_EBHTK    queries at these places and all keys, as projected: before any method
    at, active          where they stand, and the methods with their parameters
    logits, weights     (E, b, H, Q, T) after every method; -inf and 0 where invisible
    """

    block: int
    batch: slice
    wanted: slice
    q_EBHQK: Tensor
    k_EBHTK: Tensor
    at: Placement
    active: Active
    logits: Tensor
    weights: Tensor


@torch.no_grad()
def attention_inputs(
    model: Transformer,
    weights: Mapping[str, Tensor],
    tokens_EBT: Tensor,
    queries_Q: Tensor | None = None,
    calibrated: Calibrated | None = None,
) -> list[AttentionInputs]:
    """What each block's attention is given; the last block may have the queries asked for alone."""
    found: list[AttentionInputs] = []
    if queries_Q is None:
        model.logits(weights, tokens_EBT, "all", calibrated=calibrated, watch=found.append)
    else:
        places_Q = queries_Q.to(tokens_EBT.device)
        model.logits(weights, tokens_EBT, places_Q, calibrated=calibrated, watch=found.append)
    return found


@torch.no_grad()
def rows_of(
    model: Transformer,
    weights: Mapping[str, Tensor],
    tokens_EBT: Tensor,
    queries_Q: Tensor | None = None,
    calibrated: Calibrated | None = None,
    entries: int = ENTRIES,
) -> Iterator[Rows]:
    """The rows of the queries at these places (all, if left out), block by block. Tokens begin with the begin symbol.

    model           with the methods to look at: `model.with_methods` for others than the weights were trained with
    entries         numbers that one piece may hold
    """
    E, B, T = tokens_EBT.shape
    every_T = torch.arange(T, device=tokens_EBT.device)
    wanted_Q = every_T if queries_Q is None else queries_Q.to(tokens_EBT.device)
    if len(wanted_Q) == 0 or int(wanted_Q.min()) < 0 or int(wanted_Q.max()) >= T:
        raise ConfigError(f"queries: given {wanted_Q.tolist()}, need places in 0 .. {T - 1}")
    whole = any(method.needs_all_queries for method in model.config.methods)
    formed_Q = every_T if whole else wanted_Q
    room = max(1, entries // (E * model.geometry.heads * T))  # rows of one sequence that fit
    rows = len(formed_Q) if whole else min(len(formed_Q), room)
    sequences = max(1, room // rows)
    for inputs in attention_inputs(model, weights, tokens_EBT, queries_Q, calibrated):
        all_there = inputs.at.queries != "some"
        q = inputs.q_EBHTK[..., formed_Q, :] if all_there else inputs.q_EBHTK
        x = inputs.x_EBTD[:, :, formed_Q] if all_there else inputs.x_EBTD
        for batch in (slice(first, first + sequences) for first in range(0, B, sequences)):
            k = inputs.k_EBHTK[:, batch]
            for piece in (slice(start, start + rows) for start in range(0, len(formed_Q), rows)):
                at = _placed(model, formed_Q[piece], T)
                mask_TT, bias = masks_and_biases(at, inputs.active)
                shown_x = x[:, batch, piece]
                used = scaled(q[:, batch, :, piece], k, shown_x, at, mask_TT, inputs.active)
                context = AttentionContext(*used, shown_x, at, visible(mask_TT, at), inputs.block)
                logits = logits_of(bias, context, inputs.active)
                w = weights_of(logits, context, inputs.active)
                if whole:  # all were formed, some were asked for
                    at, piece = _placed(model, wanted_Q, T), slice(0, len(wanted_Q))
                    logits, w, shown = logits[..., wanted_Q, :], w[..., wanted_Q, :], q[:, batch][..., wanted_Q, :]
                else:
                    shown = q[:, batch, :, piece]
                yield Rows(inputs.block, batch, piece, shown, k, at, inputs.active, logits, w)


def _placed(model: Transformer, queries_Q: Tensor, n_keys: int) -> Placement:
    return placed(n_keys, queries_Q, model.geometry, queries_Q.device, causal=model.config.causal)
