"""Attention by distance alone, its sharpness clamped."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import Geometry, Initial, Method, Parameters, Placement, method

if TYPE_CHECKING:
    from torch import Tensor


@method("distance_logits")
class DistanceLogits(Method):
    """A key t steps away gets the logit gap sigmoid(b_t), b_t learned for each head: no two differ by more than `gap`.

    What tokens say of themselves does not enter: queries and keys are set to zero. So in the first block the weight of
    a place depends on its distance, its value on its token, and the clamp is the only bound on what is read. (Relative
    biases as in Raffel et al. 2020, 1910.10683, each distance its own, without the product of queries and keys.)

    All start alike, near the lower end, so that attention starts even and one distance can rise by the whole gap.
    Distances beyond the training length share the last one's logit.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"position", "qk"})
    gap: float = Field(4.0, gt=0, le=1e3, description="bound on the difference of two logits of a row")
    start: float = Field(-3.0, ge=-20, le=20, description="b_t at the start of training")

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        return {"b": Initial((geometry.heads, geometry.train_length), std=0.0, mean=self.start, per_block=True)}

    def qk(
        self, q_EBHTK: "Tensor", k_EBHTK: "Tensor", at: Placement, parameters: Parameters
    ) -> "tuple[Tensor, Tensor]":
        return q_EBHTK * 0.0, k_EBHTK * 0.0

    def bias(self, at: Placement, parameters: Parameters) -> "Tensor":
        b_EHT = parameters["b"]
        distances_TT = at.distances_TT.abs().clamp(max=b_EHT.shape[-1] - 1)
        return (self.gap * b_EHT.sigmoid())[:, :, distances_TT][:, None]
