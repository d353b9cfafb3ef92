"""The decoder transformer with a leading member axis: E models at once, and one model as E = 1.

Axes   E member   B batch   T time   H head   K head dimension   D model dimension   M = B T   V vocabulary
Choices
    pre-norm blocks, RMS norm with a gain, no biases
    attention and MLP (GELU) in sequence, residual stream of width D
    token V is the begin symbol: every window starts with it
    every weight is (E, in, out) and every product a batched matrix product over E
    scores are computed by the fused kernel; methods fold into q and k where they can
    where only the last position is read, the last block computes queries, MLP and head there alone
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from testbed.methods import AttentionContext, Geometry
from testbed.models.config import ModelConfig
from testbed.models.flat import Layout
from testbed.models.norm import rms_norm

EMBEDDING_STD = 0.5
HEAD_STD = 0.02  # near zero: training starts from the uniform law


class Transformer:
    """The function from weights and windows to logits; it holds no weights itself."""

    def __init__(self, config: ModelConfig, vocab_size: int, train_length: int) -> None:
        self.config = config
        self.vocab_size = vocab_size
        self.begin = vocab_size
        self.geometry: Geometry = config.geometry(train_length)
        self.layout = Layout(self._weights())

    def _weights(self) -> dict[str, tuple[tuple[int, ...], float, float, bool]]:
        """name -> (shape, std, mean, decay). Matrices start at variance 1 / fan-in, those that write into the residual
        stream smaller by another factor 2 depth (Radford et al. 2019)."""
        d, hidden = self.config.width, self.config.mlp_ratio * self.config.width
        shrink = 1.0 / math.sqrt(2 * self.config.depth)
        weights: dict[str, tuple[tuple[int, ...], float, float, bool]] = {
            "embedding": ((self.vocab_size + 1, d), EMBEDDING_STD, 0.0, False)
        }
        for number, method in enumerate(self.config.methods):
            for name, initial in method.parameters(self.geometry).items():
                weights[f"method.{number}.{name}"] = (initial.shape, initial.std, initial.mean, initial.decay)
        for block in range(self.config.depth):
            weights |= {
                f"{block}.attention_norm": ((d,), 0.0, 1.0, False),
                f"{block}.qkv": ((d, 3 * d), d**-0.5, 0.0, True),
                f"{block}.attention_out": ((d, d), shrink * d**-0.5, 0.0, True),
                f"{block}.mlp_norm": ((d,), 0.0, 1.0, False),
                f"{block}.mlp_in": ((d, hidden), d**-0.5, 0.0, True),
                f"{block}.mlp_out": ((hidden, d), shrink * hidden**-0.5, 0.0, True),
            }
        weights["final_norm"] = ((d,), 0.0, 1.0, False)
        if not self.config.tied_head:
            weights["head"] = ((d, self.vocab_size), HEAD_STD, 0.0, True)
        return weights

    def logits(
        self, weights: Mapping[str, Tensor], tokens_EBT: Tensor, read: Literal["last", "all"] = "last"
    ) -> Tensor:
        """Next-token logits: (E, B, V) at the last position, or (E, B, T, V) at all of them."""
        E, B, T = tokens_EBT.shape
        method_weights = self._method_weights(weights)
        positions_T = _positions(0, T, tokens_EBT.device)
        x_EMD = self._embed(weights, tokens_EBT, positions_T, method_weights)
        for block in range(self.config.depth):
            last_only = read == "last" and block == self.config.depth - 1
            x_EMD = self._block(weights, x_EMD, block, B, T, positions_T, method_weights, last_only)
        if self.config.tied_head:  # scaled, so that the first logits are as wide as the embedding's entries
            head_EDV = weights["embedding"][:, :-1].transpose(1, 2) * self.config.width**-0.5
        else:
            head_EDV = weights["head"]
        z_EMV = torch.bmm(rms_norm(x_EMD), _with_gain(weights["final_norm"], head_EDV))
        return z_EMV if read == "last" else z_EMV.view(E, B, T, self.vocab_size)

    def _method_weights(self, weights: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        prefixes = [f"method.{number}." for number in range(len(self.config.methods))]
        return [{name[len(p) :]: w for name, w in weights.items() if name.startswith(p)} for p in prefixes]

    def _embed(
        self,
        weights: Mapping[str, Tensor],
        tokens_EBT: Tensor,
        positions_T: Tensor,
        method_weights: list[dict[str, Tensor]],
    ) -> Tensor:
        E, B, T = tokens_EBT.shape
        table_EVD = weights["embedding"]
        d = self.config.width
        # one lookup for all members: member e reads rows e (V + 1) and up of the stacked tables
        offset_E11 = torch.arange(E, device=tokens_EBT.device)[:, None, None] * table_EVD.shape[1]
        rows = (tokens_EBT + offset_E11).reshape(-1)
        x_EBTD = F.embedding(rows, table_EVD.reshape(-1, d)).view(E, B, T, d)
        for method, parameters in zip(self.config.methods, method_weights, strict=True):
            added_ETD = method.embed(positions_T, parameters)
            if added_ETD is not None:
                x_EBTD = x_EBTD + added_ETD[:, None]
        return x_EBTD.reshape(E, B * T, d)

    def _block(
        self,
        weights: Mapping[str, Tensor],
        x_EMD: Tensor,
        block: int,
        B: int,
        T: int,
        positions_T: Tensor,
        method_weights: list[dict[str, Tensor]],
        last_only: bool,
    ) -> Tensor:
        E, d = x_EMD.shape[0], self.config.width
        H, K = self.config.heads, self.geometry.head_dim
        n_EMD = rms_norm(x_EMD)
        qkv_EDD = _with_gain(weights[f"{block}.attention_norm"], weights[f"{block}.qkv"])
        queries_T = positions_T
        if last_only and T > 1:
            x_EMD = x_EMD.view(E, B, T, d)[:, :, -1]
            last_EBD = n_EMD.view(E, B, T, d)[:, :, -1]
            q = torch.bmm(last_EBD, qkv_EDD[:, :, :d]).view(E, B, 1, H, K)
            k, v = torch.bmm(n_EMD, qkv_EDD[:, :, d:]).view(E, B, T, 2, H, K).unbind(3)
            queries_T = _positions(T - 1, T, positions_T.device)
        else:
            q, k, v = torch.bmm(n_EMD, qkv_EDD).view(E, B, T, 3, H, K).unbind(3)
        q, k, v = (x_EBTHK.transpose(2, 3) for x_EBTHK in (q, k, v))
        a_EBHTK = self._attend(q, k, v, queries_T, positions_T, method_weights)
        a_EMD = a_EBHTK.transpose(2, 3).reshape(E, -1, d)
        x_EMD = torch.baddbmm(x_EMD, a_EMD, weights[f"{block}.attention_out"])
        mlp_in_EDD = _with_gain(weights[f"{block}.mlp_norm"], weights[f"{block}.mlp_in"])
        hidden_EMD = F.gelu(torch.bmm(rms_norm(x_EMD), mlp_in_EDD))
        return torch.baddbmm(x_EMD, hidden_EMD, weights[f"{block}.mlp_out"])

    def _attend(
        self,
        q_EBHTK: Tensor,
        k_EBHTK: Tensor,
        v_EBHTK: Tensor,
        queries_T: Tensor,
        keys_T: Tensor,
        method_weights: list[dict[str, Tensor]],
    ) -> Tensor:
        """Causal attention of queries at `queries_T` over keys at `keys_T`, with every method's hooks."""
        E, B, H, _, K = q_EBHTK.shape
        mask_TT: Tensor | None = None
        bias: Tensor | None = None
        for method, parameters in zip(self.config.methods, method_weights, strict=True):
            q_EBHTK = method.rotate(q_EBHTK, queries_T, parameters)
            k_EBHTK = method.rotate(k_EBHTK, keys_T, parameters)
            factor = method.scale(queries_T + 1, K, self.geometry.train_length, parameters)
            if factor is not None:
                q_EBHTK = q_EBHTK * (factor[:, None] if factor.ndim == 1 else factor)
            allowed_TT = method.mask(queries_T, keys_T)
            if allowed_TT is not None:
                mask_TT = allowed_TT if mask_TT is None else mask_TT & allowed_TT
            added = method.bias(queries_T, keys_T, parameters)
            if added is not None:
                bias = added if bias is None else bias + added
        if any(method.is_explicit for method in self.config.methods):
            visible_TT = _visible(mask_TT, queries_T, keys_T)
            context = AttentionContext(q_EBHTK, k_EBHTK, queries_T, keys_T, visible_TT, self.geometry)
            return self._attend_explicitly(v_EBHTK, bias, context, method_weights)
        if mask_TT is None and bias is None and len(keys_T) == 1:
            return v_EBHTK  # a single key gets all the weight, whatever q and k are: their gradients are exactly zero
        q, k, v = (x.reshape(E * B, H, -1, K) for x in (q_EBHTK, k_EBHTK, v_EBHTK))
        if mask_TT is None and bias is None:
            # a single query at the end sees every key; a full square needs the causal mask
            a = F.scaled_dot_product_attention(q, k, v, is_causal=len(queries_T) > 1)
        else:
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=_joined(mask_TT, bias, queries_T, keys_T, q_EBHTK))
        return a.view(E, B, H, -1, K)

    def _attend_explicitly(
        self, v_EBHTK: Tensor, bias: Tensor | None, context: AttentionContext, method_weights: list[dict[str, Tensor]]
    ) -> Tensor:
        """Attention whose scores the methods see and change: T x T memory, only where a method asks for it."""
        pairs = list(zip(self.config.methods, method_weights, strict=True))
        a_EBHTT = context.q_EBHTK @ context.k_EBHTK.transpose(-1, -2) / math.sqrt(context.q_EBHTK.shape[-1])
        if bias is not None:
            a_EBHTT = a_EBHTT + bias
        for method, parameters in pairs:
            a_EBHTT = method.logits(a_EBHTT, context, parameters)
        a_EBHTT = a_EBHTT.masked_fill(~context.visible, -math.inf)
        normalised = (method.normalise(a_EBHTT, context, parameters) for method, parameters in pairs)
        w_EBHTT = next((w for w in normalised if w is not None), None)
        if w_EBHTT is None:
            w_EBHTT = a_EBHTT.softmax(dim=-1)
        for method, parameters in pairs:
            w_EBHTT = method.reweigh(w_EBHTT, context, parameters)
        return w_EBHTT @ v_EBHTK


