"""AdamW on flat (E, P) buffers: per-member learning rate, weight decay, clipping and freezing are row operations."""

import math

import numpy as np
import torch
from torch import Tensor

from testbed.training.spec import OptimiserConfig
from testbed.training.step_table import StepTable, clock_at, to_device

CACHE_FLOATS = 1 << 17
"""Rows are updated in blocks of about this many numbers, so that the passes of one block stay in the cache."""
MEMORY_FLOATS = 1 << 26
"""The same on a GPU, where the blocks bound what an update takes for a moment."""
STEPS_AHEAD = 64
"""Steps whose schedule lies ready at a time."""


def learning_rate_factor(step: int, config: OptimiserConfig) -> float:
    """Linear warm-up to one over `warmup_steps` steps, then half a cosine; `final_fraction` is reached after the last
    step, so that no step is spent at rate zero."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    span = max(config.steps - config.warmup_steps, 1)
    progress = (step - config.warmup_steps) / span
    return config.final_fraction + (1 - config.final_fraction) * 0.5 * (1 + math.cos(math.pi * progress))


class AdamW:
    """Decoupled weight decay (Loshchilov & Hutter 2019) for E rows at once.

    m <- b1 m + (1 - b1) g          v <- b2 v + (1 - b2) g^2
    w <- w (1 - lr wd) - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    Weights, m and v are float32; gradients may be narrower.
    """

    def __init__(
        self,
        weights_EP: Tensor,
        gradients_EP: Tensor,
        decay_mask_P: Tensor,
        configs: list[OptimiserConfig],
    ) -> None:
        self.config = configs[0]
        self.weights, self.gradients = weights_EP, gradients_EP
        self.mean, self.square = torch.zeros_like(weights_EP), torch.zeros_like(weights_EP)
        self.device = device = weights_EP.device
        self.peak_E1 = torch.tensor([[c.learning_rate] for c in configs], device=device)
        decay_E1 = torch.tensor([[c.weight_decay] for c in configs], device=device)
        self.decay_EP = decay_E1 * decay_mask_P.to(device) if bool((decay_E1 > 0).any()) else None
        self.clip_E1 = torch.tensor([[math.inf if c.clip is None else c.clip] for c in configs], device=device)
        self.clips = any(c.clip is not None for c in configs)
        self.on_cpu = device.type == "cpu"
        rows = max(1, (CACHE_FLOATS if self.on_cpu else MEMORY_FLOATS) // weights_EP.shape[1])
        self.blocks = [slice(a, min(a + rows, len(configs))) for a in range(0, len(configs), rows)]
        self.schedule = StepTable(self._schedule, STEPS_AHEAD)

    def _schedule(self, steps: range) -> Tensor:
        """(steps, 3): the rate over its peak, then what both sides of the update's quotient are multiplied by."""
        c, rows = self.config, []
        for number in steps:
            correction1, correction2 = 1 - c.beta1 ** (number + 1), 1 - c.beta2 ** (number + 1)
            root = correction2**0.5
            rows.append([learning_rate_factor(number, c), c.epsilon * root, -root / correction1])
        return to_device(np.array(rows, dtype=np.float32), self.device)

    def prepare(self, number: int) -> None:
        """Make the schedule of an update ready to be read."""
        self.schedule.prepare(number)

    def step(self, number: int, alive_E: Tensor) -> None:
        """Update number `number` (from 0)."""
        self.prepare(number)
        self.update(clock_at(number, self.device), alive_E)

    @torch.no_grad()
    def update(self, clock_1: Tensor, alive_E: Tensor) -> None:
        """The update that the clock says, of the living members; the others' rows stay as they are.

        A member whose gradient or update is not finite dies here and keeps its weights: its entry of `alive_E` (bool,
        changed in place) becomes False.
        """
        c = self.config
        factor, epsilon, rescale = self.schedule.at(clock_1).unbind()
        rate_E1 = self.peak_E1 * factor
        for rows in self.blocks:
            mean, square, weight = (x[rows] for x in (self.mean, self.square, self.weights))
            gradient = self.gradients[rows].float()  # itself, where it is float32
            norm_E1 = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
            living_E1 = alive_E[rows, None] & norm_E1.isfinite()
            if self.clips:
                gradient.mul_((self.clip_E1[rows] / (norm_E1 + 1e-6)).clamp(max=1.0))
            if not (self.on_cpu and living_E1.all()):  # a GPU would have to be waited for
                gradient.masked_fill_(~living_E1, 0.0)
            rate = rate_E1[rows] * living_E1
            mean.lerp_(gradient, 1 - c.beta1)
            square.mul_(c.beta2).addcmul_(gradient, gradient, value=1 - c.beta2)
            updated = weight
            if self.decay_EP is not None:
                updated = torch.addcmul(weight, weight * rate, self.decay_EP[rows], value=-1)
            root = square.sqrt().add_(epsilon)  # both sides of the quotient times sqrt(1 - b2^t)
            updated = torch.addcdiv(updated, mean * (rate * rescale), root)
            finite_E1 = updated.sum(dim=1, keepdim=True).isfinite()  # far cheaper than a test of every number
            alive_E[rows] = (living_E1 & finite_E1)[:, 0]
            weight.copy_(updated if self.on_cpu and finite_E1.all() else torch.where(finite_E1, updated, weight))
