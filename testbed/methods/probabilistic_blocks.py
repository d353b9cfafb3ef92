"""Blocks of keys dropped at random, the more often the farther they are."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import Method, Parameters, Placement, method

if TYPE_CHECKING:
    from torch import Tensor

ODD = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""Factors of the mixing below (Steele et al. 2014, SplitMix)."""


@method("probabilistic_blocks")
class ProbabilisticBlocks(Method):
    """Of the pairs of a query block and a key block r apart, a share pi(r) = (1 + max(r - near, 0))^(-power) is kept.

    This project's reading of PrFlashAttention (Fulu Li 2024, 2410.18441, whose formulas are not available to it): keep
    a block at distance r with probability pi(r). Whether a pair is kept is a fixed function of `seed` and the two
    blocks' numbers, the same for every head, block of the model, window length and step.

    `reweighted` adds -ln pi(r) to the logits of what is kept, so that sums over keys stay right in the mean; without
    it, weight moves to near keys.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"mask"})
    block: int = Field(32, ge=1, le=2**20, description="tokens in a block")
    near: int = Field(1, ge=0, le=2**20, description="blocks apart up to which every key is kept")
    power: float = Field(1.0, ge=0, le=100, description="of the fall of pi; 0 keeps all")
    seed: int = Field(0, ge=0, le=2**31, description="which pairs are kept")
    reweighted: bool = Field(False, description="raise what is kept by -ln pi")

    def log_share(self, r: "Tensor") -> "Tensor":
        """ln pi(r) for distances in blocks."""
        return -self.power * (r - self.near).clamp(min=0).float().log1p()

    def mask(self, at: Placement) -> "Tensor":
        q_T1, k_T = at.query_order_T[:, None] // self.block, at.key_order_T // self.block
        return _uniform(q_T1, k_T, self.seed) < self.log_share((q_T1 - k_T).abs()).exp()

    def bias(self, at: Placement, parameters: Parameters) -> "Tensor | None":
        if not self.reweighted:
            return None
        q_T1, k_T = at.query_order_T[:, None] // self.block, at.key_order_T // self.block
        return -self.log_share((q_T1 - k_T).abs())


def _uniform(i: "Tensor", j: "Tensor", seed: int) -> "Tensor":
    """Numbers in [0, 1), a function of i, j and seed alone, on any device: SplitMix of whole numbers modulo 2^64."""
    x = i * _signed(ODD[0]) + j * _signed(ODD[1]) + _signed((seed + 1) * ODD[2])
    for shift, factor in ((30, ODD[1]), (27, ODD[2])):
        x = (x ^ ((x >> shift) & (2 ** (64 - shift) - 1))) * _signed(factor)
    return ((x >> 40) & (2**24 - 1)).float() * 2.0**-24


def _signed(x: int) -> int:
    """x modulo 2^64, as a whole number of 64 bits with a sign."""
    return (x + 2**63) % 2**64 - 2**63
