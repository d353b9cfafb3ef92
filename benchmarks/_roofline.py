"""What a GPU does at best, what a training step needs at least, and how long one takes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from benchmarks.training import VOCAB_SIZE


@dataclass(frozen=True)
class Size:
    """What is measured: models as (width, depth), and how long."""

    models: tuple[tuple[int, int], ...] = ((64, 2), (128, 4))
    members: tuple[int, ...] = (1, 8, 32, 128)
    positions: int = 128
    windows: int = 32
    steps: int = 40
    rounds: int = 5
    compiles: bool = True
    trained: int = 64
    training_steps: int = 1500


REHEARSAL = Size(((16, 1),), (1, 2), 8, 2, 2, 2, False, 6, 20)


@dataclass(frozen=True)
class Limits:
    """What the device does at best, measured here: bfloat16 products and copies, a second."""

    flops: float
    bytes: float


def seconds_a_step(step: Callable[[], None], size: Size, device: torch.device) -> float:
    """Median over rounds of so many steps; the first steps warm up, compile and record."""
    for _ in range(6):
        step()
    found = []
    for _ in range(size.rounds):
        wait(device)
        start = time.perf_counter()
        for _ in range(size.steps):
            step()
        wait(device)
        found.append((time.perf_counter() - start) / size.steps)
    return median(found)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def measured_limits(size: Size, device: torch.device) -> Limits:
    n = 8192 if device.type == "cuda" else 128
    a = torch.randn(n, n, device=device, dtype=torch.bfloat16)
    b = torch.empty(n, 8 * n, device=device, dtype=torch.float32)
    c = torch.empty_like(b)
    return Limits(
        2 * n**3 / seconds_a_step(lambda: torch.mm(a, a), size, device),
        2 * b.numel() * 4 / seconds_a_step(lambda: c.copy_(b), size, device),
    )


def flops_a_position(width: int, depth: int, positions: int) -> float:
    """Forward and backward: three times the products of the weights, and of the causal half of attention."""
    weights = depth * 12 * width**2 + width * VOCAB_SIZE
    return 3 * (2 * weights + depth * 2 * positions * width)


def bytes_a_step(n: int, model: tuple[int, int], size: Size) -> float:
    """Least traffic with memory where whatever stands between two products is one kernel, all of it bfloat16.

    Forward, in numbers of a position over the width: norm 2, qkv 4, attention 4, its product with the residual 3,
    norm 2, first product of the MLP 5, GELU 8, second product with the residual 6; backward reads and writes twice as
    much. Weights: float32 masters, mean and square are read and written, gradients and the narrow copy as well.
    """
    width, depth = model
    activations = 3 * (2 + 4 + 4 + 3 + 2 + 5 + 8 + 6) * width * depth * 2
    n_weights = depth * 12 * width**2 + (2 * VOCAB_SIZE + 1 + size.positions) * width
    return n * (size.windows * size.positions * activations + n_weights * (6 * 4 + 4 * 2))
