"""A penalty on attention that is too even or too sharp, beside the training loss."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from testbed.methods.method import AttentionContext, Geometry, Initial, Method, Parameters, method

if TYPE_CHECKING:
    from torch import Tensor

LEAST = 1e-30


@method("entropy_guided")
class EntropyGuided(Method):
    """The loss gains c d^2 [|d| > tau Hmax] for every attention row, d = H - theta_h Hmax, H the row's entropy.

    Summed over all windows and rows of a step, averaged over blocks and heads; theta_h is learned for each of these
    (Jha & Reagen 2025, 2501.03489; c, tau and sums of the released code, which says nothing of theta's start).

    `maximum = "window"`, the paper's form: Hmax = ln T in a window of T keys. A causal row that sees n keys has
    H <= ln n, so with theta = 1 even the uniform law, which has the largest entropy there is, is penalised wherever
    n < T^(1 - tau). `maximum = "row"` takes ln n.

    Attention is left as it is, and so is the loss that a training reports: the penalty enters as its gradient, on the
    way back. Rows are those that a step forms: where the loss is that of the last position, one a window in the last
    block. Methods named later that change weights come after it; those whose rows do not sum to one, and have no
    entropy, are refused. Explicit path.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"regulariser"})
    excludes: ClassVar[frozenset[str]] = frozenset({"regulariser", "sums_of_rows"})
    counts_windows: ClassVar[bool] = True
    coefficient: float = Field(1e-5, ge=0, le=1e6, description="c, weight of the penalty, per row")
    tolerance: float = Field(0.2, ge=0, le=1, description="tau, deviation that costs nothing, as a share of Hmax")
    theta: float = Field(0.5, ge=0, le=1, description="theta_h at the start, a share of Hmax")
    maximum: Literal["window", "row"] = Field("window", description="Hmax: ln of all keys, or of those a row sees")

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        return {"theta": Initial((geometry.heads,), std=0.0, mean=self.theta, per_block=True)}

    def reweigh(self, w_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        if not w_EBHTT.requires_grad:
            return w_EBHTT
        from testbed.methods._kernels.auxiliary import with_auxiliary

        geometry = context.at.geometry
        of_rows = self.penalty(w_EBHTT, context.visible_TT, parameters["theta"])
        return with_auxiliary(w_EBHTT, of_rows.sum() / (geometry.heads * geometry.depth))

    def penalty(self, w_EBHTT: "Tensor", visible_TT: "Tensor", theta_EH: "Tensor") -> "Tensor":
        """(E, B, H, T): c d^2 [|d| > tau Hmax] of each row."""
        w = w_EBHTT if w_EBHTT.dtype.itemsize > 2 else w_EBHTT.float()
        entropy_EBHT = -(w * w.clamp(min=LEAST).log()).sum(dim=-1)  # finite slope where a weight is zero
        row = self.maximum == "row"
        largest_T = visible_TT.sum(dim=-1).to(w.dtype).log() if row else math.log(visible_TT.shape[-1])
        d_EBHT = entropy_EBHT - theta_EH[:, None, :, None].to(w.dtype) * largest_T
        return self.coefficient * d_EBHT.square() * (d_EBHT.abs() > self.tolerance * largest_T)
