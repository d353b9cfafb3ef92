"""Matrices brought back to the norm that they started with: the second half of Normalize-and-Project."""

import torch
from torch import Tensor

from testbed.models.flat import Entry, Layout


def is_projected(entry: Entry) -> bool:
    """Whether a weight is a matrix of a block: what weight decay applies to, but for the head."""
    return entry.decay and entry.name != "head"


class Projection:
    """W <- W |W_0| / |W| for every matrix of a block, with Frobenius norms (Lyle et al. 2024, 2407.01800).

    A matrix of which only the direction counts, as W_in where `activation = normalised`, acts as without this, but its
    steps do not shrink as it grows. Others are bounded by it, as are queries, keys and values of a block, which are one
    matrix here. The head is left alone, since it starts near zero and no logits could grow; so are embeddings, and what
    starts at zero.
    """

    def __init__(self, layout: Layout, weights_EP: Tensor) -> None:
        """`weights_EP` at their start."""
        self.places = [slice(one.offset, one.offset + one.size) for one in layout.entries if is_projected(one)]
        self.norms_KE = torch.stack([torch.linalg.vector_norm(weights_EP[:, one], dim=1) for one in self.places])

    @torch.no_grad()
    def __call__(self, weights_EP: Tensor, alive_E: Tensor) -> None:
        """In place, of the living members."""
        for place, norm_E in zip(self.places, self.norms_KE, strict=True):
            part_EP = weights_EP[:, place]
            found_E = torch.linalg.vector_norm(part_EP, dim=1)
            factor_E = torch.where(alive_E & (found_E > 0) & (norm_E > 0), norm_E / found_E, 1.0)
            part_EP.mul_(factor_E[:, None])
