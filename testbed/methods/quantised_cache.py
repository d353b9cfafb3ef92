"""Keys and values rounded to few bits, as a cache keeps them."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from testbed.methods.method import Method, Parameters, Placement, method

if TYPE_CHECKING:
    from torch import Tensor

By = Literal["channel", "token"]
LEAST_STEP = 1e-30


@method("quantised_cache")
class QuantisedCache(Method):
    """Keys and values rounded to 2^b even levels between the least and the largest number of their channel or token.

    The choices of KVQuant (Hooper et al. 2024, 2401.18079): keys by channel, before positions enter; values by token.
    `rotated` rounds keys after that, where channels have mixed. With step D = (largest - least) / (2^b - 1) no number
    moves by more than D / 2, so errors halve with each bit.

    KVQuant reads the ends of channels off other data beforehand, sets levels unevenly and keeps outliers apart. Here
    the levels are even, and a channel's ends are the least and the largest number among this key and those before it
    (in a bidirectional model: of the whole window), so that nothing from behind a query enters; a key that sets a new
    end is kept exactly there. Meant for a trained model; in training gradients pass straight through.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"cache"})
    excludes: ClassVar[frozenset[str]] = frozenset({"cache"})
    key_bits: int = Field(8, ge=0, le=16, description="b of keys; 0: they are left alone")
    value_bits: int = Field(8, ge=0, le=16, description="b of values; 0: they are left alone")
    keys_by: By = Field("channel", description="whose ends the levels of keys span")
    values_by: By = Field("token", description="whose ends the levels of values span")
    rotated: bool = Field(False, description="round keys after positions enter, not before")

    def keys(self, k_EBHTK: "Tensor", at: Placement, rotated: bool, parameters: Parameters) -> "Tensor":
        if not self.key_bits or rotated != self.rotated:
            return k_EBHTK
        return rounded(k_EBHTK, self.key_bits, self.keys_by, at.sees_all)

    def values(self, v_EBHTK: "Tensor", at: Placement, parameters: Parameters) -> "Tensor":
        if not self.value_bits:
            return v_EBHTK
        return rounded(v_EBHTK, self.value_bits, self.values_by, at.sees_all)


def rounded(x_EBHTK: "Tensor", bits: int, by: By, whole: bool) -> "Tensor":
    """x on 2^bits even levels between its ends: of each token, or of each channel up to the token (`whole`: of all)."""
    if by == "token":
        low, high = x_EBHTK.amin(dim=-1, keepdim=True), x_EBHTK.amax(dim=-1, keepdim=True)
    elif whole:
        low, high = x_EBHTK.amin(dim=-2, keepdim=True), x_EBHTK.amax(dim=-2, keepdim=True)
    else:
        low, high = x_EBHTK.cummin(dim=-2).values, x_EBHTK.cummax(dim=-2).values
    step = (high - low) / (2**bits - 1)
    on_level = low + ((x_EBHTK - low) / step.clamp(min=LEAST_STEP)).round() * step
    return x_EBHTK + (on_level - x_EBHTK).detach() if x_EBHTK.requires_grad else on_level
