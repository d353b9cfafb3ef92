"""Residual streams against the two factors of a product: InfoM and InfoC, raw and in principal components, and InfoE.

A factor is the likeliest state of one machine given the context: a function of the tokens, so that all of it can be
told. Of the golden mean machine it is the last token; what a probe reads of Mess3's alone is therefore held against
what the same probe reads off the window's tokens, one-hot.

Information is blind to amplitude: where latents take few values, the least admixture of another factor parts them, and
fine bins see it. Hence four bins; and what the principal components of exact beliefs have stands beside.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.measures.features.infomec import (
    compactness,
    entropy,
    live_latents,
    modularity,
    normalised_information,
)
from testbed.measures.features.state_information import state_information
from testbed.studies.causal_state_codes.coding import numbered_histories, token_window
from testbed.studies.causal_state_codes.config import Factors
from testbed.studies.causal_state_codes.sources import Arm, factor_beliefs, source_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def factor_arrays(
    arm: Arm, last: list[Floats], tokens: NDArray[np.integer], first: int, reading: Factors, rng: np.random.Generator
) -> dict[str, Floats]:
    """Of the last stream (N, T + 1, D), trained and untrained.

    raw, pca (2, 2)   InfoM, InfoC of the stream's own axes, and of its principal components
    mess3 (2,)        InfoE of the first factor alone
    window ()         likewise, off the one-hot tokens of the whole window
    side_by_side ()   InfoM of the principal components of the two exact beliefs side by side: what can be reached
    joint ()          likewise of their outer product: entangled
    own ()            InfoM of the two exact beliefs side by side, in their own axes
    overlap (2,)      cos^2 between the second factor's direction and the plane of the first: means of the stream's rows
                      by state, less the mean; 2 / D of a random direction
    kept (2,)         principal components
    """
    beliefs = [one[:, first:].reshape(-1, one.shape[-1]) for one in factor_beliefs(arm, tokens)]
    history = numbered_histories(tokens, first, source_of(arm).vocab_size)[0]
    rows = rng.permutation(len(history))[: reading.n_rows]
    factors = np.stack([one[rows].argmax(axis=1) for one in beliefs], axis=1)
    groups = history[rows]
    seed = int(rng.integers(2**31))

    size = entropy(factors[:, 0])

    def told(latents: Floats) -> tuple[float, float]:
        information = normalised_information(factors, latents, reading.n_bins, reading.n_shuffles, seed)
        kept = information[:, live_latents(latents) & (information.sum(axis=0) > 0)]
        return modularity(kept), compactness(kept)

    def read(latents: Floats) -> float:
        return state_information(latents, factors[:, 0], size, groups, seed=seed).information / size

    raw, pca, kept, overlap, mess3 = [], [], [], [], []
    for end in last:
        stream = end[:, first:].reshape(-1, end.shape[-1])[rows]
        components = principal_components(stream, reading.variance)
        raw.append(told(stream))
        pca.append(told(components))
        mess3.append(read(stream))
        kept.append(components.shape[1])
        overlap.append(shared_direction(stream, factors))
    vocab = source_of(arm).vocab_size
    seen = token_window(tokens, vocab)[:, first:].reshape(len(history), -1)[rows]
    one_hot = np.eye(vocab + 1)[seen].reshape(len(rows), -1)
    sides = np.concatenate([one[rows] for one in beliefs], axis=1)
    outer = np.einsum("ni,nj->nij", *(one[rows] for one in beliefs)).reshape(len(rows), -1)
    return {
        "raw": np.array(raw),
        "pca": np.array(pca),
        "mess3": np.array(mess3),
        "window": np.asarray(read(one_hot)),
        "side_by_side": np.asarray(told(principal_components(sides, reading.variance))[0]),
        "joint": np.asarray(told(principal_components(outer, reading.variance))[0]),
        "own": np.asarray(told(sides)[0]),
        "overlap": np.array(overlap),
        "kept": np.array(kept, dtype=np.float64),
    }


def shared_direction(rows: Floats, factors: Integers) -> float:
    """cos^2 of the angle between the line through the means of the second factor's two states and the plane of those of
    the first's three."""
    first = np.stack([rows[factors[:, 0] == one].mean(axis=0) for one in np.unique(factors[:, 0])])
    second = np.stack([rows[factors[:, 1] == one].mean(axis=0) for one in np.unique(factors[:, 1])])
    plane = np.linalg.svd(first - first.mean(axis=0), full_matrices=False)[2][: len(first) - 1]
    line = second[-1] - second[0]
    return float(np.sum((plane @ line) ** 2) / np.sum(line**2))


def principal_components(rows: Floats, variance: float) -> Floats:
    """(n, d) coordinates in the fewest principal components that hold the share `variance` of all variance."""
    centred = rows - rows.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    share = np.cumsum(singular**2) / np.sum(singular**2)
    d = int(np.searchsorted(share, variance)) + 1
    return np.asarray(centred @ axes[:d].T)
