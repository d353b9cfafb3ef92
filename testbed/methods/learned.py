"""Learned absolute positions."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.core import ConfigError
from testbed.methods.method import Geometry, Initial, Method, Parameters, Placement, method

if TYPE_CHECKING:
    from torch import Tensor


@method("learned")
class LearnedPositions(Method):
    """A learned vector per position, added to the token embedding (Vaswani et al. 2017, sec. 3.5).

    Defined up to the training length only; longer windows are refused.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"position"})
    std: float = Field(0.5, gt=0, le=100, description="standard deviation at which they start")

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        return {"position": Initial((geometry.train_length, geometry.width), std=self.std)}

    def embed(self, at: Placement, parameters: Parameters) -> "Tensor":
        table = parameters["position"]
        longest = at.n_keys if at.counts_up else int(at.keys_T[-1]) + 1
        if longest > table.shape[1]:
            raise ConfigError(f"learned positions end at {table.shape[1]}, but a window of {longest} was given")
        if longest == at.n_keys:  # 0, 1, 2, ...: a slice, whose gradient is cheaper than a lookup's
            return table[:, :longest]
        return table[:, at.keys_T]
