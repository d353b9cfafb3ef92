"""A learned bias for every distance."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import Geometry, Initial, Method, Parameters, Placement, method

if TYPE_CHECKING:
    from torch import Tensor


@method("relative_bias")
class RelativeBias(Method):
    """Logits a + b_d for a key d steps away, b_d learned for each block, head and distance (Raffel et al. 2020, T5).

    Each distance has a bias of its own (T5, 1910.10683, sec. 2.1, lets long ones share buckets), and there are no other
    positions: a head can look at one distance whatever stands there, and how much it likes a token and how much a
    distance are two factors of its weight. Distances beyond the training length share the last one's bias.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"position"})
    spread: float = Field(1.0, ge=0, le=10, description="standard deviation of b at the start, over distances")

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        return {"b": Initial((geometry.heads, geometry.train_length), std=self.spread, per_block=True)}

    def bias(self, at: Placement, parameters: Parameters) -> "Tensor":
        b_EHT = parameters["b"].float()
        distances_TT = at.distances_TT.abs().clamp(max=b_EHT.shape[-1] - 1)
        chosen = b_EHT.index_select(-1, distances_TT.reshape(-1))
        return chosen.unflatten(-1, distances_TT.shape)[:, None]