@lru_cache(maxsize=256)
def _positions(start: int, stop: int, device: torch.device) -> Tensor:
    """start .. stop - 1, the same tensor at every call, so that a method can keep what it derives from it."""
    return torch.arange(start, stop, device=device)


def _with_gain(gain_ED: Tensor, matrix_EDD: Tensor) -> Tensor:
    """The norm's gain folded into the matrix that follows it: (x g) W = x (g W), at the size of W instead of x."""
    return gain_ED[:, :, None] * matrix_EDD


def _visible(mask_TT: Tensor | None, queries_T: Tensor, keys_T: Tensor) -> Tensor:
    """(T, T) the keys that a query may see: those not after it, and every method's mask."""
    causal_TT = queries_T[:, None] >= keys_T[None, :]
    return causal_TT if mask_TT is None else causal_TT & mask_TT


def _joined(mask_TT: Tensor | None, bias: Tensor | None, queries_T: Tensor, keys_T: Tensor, q_EBHTK: Tensor) -> Tensor:
    """Causal mask, methods' masks and biases as one argument of the attention kernel: (T, T) or (E B, H, T, T)."""
    allowed_TT = _visible(mask_TT, queries_T, keys_T)
    if bias is None:
        return allowed_TT
    E, B, H = q_EBHTK.shape[:3]
    blocked_TT = torch.zeros_like(allowed_TT, dtype=q_EBHTK.dtype).masked_fill(~allowed_TT, -math.inf)
    return (bias + blocked_TT).expand(E, B, H, *allowed_TT.shape).flatten(0, 1)
