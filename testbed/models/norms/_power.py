"""The scaling of PowerNorm, whose gradient is made of running means."""

from typing import Any

import torch
from torch import Tensor


class PowerScale(torch.autograd.Function):
    """z = x / sqrt(psi2 + 1e-5); backwards (g - nu z) / sqrt(psi2 + 1e-5), and nu is brought up to date in place."""

    @staticmethod
    def forward(ctx: Any, x_EMD: Tensor, psi2_ED: Tensor, nu_ED: Tensor, momentum: float) -> Tensor:
        r_E1D = (psi2_ED + 1e-5).rsqrt()[:, None]
        z_EMD = x_EMD * r_E1D
        ctx.save_for_backward(z_EMD, r_E1D)
        ctx.nu_ED, ctx.momentum = nu_ED, momentum
        return z_EMD

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g_EMD: Tensor) -> tuple[Tensor, None, None, None]:
        z_EMD, r_E1D = ctx.saved_tensors
        nu_ED = ctx.nu_ED
        left_EMD = torch.addcmul(g_EMD, z_EMD, nu_ED[:, None], value=-1)
        new_ED = nu_ED + (1 - ctx.momentum) * (left_EMD * z_EMD).mean(dim=1)
        nu_ED.copy_(torch.where(new_ED.isfinite(), new_ED, nu_ED))
        return left_EMD * r_E1D, None, None, None
