"""Dynamic tanh, a squashing in place of a norm."""

from typing import TYPE_CHECKING

from pydantic import Field

from testbed.methods import Initial
from testbed.models.norms.norm import Norm, Parameters, norm

if TYPE_CHECKING:
    from torch import Tensor


@norm("dyt")
class DynamicTanh(Norm):
    """g tanh(alpha x) + b, alpha learned, one a place (Zhu et al. 2025, 2503.10622)."""

    alpha: float = Field(0.5, gt=0, le=100, description="alpha at the start")

    def parameters(self, width: int) -> dict[str, Initial]:
        return {
            "alpha": Initial((1,), std=0.0, mean=self.alpha),
            "gain": Initial((width,), std=0.0, mean=1.0),
            "bias": Initial((width,), std=0.0),
        }

    def apply(self, x_EMD: "Tensor", parameters: Parameters, training: bool) -> "Tensor":
        import torch

        squashed_EMD = torch.tanh(parameters["alpha"][:, :, None] * x_EMD)
        return torch.addcmul(parameters["bias"][:, None], squashed_EMD, parameters["gain"][:, None])
