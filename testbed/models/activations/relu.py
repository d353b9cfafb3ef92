"""ReLU and its powers."""

from typing import TYPE_CHECKING

from pydantic import Field

from testbed.models.activations.activation import Activation, Parameters, activation

if TYPE_CHECKING:
    from torch import Tensor


@activation("relu")
class Relu(Activation):
    """max(0, x)^power; the power 2 is ReLU squared (So et al. 2021, 2109.08668)."""

    power: int = Field(1, ge=1, le=4, description="1: ReLU; 2: ReLU squared")

    def apply(self, x_EMD: "Tensor", parameters: Parameters) -> "Tensor":
        import torch.nn.functional as F

        positive = F.relu(x_EMD)
        return positive if self.power == 1 else positive**self.power
