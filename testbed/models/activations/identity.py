"""No nonlinearity."""

from typing import TYPE_CHECKING

from testbed.models.activations.activation import Activation, Parameters, activation

if TYPE_CHECKING:
    from torch import Tensor


@activation("identity")
class Identity(Activation):
    """x: an MLP of two matrices in a row, as in models that are left without GELU (Jha & Reagen 2025, 2501.03489)."""

    def apply(self, x_EMD: "Tensor", parameters: Parameters) -> "Tensor":
        return x_EMD
