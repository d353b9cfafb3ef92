"""The residual stream of a transformer before its first block and after each of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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

    Raises ValueError for gated blocks, which have a norm in place of a plain stream.
    """
    import torch

    from testbed.models.transformer import Transformer

    if model.config.block != "standard":
        raise ValueError(f"block: given {model.config.block}, residual streams are those of standard blocks")

    class Recorder(Transformer):
        """The model itself, keeping what goes into its first block and what each leaves."""

        def _block(self, weights: Any, x_EMD: Any, *rest: Any, **named: Any) -> Any:
            kept.extend([] if kept else [x_EMD])
            kept.append(super()._block(weights, x_EMD, *rest, **named))
            return kept[-1]

    recorder = Recorder(model.config, model.vocab_size, model.geometry.train_length)
    device = weights["embedding"].device
    rows = max(1, POSITIONS // (tokens.shape[1] + 1))
    parts = []
    with torch.no_grad():
        for first in range(0, len(tokens), rows):
            seen = torch.from_numpy(tokens[first : first + rows].astype(np.int64)).to(device)
            begin = torch.full((len(seen), 1), model.begin, dtype=torch.int64, device=device)
            kept: list[Any] = []
            recorder.logits(weights, torch.cat([begin, seen], dim=1)[None], "all")
            parts.append(np.stack([x_EMD[0].view(len(seen), seen.shape[1] + 1, -1).cpu().numpy() for x_EMD in kept]))
    return np.concatenate(parts, axis=1)
