"""SiLU, also called swish."""

from typing import TYPE_CHECKING

from testbed.models.activations.activation import Activation, Parameters, activation

if TYPE_CHECKING:
    from torch import Tensor


@activation("silu")
class Silu(Activation):
    """x / (1 + e^-x) (Ramachandran et al. 2017, 1710.05941)."""

    def apply(self, x_EMD: "Tensor", parameters: Parameters) -> "Tensor":
        import torch.nn.functional as F

        return F.silu(x_EMD)
