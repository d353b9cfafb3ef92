"""Planted worlds: estimates of known error in place of measured ones, through the same numbers and judge.

sound       every estimate is 1 + 2 S but for 1 % noise; own kernels make up all, yet differences are seen; d ln h
unsound     estimates are 1 + 2 S + S^2 / 2, and again as large in another encoding; own kernels make up half, no
            difference is seen, and bandwidths move nothing
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.feature_estimators.claims import SOUND, UNSOUND, claims, evidence
from testbed.studies.feature_estimators.data import Data, entropies, labelled, replicates_of
from testbed.studies.feature_estimators.estimators import CONDITIONS, NAMES
from testbed.studies.judge import Claim, Evidence, World

if TYPE_CHECKING:
    from testbed.studies.feature_estimators.study import FeatureEstimators


def worlds(study: "FeatureEstimators") -> list[World]:
    """One in which every claim holds, and one in which every claim fails."""
    return [_world(study, name) for name in (SOUND, UNSOUND)]


def _world(study: "FeatureEstimators", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name == SOUND, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, {one.id: "holds" if name == SOUND else "fails" for one in named}, draw)


def planted(study: "FeatureEstimators", sound: bool, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw of a world."""
    s = entropies(study)
    shape = (n_replicates, len(NAMES), len(CONDITIONS), len(s))
    mean = np.tile(1.0 + 2.0 * s + (0.0 if sound else 0.5 * s**2), (*shape[:3], 1))
    if not sound:
        mean[:, :, CONDITIONS.index("encoding")] *= 2.0
    values = mean + 0.01 * np.ptp(s) * rng.standard_normal(shape)
    d = np.array(study.kernel.dimensions, dtype=np.float64)
    jitter = 0.001 * rng.standard_normal((n_replicates, len(d)))
    share = np.tile(0.999 if sound else 0.5, (n_replicates, len(d))) + 0.1 * jitter
    truth = np.stack([1.5 * d, 0.5 * d])
    estimate = truth if sound else np.stack([d, d])
    laws = {
        name: np.stack([estimate[k] + jitter, estimate[k] + 1.0 + 0 * jitter, share, truth[k] + 0 * jitter], axis=-1)
        for k, name in enumerate(("normal", "two_valued"))
    }
    if not sound:
        laws["two_valued"] = laws["two_valued"].copy()
        laws["two_valued"][..., 0] += 0.001 * rng.standard_normal((n_replicates, len(d)))
    moved = d[:, None] * np.log(np.array(study.kernel.bandwidths)) if sound else np.zeros((len(d), 1))
    sweep = moved + 0.001 * rng.standard_normal((n_replicates, len(d), len(study.kernel.bandwidths)))
    return Data(replicates_of(range(n_replicates)), s, labelled(study, values), laws | {"sweep": sweep})
