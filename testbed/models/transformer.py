"""The transformer with a leading member axis: E models at once, and one model as E = 1.

Axes   E member   B batch   T time   H head   K head dimension   D model dimension   M = B T   V vocabulary
Choices
    pre-norm blocks, RMS norm with a gain, no biases but one at the head if asked for (gated attention units instead:
    see gau.py)
    attention and MLP (GELU) in sequence, or attention alone, residual stream of width D
    other norms and activations where the config names them
    causal, unless the config says that every query sees every key
    token V is the begin symbol: every window starts with it; V + 1 hides a token, in models for masked tokens
    every weight is (E, in, out) and every product a batched matrix product over E
    scores are computed by the fused kernel; methods fold into q and k where they can
    where only the last position is read, the last block computes queries, MLP and head there alone
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from testbed.core import ConfigError
from testbed.methods import Geometry, Initial, Placement
from testbed.models.attention import Active, Watch, at_places, attend, placed
from testbed.models.config import ModelConfig
from testbed.models.flat import Layout, Weights
from testbed.models.gau import gated_block, gated_weights
from testbed.models.rms_norm import rms_norm

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
        self.mask = vocab_size + 1 if config.mask_symbol else None
        self.geometry: Geometry = config.geometry(train_length)
        self.calibrated_methods = frozenset(one.type_name for one in config.methods if one.is_calibrated)
        self.layout = Layout(self._weights())

    def _weights(self) -> Weights:
        n_symbols = self.vocab_size + 1 + self.config.mask_symbol
        std = self.config.initial_std
        weights: Weights = {
            "embedding": Initial((n_symbols, self.config.width), self.config.embedding_std or std or EMBEDDING_STD)
        }
        for method in self.config.methods:
            for name, initial in method.parameters(self.geometry).items():
                key = f"method.{method.type_name}.{name}"
                if key in weights:
                    raise ConfigError(f"methods: {method.type_name} learns parameters and can stand there once only")
                several = (self.config.depth, *initial.shape) if initial.per_block else initial.shape
                weights[key] = replace(initial, shape=several)
        gated = self.config.block == "gau"
        for block in range(self.config.depth):
            weights |= gated_weights(self.config, block) if gated else _standard_weights(self.config, block)
        if not gated:
            weights |= _norm_weights(self.config, "final_norm")
        if not self.config.tied_head:
            weights["head"] = Initial((self.config.width, self.vocab_size), std or HEAD_STD, decay=True)
        if self.config.head_bias:
            weights["head_bias"] = Initial((self.vocab_size,), std=0.0)
        return weights

    def with_methods(self, methods: Iterable[Any]) -> "Transformer":
        """The same model with other attention methods, to be run on this one's weights; `train_length` stays.

        Raises ConfigError where the two do not learn the same parameters.
        """
        config = self.config.replace(methods=tuple(methods))
        changed = Transformer(config, self.vocab_size, self.geometry.train_length)
        ours, theirs = _learned(self.layout), _learned(changed.layout)
        if ours != theirs:
            missing, added = sorted(ours - theirs), sorted(theirs - ours)
            parts = [f"{what} {', '.join(names)}" for what, names in (("not", missing), ("newly", added)) if names]
            raise ConfigError(
                f"methods: {', '.join(one.type_name for one in config.methods) or 'none'} cannot replace those of a"
                f" trained model, they learn {' and '.join(parts)}"
            )
        return changed

    def logits(
        self,
        weights: Mapping[str, Tensor],
        tokens_EBT: Tensor,
        read: Literal["last", "all"] | Tensor = "last",
        positions_T: Tensor | None = None,
        calibrated: Calibrated | None = None,
        watch: Watch | None = None,
        training: bool = False,
    ) -> Tensor:
        """Next-token logits: (E, B, V) at the last place, or (E, B, n, V) at all of them or at the n places given.

        positions_T    positions of the window's places, where they are not 0, 1, 2, ...
        calibrated     by a method's type name, what its `calibrate` read off these weights
        watch          shown what each block's attention is given
        training       whether norms take and keep the statistics of these windows
        """
        if not self.calibrated_methods <= (calibrated or {}).keys():
            names = ", ".join(sorted(self.calibrated_methods))
            raise ConfigError(f"methods: {names} is read off a trained model; train without, then calibrate")
        E, B, T = tokens_EBT.shape
        everywhere = self._placed(T, "all", tokens_EBT, positions_T)
        needs_all = any(method.needs_all_queries for method in self.config.methods)
        x_EMD = self._embed(weights, tokens_EBT, everywhere)
        for block in range(self.config.depth):
            at = everywhere
            if block == self.config.depth - 1 and not needs_all:
                at = self._placed(T, read, tokens_EBT, positions_T)
            x_EMD = self._block(weights, x_EMD, block, B, at, self._active(weights, block, calibrated), watch, training)
        if needs_all:
            x_EMD = at_places(x_EMD, self._placed(T, read, tokens_EBT, positions_T), B)
        if self.config.tied_head:  # scaled, so that the first logits are as wide as the embedding's entries
            scale = self.config.head_scale or self.config.width**-0.5
            head_EDV = weights["embedding"][:, : self.vocab_size].transpose(1, 2) * scale
        else:
            head_EDV = weights["head"]
        if self.config.block == "standard":
            x_EMD = self._normed(weights, "final_norm", x_EMD, training)
            head_EDV = self._folded(weights, "final_norm", head_EDV)
        if self.config.head_bias:
            z_EMV = torch.baddbmm(weights["head_bias"][:, None], x_EMD, head_EDV)
        else:
            z_EMV = torch.bmm(x_EMD, head_EDV)
        return z_EMV if isinstance(read, str) and read == "last" else z_EMV.view(E, B, -1, self.vocab_size)

    def _normed(self, weights: Mapping[str, Tensor], place: str, x_EMD: Tensor, training: bool) -> Tensor:
        """The residual stream as the norm of this place gives it, but for a gain that is folded."""
        norm, d = self.config.norm, self.config.width
        own = {name: weights[f"{place}.{name}"] for name in norm.parameters(d)}
        return norm.apply(x_EMD, own, training)

    def _folded(self, weights: Mapping[str, Tensor], place: str, matrix_EDD: Tensor) -> Tensor:
        """The norm's gain folded into the matrix that follows it: (x g) W = x (g W), at the size of W instead of x."""
        return weights[place][:, :, None] * matrix_EDD if self.config.norm.folds_gain else matrix_EDD

    def _placed(
        self, T: int, queries: Literal["all", "last"] | Tensor, tokens_EBT: Tensor, positions_T: Tensor | None
    ) -> Placement:
        return placed(T, queries, self.geometry, tokens_EBT.device, positions_T, self.config.causal)

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
        # one lookup for all members: member e reads its own rows of the stacked tables
        offset_E11 = torch.arange(E, device=tokens_EBT.device)[:, None, None] * table_EVD.shape[1]
        rows = (tokens_EBT + offset_E11).reshape(-1)
        x_EBTD = F.embedding(rows, table_EVD.reshape(-1, d)).view(E, B, T, d)
        for method, parameters in self._active(weights, None, None):
            added_ETD = method.embed(at, parameters)
            if added_ETD is not None:
                x_EBTD = x_EBTD + added_ETD[:, None]
        x_EMD = x_EBTD.reshape(E, B * T, d)
        return rms_norm(x_EMD) if self.config.block == "gau" else x_EMD

    def _block(
        self,
        weights: Mapping[str, Tensor],
        x_EMD: Tensor,
        block: int,
        B: int,
        at: Placement,
        active: Active,
        watch: Watch | None,
        training: bool,
    ) -> Tensor:
        """(E, B n, D): the block's output at its n query places."""

        def matrix(name: str, norm: str | None = None) -> Tensor:
            w = weights[f"{block}.{name}"]
            for method, parameters in active:
                w = method.reparametrise(name, w, parameters)
            return w if norm is None else self._folded(weights, f"{block}.{norm}", w)

        if self.config.block == "gau":
            return gated_block(weights, matrix, x_EMD, block, B, at, active, watch)
        E, d, T = x_EMD.shape[0], self.config.width, at.n_keys
        H, K = self.config.heads, self.geometry.head_dim
        n_EMD = self._normed(weights, f"{block}.attention_norm", x_EMD, training)
        qkv_EDD = matrix("qkv", "attention_norm")
        if at.queries != "all":
            x_EMD = at_places(x_EMD, at, B)
            n_queries_EMD = at_places(n_EMD, at, B)
            q = torch.bmm(n_queries_EMD, qkv_EDD[:, :, :d]).view(E, B, -1, H, K)
            k, v = torch.bmm(n_EMD, qkv_EDD[:, :, d:]).view(E, B, T, 2, H, K).unbind(3)
        else:
            n_queries_EMD = n_EMD
            q, k, v = torch.bmm(n_EMD, qkv_EDD).view(E, B, T, 3, H, K).unbind(3)
        q, k, v = (x_EBTHK.transpose(2, 3) for x_EBTHK in (q, k, v))
        a_EBHTK = attend(q, k, v, n_queries_EMD.view(E, B, -1, d), at, active, block, watch)
        a_EMD = a_EBHTK.transpose(2, 3).reshape(E, -1, d)
        x_EMD = torch.baddbmm(x_EMD, a_EMD, matrix("attention_out"))
        if not self.config.mlp_ratio:
            return x_EMD
        m_EMD = self._normed(weights, f"{block}.mlp_norm", x_EMD, training)
        hidden_EMD = torch.bmm(m_EMD, matrix("mlp_in", "mlp_norm"))
        own = self.config.activation.parameters(hidden_EMD.shape[-1])
        hidden_EMD = self.config.activation.apply(hidden_EMD, {n: weights[f"{block}.activation.{n}"] for n in own})
        return torch.baddbmm(x_EMD, hidden_EMD, matrix("mlp_out"))


