"""Adapters between the streams of two networks: what beliefs are read through them, and what is lost of one's own.

Two networks learn Mess3, alike but for their weights' and data's seeds. x and y are their last residual streams at all
histories of n tokens, with the histories' exact probabilities; every other history fits, the others judge. Affine maps
to the exact belief, one fitted on each network's own stream, are the decoders.

    carried     R^2 of the belief that the second network's decoder reads off A(x)
    own         R^2 of the belief that the first network's decoder reads off x turned there and back, x W W^T: what is
                forgotten is own at W = rotation less this (this project's reading: W^T undoes a rotation, and nothing
                else that is known of a stored feature does)

Below 0 an R^2 counts as 0: nothing is left of the belief, whether by a little or by far.

Three families of A: the lambda-orthogonal ones, found by sweeping the penalty on |W^T W - I|_F^2; affine with ridge
towards 0, and with ridge towards the rotation. Ends are the affine map of least squares and the rotation of Procrustes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.measures.lambda_orthogonal import Adapter, Pair, orthogonal_path
from testbed.studies.compression_at_inference.config import Adapters

Floats = NDArray[np.float64]
FAMILIES = ("lambda", "ridge", "shrunk")
TITLES = {"lambda": "lambda-orthogonal", "ridge": "affine, ridge to 0", "shrunk": "affine, ridge to the rotation"}


SHORT = 0.01
"""R^2 by which an adapter may carry less than the affine map: the last bit takes maps of any size."""


@dataclass(frozen=True, eq=False)
class Paths:
    """carried, own, defect of each family, (families, penalties), and of the two ends, [affine, rotation] (2,);
    gradient: the largest that a fit by steps has left, of its objective in units of the mean variance."""

    carried: Floats
    own: Floats
    defect: Floats
    end_carried: Floats
    end_own: Floats
    gradient: float = 0.0


class Decoder:
    """The affine map of a stream to beliefs, by least squares with a small ridge."""

    def __init__(self, stream: Floats, beliefs: Floats, weights: Floats, ridge: float) -> None:
        w = weights / weights.sum()
        self.centre, self.mean = w @ stream, w @ beliefs
        x, b = stream - self.centre, beliefs - self.mean
        moments = (w[:, None] * x).T @ x
        penalty = ridge * float(np.trace(moments)) / len(moments)
        self.matrix = np.linalg.solve(moments + penalty * np.eye(len(moments)), (w[:, None] * x).T @ b)

    def r_squared(self, stream: Floats, beliefs: Floats, weights: Floats) -> float:
        """1 - E |b - read|^2 / E |b - mean b|^2."""
        w = weights / weights.sum()
        read = self.mean + (stream - self.centre) @ self.matrix
        left = w @ ((beliefs - read) ** 2).sum(axis=1)
        return float(1.0 - left / (w @ ((beliefs - w @ beliefs) ** 2).sum(axis=1)))


def paths(x: Floats, y: Floats, beliefs: Floats, weights: Floats, adapters: Adapters) -> Paths:
    """All adapters from x to y, judged on the histories that did not fit them."""
    fit, held = np.arange(len(x)) % 2 == 0, np.arange(len(x)) % 2 == 1
    first, second = (Decoder(one[fit], beliefs[fit], weights[fit], adapters.decoder_ridge) for one in (x, y))

    def judged(adapter: Adapter) -> tuple[float, float, float]:
        carried = second.r_squared(adapter(x[held]), beliefs[held], weights[held])
        own = first.r_squared(adapter.there_and_back(x[held]), beliefs[held], weights[held])
        return max(carried, 0.0), max(own, 0.0), adapter.defect

    pair = Pair(x[fit], y[fit], weights[fit])
    rotation = pair.procrustes()
    families = {
        "lambda": orthogonal_path(pair, adapters.penalties),
        "ridge": [pair.least_squares(one) for one in adapters.penalties],
        "shrunk": [pair.least_squares(one, rotation.matrix) for one in adapters.penalties],
    }
    found = np.array([[judged(one) for one in families[name]] for name in FAMILIES])
    ends = np.array([judged(one) for one in (pair.least_squares(adapters.decoder_ridge), rotation)])
    left = max(one.gradient for one in families["lambda"])
    return Paths(found[..., 0], found[..., 1], found[..., 2], ends[:, 0], ends[:, 1], left)


READ = ("the last token", "the last token and the counts of all", "all tokens by place")


@lru_cache(maxsize=8)
def belief_of_tokens(adapters: Adapters) -> tuple[float, ...]:
    """R^2 of the exact belief by least squares on what READ names of a history's tokens, fitted and judged on the same
    histories as adapters: what needs no network."""
    source, n = adapters.source, adapters.context_length
    law = source.context_law(n)
    beliefs = source.beliefs(law.contexts)[:, -1]  # type: ignore[attr-defined]
    places = np.eye(source.vocab_size)[law.contexts]  # (H, n, V)
    last, fit = places[:, -1], np.arange(len(places)) % 2 == 0
    found = []
    for features in (last, np.concatenate([last, places.sum(axis=1)], axis=1), places.reshape(len(places), -1)):
        decoder = Decoder(features[fit], beliefs[fit], law.probabilities[fit], 1e-12)
        found.append(decoder.r_squared(features[~fit], beliefs[~fit], law.probabilities[~fit]))
    return tuple(found)


def kept_on_front(paths: Paths, family: int) -> float:
    """Mean over targets c, from what the rotation carries to SHORT of what the affine map does, of the most that a
    family, its ends with it, keeps of its own while it carries c at least."""
    high = float(paths.end_carried[0]) - SHORT
    low = min(float(paths.end_carried[1]), high)
    carried = np.concatenate([paths.carried[family], paths.end_carried])
    own = np.concatenate([paths.own[family], paths.end_own])
    targets = np.linspace(low, high, 101)
    return float(np.mean([own[carried >= c - 1e-12].max() for c in targets]))
