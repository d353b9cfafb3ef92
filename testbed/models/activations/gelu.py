"""GELU."""

from typing import TYPE_CHECKING

from testbed.models.activations.activation import Activation, Parameters, activation

if TYPE_CHECKING:
    from torch import Tensor


@activation("gelu")
class Gelu(Activation):
    """x Phi(x) with the normal distribution function Phi (Hendrycks & Gimpel 2016, 1606.08415)."""

    def apply(self, x_EMD: "Tensor", parameters: Parameters) -> "Tensor":
        import torch.nn.functional as F

        return F.gelu(x_EMD)
