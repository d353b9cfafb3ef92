"""CRReLU, a ReLU with a learned correction."""

from typing import TYPE_CHECKING

from pydantic import Field

from testbed.methods import Initial
from testbed.models.activations.activation import Activation, Parameters, activation

if TYPE_CHECKING:
    from torch import Tensor


@activation("crrelu")
class CRReLU(Activation):
    """max(0, x) + eps x e^(-x^2 / 2), eps learned, one a block (Sun et al. 2024, 2405.12954)."""

    epsilon: float = Field(0.01, ge=-1, le=1, description="eps at the start")

    def parameters(self, hidden: int) -> dict[str, Initial]:
        return {"epsilon": Initial((1,), std=0.0, mean=self.epsilon)}

    def apply(self, x_EMD: "Tensor", parameters: Parameters) -> "Tensor":
        import torch
        import torch.nn.functional as F

        return F.relu(x_EMD) + parameters["epsilon"][:, :, None] * x_EMD * torch.exp(-0.5 * x_EMD**2)
