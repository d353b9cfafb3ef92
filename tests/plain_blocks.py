"""Plain twins of norms and activations; `named` gives what they learn or keep by its name in the layout."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x / (x.pow(2).mean(dim=-1, keepdim=True) + 1e-5).sqrt() * self.gain

    def named(self) -> dict[str, Tensor]:
        return {"": self.gain}


class LayerNorm(nn.LayerNorm):
    def named(self) -> dict[str, Tensor]:
        return {".gain": self.weight, ".bias": self.bias}


class NoNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x

    def named(self) -> dict[str, Tensor]:
        return {}


class DynamicTanh(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1))
        self.gain, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * torch.tanh(self.alpha * x) + self.bias

    def named(self) -> dict[str, Tensor]:
        return {".alpha": self.alpha, ".gain": self.gain, ".bias": self.bias}


class BatchNorm(nn.BatchNorm1d):
    def forward(self, x_BTD: Tensor) -> Tensor:
        return super().forward(x_BTD.flatten(0, 1)).view_as(x_BTD)

    def named(self) -> dict[str, Tensor]:
        return {
            ".gain": self.weight,
            ".bias": self.bias,
            ".mean": self.running_mean,
            ".variance": self.running_var,
        }


class PowerNorm(nn.Module):
    """Two groups; its own statistics in the first two steps. The gradient is changed on its way by a hook."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))
        self.psi2, self.nu, self.steps = torch.ones(width), torch.zeros(width), torch.zeros(1)

    def forward(self, x_BTD: Tensor) -> Tensor:
        halves = [half / (half.pow(2).mean(dim=-1, keepdim=True) + 1e-5).sqrt() for half in x_BTD.chunk(2, dim=-1)]
        x = torch.cat(halves, dim=-1)
        psi2 = self.psi2
        if self.training:
            own = x.detach().pow(2).mean(dim=(0, 1))
            psi2 = own if self.steps.item() < 2 else self.psi2.clone()
            self.psi2.copy_(0.8 * self.psi2 + 0.2 * own)
            self.steps += 1
        z = x / (psi2 + 1e-5).sqrt()
        if z.requires_grad:
            kept = z.detach()

            def changed(g: Tensor) -> Tensor:
                left = g - self.nu * kept
                self.nu += 0.3 * (left * kept).mean(dim=(0, 1))
                return left

            z.register_hook(changed)
        return self.gain * z + self.bias

    def named(self) -> dict[str, Tensor]:
        return {".gain": self.gain, ".bias": self.bias, ".psi2": self.psi2, ".nu": self.nu, ".steps": self.steps}


NORMS = {
    "rms": ("rms", RMSNorm),
    "layer": ("layer", LayerNorm),
    "none": ("none", NoNorm),
    "dyt": ({"type": "dyt", "alpha": 0.7}, DynamicTanh),
    "batch": ("batch", BatchNorm),
    "power": (
        {"type": "power", "groups": 2, "warmup_steps": 2, "forward_momentum": 0.8, "backward_momentum": 0.7},
        PowerNorm,
    ),
}
"""By type name, the config under test and its twin."""


class Function(nn.Module):
    """An activation that learns nothing."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)

    def named(self) -> dict[str, Tensor]:
        return {}


class CRReLU(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.epsilon = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(min=0) + self.epsilon * x * torch.exp(-x * x / 2)

    def named(self) -> dict[str, Tensor]:
        return {".epsilon": self.epsilon}


class Normalised(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm = RMSNorm(hidden)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(x))

    def named(self) -> dict[str, Tensor]:
        return {".gain": self.norm.gain}


def selu(x: Tensor) -> Tensor:
    return 1.0507009873554805 * torch.where(x > 0, x, 1.6732632423543772 * (x.clamp(max=0).exp() - 1))


ACTIVATIONS = {
    "gelu": ("gelu", lambda hidden: Function(lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2)),
    "silu": ("silu", lambda hidden: Function(lambda x: x / (1 + torch.exp(-x)))),
    "identity": ("identity", lambda hidden: Function(lambda x: x)),
    "relu": ({"type": "relu", "power": 2}, lambda hidden: Function(lambda x: x.clamp(min=0) * x.clamp(min=0))),
    "selu": ("selu", lambda hidden: Function(selu)),
    "crrelu": ("crrelu", lambda hidden: CRReLU()),
    "normalised": ({"type": "normalised", "inner": "relu"}, Normalised),
}
