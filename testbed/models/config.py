"""The shape of a transformer, as a config."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config, Tagged
from testbed.methods import AnyMethod, Geometry, RotaryPositions, check_combination
from testbed.models.activations import AnyActivation, Gelu
from testbed.models.norms import AnyNorm, RMSNorm


@dataclass(frozen=True)
class OneHead(Geometry):
    """A geometry whose single head has a size of its own."""

    key_size: int

    @property
    def head_dim(self) -> int:
        return self.key_size


class ModelConfig(Config):
    """Decoder of `depth` blocks; tied or untied head.

    block = standard    pre-norm with RMS norm: attention of H heads, GELU MLP
    block = gau         gated attention unit, post-norm: one head, no MLP (see `testbed.models.gau`)

    `methods` are values or names: `methods = ["rope"]`, `methods = [{type = "rope", base = 4000}]`.
    """

    version: ClassVar[int] = 1

    block: Literal["standard", "gau"] = Field("standard", description="attention and MLP, or gated attention units")
    causal: bool = Field(
        True, description="a query sees the keys up to its own place; false: all keys, for masked tokens or one target"
    )
    mask_symbol: bool = Field(
        False, description="an embedding for the symbol V + 1 that hides a token; needs causal = false, batch = masked"
    )
    width: int = Field(32, ge=2, description="model dimension D")
    depth: int = Field(2, ge=1, description="number of blocks")
    heads: int = Field(2, ge=1, description="attention heads H; divides the width (gau: sets the default key size)")
    mlp_ratio: int = Field(
        4,
        ge=0,
        description="standard: hidden units of the MLP as a multiple of the width; 0: attention alone",
    )
    activation: AnyActivation = Field(Gelu(), description="standard: nonlinearity of the MLP, by name or as a table")
    norm: AnyNorm = Field(RMSNorm(), description="standard: norm of the residual stream, by name or as a table")
    key_size: int | None = Field(None, ge=1, description="gau: size s of its head; left out: width / heads")
    expansion: int = Field(2, ge=1, description="gau: size e of gate and values as a multiple of the width")
    key_scales: Literal["ones", "normal"] = Field(
        "ones",
        description="gau: start of the scales w_q, w_k. ones: as in GAU-alpha; q and k are then one vector, and a query"
        " sees its own key first. normal: drawn apart (Hua et al. 2022), so that they differ from the start",
    )
    tied_head: bool = Field(False, description="read out with the token embedding instead of a matrix of its own")
    head_scale: float | None = Field(
        None,
        gt=0,
        le=100,
        description="tied head: factor on its logits; left out: width^(-1/2), so that they start as wide as the"
        " embedding's entries",
    )
    head_bias: bool = Field(False, description="a number added to the logit of each symbol, learned from 0 on")
    initial_std: float | None = Field(
        None,
        gt=0,
        le=100,
        description="standard: standard deviation at which embedding, matrices and head start, divided by"
        " sqrt(2 depth) for those that write into the residual stream; left out: see `testbed.models.transformer`",
    )
    embedding_std: float | None = Field(
        None,
        gt=0,
        le=100,
        description="standard: standard deviation at which the embedding starts; left out: initial_std, or 1/2",
    )
    shrink_writers: bool = Field(
        True, description="standard: matrices that write into the residual stream start smaller by sqrt(2 depth)"
    )
    methods: tuple[AnyMethod, ...] = Field((RotaryPositions(),), description="attention methods, by name or as tables")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads: given {self.heads}, must divide width {self.width}")
        gated = ("key_size", "expansion", "key_scales")
        others = (
            gated
            if self.block == "standard"
            else (
                "mlp_ratio",
                "activation",
                "norm",
                "initial_std",
                "embedding_std",
                "shrink_writers",
            )
        )
        for name in others:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name}: given {_said(getattr(self, name))}, but block = {self.block} has none; leave it out"
                )
        head_dim = self.geometry(1).head_dim
        if head_dim % 2 and any(one.needs_even_head_dim for one in self.methods):
            where = "heads" if self.key_size is None else "key_size"
            raise ValueError(f"{where}: rotary positions need an even head dimension, not {head_dim}")
        check_combination(self.methods)
        self.norm.check(self.width)
        if not self.mlp_ratio and self.activation != Gelu():
            raise ValueError(f"activation: given {_said(self.activation)}, but mlp_ratio = 0 leaves out the MLP")
        if self.head_scale is not None and not self.tied_head:
            raise ValueError(f"head_scale: given {self.head_scale}, but a head of its own has none; leave it out")
        if self.mask_symbol and self.causal:
            raise ValueError("mask_symbol: masked tokens are read off both sides; take causal = false")
        if not self.causal:
            for one in self.methods:
                if one.needs_all_queries:
                    raise ValueError(f"methods: {one.type_name} goes by the order of queries; take causal = true")
        elif unfit := [one.type_name for one in self.methods if one.needs_all_keys]:
            raise ValueError(f"methods: {unfit[0]} reads keys behind the query; take causal = false")
        return self

    def geometry(self, train_length: int) -> Geometry:
        """The sizes that methods see, for windows of up to `train_length` positions in training."""
        if self.block == "gau":
            return OneHead(self.width, 1, self.depth, train_length, self.key_size or self.width // self.heads)
        return Geometry(self.width, self.heads, self.depth, train_length)


def _said(value: Any) -> Any:
    """As a config names it."""
    return value.type_name if isinstance(value, Tagged) else value
