"""Weights and scores changed after the fact: affine scaling, and selection by what earlier queries saw."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import AttentionContext, Geometry, Initial, Method, Parameters, method

if TYPE_CHECKING:
    from torch import Tensor


@method("affine")
class AffineScaled(Method):
    """Weights alpha(x) softmax(a) + (alpha_ma - alpha(x)) / N over the N visible keys (2602.23057).

    alpha(x) = sigmoid(W x) for each query and head (the paper leaves its map open), alpha_ma its running mean in
    training (decay rho, from 0 on), kept beside the weights. Rows sum to alpha_ma; entries may be negative.
    Explicit path.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"normaliser"})
    rho: float = Field(0.9, ge=0, lt=1, description="decay of the running mean, a training step")

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        shape, std = (geometry.width, geometry.heads), geometry.width**-0.5
        return {
            "gate": Initial(shape, std=std, per_block=True, decay=True),
            "mean": Initial((geometry.heads,), std=0.0, per_block=True),
        }

    def reweigh(self, w_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        alpha_EBHT = (context.x_EBTD @ parameters["gate"][:, None]).transpose(-1, -2).sigmoid()
        kept_EH = parameters["mean"].data  # without gradient AdamW leaves it alone; `.data`: nor does autograd watch it
        if alpha_EBHT.requires_grad:
            kept_EH.mul_(self.rho).add_((1.0 - self.rho) * alpha_EBHT.detach().mean(dim=(1, 3)))
        mean_EH = kept_EH.clone()
        rest_EBHT = (mean_EH[:, None, :, None] - alpha_EBHT) / context.visible_TT.sum(dim=-1)
        return alpha_EBHT[..., None] * w_EBHTT + rest_EBHT[..., None] * context.visible_TT


@method("selective")
class SelectiveAttention(Method):
    """From each logit is subtracted what earlier queries gave its key in the first head.

    F = sum over queries before this one of max(a, 0), a of head 0; never for the first key, never for oneself
    (Leviathan et al. 2024, 2410.02703). Explicit path.
    """

    needs_all_queries: ClassVar[bool] = True

    def logits(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        at = context.at
        kept_TT = context.visible_TT & (at.query_order_T[:, None] != at.key_order_T) & (at.key_order_T > 0)
        selected_EBTT = a_EBHTT[:, :, 0].relu() * kept_TT
        before_EBTT = selected_EBTT.cumsum(dim=-2) - selected_EBTT
        return a_EBHTT - before_EBTT[:, :, None]
