"""InfoScale: logits grow with the cosine that the attended keys must reach."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from testbed.methods.method import Geometry, Method, Parameters, method

if TYPE_CHECKING:
    from torch import Tensor


class CosineReached(Method):
    """Base: logits times the ratio of a cosine law at n and at m, n one of two counts."""

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    count: Literal["query", "window"] = Field(
        "query", description="n: keys that the query sees, or the window's length"
    )
    clamped: bool = Field(False, description="never below one: shorter windows than m are left alone")

    @property
    def counts_whole_window(self) -> bool:
        return self.count == "window"

    def cosine(self, n: "Tensor", head_dim: int) -> "Tensor":
        """I(n) = sqrt(1 - n^(-2/d)); expm1 keeps the digits where d is large."""
        return (-(-2.0 / head_dim * n.log()).expm1()).sqrt()

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor":
        at_training = self.cosine(n_visible_T.new_full((), max(train_length, 2)), head_dim)
        ratio_T = self.cosine(n_visible_T, head_dim) / at_training
        return ratio_T.clamp(min=1.0) if self.clamped else ratio_T


@method("infoscale")
class InfoScale(CosineReached):
    """Multiply logits by I(n) / I(m), with I(x) = sqrt(1 - x^(-2/d)), for n visible keys and training length m.

    A square-root-log law: 1.392 at 64 times m = 64 with head dimension 128, where log n would give 2.
    Li et al. 2025 (2501.08570); formula from the authors' code; here one n a query, and d is the head dimension. A
    no-op at n = m.

    `released_code`: as that code has it, one n a sequence, d = heads x head dimension (in its last version), and the
    factor multiplies other methods' biases too (ALiBi in its DNA model). Its T5 model is `clamped` as well.
    """

    released_code: bool = Field(False, description="count, dimension and biases of the code of 2501.08570")

    @property
    def counts_whole_window(self) -> bool:
        return self.count == "window" or self.released_code

    @property
    def scales_biases(self) -> bool:
        return self.released_code

    def scale_dimension(self, geometry: Geometry) -> int:
        return geometry.head_dim * (geometry.heads if self.released_code else 1)


@method("sphere_infoscale")
class SphereInfoScale(CosineReached):
    """Multiply logits by R(n) / R(m), with R(x) = sqrt(1 - x^(-2/d)) x^(2/d).

    The scale that keeps the tilted peak of isotropic unit keys at the largest of n cosines. Far from InfoScale where d
    is small: 2.12 against 1.26 at n = 64 m, m = 64, d = 16. A no-op at n = m.
    """

    def cosine(self, n: "Tensor", head_dim: int) -> "Tensor":
        return super().cosine(n, head_dim) * (2.0 / head_dim * n.log()).exp()


@method("sphere_limit")
class SphereLimit(Method):
    """Multiply logits by (n / m)^(2 / (d - 1)), the critical scale of keys uniform on a sphere.

    2605.08505. A no-op at n = m.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor":
        return (2.0 / max(head_dim - 1, 1) * (n_visible_T.log() - math.log(train_length))).exp()
