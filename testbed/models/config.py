"""The shape of a transformer, as a config."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.methods import AnyMethod, Geometry, RotaryPositions, check_combination


class ModelConfig(Config):
    """Decoder: pre-norm blocks with RMS norm, attention, GELU MLP; tied or untied head.

    `methods` are values or names: `methods = ["rope"]`, `methods = [{type = "rope", base = 4000}]`.
    """

    version: ClassVar[int] = 1

    width: int = Field(32, ge=2, description="model dimension D")
    depth: int = Field(2, ge=1, description="number of blocks")
    heads: int = Field(2, ge=1, description="attention heads H; divides the width")
    mlp_ratio: int = Field(4, ge=1, description="hidden units of the MLP as a multiple of the width")
    tied_head: bool = Field(False, description="read out with the token embedding instead of a matrix of its own")
    methods: tuple[AnyMethod, ...] = Field((RotaryPositions(),), description="attention methods, by name or as tables")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads: given {self.heads}, must divide width {self.width}")
        head_dim = self.width // self.heads
        if head_dim % 2 and any(one.needs_even_head_dim for one in self.methods):
            raise ValueError(f"heads: rotary positions need an even head dimension, not {head_dim}")
        check_combination(self.methods)
        return self

    def geometry(self, train_length: int) -> Geometry:
        return Geometry(self.width, self.heads, self.depth, train_length)