def _standard_weights(config: ModelConfig, block: int) -> Weights:
    """A block's weights. Matrices start at variance 1 / fan-in, or as the config says; those that write into the
    residual stream smaller by another factor 2 depth (Radford et al. 2019), unless the config says otherwise."""
    d, hidden = config.width, config.mlp_ratio * config.width
    shrink = 1.0 / math.sqrt(2 * config.depth) if config.shrink_writers else 1.0

    def std(fan_in: int) -> float:
        return config.initial_std or fan_in**-0.5

    attention = _norm_weights(config, f"{block}.attention_norm") | {
        f"{block}.qkv": Initial((d, 3 * d), std(d), decay=True),
        f"{block}.attention_out": Initial((d, d), shrink * std(d), decay=True),
    }
    if not hidden:
        return attention
    own = config.activation.parameters(hidden)
    return (
        attention
        | _norm_weights(config, f"{block}.mlp_norm")
        | {
            f"{block}.mlp_in": Initial((d, hidden), std(d), decay=True),
            f"{block}.mlp_out": Initial((hidden, d), shrink * std(hidden), decay=True),
        }
        | {f"{block}.activation.{name}": initial for name, initial in own.items()}
    )


def _norm_weights(config: ModelConfig, place: str) -> Weights:
    """What the norm of one place learns and keeps: a gain that is folded bears the name of the place."""
    gain = {place: Initial((config.width,), std=0.0, mean=1.0)} if config.norm.folds_gain else {}
    return gain | {f"{place}.{name}": initial for name, initial in config.norm.parameters(config.width).items()}


def _learned(layout: Layout) -> set[str]:
    """Name and shape of every parameter that methods learn."""
    return {f"{entry.name} {entry.shape}" for entry in layout.entries if entry.name.startswith("method.")}
