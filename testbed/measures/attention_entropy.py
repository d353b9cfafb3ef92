"""Entropy of softmax attention without its T x T weights.

    H_i = ln sum_j e^(s_ij) - sum_j p_ij s_ij,      sum_j p_ij s_ij = q_i . (sum_j p_ij k_j) / sqrt(K)

The fused kernel gives both terms at once: attention with the keys in place of the values, and the log of its sum.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from testbed.core import ConfigError

Kernel = Callable[[Tensor, Tensor, bool], tuple[Tensor, Tensor]]

ENTRIES = 2**22
"""Scores that the explicit way holds at a time."""
SQUARE = 256
"""Causal windows longer than this are cut in halves: the CPU's kernel computes every score of up to 512 keys."""


@torch.no_grad()
def attention_entropy(q: Tensor, k: Tensor, causal: bool = True) -> Tensor:
    """(..., T): entropy in nats of the softmax of q_i . k_j / sqrt(K) over j <= i, or over all j if not causal.

    q (..., T, K) and k (..., T', K), T' = T if causal. In float32 exact to about 1e-6 times the largest logit.
    """
    if q.shape[:-2] != k.shape[:-2] or q.shape[-1] != k.shape[-1] or (causal and q.shape != k.shape):
        raise ConfigError(f"q and k: given shapes {tuple(q.shape)} and {tuple(k.shape)}, which do not fit")
    kernel = fused_kernel(q.device.type)
    if kernel is None:
        return explicit_entropy(q, k, causal)
    flat_q, flat_k = (x.reshape(-1, 1, *x.shape[-2:]).contiguous() for x in (q, k))
    square = SQUARE if q.device.type == "cpu" else q.shape[-2]
    found, _ = _causal(kernel, flat_q, flat_k, square) if causal else _whole(kernel, flat_q, flat_k, False)
    return found.clamp(min=0.0).reshape(q.shape[:-1])


def _whole(kernel: Kernel, q: Tensor, k: Tensor, causal: bool) -> tuple[Tensor, Tensor]:
    """(N, 1, T) twice: entropies, and the log of the softmax's sum."""
    mean_k, log_sum = kernel(q, k, causal)
    return log_sum - torch.linalg.vecdot(q, mean_k) / math.sqrt(q.shape[-1]), log_sum


def _causal(kernel: Kernel, q: Tensor, k: Tensor, square: int) -> tuple[Tensor, Tensor]:
    """The same, causal: both halves of the window by themselves, then the later queries over the earlier keys, joined
    by the chain rule H = (1 - w) H_near + w H_far + H_b(w), w the weight of the far keys."""
    N, _, T, K = q.shape
    if square >= T or T % 2:
        return _whole(kernel, q, k, True)
    half = T // 2
    entropy, log_sum = (
        one.reshape(N, 1, T) for one in _causal(kernel, q.view(2 * N, 1, half, K), k.view(2 * N, 1, half, K), square)
    )
    far_entropy, far_log_sum = _whole(kernel, q[:, :, half:], k[:, :, :half], False)
    joined = torch.logaddexp(log_sum[..., half:], far_log_sum)
    w = (far_log_sum - joined).exp()
    split = torch.special.entr(w) + torch.special.entr((1.0 - w).clamp(min=0.0))
    late = torch.lerp(entropy[..., half:], far_entropy, w) + split
    return torch.cat([entropy[..., :half], late], dim=-1), torch.cat([log_sum[..., :half], joined], dim=-1)


@torch.no_grad()
def explicit_entropy(q: Tensor, k: Tensor, causal: bool = True) -> Tensor:
    """The same by forming the weights, some queries at a time."""
    T, n_keys = q.shape[-2], k.shape[-2]
    rows = max(1, ENTRIES // max(1, math.prod(q.shape[:-2]) * n_keys))
    order = torch.arange(n_keys, device=q.device)
    found = torch.empty(q.shape[:-1], dtype=q.dtype, device=q.device)
    for start in range(0, T, rows):
        part = slice(start, start + rows)
        a = q[..., part, :] @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if causal:
            a = a.masked_fill(order > order[part, None], -math.inf)
        found[..., part] = torch.special.entr(a.softmax(dim=-1)).sum(dim=-1)
    return found


@lru_cache(maxsize=4)
def fused_kernel(device_type: str) -> Kernel | None:
    """(q, k, causal) -> attention with the keys as values, and the log of its sum; None where torch has no such kernel.

    torch's own attention function drops the log-sum; the operators beneath it, which are not public, return it. One
    that is missing, or answers wrongly on a small example, is not used.
    """
    kernel = {"cpu": _cpu_kernel, "cuda": _cuda_kernel}.get(device_type)
    if kernel is None:
        return None
    q, k = torch.randn(2, 1, 1, 5, 8, generator=torch.Generator().manual_seed(0)).to(device_type)
    try:
        _, log_sum = kernel(q, k, False)
    except (AttributeError, RuntimeError, TypeError):
        return None
    expected = (q @ k.transpose(-1, -2) / math.sqrt(8)).logsumexp(dim=-1)
    return kernel if log_sum.shape == expected.shape and torch.allclose(log_sum, expected, atol=1e-4) else None


def _cpu_kernel(q: Tensor, k: Tensor, causal: bool) -> tuple[Tensor, Tensor]:
    found = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, k, 0.0, causal)
    return found[0], found[1]


def _cuda_kernel(q: Tensor, k: Tensor, causal: bool) -> tuple[Tensor, Tensor]:
    found = torch.ops.aten._scaled_dot_product_efficient_attention(q, k, k, None, True, 0.0, causal)
    return found[0], found[1][..., : q.shape[-2]]  # the log-sums are padded
