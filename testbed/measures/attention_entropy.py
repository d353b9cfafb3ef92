"""Entropy of softmax attention without its T x T weights.

    H_i = ln Z_i - sum_j p_ij (s_ij - max_j s_ij),      Z_i = sum_j e^(s_ij - max_j s_ij)

On a CPU the scores of some queries at a time stay in the cache, where a compiled loop takes both sums off each row,
over the visible keys alone. On a GPU the fused kernel gives both terms at once: the log of its sum, and attention with
the keys in place of the values, for sum_j p_ij s_ij = q_i . (sum_j p_ij k_j) / sqrt(K).
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from testbed.core import ConfigError

Kernel = Callable[[Tensor, Tensor, bool], tuple[Tensor, Tensor]]

ENTRIES = 2**22
"""Scores that the explicit way holds at a time."""
MOST_HEADS, ALIGNMENT = 65_535, 8
"""Heads of all windows, and numbers that the size of a head is a multiple of, that the kernel of a GPU takes."""
ROWS, CACHED_ENTRIES = 64, 2**17
"""Queries, and about as many scores, that the compiled way holds at a time."""


@torch.no_grad()
def attention_entropy(q: Tensor, k: Tensor, causal: bool = True) -> Tensor:
    """(..., T): entropy in nats of the softmax of q_i . k_j / sqrt(K) over j <= i, or over all j if not causal.

    q (..., T, K) and k (..., T', K), T' = T if causal. In float32 exact to about 1e-6 times the largest logit.
    """
    if q.shape[:-2] != k.shape[:-2] or q.shape[-1] != k.shape[-1] or (causal and q.shape != k.shape):
        raise ConfigError(f"q and k: given shapes {tuple(q.shape)} and {tuple(k.shape)}, which do not fit")
    if q.device.type == "cpu":
        compiled = q.dtype == k.dtype == torch.float32 and bool((q.sum() + k.sum()).isfinite())
        return compiled_entropy(q, k, causal) if compiled else explicit_entropy(q, k, causal)
    kernel = fused_kernel(q.device.type)
    if kernel is None or q.shape[-1] % ALIGNMENT:
        return explicit_entropy(q, k, causal)
    flat_q, flat_k = (x.reshape(-1, 1, *x.shape[-2:]).contiguous() for x in (q, k))
    parts = zip(flat_q.split(MOST_HEADS), flat_k.split(MOST_HEADS), strict=True)
    mean_k, log_sum = (torch.cat(one) for one in zip(*(kernel(*part, causal) for part in parts), strict=True))
    found = log_sum - torch.linalg.vecdot(flat_q, mean_k) / math.sqrt(q.shape[-1])
    return found.clamp(min=0.0).reshape(q.shape[:-1])


def compiled_entropy(q: Tensor, k: Tensor, causal: bool) -> Tensor:
    """The same for finite float32 on a CPU."""
    from testbed.measures._kernels.row_entropy import row_entropies

    (T, K), n_keys = q.shape[-2:], k.shape[-2]
    found = torch.empty(q.shape[:-1])
    flat_q = (q * (math.log2(math.e) / math.sqrt(K))).reshape(-1, T, K)
    flat_k, entropies = k.reshape(-1, n_keys, K).transpose(1, 2), found.view(-1, T).numpy()
    for start in range(0, T, ROWS):
        rows = slice(start, min(start + ROWS, T))
        seen, first = (rows.stop, start) if causal else (n_keys, n_keys)
        together = max(1, CACHED_ENTRIES // ((rows.stop - start) * seen))
        for part in (slice(n, n + together) for n in range(0, len(flat_q), together)):
            scores = torch.bmm(flat_q[part, rows], flat_k[part, :, :seen]).numpy()
            row_entropies(scores, scores.view(np.int32), first, entropies[part, rows])
    return found.clamp_(min=0.0)


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

    torch's own attention function drops the log-sum; the operator beneath it, which is not public, returns it. If it is
    missing, or answers wrongly on a small example, it is not used.
    """
    if device_type != "cuda":
        return None
    q, k = torch.randn(2, 1, 1, 5, 8, generator=torch.Generator().manual_seed(0)).to(device_type)
    try:
        _, log_sum = _cuda_kernel(q, k, False)
    except (AttributeError, RuntimeError, TypeError):
        return None
    expected = (q @ k.transpose(-1, -2) / math.sqrt(8)).logsumexp(dim=-1)
    fits = log_sum.shape == expected.shape and torch.allclose(log_sum, expected, atol=1e-4)
    return _cuda_kernel if fits else None


def _cuda_kernel(q: Tensor, k: Tensor, causal: bool) -> tuple[Tensor, Tensor]:
    found = torch.ops.aten._scaled_dot_product_efficient_attention(q, k, k, None, True, 0.0, causal)
    return found[0], found[1][..., : q.shape[-2]]  # the log-sums are padded
