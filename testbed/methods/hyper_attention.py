"""HyperAttention: of far keys a query sees those that hash like it, and a random sample of the others."""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from testbed.methods.method import AttentionContext, Method, Parameters, Placement, method

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@method("hyper_attention")
class HyperAttention(Method):
    """An estimate of the softmax from sorted blocks and a uniform sample (Han et al. 2023, 2310.05869).

    A window is halved until its parts have at most `least` keys, within which attention is exact; queries of a later
    half see keys of the earlier one by an estimate. (In a bidirectional model every query sees the whole window so, and
    its own key always.) The keys of a part are sorted by a hash, the signs of `projections` random products in the
    order of the Gray code, and cut into blocks. Then

        w_ij = c_ij e^(a_ij) / sum_j c_ij e^(a_ij),    c_ij = 1      key j in the block where query i would be sorted in
                                                       c_ij = n / m  else, if among m of the part's n keys drawn evenly
                                                       c_ij = 0      else

    The mean of c over draws is 1 outside the block, so both sums are right in the mean. Exact where `block` or
    `samples` covers the part. Vectors at an angle t have a sign alike with probability 1 - t / pi.

    Where this departs from the released code: there queries are sorted too and cut into blocks of equal size, so that
    which keys a query sees depends on later queries; here on the query alone. Draws are without replacement and a
    function of `seed`, block of the model, head and part; there with replacement, anew at each call. And weights are
    formed, T x T: the estimate is that of a fast algorithm, its speed is not. Meant for trained models. Explicit path.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"normaliser"})
    block: int = Field(256, ge=1, le=2**20, description="keys in a sorted block")
    samples: int = Field(256, ge=1, le=2**20, description="m, keys of a part that all its queries see")
    least: int = Field(4096, ge=1, le=2**20, description="longest window whose attention is exact")
    projections: int = Field(7, ge=1, le=30, description="signs in a hash")
    seed: int = Field(0, ge=0, le=2**31, description="of projections and samples")

    def normalise(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor | None":
        import torch

        at = context.at
        if at.n_keys <= self.least:
            return None
        q, k = context.q_EBHTK.detach(), context.k_EBHTK.detach()
        rows_KR = _projections(self.seed, context.block, q.shape[-1], self.projections, q.device).to(q.dtype)
        rank_q, rank_k = (gray_rank(x @ rows_KR > 0) for x in (q, k))
        log_c = torch.zeros_like(a_EBHTT)
        order_T1 = at.query_order_T[:, None]
        for keys, first, stop in self.parts(at):
            n_keys = keys.stop - keys.start
            same = sorted_in(rank_q, rank_k[..., keys])[..., None] // self.block
            same = same == place(rank_k[..., keys])[..., None, :] // self.block
            drawn_HT = _drawn(self.seed, context.block, keys.start, q.shape[2], n_keys, self.samples, q.device)
            estimated = drawn_HT[:, None].to(log_c.dtype).masked_fill(same, 0.0)
            inside_T1 = (order_T1 >= first) & (order_T1 < stop)
            log_c[..., keys] = torch.where(inside_T1, estimated, log_c[..., keys])
        log_c = log_c.masked_fill(order_T1 == at.key_order_T, 0.0)
        return (a_EBHTT + log_c).softmax(dim=-1)

    def parts(self, at: Placement) -> Iterator[tuple[slice, int, int]]:
        """Keys, and first and last place of the queries that see them by an estimate."""
        if at.sees_all:
            yield slice(0, at.n_keys), 0, at.n_keys
        else:
            yield from halves(0, at.n_keys, self.least)


def halves(start: int, stop: int, least: int) -> Iterator[tuple[slice, int, int]]:
    """Keys of the earlier half, and places of the later one, of every part of a window that is longer than `least`."""
    if stop - start > least:
        middle = (start + stop) // 2
        yield slice(start, middle), middle, stop
        yield from halves(start, middle, least)
        yield from halves(middle, stop, least)


def gray_rank(signs: "Tensor") -> "Tensor":
    """(...,) the place of each row of signs (..., r) in the Gray code's order, where neighbours differ in one sign."""
    import torch

    rank = torch.zeros_like(signs[..., 0], dtype=torch.int64)
    parity = torch.zeros_like(signs[..., 0])
    for bit in signs.unbind(dim=-1):
        parity = parity ^ bit
        rank = 2 * rank + parity
    return rank


def place(rank: "Tensor") -> "Tensor":
    """(..., n): where each stands when they are sorted by rank; those of one rank stay in their order."""
    return rank.argsort(dim=-1, stable=True).argsort(dim=-1)


def sorted_in(rank_q: "Tensor", rank_k: "Tensor") -> "Tensor":
    """(..., T): the place among the sorted keys that each query has, in the middle of the keys of its own rank."""
    import torch

    ordered, asked = rank_k.sort(dim=-1).values, rank_q.contiguous()
    before, until = torch.searchsorted(ordered, asked), torch.searchsorted(ordered, asked, right=True)
    return ((before + until) // 2).clamp(max=rank_k.shape[-1] - 1)


@lru_cache(maxsize=64)
def _projections(seed: int, block: int, size: int, n: int, device: "torch.device") -> "Tensor":
    """(K, n) normal numbers."""
    import torch

    return torch.from_numpy(np.random.default_rng([seed, block]).standard_normal((size, n))).to(device)


@lru_cache(maxsize=256)
def _drawn(
    seed: int, block: int, start: int, heads: int, n_keys: int, samples: int, device: "torch.device"
) -> "Tensor":
    """(H, n) ln c of keys outside a query's own block: ln(n / m) for the m drawn, -inf for the others."""
    import torch

    m, rng = min(samples, n_keys), np.random.default_rng([seed, block, start, n_keys])
    log_c = np.full((heads, n_keys), -math.inf, dtype=np.float32)
    for of_head in log_c:
        of_head[rng.choice(n_keys, m, replace=False)] = math.log(n_keys / m)
    return torch.from_numpy(log_c).to(device)
