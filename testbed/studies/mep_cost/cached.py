"""Decoding with kept keys and values: of a model of 2T, and within the windows of a model of T."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from testbed.models.rms_norm import rms_norm
from testbed.models.transformer import Transformer


class CachedDecoder:
    """One member of a standard transformer without positions, a token at a time.

    weights   the member's views, with a leading axis of one
    longest   tokens that the cache holds, the begin symbol included
    """

    def __init__(self, model: Transformer, weights: Mapping[str, Tensor], batch: int, longest: int) -> None:
        config = model.config
        self.heads, self.head_dim, self.depth = config.heads, model.geometry.head_dim, config.depth
        self.embedding = weights["embedding"][0]
        gain = {
            name: weights[name][0, :, None] for name in weights if name.endswith("norm")
        }  # folded into the matrix that follows
        self.blocks = [
            (
                gain[f"{i}.attention_norm"] * weights[f"{i}.qkv"][0],
                weights[f"{i}.attention_out"][0],
                gain[f"{i}.mlp_norm"] * weights[f"{i}.mlp_in"][0],
                weights[f"{i}.mlp_out"][0],
            )
            for i in range(self.depth)
        ]
        self.head = gain["final_norm"] * weights["head"][0]
        shape = (self.depth, 2, batch, self.heads, longest, self.head_dim)
        self.cache = torch.empty(shape, device=self.embedding.device)
        self.seen = 0

    def read(self, tokens_BT: Tensor) -> Tensor:
        """(B, V) logits of the token after these; they are read at once, and what was seen before is forgotten."""
        x = self.embedding[tokens_BT]
        B, T = tokens_BT.shape
        self.seen = T
        for i, (qkv, out, mlp_in, mlp_out) in enumerate(self.blocks):
            q, k, v = (rms_norm(x) @ qkv).view(B, T, 3, self.heads, self.head_dim).permute(2, 0, 3, 1, 4)
            self.cache[i, 0, :, :, :T], self.cache[i, 1, :, :, :T] = k, v
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + attended.transpose(1, 2).reshape(B, T, -1) @ out
            x = x + F.gelu(rms_norm(x) @ mlp_in) @ mlp_out
        return rms_norm(x[:, -1]) @ self.head

    def step(self, tokens_B: Tensor) -> Tensor:
        """(B, V) logits of the token after these; they join what was seen."""
        x = self.embedding[tokens_B]
        at, self.seen = self.seen, self.seen + 1
        for i, (qkv, out, mlp_in, mlp_out) in enumerate(self.blocks):
            q, k, v = (rms_norm(x) @ qkv).view(len(x), 3, self.heads, self.head_dim).unbind(1)
            keys, values = self.cache[i, 0], self.cache[i, 1]
            keys[:, :, at], values[:, :, at] = k, v
            scores = (keys[:, :, : self.seen] @ q[..., None])[..., 0] / math.sqrt(self.head_dim)
            attended = (scores.softmax(dim=-1)[:, :, None] @ values[:, :, : self.seen])[:, :, 0]
            x = x + attended.reshape(len(x), -1) @ out
            x = x + F.gelu(rms_norm(x) @ mlp_in) @ mlp_out
        return rms_norm(x) @ self.head
