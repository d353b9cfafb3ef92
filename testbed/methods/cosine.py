"""Normalised queries and keys: logits that are a scale times a cosine."""

import math
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import Geometry, Initial, Method, Parameters, Placement, method

if TYPE_CHECKING:
    from torch import Tensor

TINY = 1e-9


def unit(x_EBHTK: "Tensor") -> "Tensor":
    """x / (|x| + 1e-9) along the last axis."""
    return x_EBHTK / (x_EBHTK.norm(dim=-1, keepdim=True) + TINY)


class CosineLogits(Method):
    """Base: q and k become unit vectors before positions enter; logits are then `alpha` times their cosine, and stay
    within [-alpha, alpha] after any rotation."""

    slots: ClassVar[frozenset[str]] = frozenset({"qk"})

    def factor(self, geometry: Geometry) -> float:
        """alpha, apart from what `scale` multiplies."""
        return 1.0

    def qk(
        self, q_EBHTK: "Tensor", k_EBHTK: "Tensor", at: Placement, parameters: Parameters
    ) -> "tuple[Tensor, Tensor]":
        # the kernel divides by sqrt(K)
        return unit(q_EBHTK) * (self.factor(at.geometry) * math.sqrt(q_EBHTK.shape[-1])), unit(k_EBHTK)


@method("cosscale")
class CosScale(CosineLogits):
    """Logits alpha cos(q, k) with a fixed alpha, in training too (2501.08570; alpha 8 to 256, 128 in its main model).

    The normalisation stands before RoPE. Combines with InfoScale.

    `released_code`: as in the DNA model of the code of 2501.08570, where each channel of the keys is normalised over
    the window and not each key over its channels. Logits are no cosines then, and every key knows of all the others:
    for bidirectional models alone. (The code's main model is right.)
    """

    alpha: float = Field(128.0, gt=0, description="scale of the cosine")
    released_code: bool = Field(False, description="keys are normalised over the window, as in that code's DNA model")

    @property
    def needs_all_keys(self) -> bool:
        return self.released_code

    def factor(self, geometry: Geometry) -> float:
        return self.alpha

    def qk(
        self, q_EBHTK: "Tensor", k_EBHTK: "Tensor", at: Placement, parameters: Parameters
    ) -> "tuple[Tensor, Tensor]":
        q, k = super().qk(q_EBHTK, k_EBHTK, at, parameters)
        if self.released_code:
            k = k_EBHTK / (k_EBHTK.norm(dim=-2, keepdim=True) + TINY)
        return q, k


@method("cosa")
class CosineLogScale(CosineLogits):
    """Logits slope ln n cos(q, k) for n visible keys (Su 2023, 9859: CosA with dynamic log n, slope 4)."""

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    slope: float = Field(4.0, gt=0, description="alpha = slope ln n")

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor":
        return self.slope * n_visible_T.log()


@method("cosa_fixed")
class FixedCosineLogScale(CosineLogits):
    """Logits slope ln(m/2) cos(q, k) at every length (Su 2023, 9859: CosA, slope 4, n half the training length m)."""

    slope: float = Field(4.0, gt=0, description="alpha = slope ln(m/2)")

    def factor(self, geometry: Geometry) -> float:
        return self.slope * math.log(max(geometry.train_length, 3) / 2.0)


@method("critical_scale")
class CriticalScale(CosineLogits):
    """Scores gamma ln n <y_i, y_j> of unit vectors (Chen et al. 2025, 2510.05554).

    Below gamma = 1 / (1 - rho), rho their common inner product, attention averages; above it every token sees itself.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    gamma: float = Field(1.0, gt=0, description="slope of the inverse temperature in ln n")

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor":
        return self.gamma * n_visible_T.log()


@method("gradient_scale")
class GradientScale(CosineLogits):
    """Logits alpha* cos(q, k), alpha* maximising alpha (1 - sum p^2) over m/2 random keys, m the training length.

    The scale that passes most gradient to the logits, sum p^2 in its annealed mean (Su 2023; 3.5 ln n at d = 128).
    """

    def factor(self, geometry: Geometry) -> float:
        return _gradient_maximum(max(geometry.train_length // 2, 2), geometry.head_dim)


@method("qk_norm")
class QKNorm(CosineLogits):
    """Logits g cos(q, k), g learned for each block and head from log2(m^2 - m) on (Henry et al. 2020, 2010.04245)."""

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        m = max(geometry.train_length, 2)
        return {"g": Initial((geometry.heads,), std=0.0, mean=math.log2(m * m - m), per_block=True)}

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor":
        return parameters["g"][:, None, :, None, None]


@method("key_norm")
class KeyNorm(Method):
    """Logits q . k / |k| (Su 2023): the query's length is its own temperature."""

    slots: ClassVar[frozenset[str]] = frozenset({"qk"})

    def qk(
        self, q_EBHTK: "Tensor", k_EBHTK: "Tensor", at: Placement, parameters: Parameters
    ) -> "tuple[Tensor, Tensor]":
        return q_EBHTK * math.sqrt(q_EBHTK.shape[-1]), unit(k_EBHTK)


@method("query_norm")
class QueryNorm(Method):
    """Logits q . k / |q| (Su 2023), the control of key_norm."""

    slots: ClassVar[frozenset[str]] = frozenset({"qk"})

    def qk(
        self, q_EBHTK: "Tensor", k_EBHTK: "Tensor", at: Placement, parameters: Parameters
    ) -> "tuple[Tensor, Tensor]":
        return unit(q_EBHTK) * math.sqrt(q_EBHTK.shape[-1]), k_EBHTK


@lru_cache(maxsize=64)
def _gradient_maximum(n: int, head_dim: int) -> float:
    """argmax over alpha of alpha (1 - Z(2 alpha) / (n Z(alpha)^2)), Z(alpha) = E e^(alpha cos) over random directions,
    by midpoint sums over angles and a golden-section search; the gain has one maximum."""
    import numpy as np

    angles = (np.arange(4096) + 0.5) * (math.pi / 4096)
    log_weight = (head_dim - 2) * np.log(np.sin(angles))
    weight = np.exp(log_weight - log_weight.max())

    def log_mean(alpha: float) -> float:
        return alpha + math.log(float(weight @ np.exp(alpha * (np.cos(angles) - 1.0))) / float(weight.sum()))

    def gain(alpha: float) -> float:
        return alpha * (1.0 - math.exp(min(log_mean(2.0 * alpha) - 2.0 * log_mean(alpha), 700.0)) / n)

    low, high, golden = 0.0, 2.0 * math.sqrt(head_dim * (math.log(n) + 1.0)), (math.sqrt(5.0) - 1.0) / 2.0
    while high - low > 1e-9 * high:
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (left, high) if gain(left) < gain(right) else (low, right)
    return (low + high) / 2.0


# what torch.compiler.assume_constant_result does: the compiler calls it and keeps the number
_gradient_maximum.__wrapped__._dynamo_marked_constant = True  # type: ignore[attr-defined]
