"""One flat (E, P) buffer for all weights of all members, with named views.

Per-member learning rates, clipping and freezing are then row operations, and a member is a row.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

ALIGNMENT = 16  # rows start on a cache line

WeightShapes = dict[str, tuple[tuple[int, ...], float, float, bool]]
"""Name -> (shape, standard deviation and mean at the start, whether weight decay applies)."""


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

    def __init__(self, weights: WeightShapes, state: frozenset[str] = frozenset()) -> None:
        """`state`: the names of those that are not learned."""
        self.entries: list[Entry] = []
        offset = 0
        for name, (shape, std, mean, decay) in weights.items():
            self.entries.append(Entry(name, shape, offset, std, mean, decay, name not in state))
            offset += math.prod(shape)
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

    def leaves(self, rows_EP: Tensor, gradients_EP: Tensor) -> dict[str, Tensor]:
        """Views that are autograd leaves; their gradients accumulate into `gradients_EP` in place. State has none."""
        leaves = {}
        gradients = self.views(gradients_EP)
        learned = {entry.name for entry in self.entries if entry.learned}
        for name, view in self.views(rows_EP).items():
            if name in learned:
                leaves[name] = view.detach().requires_grad_()
                leaves[name].grad = gradients[name]
            else:
                leaves[name] = view.data  # a change of it is none of the weights', in autograd's eyes
        return leaves
