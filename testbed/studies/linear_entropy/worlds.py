"""Planted worlds: arrays of known shape in place of measured ones, through the same numbers and judge.

linear    h_0 - h_l = S / 2 on every source; kernel entropies are affine in the loss but for 0.5 % noise, those of
          untrained models are noise; probes find all
curved    h_0 - h_l = 2 S + S^2 after scaling (|r| above .97, slope above 1); kernel entropies are logarithms of the
          loss, those of untrained models the same; probes find little
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.linear_entropy.claims import CURVED, LINEAR, claims, evidence
from testbed.studies.linear_entropy.data import Data, Floats, replicates_of

if TYPE_CHECKING:
    from testbed.studies.linear_entropy.study import LinearEntropy


def worlds(study: "LinearEntropy") -> list[World]:
    """One in which every claim holds, and one in which every claim fails."""
    return [_world(study, name) for name in (LINEAR, CURVED)]


def _world(study: "LinearEntropy", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name == LINEAR, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, {one.id: "holds" if name == LINEAR else "fails" for one in named}, draw)


def planted(study: "LinearEntropy", linear: bool, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw of a world."""
    exact = {}
    for one in study.exact:
        s = np.linspace(1.0, 5.0, len(one.lengths))
        exact[one.name] = (s, 0.5 * s if linear else 2.0 * s + 0.4 * s**2)
    arms = {}
    for arm in study.arms:
        n = len(arm.lengths)
        risk = 0.5 + 1.0 / np.arange(2, n + 2)
        noise = rng.standard_normal((n_replicates, n))
        estimate = -risk if linear else 0.1 * np.log(risk - risk.min() + 0.01)
        other = rng.standard_normal((n_replicates, n))
        found = 0.98 if linear else 0.6
        untrained = 0.7 if linear else 0.6
        arms[arm.name] = {
            "risk": np.tile(risk, (n_replicates, 1)),
            "excess": np.full((n_replicates, n), 1e-4),
            "kde": estimate + 0.005 * np.ptp(estimate) * noise,
            "kde_untrained": other if linear else estimate + 0.005 * np.ptp(estimate) * other,
            "probe": _near(found, rng, n_replicates),
            "probe_untrained": _near(untrained, rng, n_replicates),
            "information": _near(0.99 if linear else 0.8, rng, n_replicates)[:, :1],
        }
    return Data(replicates_of(range(n_replicates)), exact, 0.0, arms, {})


def _near(value: float, rng: np.random.Generator, n: int) -> Floats:
    """(n, 3): what a probe found, and a null."""
    return np.column_stack([value + 0.003 * rng.standard_normal(n), np.zeros(n), np.full(n, 0.01)])
