"""Planted worlds: arrays of known shape in place of measured ones, through the same numbers and judge.

layers know the future         every layer holds the whole state and what it should not have: gains on the memoryless
                               source too, none more in the streams; the next-token law does as badly as it does
layers know the next token     the last layer tells what the law tells, the streams a little more; nothing is aligned

The law's own share is planted too, so that each claim is true in one of the worlds and false in the other.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.predictive_surplus.claims import BARE, HOLDS, KNOWS, STUDY, claims
from testbed.studies.predictive_surplus.data import Data, evidence
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.predictive_surplus.study import PredictiveSurplus

EXACT = 0.3
"""Nats of surplus of the planted sources with memory."""
SHARES: dict[str, dict[str, dict[str, float]]] = {
    KNOWS: {
        "chain": {"last": 0.95, "streams": 0.95, "untrained": 0.3, "law": 0.3},
        "hidden": {"last": 0.95, "streams": 0.95, "untrained": 0.3, "law": 0.3},
    },
    BARE: {
        "chain": {"last": 0.5, "streams": 0.7, "untrained": 0.5, "law": 1.0},
        "hidden": {"last": 0.5, "streams": 0.7, "untrained": 0.5, "law": 1.0},
    },
}


def worlds(study: "PredictiveSurplus") -> list[World]:
    """In each of two worlds, which claims hold is known."""
    return [_world(study, name) for name in HOLDS]


def _world(study: "PredictiveSurplus", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {
        one.id: "holds" if one.id.removeprefix(f"{STUDY}.") in HOLDS[name] else "fails" for one in named
    }

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "PredictiveSurplus", name: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw of a world."""
    steps, b = study.reading.horizon - 1, study.bounds
    spill = EXACT * SHARES[KNOWS]["chain"]["last"] - 0.2 * b.gain
    gains = {"memoryless": spill if name == KNOWS else 0.0}

    def spread(total: float, noise: float) -> Floats:
        values = total + noise * rng.standard_normal(n)
        return np.repeat(values[:, None] / steps, steps, axis=1)

    arms: dict[str, dict[str, Floats]] = {
        "memoryless": {"last": spread(gains["memoryless"], 0.1 * b.none), "exact": np.zeros((n, steps))}
    }
    for role, shares in SHARES[name].items():
        arms[role] = {one: spread(share * EXACT, 0.2 * b.none) for one, share in shares.items()}
        arms[role]["future"] = np.full((n, steps), EXACT / steps)
        arms[role]["exact"] = np.full((n, steps), EXACT / steps)
        arms[role]["law"] = np.full((n, steps), shares["law"] * EXACT / steps)
    trained, untrained = (0.97, 0.15) if name == KNOWS else (0.5, 0.5)
    span = (0.97, 0.6) if name == KNOWS else (0.5, 0.15)
    arms["spectral"] = {
        "span": np.array(span) + 0.005 * rng.standard_normal((n, 2)),
        "principal": np.array([trained, untrained]) + 0.005 * rng.standard_normal((n, 2)),
    }
    return Data(arms, {})
