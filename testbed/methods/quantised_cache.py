"""Keys and values rounded to few bits, as a cache keeps them."""

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from testbed.methods.method import Method, Parameters, Placement, method

if TYPE_CHECKING:
    from torch import Tensor

By = Literal["channel", "token"]
Levels = Literal["even", "normal"]
LEAST_STEP = 1e-30


@method("quantised_cache")
class QuantisedCache(Method):
    """Keys and values rounded to 2^b levels between the least and the largest number of their channel or token.

    The choices of KVQuant (Hooper et al. 2024, 2401.18079): keys by channel, before positions enter; values by token.
    `rotated` rounds keys after that, where channels have mixed. Even levels stand D = (largest - least) / (2^b - 1)
    apart and no number moves by more than D / 2, so errors halve with each bit. `normal` levels stand at the quantiles
    (i + 1/2) / 2^b of the normal law, stretched to the same ends: closer where numbers are frequent. `outliers` is the
    share of the numbers of a channel or token, half of it at either end and rounded down, that is kept as it is; the
    levels span the others.

    KVQuant reads the ends of channels off other data beforehand, fits its levels to them by weighted k-means, and takes
    outliers by thresholds of each vector; the levels and the outliers here are this project's reading. A channel's ends
    come from this key and those before it (in a bidirectional model: from the whole window), so that nothing from
    behind a query enters; a key that sets a new end is kept exactly there, which by itself favours channels over
    tokens. `normal` levels are fitted to nothing. With channels, outliers cost a sort for each position. Meant for a
    trained model; in training gradients pass straight through.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"cache"})
    excludes: ClassVar[frozenset[str]] = frozenset({"cache"})
    key_bits: int = Field(8, ge=0, le=16, description="b of keys; 0: they are left alone")
    value_bits: int = Field(8, ge=0, le=16, description="b of values; 0: they are left alone")
    keys_by: By = Field("channel", description="whose ends the levels of keys span")
    values_by: By = Field("token", description="whose ends the levels of values span")
    rotated: bool = Field(False, description="round keys after positions enter, not before")
    levels: Levels = Field("even", description="where levels stand between the ends")
    outliers: float = Field(0.0, ge=0, le=0.5, description="share of numbers kept as they are, half of it at each end")

    def keys(self, k_EBHTK: "Tensor", at: Placement, rotated: bool, parameters: Parameters) -> "Tensor":
        if not self.key_bits or rotated != self.rotated:
            return k_EBHTK
        return rounded(k_EBHTK, self.key_bits, self.keys_by, at.sees_all, self.levels, self.outliers)

    def values(self, v_EBHTK: "Tensor", at: Placement, parameters: Parameters) -> "Tensor":
        if not self.value_bits:
            return v_EBHTK
        return rounded(v_EBHTK, self.value_bits, self.values_by, at.sees_all, self.levels, self.outliers)


def rounded(
    x_EBHTK: "Tensor", bits: int, by: By, whole: bool, levels: Levels = "even", outliers: float = 0.0
) -> "Tensor":
    """x on 2^bits levels between its ends: of each token, or of each channel up to the token (`whole`: of all)."""
    low, high = ends(x_EBHTK, by, whole, outliers)
    span = high - low
    if levels == "even":
        step = span / (2**bits - 1)
        on_level = low + ((x_EBHTK - low) / step.clamp(min=LEAST_STEP)).round() * step
    else:
        import torch

        at = torch.tensor(normal_levels(bits), dtype=x_EBHTK.dtype, device=x_EBHTK.device)
        nearest = torch.bucketize(((x_EBHTK - low) / span.clamp(min=LEAST_STEP)).contiguous(), (at[1:] + at[:-1]) / 2)
        on_level = low + at[nearest] * span
    if outliers:
        on_level = on_level.where((x_EBHTK >= low) & (x_EBHTK <= high), x_EBHTK)
    return x_EBHTK + (on_level - x_EBHTK).detach() if x_EBHTK.requires_grad else on_level


def ends(x_EBHTK: "Tensor", by: By, whole: bool, outliers: float) -> "tuple[Tensor, Tensor]":
    """The least and the largest number that levels span: of each token (K -> 1), of each channel up to the token, or of
    whole channels (T -> 1), without the outliers at either end."""
    import torch

    if by == "token":
        return _inner_ends(x_EBHTK, -1, outliers)
    if whole:
        return _inner_ends(x_EBHTK, -2, outliers)
    low, high = x_EBHTK.cummin(dim=-2).values, x_EBHTK.cummax(dim=-2).values
    n = x_EBHTK.shape[-2]
    with_some = [t for t in range(n) if _apart(t + 1, outliers)]
    if not with_some:
        return low, high
    inner = [_inner_ends(x_EBHTK[..., : t + 1, :], -2, outliers) for t in with_some]
    lows, highs = (torch.cat(one, dim=-2) for one in zip(*inner, strict=True))
    first = with_some[0]  # from the first on all have some
    return torch.cat([low[..., :first, :], lows], dim=-2), torch.cat([high[..., :first, :], highs], dim=-2)


def _apart(n: int, outliers: float) -> int:
    """How many of n numbers are kept apart at either end."""
    return int(outliers * n / 2)


def _inner_ends(x_EBHTK: "Tensor", dim: int, outliers: float) -> "tuple[Tensor, Tensor]":
    n = x_EBHTK.shape[dim]
    if not (apart := _apart(n, outliers)):
        return x_EBHTK.amin(dim=dim, keepdim=True), x_EBHTK.amax(dim=dim, keepdim=True)
    order = x_EBHTK.sort(dim=dim).values
    return order.narrow(dim, apart, 1), order.narrow(dim, n - 1 - apart, 1)


@lru_cache(maxsize=32)
def normal_levels(bits: int) -> tuple[float, ...]:
    """2^bits levels from 0 to 1 at the quantiles (i + 1/2) / 2^bits of the normal law, stretched to those ends.

    >>> [round(one, 3) for one in normal_levels(2)]
    [0.0, 0.362, 0.638, 1.0]
    """
    from statistics import NormalDist

    quantiles = [NormalDist().inv_cdf((i + 0.5) / 2**bits) for i in range(2**bits)]
    return tuple((one - quantiles[0]) / (quantiles[-1] - quantiles[0]) for one in quantiles)
