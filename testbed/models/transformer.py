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
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from testbed.core import ConfigError
from testbed.methods import Geometry, Placement
from testbed.models.attention import Active, attend, placed
from testbed.models.config import ModelConfig
from testbed.models.flat import Layout
from testbed.models.norm import rms_norm

Calibrated = Mapping[str, Mapping[str, Tensor]]
"""By a method's type name and a value's name, the value by block: (L, E, ...)."""

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
        for method in self.config.methods:
            for name, initial in method.parameters(self.geometry).items():
                key = f"method.{method.type_name}.{name}"
                if key in weights:
                    raise ConfigError(f"methods: {method.type_name} learns parameters and can stand there once only")
                shape = (self.config.depth, *initial.shape) if initial.per_block else initial.shape
                weights[key] = (shape, initial.std, initial.mean, initial.decay)
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
        self,
        weights: Mapping[str, Tensor],
        tokens_EBT: Tensor,
        read: Literal["last", "all"] | Tensor = "last",
        positions_T: Tensor | None = None,
        calibrated: Calibrated | None = None,
    ) -> Tensor:
        """Next-token logits: (E, B, V) at the last place, or (E, B, n, V) at all of them or at the n places given.

        positions_T    positions of the window's places, where they are not 0, 1, 2, ...
        calibrated     by a method's type name, what its `calibrate` read off these weights
        """
        E, B, T = tokens_EBT.shape
        everywhere = placed(T, "all", self.geometry, tokens_EBT.device, positions_T)
        needs_all = any(method.needs_all_queries for method in self.config.methods)
        x_EMD = self._embed(weights, tokens_EBT, everywhere)
        for block in range(self.config.depth):
            at = everywhere
            if block == self.config.depth - 1 and not needs_all:
                at = placed(T, read, self.geometry, tokens_EBT.device, positions_T)
            x_EMD = self._block(weights, x_EMD, block, B, at, self._active(weights, block, calibrated))
        if needs_all:
            x_EMD = _at_places(x_EMD, placed(T, read, self.geometry, tokens_EBT.device, positions_T), B)
        if self.config.tied_head:  # scaled, so that the first logits are as wide as the embedding's entries
            head_EDV = weights["embedding"][:, :-1].transpose(1, 2) * self.config.width**-0.5
        else:
            head_EDV = weights["head"]
        z_EMV = torch.bmm(rms_norm(x_EMD), _with_gain(weights["final_norm"], head_EDV))
        return z_EMV if isinstance(read, str) and read == "last" else z_EMV.view(E, B, -1, self.vocab_size)

    def _active(self, weights: Mapping[str, Tensor], block: int | None, calibrated: Calibrated | None) -> Active:
        """Every method with its parameters in this block (None: before the first)."""
        active: Active = []
        for method in self.config.methods:
            parameters = {}
            for name, initial in method.parameters(self.geometry).items():
                weight = weights[f"method.{method.type_name}.{name}"]
                parameters[name] = weight[:, block] if initial.per_block and block is not None else weight
            for name, value_LE in (calibrated or {}).get(method.type_name, {}).items():
                parameters[name] = value_LE if block is None else value_LE[block]
            active.append((method, parameters))
        return active

    def _embed(self, weights: Mapping[str, Tensor], tokens_EBT: Tensor, at: Placement) -> Tensor:
        E, B, T = tokens_EBT.shape
        table_EVD = weights["embedding"]
        d = self.config.width
        # one lookup for all members: member e reads rows e (V + 1) and up of the stacked tables
        offset_E11 = torch.arange(E, device=tokens_EBT.device)[:, None, None] * table_EVD.shape[1]
        rows = (tokens_EBT + offset_E11).reshape(-1)
        x_EBTD = F.embedding(rows, table_EVD.reshape(-1, d)).view(E, B, T, d)
        for method, parameters in self._active(weights, None, None):
            added_ETD = method.embed(at.keys_T, parameters)
            if added_ETD is not None:
                x_EBTD = x_EBTD + added_ETD[:, None]
        return x_EBTD.reshape(E, B * T, d)

    def _block(
        self, weights: Mapping[str, Tensor], x_EMD: Tensor, block: int, B: int, at: Placement, active: Active
    ) -> Tensor:
        E, d, T = x_EMD.shape[0], self.config.width, at.n_keys
        H, K = self.config.heads, self.geometry.head_dim
        n_EMD = rms_norm(x_EMD)

        def matrix(name: str, norm: str | None = None) -> Tensor:
            w = weights[f"{block}.{name}"]
            for method, parameters in active:
                w = method.reparametrise(name, w, parameters)
            return w if norm is None else _with_gain(weights[f"{block}.{norm}"], w)

        qkv_EDD = matrix("qkv", "attention_norm")
        if at.queries != "all":
            x_EMD = _at_places(x_EMD, at, B)
            n_queries_EMD = _at_places(n_EMD, at, B)
            q = torch.bmm(n_queries_EMD, qkv_EDD[:, :, :d]).view(E, B, -1, H, K)
            k, v = torch.bmm(n_EMD, qkv_EDD[:, :, d:]).view(E, B, T, 2, H, K).unbind(3)
        else:
            n_queries_EMD = n_EMD
            q, k, v = torch.bmm(n_EMD, qkv_EDD).view(E, B, T, 3, H, K).unbind(3)
        q, k, v = (x_EBTHK.transpose(2, 3) for x_EBTHK in (q, k, v))
        a_EBHTK = attend(q, k, v, n_queries_EMD.view(E, B, -1, d), at, active, block)
        a_EMD = a_EBHTK.transpose(2, 3).reshape(E, -1, d)
        x_EMD = torch.baddbmm(x_EMD, a_EMD, matrix("attention_out"))
        hidden_EMD = F.gelu(torch.bmm(rms_norm(x_EMD), matrix("mlp_in", "mlp_norm")))
        return torch.baddbmm(x_EMD, hidden_EMD, matrix("mlp_out"))


def _at_places(x_EMD: Tensor, at: Placement, B: int) -> Tensor:
    """(E, B n, D): the rows of a window's n query places."""
    if at.queries == "all":
        return x_EMD
    E, _, d = x_EMD.shape
    x_EBTD = x_EMD.view(E, B, -1, d)
    if at.queries == "last":
        return x_EBTD[:, :, -1]
    return x_EBTD[:, :, at.query_order_T].reshape(E, -1, d)


def _with_gain(gain_ED: Tensor, matrix_EDD: Tensor) -> Tensor:
    """The norm's gain folded into the matrix that follows it: (x g) W = x (g W), at the size of W instead of x."""
    return gain_ED[:, :, None] * matrix_EDD
