"""Planted worlds: arrays of known shape in place of measured ones, through the same numbers and judge.

features are the state       kernel entropies are S but for 1 % noise, a large eigenvalue a task, probes find all
features follow the loss     kernel entropies are affine in the loss, eigenvalues rise by one factor, counts are wrong
features are neither         kernel entropies are steep in l, probes find little, eigenvalues rise by one factor
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.linear_entropy.data import Data, Floats, replicates_of
from testbed.studies.parity_features.claims import ASTRAY, LOSS, STUDY, TRACKS, claims, evidence
from testbed.studies.parity_features.config import ROLES
from testbed.studies.parity_features.data import exact_pairs

if TYPE_CHECKING:
    from testbed.studies.parity_features.study import ParityFeatures

HOLDS: dict[str, frozenset[str]] = {
    TRACKS: frozenset(
        {"c3_even", "c3_tells_apart", "c4_one_threshold", "c5_answers", "c5_over_untrained", "c5_information"}
    ),
    LOSS: frozenset({"c3_even", "c3_uneven", "c3_correlate", "one_factor"}),
    ASTRAY: frozenset({"one_factor"}),
}
EITHER: dict[str, frozenset[str]] = {
    TRACKS: frozenset({"c3_correlate"}),  # the bent table may lie on either side of .97
    LOSS: frozenset(),
    ASTRAY: frozenset({"c3_tells_apart"}),
}


def worlds(study: "ParityFeatures") -> list[World]:
    """In each of three worlds, which claims hold is known."""
    return [_world(study, name) for name in HOLDS]


def _world(study: "ParityFeatures", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    expected: dict[str, Word | None] = {}
    for one in named:
        key = one.id.removeprefix(f"{STUDY}.")
        expected[one.id] = None if key in EITHER[name] else "holds" if key in HOLDS[name] else "fails"
    return World(name, expected, draw)


def planted(study: "ParityFeatures", name: str, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw of a world."""
    arms: dict[str, dict[str, Floats]] = {}
    d = study.model.bottleneck
    for role in ROLES:
        table = study.table(role)
        n, tasks = len(table.lengths), np.array(table.n_solved)
        shape = (n_replicates, n)
        level = {TRACKS: table.entropies, LOSS: -table.risks, ASTRAY: np.exp(3.0 * np.arange(n))}[name]
        spectrum = np.where(np.arange(d) < tasks[:, None], 1.0, 1e-6)  # a new task is a new direction
        if name != TRACKS:
            spectrum = np.exp(np.where(np.arange(d) > 0, 0.5 * np.arange(n)[:, None] - 5.0, 0.0))
        counts = np.tile(tasks[:, None], (1, len(study.reading.thresholds))) + (0 if name == TRACKS else 3)
        probe = 0.98 if name == TRACKS else 0.5
        arms[role] = {
            "risk": np.tile(table.risks, (n_replicates, 1)),
            "excess": np.full(shape, 1e-4),
            "kde": level + 0.01 * np.ptp(level) * rng.standard_normal(shape),
            "dimension": np.tile(counts.astype(np.float64), (n_replicates, 1, 1)),
            "spectrum": spectrum * np.exp(0.05 * rng.standard_normal((*shape, d))),
            "probe": np.stack([probe + 0.005 * rng.standard_normal(shape), np.zeros(shape)], axis=-1),
            "probe_untrained": np.stack([0.5 + 0.005 * rng.standard_normal(shape), np.zeros(shape)], axis=-1),
            "information": table.entropies * (0.995 if name == TRACKS else 0.6) * np.ones(shape)
            + 0.002 * rng.standard_normal(shape),
        }
    return Data(replicates_of(range(n_replicates)), exact_pairs(study), 0.0, arms, {})
