"""The gated attention unit: attention and feed-forward in one block of one head (Hua et al. 2022, 2202.10447).

As in GAU-alpha, the model of 2501.08570:

    [u, v, z] = swish(x W_in)                   u, v of e numbers, z of s
    q = z * w_q,  k = z * w_k                   one projection for both, a scale a channel
    x <- Norm(x + (u * attention(q, k, v)) W_out)

Norm(x) = x / rms(x) without a gain stands after the block and after the embedding. No biases.
The matrices are called as in the standard block, so that methods which reparametrise matrices find them.

Axes   E member   B batch   T time   K key size s   D model dimension   M = B T
"""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from testbed.methods import Initial, Placement
from testbed.models.attention import Active, Watch, at_places, attend
from testbed.models.config import ModelConfig
from testbed.models.flat import Weights
from testbed.models.rms_norm import rms_norm


def gated_weights(config: ModelConfig, block: int) -> Weights:
    """This block's weights. Both matrices start as those of the standard block, w_q and w_k as `key_scales` says.

    Hua et al. draw them with a standard deviation of 0.02; here it is 1, so that logits start at the size that ones
    give. Under CosScale, which takes the size out, the two are the same.
    """
    d, e, s = config.width, config.expansion * config.width, config.geometry(1).head_dim
    scales = (0.0, 1.0) if config.key_scales == "ones" else (1.0, 0.0)  # standard deviation and mean
    return {
        f"{block}.qkv": Initial((d, 2 * e + s), d**-0.5, decay=True),
        f"{block}.q_scale": Initial((s,), *scales),
        f"{block}.k_scale": Initial((s,), *scales),
        f"{block}.attention_out": Initial((e, d), (2 * config.depth * e) ** -0.5, decay=True),
    }


def gated_block(
    weights: Mapping[str, Tensor],
    matrix: Callable[[str], Tensor],
    x_EMD: Tensor,
    block: int,
    B: int,
    at: Placement,
    active: Active,
    watch: Watch | None,
) -> Tensor:
    """(E, B n, D) at the query places; `matrix` gives a weight matrix as methods want it used."""
    E, _, d = x_EMD.shape
    w_in, w_out = matrix("qkv"), matrix("attention_out")
    e, s = w_out.shape[1], weights[f"{block}.q_scale"].shape[1]
    if at.queries == "all":
        u_EME, v_EME, z_EMK = F.silu(torch.bmm(x_EMD, w_in)).split([e, e, s], dim=-1)
        queries_EMK = z_EMK
    else:
        v_EME, z_EMK = F.silu(torch.bmm(x_EMD, w_in[:, :, e:])).split([e, s], dim=-1)
        x_EMD, queries_EMK = at_places(x_EMD, at, B), at_places(z_EMK, at, B)
        u_EME = F.silu(torch.bmm(x_EMD, w_in[:, :, :e]))
    q_EMK = queries_EMK * weights[f"{block}.q_scale"][:, None]
    k_EMK = z_EMK * weights[f"{block}.k_scale"][:, None]
    q, k, v = (one.reshape(E, B, 1, -1, one.shape[-1]) for one in (q_EMK, k_EMK, v_EME))
    a_EB1TE = attend(q, k, v, x_EMD.view(E, B, -1, d), at, active, block, watch)
    return rms_norm(torch.baddbmm(x_EMD, u_EME * a_EB1TE.reshape(E, -1, e), w_out))
