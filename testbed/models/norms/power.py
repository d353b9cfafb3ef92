"""PowerNorm: batch norm with running statistics in both passes."""

from typing import TYPE_CHECKING

from pydantic import Field

from testbed.core import ConfigError
from testbed.methods import Initial
from testbed.models.norms.norm import Norm, Parameters, norm

if TYPE_CHECKING:
    from torch import Tensor


@norm("power")
class PowerNorm(Norm):
    """z = x / sqrt(psi2_c + 1e-5), then g z + b, by coordinate (Shen et al. 2020, 2003.07845, Algorithm 2).

    forward    psi2 is the running mean square over all places of past steps: psi2 <- f psi2 + (1 - f) mean x^2. In the
               first steps it is that of the step itself, as long as there is no past to speak of
    backward   dL/dx = (dL/dz - nu z) / sqrt(psi2 + 1e-5), nu the running mean of z dL/dz:
               nu <- nu + (1 - b) (mean (dL/dz - nu z) z)

    The gradient is that of batch norm with running means in place of the step's own; it is not that of the function.
    As in the released code, each place is divided first by its root mean square over `groups` groups of coordinates;
    groups = 0 leaves this out, as Algorithm 2 does.
    """

    forward_momentum: float = Field(0.9, ge=0, lt=1, description="f: weight of the past in psi2")
    backward_momentum: float = Field(0.9, ge=0, lt=1, description="b: weight of the past in nu")
    warmup_steps: int = Field(20, ge=0, le=10**9, description="steps that use their own mean square")
    groups: int = Field(
        1, ge=0, le=10**6, description="groups of coordinates that are scaled first, 0: none; divides the width"
    )

    def check(self, width: int) -> None:
        if self.groups and width % self.groups:
            raise ConfigError(f"norm.groups: given {self.groups}, must divide width {width}")

    def parameters(self, width: int) -> dict[str, Initial]:
        return {
            "gain": Initial((width,), std=0.0, mean=1.0),
            "bias": Initial((width,), std=0.0),
            "psi2": Initial((width,), std=0.0, mean=1.0, learned=False),
            "nu": Initial((width,), std=0.0, learned=False),
            "steps": Initial((1,), std=0.0, learned=False),
        }

    def apply(self, x_EMD: "Tensor", parameters: Parameters, training: bool) -> "Tensor":
        import torch

        from testbed.models.norms._power import PowerScale
        from testbed.models.rms_norm import rms_norm

        gain_ED, bias_ED = parameters["gain"], parameters["bias"]
        x_EMD = x_EMD.float() if x_EMD.dtype == torch.bfloat16 else x_EMD
        if self.groups:
            x_EMD = rms_norm(x_EMD.unflatten(-1, (self.groups, -1))).flatten(-2)
        psi2_ED = parameters["psi2"]
        if training:
            steps_E1 = parameters["steps"]
            with torch.no_grad():
                found_ED = x_EMD.square().mean(dim=1)
                used_ED = torch.where(steps_E1 < self.warmup_steps, found_ED, psi2_ED)
                new_ED = psi2_ED.lerp(found_ED, 1 - self.forward_momentum)
                psi2_ED.copy_(torch.where(new_ED.isfinite(), new_ED, psi2_ED))
                steps_E1.add_(1.0)
            z_EMD = PowerScale.apply(x_EMD, used_ED, parameters["nu"], self.backward_momentum)
        else:
            z_EMD = x_EMD * (psi2_ED + 1e-5).rsqrt()[:, None]
        return torch.addcmul(bias_ED[:, None], z_EMD.to(gain_ED.dtype), gain_ED[:, None])
