"""What depends on the step alone, computed some steps ahead and kept on the device.

A step then reads its own row by the device's clock: nothing in it comes from Python, so that it can be recorded once as
a graph and played again.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def clock_at(step: int, device: torch.device) -> Tensor:
    """(1,) the number of a step, on the device."""
    return torch.tensor([step], device=device)


def to_device(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """The array there; a GPU takes it over while the host goes on."""
    tensor = torch.from_numpy(array)
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


class StepTable:
    """Rows for `chunk` steps at a time; `rows(steps)` gives a tensor (steps, ...) of them, on the device."""

    def __init__(self, rows: Callable[[range], Tensor], chunk: int) -> None:
        self.rows, self.chunk = rows, chunk
        self.first = -1
        self.values: Tensor | None = None

    def prepare(self, step: int) -> None:
        """Make this step's row ready. The tensor stays where it is, since a graph reads it there."""
        first = step - step % self.chunk
        if first == self.first:
            return
        rows = self.rows(range(first, first + self.chunk))
        self.first = first
        if self.values is None:
            self.values = rows
        else:
            self.values.copy_(rows)

    def at(self, clock_1: Tensor) -> Tensor:
        """This step's row; a new tensor every time."""
        assert self.values is not None
        return self.values.index_select(0, clock_1 % self.chunk)[0]
