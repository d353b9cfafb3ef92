"""One flat (E, P) buffer for all weights of all members, with named views.

Per-member learning rates, clipping and freezing are then row operations, and a member is a row.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from testbed.methods import Initial

ALIGNMENT = 16  # rows start on a cache line

Weights = dict[str, Initial]
"""Every weight by its name: shape, start, whether weight decay applies, whether it is learned."""


@dataclass(frozen=True)
class Entry:
    """One named weight: where it lies in a row, its shape, how it starts, whether weight decay applies.

    learned   False for what a forward pass keeps there, such as running statistics: it has no gradient
    """

    name: str
    shape: tuple[int, ...]
    offset: int
    std: float
    mean: float
    decay: bool
    learned: bool = True

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class Layout:
    """Where each named weight lies in a row of P numbers."""

    def __init__(self, weights: Weights) -> None:
        self.entries: list[Entry] = []
        offset = 0
        for name, one in weights.items():
            self.entries.append(Entry(name, one.shape, offset, one.std, one.mean, one.decay, one.learned))
            offset += math.prod(one.shape)
        self.n_weights = offset
        self.row_length = -(-offset // ALIGNMENT) * ALIGNMENT

    def initial_row(self, seed: int) -> Tensor:
        """(P,) float32 weights of a fresh member; a function of the layout and its own seed alone."""
        row = torch.zeros(self.row_length)
        generator = torch.Generator().manual_seed(seed)
        for entry in self.entries:
            part = row[entry.offset : entry.offset + entry.size]
            if entry.std > 0:
                part.copy_(torch.randn(entry.size, generator=generator) * entry.std)
            part.add_(entry.mean)
        return row

    def decay_mask(self) -> Tensor:
        """(P,) one where weight decay applies."""
        mask = torch.zeros(self.row_length)
        for entry in self.entries:
            if entry.decay:
                mask[entry.offset : entry.offset + entry.size] = 1.0
        return mask

    def views(self, rows_EP: Tensor) -> dict[str, Tensor]:
        """Named views (E, *shape) of a block of rows."""
        return {
            entry.name: rows_EP[:, entry.offset : entry.offset + entry.size].unflatten(1, entry.shape)
            for entry in self.entries
        }

    def leaves(self, rows_EP: Tensor, gradients_EP: Tensor, kept_EP: Tensor | None = None) -> dict[str, Tensor]:
        """Views that are autograd leaves; their gradients accumulate into `gradients_EP` in place. State has none.

        kept_EP    where state lies, if not in `rows_EP`, which may be a narrow copy
        """
        leaves = {}
        state = self.views(rows_EP if kept_EP is None else kept_EP)
        gradients = self.views(gradients_EP)
        learned = {entry.name for entry in self.entries if entry.learned}
        for name, view in self.views(rows_EP).items():
            if name in learned:
                leaves[name] = view.detach().requires_grad_()
                leaves[name].grad = gradients[name]
            else:
                leaves[name] = state[name].data  # a change of it is none of the weights', in autograd's eyes
        return leaves
