"""1.5-entmax with its derivative."""

from typing import Any

import torch
from torch import Tensor


class Entmax15(torch.autograd.Function):
    """p = max(z/2 - tau, 0)^2 along the last axis; dL/dz = s (g - <s, g> / <s, 1>) with s = sqrt(p), g = dL/dp."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        x = scores / 2.0
        x = x - x.amax(dim=-1, keepdim=True)
        top = x.sort(dim=-1, descending=True).values.clamp(min=-2.0)  # tau >= -1, so all below -1 have no weight
        k = torch.arange(1, x.shape[-1] + 1, device=x.device, dtype=x.dtype)
        mean, square = top.cumsum(dim=-1) / k, (top**2).cumsum(dim=-1) / k
        tau = mean - ((1.0 - k * (square - mean**2)) / k).clamp(min=0.0).sqrt()
        support = (tau <= top).sum(dim=-1, keepdim=True)
        root = (x - tau.gather(-1, support - 1)).clamp(min=0.0)
        ctx.save_for_backward(root)
        return root**2

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (root,) = ctx.saved_tensors
        along = g * root
        return along - along.sum(dim=-1, keepdim=True) / root.sum(dim=-1, keepdim=True) * root
