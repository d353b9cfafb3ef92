"""The residual stream of a transformer before its first block and after each of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.measures.features.final_layer import POSITIONS

if TYPE_CHECKING:
    import torch

    from testbed.models.transformer import Transformer


def residual_streams(
    model: "Transformer", weights: Mapping[str, "torch.Tensor"], tokens: NDArray[np.integer]
) -> NDArray[np.float32]:
    """(depth + 1, N, L + 1, D): x_0 the embedding, x_k the stream that block k leaves, with no norm applied.

    tokens      (N, L); place t of a stream has seen the begin symbol and the first t tokens
    weights     views of one member, (1, ...) each

    Raises ValueError for gated blocks, which have a norm in place of a plain stream, and for calibrated methods.
    """
    import torch

    if model.config.block != "standard":
        raise ValueError(f"block: given {model.config.block}, residual streams are those of standard blocks")
    if model.calibrated_methods:
        raise ValueError(f"methods: {', '.join(sorted(model.calibrated_methods))} would have to be calibrated first")
    device = weights["embedding"].device
    rows = max(1, POSITIONS // (tokens.shape[1] + 1))
    parts = []
    with torch.no_grad():
        for first in range(0, max(len(tokens), 1), rows):
            seen = torch.from_numpy(tokens[first : first + rows].astype(np.int64)).to(device)
            begin = torch.full((len(seen), 1), model.begin, dtype=torch.int64, device=device)
            parts.append(_streams(model, weights, torch.cat([begin, seen], dim=1)[None]))
    return np.concatenate(parts, axis=1)


def _streams(
    model: "Transformer", weights: Mapping[str, "torch.Tensor"], tokens_EBT: "torch.Tensor"
) -> NDArray[np.float32]:
    """(depth + 1, B, T, D), by the model's own steps: what `logits` does, with every stream kept."""
    _, n, length = tokens_EBT.shape
    at = model._placed(length, "all", tokens_EBT, None)
    x_EMD = model._embed(weights, tokens_EBT, at)
    kept = [x_EMD]
    for block in range(model.config.depth):
        x_EMD = model._block(weights, x_EMD, block, n, at, model._active(weights, block, None), None)
        kept.append(x_EMD)
    return np.stack([x[0].view(n, length, -1).cpu().numpy() for x in kept])
