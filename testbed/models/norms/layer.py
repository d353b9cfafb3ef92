"""Layer norm."""

from typing import TYPE_CHECKING

from testbed.methods import Initial
from testbed.models.norms.norm import Norm, Parameters, norm

if TYPE_CHECKING:
    from torch import Tensor


@norm("layer")
class LayerNorm(Norm):
    """g (x - mean) / sqrt(variance + 1e-5) + b over the coordinates (Ba et al. 2016, 1607.06450)."""

    def parameters(self, width: int) -> dict[str, Initial]:
        return {"gain": Initial((width,), std=0.0, mean=1.0), "bias": Initial((width,), std=0.0)}

    def apply(self, x_EMD: "Tensor", parameters: Parameters, training: bool) -> "Tensor":
        import torch
        import torch.nn.functional as F

        gain_ED, bias_ED = parameters["gain"], parameters["bias"]
        y_EMD = F.layer_norm(x_EMD, x_EMD.shape[-1:]).to(gain_ED.dtype)
        return torch.addcmul(bias_ED[:, None], y_EMD, gain_ED[:, None])
