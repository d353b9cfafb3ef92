"""The features of a transformer's last layer: what its readout matrix is given."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from testbed.models.transformer import Transformer

POSITIONS = 65_536
"""Positions of one forward pass."""


def final_features(
    model: "Transformer", weights: Mapping[str, "torch.Tensor"], tokens: NDArray[np.integer]
) -> NDArray[np.float32]:
    """(N, L + 1, D): the normalised last residual stream, with its gain, behind the begin symbol and each token.

    tokens      (N, L); row t of a sequence's features has seen its first t tokens
    weights     views of one member, (1, ...) each

    The logits are these features times the readout matrix, here the identity: so no path of its own is needed.
    Raises ValueError for gated blocks, whose last layer is another.
    """
    import torch

    from testbed.models.transformer import Transformer

    config = model.config
    if config.block != "standard":
        raise ValueError(f"block: given {config.block}, features are those of standard blocks")
    plain = config.replace(tied_head=False, head_scale=None, head_bias=False)
    reader = Transformer(plain, config.width, model.geometry.train_length)
    device = weights["embedding"].device
    given = {**weights, "head": torch.eye(config.width, device=device)[None]}
    rows = max(1, POSITIONS // (tokens.shape[1] + 1))
    parts = []
    with torch.no_grad():
        for first in range(0, len(tokens), rows):
            seen = torch.from_numpy(tokens[first : first + rows].astype(np.int64)).to(device)
            begin = torch.full((len(seen), 1), model.begin, dtype=torch.int64, device=device)
            parts.append(reader.logits(given, torch.cat([begin, seen], dim=1)[None], "all")[0].cpu().numpy())
    return np.concatenate(parts)
