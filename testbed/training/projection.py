"""Matrices brought back to the norm that they started with: the second half of Normalize-and-Project."""

import torch
from torch import Tensor

from testbed.models.flat import Layout


class Projection:
    """W <- W |W_0| / |W| for every matrix that weight decay applies to, with Frobenius norms (Lyle et al. 2024,
    2407.01800).

    A matrix of which only the direction counts, as W_in where `activation = normalised`, acts as without this, but its
    steps do not shrink as it grows. Others are bounded by it: queries, keys and values of a block, which are one matrix
    here, and above all a head of its own, which starts near zero and stays as small; logits can then grow by the gain
    of the final norm alone. A tied head is not projected. What starts at zero is left alone.
    """

    def __init__(self, layout: Layout, weights_EP: Tensor) -> None:
        """`weights_EP` at their start."""
        self.places = [slice(one.offset, one.offset + one.size) for one in layout.entries if one.decay]
        self.norms_KE = torch.stack([torch.linalg.vector_norm(weights_EP[:, one], dim=1) for one in self.places])

    @torch.no_grad()
    def __call__(self, weights_EP: Tensor, alive_E: Tensor) -> None:
        """In place, of the living members."""
        for place, norm_E in zip(self.places, self.norms_KE, strict=True):
            part_EP = weights_EP[:, place]
            found_E = torch.linalg.vector_norm(part_EP, dim=1)
            factor_E = torch.where(alive_E & (found_E > 0) & (norm_E > 0), norm_E / found_E, 1.0)
            part_EP.mul_(factor_E[:, None])
