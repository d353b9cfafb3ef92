"""Batch norm."""

from typing import TYPE_CHECKING

from pydantic import Field

from testbed.core import ConfigError
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

    ghosts      parts of a step, of windows beside each other, that have statistics of their own (Hoffer et al. 2017,
                1705.08741); the running ones take in the means over parts. The same steps, other statistics
    scaled      each place is divided first by its root mean square over coordinates, as in the released PowerNorm
    """

    momentum: float = Field(0.9, ge=0, lt=1, description="weight of the past in the running statistics")
    ghosts: int = Field(1, ge=1, le=10**6, description="parts of a step with statistics of their own; divides it")
    scaled: bool = Field(False, description="divide each place by its root mean square first")

    def parameters(self, width: int) -> dict[str, Initial]:
        return {
            "gain": Initial((width,), std=0.0, mean=1.0),
            "bias": Initial((width,), std=0.0),
            "mean": Initial((width,), std=0.0, learned=False),
            "variance": Initial((width,), std=0.0, mean=1.0, learned=False),
        }

    def apply(self, x_EMD: "Tensor", parameters: Parameters, training: bool) -> "Tensor":
        import torch

        from testbed.models.rms_norm import rms_norm

        gain_ED, bias_ED = parameters["gain"], parameters["bias"]
        x_EMD = x_EMD.float() if x_EMD.dtype == torch.bfloat16 else x_EMD
        x_EMD = rms_norm(x_EMD) if self.scaled else x_EMD
        if not training:
            mean_ED, variance_ED = parameters["mean"], parameters["variance"]
            y_EMD = (x_EMD - mean_ED[:, None]) * (variance_ED + 1e-5).rsqrt()[:, None]
            return torch.addcmul(bias_ED[:, None], y_EMD.to(gain_ED.dtype), gain_ED[:, None])
        if x_EMD.shape[1] % self.ghosts:
            raise ConfigError(f"norm.ghosts: given {self.ghosts}, must divide the {x_EMD.shape[1]} places of a step")
        x_EGMD = x_EMD.unflatten(1, (self.ghosts, -1))
        n_places = x_EGMD.shape[2]
        variance_EGD, mean_EGD = torch.var_mean(x_EGMD, dim=2, correction=0)
        with torch.no_grad():
            unbiased_EGD = variance_EGD * (n_places / max(n_places - 1, 1))
            for name, found_EGD in (("mean", mean_EGD), ("variance", unbiased_EGD)):
                running_ED = parameters[name]
                new_ED = running_ED.lerp(found_EGD.mean(dim=1), 1 - self.momentum)
                running_ED.copy_(torch.where(new_ED.isfinite(), new_ED, running_ED))
        y_EGMD = (x_EGMD - mean_EGD[:, :, None]) * (variance_EGD + 1e-5).rsqrt()[:, :, None]
        y_EMD = y_EGMD.flatten(1, 2)
        return torch.addcmul(bias_ED[:, None], y_EMD.to(gain_ED.dtype), gain_ED[:, None])
