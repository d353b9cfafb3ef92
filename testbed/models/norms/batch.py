"""Batch norm."""

from typing import TYPE_CHECKING

from pydantic import Field

from testbed.methods import Initial
from testbed.models.norms.norm import Norm, Parameters, norm

if TYPE_CHECKING:
    from torch import Tensor


@norm("batch")
class BatchNorm(Norm):
    """g (x - mean_c) / sqrt(variance_c + 1e-5) + b, by coordinate (Ioffe & Szegedy 2015, 1502.03167).

    In training mean and variance are those of all places of a step's windows, later ones too: what a window's last
    place is given depends on other windows. Afterwards they are the running ones,
    running <- momentum running + (1 - momentum) batch, the variance with the divisor M - 1.
    """

    momentum: float = Field(0.9, ge=0, lt=1, description="weight of the past in the running statistics")

    def parameters(self, width: int) -> dict[str, Initial]:
        return {
            "gain": Initial((width,), std=0.0, mean=1.0),
            "bias": Initial((width,), std=0.0),
            "mean": Initial((width,), std=0.0, learned=False),
            "variance": Initial((width,), std=0.0, mean=1.0, learned=False),
        }

    def apply(self, x_EMD: "Tensor", parameters: Parameters, training: bool) -> "Tensor":
        import torch

        gain_ED, bias_ED = parameters["gain"], parameters["bias"]
        x_EMD = x_EMD.float() if x_EMD.dtype == torch.bfloat16 else x_EMD
        if training:
            n_places = x_EMD.shape[1]
            variance_ED, mean_ED = torch.var_mean(x_EMD, dim=1, correction=0)
            with torch.no_grad():
                unbiased_ED = variance_ED * (n_places / max(n_places - 1, 1))
                for name, found_ED in (("mean", mean_ED), ("variance", unbiased_ED)):
                    running_ED = parameters[name]
                    new_ED = running_ED.lerp(found_ED, 1 - self.momentum)
                    running_ED.copy_(torch.where(new_ED.isfinite(), new_ED, running_ED))
        else:
            mean_ED, variance_ED = parameters["mean"], parameters["variance"]
        y_EMD = (x_EMD - mean_ED[:, None]) * (variance_ED + 1e-5).rsqrt()[:, None]
        return torch.addcmul(bias_ED[:, None], y_EMD.to(gain_ED.dtype), gain_ED[:, None])
