"""Weights and scores changed after the fact: affine scaling, and selection by what earlier queries saw."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from testbed.methods.method import AttentionContext, Geometry, Initial, Method, Parameters, method

if TYPE_CHECKING:
    from torch import Tensor


@method("affine")
class AffineScaled(Method):
    """Weights alpha(x) softmax(a) + (alpha_ma - alpha(x)) / N over the visible keys (2602.23057).

    alpha(x) = f(W x) for each query and head, alpha_ma its running mean in training (decay rho, from 0 on), kept beside
    the weights. In training the step's own mean has entered it: over all its windows and queries, later ones too. The
    paper's f is `lin_clip`, clip(x / 10 + 1/2, 0, 1); the sigmoid has a slope everywhere. Entries are
    negative where a key has less than (alpha - alpha_ma) / (alpha N).

    N is the number of visible keys: then rows sum to alpha_ma, whatever alpha(x) is, and no query has less to give than
    another. With `count = "window"`, N = T, the i-th row of a causal model sums to alpha + (alpha_ma - alpha) i / T.
    Explicit path.
    """

    version: ClassVar[int] = 2
    slots: ClassVar[frozenset[str]] = frozenset({"normaliser"})
    excludes: ClassVar[frozenset[str]] = frozenset({"sums_of_rows"})
    counts_windows: ClassVar[bool] = True
    rho: float = Field(0.9, ge=0, lt=1, description="decay of the running mean, a training step")
    count: Literal["visible", "window"] = Field("visible", description="N: keys that the query sees, or the window's")
    gate: Literal["sigmoid", "lin_clip"] = Field("sigmoid", description="f, from numbers to [0, 1]")

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        shape, std = (geometry.width, geometry.heads), geometry.width**-0.5
        return {
            "gate": Initial(shape, std=std, per_block=True, decay=True),
            "mean": Initial((geometry.heads,), std=0.0, per_block=True, learned=False),
        }

    def reweigh(self, w_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        z_EBHT = (context.x_EBTD @ parameters["gate"][:, None]).transpose(-1, -2)
        alpha_EBHT = z_EBHT.sigmoid() if self.gate == "sigmoid" else (0.1 * z_EBHT + 0.5).clamp(0.0, 1.0)
        kept_EH = parameters["mean"].data  # which autograd does not watch
        if alpha_EBHT.requires_grad:
            new_EH = self.rho * kept_EH + (1.0 - self.rho) * alpha_EBHT.detach().mean(dim=(1, 3))
            kept_EH.copy_(new_EH.where(new_EH.isfinite(), kept_EH))
        mean_EH = kept_EH.clone()
        n_keys = context.visible_TT.sum(dim=-1) if self.count == "visible" else context.at.n_keys
        rest_EBHT = (mean_EH[:, None, :, None] - alpha_EBHT) / n_keys
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
