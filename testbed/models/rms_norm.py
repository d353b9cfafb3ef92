"""RMS norm without a gain, with its derivative written out: three passes over x where autograd takes about ten."""

from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-5


class _RMSNorm(torch.autograd.Function):
    """y = r x with r = (mean x^2 + eps)^(-1/2), hence dL/dx = r (g - y mean(g y)) for g = dL/dy."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        mean_square = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1])
        r = mean_square.add_(EPSILON).rsqrt_()
        y = x * r
        ctx.save_for_backward(y, r)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        y, r = ctx.saved_tensors
        minus_mean = torch.linalg.vecdot(g, y).unsqueeze(-1).div_(-y.shape[-1])
        return torch.addcmul(g, y, minus_mean).mul_(r)


def rms_norm(x: Tensor) -> Tensor:
    """x / sqrt(mean x^2 + 1e-5) over the last axis (Zhang & Sennrich 2019)."""
    if x.dtype == torch.float32 and x.device.type == "cpu":
        return _RMSNorm.apply(x)
    # a GPU has a kernel for it; it computes in float32 whatever x is, so that no cast is needed around it
    with torch.autocast(x.device.type, enabled=False):
        return torch.rms_norm(x, (x.shape[-1],), eps=EPSILON)
