"""A banded mask: named as what it is, not as a context length."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import Method, Placement, method

if TYPE_CHECKING:
    from torch import Tensor


@method("banded")
class BandedMask(Method):
    """Each query sees itself and the `reach` - 1 keys before it (in a bidirectional model: and after it).

    Through L layers a token then reaches L (reach - 1) + 1 tokens back, so a band is not a context length: for exact
    contexts, windows are cut to size instead. `reach` left out is the training length m: a no-op for windows up to m.

    `released_code`: no mask at all, because this choice falls through to plain RoPE in the code of 2501.08570.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"mask"})
    reach: int | None = Field(
        None, gt=0, description="keys that a query sees in one layer on a side, itself included; left out: m"
    )
    released_code: bool = Field(False, description="never masks, as in the code of 2501.08570")

    def mask(self, at: Placement) -> "Tensor | None":
        if self.released_code:
            return None
        return at.distances_TT.abs() < (at.geometry.train_length if self.reach is None else self.reach)
