"""Keys dropped in blocks at inference: what the source says it costs at most, an ideal read-out pays, and a model pays.

This project's reading of PrFlashAttention (see `testbed.methods.probabilistic_blocks`): the block r places of blocks
away is kept with probability pi(r) = (1 + max(r - near, 0))^-power, a fixed draw for each replicate. The query of place
t stands on token t - 1, so that lag l is the key at distance l - 1; the begin symbol's key, which carries no lag, can
be dropped too, as in the method.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.studies.positional_prior.config import Reading
from testbed.studies.positional_prior.readout import divergence_bound, weights
from testbed.training.member import TrainedMember

if TYPE_CHECKING:
    from testbed.sources import Source

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def dropping(reading: Reading, power: float, seed: int) -> dict[str, Any]:
    """The method as a table."""
    return {
        "type": "probabilistic_blocks",
        "block": reading.block,
        "near": reading.near,
        "power": power,
        "seed": seed,
    }


def kept_lags(reading: Reading, power: float, seed: int, length: int) -> Bools:
    """(T, T) whether the query of place t sees lag l, in column l - 1; False for lags beyond the start."""
    import torch

    from testbed.methods.method import Geometry, methods
    from testbed.models.attention import placed

    at = placed(length, "all", Geometry(2, 1, 1, length), torch.device("cpu"))
    mask = methods.build(dropping(reading, power, seed)).mask(at)
    assert mask is not None
    seen, found = mask.numpy(), np.zeros((length, length), dtype=np.bool_)
    for t in range(length):
        for lag in range(1, t + 1):
            found[t, lag - 1] = seen[t, t - lag + 1]
    return found


@dataclass(frozen=True, eq=False)
class Price:
    """At every place (T,): dropped lag mass D, and the bound on the divergence. `keys`: share of keys dropped."""

    mass: Floats
    bound: Floats
    keys: float


def price(w: Floats, kept: Bools, least: float) -> Price:
    """What the lag law w_0 .. w_n says of dropping, for mu of least probability `least`."""
    length = len(kept)
    visible = np.array([w[1 : t + 1].sum() for t in range(length)])
    mass = np.array([w[1 : t + 1][~kept[t, :t]].sum() for t in range(length)])
    keys = sum(int((~kept[t, :t]).sum()) for t in range(length)) / (length * (length - 1) / 2)
    return Price(mass, divergence_bound(mass, visible, least), keys)


def ideal_cost(source: "Source", tokens: NDArray[np.int64], laws: Floats, kept: Bools) -> Floats:
    """(N, T) KL(p || q) of the read-out with the true weights of the lags it sees, renormalised; where it sees none
    that weighs anything, it says mu."""
    n, length = tokens.shape
    v, w = source.vocab_size, weights(source, length)
    hot, found = np.eye(v)[tokens], np.zeros((n, length))
    for t in range(1, length):
        visible = w[1 : t + 1].sum()
        seen = np.where(kept[t, :t], w[1 : t + 1], 0.0)
        if seen.sum() > 0:
            read = np.einsum("nlv,l->nv", hot[:, :t][:, ::-1], seen / seen.sum())
        else:
            read = np.full((n, v), 1.0 / v)
        q = (1.0 - visible) / v + visible * read
        found[:, t] = np.sum(laws[:, t] * (np.log(laws[:, t]) - np.log(q)), axis=1)
    return found


def dropped_excess(
    member: TrainedMember, tokens: NDArray[np.int64], laws: Floats, method: dict[str, Any], device: str
) -> Floats:
    """(N, T) KL(p || q) of a trained model whose attention drops blocks."""
    from testbed.measures.extrapolation import log_laws_at

    everywhere = np.ones(tokens.shape, dtype=np.bool_)
    log_q = log_laws_at(member, tokens, everywhere, methods=(*member.spec.model.methods, method), device=device)
    found: Floats = np.sum(laws * (np.log(laws) - log_q.reshape(laws.shape)), axis=-1)
    return found
