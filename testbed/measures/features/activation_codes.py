"""Codes of ReLU units, on or off, as hash codes: how many points share one, and what near codes tell of a label.

He et al. 2021 (2101.06457) have that almost no two points share a code (determinism), and that neighbours in Hamming
distance have labels in common (categorisation). Their exact ratio is not at hand: the one here is this project's
reading.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.features.final_layer import POSITIONS

if TYPE_CHECKING:
    import torch

    from testbed.models.transformer import Transformer

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


def activation_codes(model: "Transformer", weights: "Mapping[str, torch.Tensor]", tokens: NDArray[np.integer]) -> Bools:
    """(N, L + 1, depth x hidden): which hidden units of all blocks are above 0, behind the begin symbol and each token.

    tokens      (N, L)
    weights     views of one member, (1, ...) each

    Raises ConfigError for models without MLPs, gated blocks, or an activation other than ReLU and its powers, whose
    sign says nothing of a region.
    """
    import torch

    from testbed.models.transformer import Transformer

    config = model.config
    if config.block != "standard" or not config.mlp_ratio or config.activation.type_name != "relu":
        raise ConfigError(
            f"model: given block = {config.block}, mlp_ratio = {config.mlp_ratio}, activation ="
            f" {config.activation.type_name}; codes are those of standard blocks with ReLU units"
        )

    class Recorder(Transformer):
        """The model itself, keeping what each block's hidden units are given."""

        def _normed(self, weights: Any, place: str, x_EMD: Any, training: bool) -> Any:
            normed = super()._normed(weights, place, x_EMD, training)
            block, _, name = place.partition(".")
            if name == "mlp_norm":
                matrix = weights[f"{block}.mlp_in"]
                for method, parameters in self._active(weights, int(block), None):
                    matrix = method.reparametrise("mlp_in", matrix, parameters)
                kept.append(torch.bmm(normed, self._folded(weights, place, matrix)) > 0)
            return normed

    recorder = Recorder(config, model.vocab_size, model.geometry.train_length)
    device = weights["embedding"].device
    rows = max(1, POSITIONS // (tokens.shape[1] + 1))
    parts = []
    with torch.no_grad():
        for first in range(0, len(tokens), rows):
            seen = torch.from_numpy(tokens[first : first + rows].astype(np.int64)).to(device)
            begin = torch.full((len(seen), 1), model.begin, dtype=torch.int64, device=device)
            kept: list[Any] = []
            recorder.logits(weights, torch.cat([begin, seen], dim=1)[None], "all")
            codes = torch.cat([one[0] for one in kept], dim=1)
            parts.append(codes.view(len(seen), seen.shape[1] + 1, -1).cpu().numpy())
    return np.concatenate(parts)


def redundancy_ratio(codes: ArrayLike) -> float:
    """1 - (distinct codes) / (points), for codes (n, m) of n distinct points: 0 where none share a code.

    >>> redundancy_ratio([[True, False], [True, False], [False, False], [True, True]])
    0.25
    """
    given = _checked(codes, "codes")
    return 1.0 - len(np.unique(np.packbits(given, axis=1), axis=0)) / len(given)


def hamming_distances(first: ArrayLike, second: ArrayLike) -> Integers:
    """(n, m) numbers of units in which codes (n, k) and (m, k) differ.

    >>> hamming_distances([[True, False]], [[True, False], [False, True]]).tolist()
    [[0, 2]]
    """
    a, b = _checked(first, "first"), _checked(second, "second")
    if a.shape[1] != b.shape[1]:
        raise ConfigError(f"first, second: codes of {a.shape[1]} and {b.shape[1]} units cannot be compared")
    signs_a, signs_b = (2.0 * one.astype(np.float32) - 1.0 for one in (a, b))  # exact up to 2^24 units
    return np.asarray(np.rint((a.shape[1] - signs_a @ signs_b.T) / 2), dtype=np.int64)


def neighbour_votes(
    known: ArrayLike, labels: ArrayLike, codes: ArrayLike, n_labels: int, n_neighbours: int = 10
) -> Integers:
    """(n,) the label of most of the k nearest known codes, the smaller of equal ones.

    known, labels   codes (m, k) and their labels (m,), whole numbers below n_labels
    codes           (n, k) whose label is asked for

    All that are as near as the k-th vote with it, each for its share of the places left: what is said does not depend
    on the order of the known codes.
    """
    return nearest_votes(hamming_distances(codes, known), labels, n_labels, n_neighbours)


def nearest_votes(distances: ArrayLike, labels: ArrayLike, n_labels: int, n_neighbours: int = 10) -> Integers:
    """(n,) likewise by distances (n, m) of any kind to the known ones, labelled (m,); equal distances are ties."""
    far, names = np.asarray(distances), np.asarray(labels, dtype=np.int64)
    if names.shape != (far.shape[1],) or names.min() < 0 or names.max() >= n_labels:
        raise ConfigError(f"labels: need {far.shape[1]} whole numbers from 0 to {n_labels - 1}")
    if not 1 <= n_neighbours <= len(names):
        raise ConfigError(f"n_neighbours: given {n_neighbours}, must lie in 1 .. known codes = {len(names)}")
    last = np.partition(far, n_neighbours - 1, axis=1)[:, n_neighbours - 1, None]
    near, tied = far < last, far == last
    share = (n_neighbours - near.sum(axis=1)) / tied.sum(axis=1)
    of_label = np.eye(n_labels)[names]
    votes = near.astype(np.float64) @ of_label + share[:, None] * (tied.astype(np.float64) @ of_label)
    return np.asarray(np.argmax(np.round(votes, 9), axis=1), dtype=np.int64)


def _checked(codes: ArrayLike, name: str) -> Bools:
    given = np.asarray(codes)
    if given.ndim != 2 or given.dtype != np.bool_ or not given.size:
        raise ConfigError(f"{name}: need codes (n, m) of true and false, given {given.shape} {given.dtype}")
    return given
