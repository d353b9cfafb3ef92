"""A banded causal mask: named as what it is, not as a context length."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import Method, Placement, method

if TYPE_CHECKING:
    from torch import Tensor


@method("banded")
class BandedMask(Method):
    """Each query sees itself and the `reach` - 1 keys before it (in a bidirectional model: and after it).

    Through L layers a token then reaches L (reach - 1) + 1 tokens back, so a band is not a context length: for exact
    contexts, windows are cut to size instead.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"mask"})
    reach: int = Field(gt=0, description="keys that a query sees in one layer on a side, itself included")

    def mask(self, at: Placement) -> "Tensor":
        return at.distances_TT.abs() < self.reach
