"""No norm."""

from typing import TYPE_CHECKING

from testbed.models.norms.norm import Norm, Parameters, norm

if TYPE_CHECKING:
    from torch import Tensor


@norm("none")
class NoNorm(Norm):
    """x: the residual stream as it is, without a gain."""

    def apply(self, x_EMD: "Tensor", parameters: Parameters, training: bool) -> "Tensor":
        return x_EMD
