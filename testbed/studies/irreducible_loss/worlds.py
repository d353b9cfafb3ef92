"""Planted worlds: every curve a power law around the limit that the claim names, or around one far from it.

Losses are planted and go through the same fits, numbers and judge as those of a study; each pair of claims that says
opposite things of one curve is planted as it is claimed, with truths set apart.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.irreducible_loss.claims import FOUND, MISSED, REVERSED, claims
from testbed.studies.irreducible_loss.classes import CHAINS, KINDS, LINEAR, MEMORY, MIXING, TRAINED
from testbed.studies.irreducible_loss.data import Arrays, Data, Floats
from testbed.studies.irreducible_loss.evidence import evidence
from testbed.studies.irreducible_loss.reading import read
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.irreducible_loss.study import IrreducibleLoss

LIBRARY = 96
"""Planted curves of each sweep and world, fitted once; a draw of the world takes some of them, none twice."""
LIMIT, FALL, NOISE = 0.5, 0.3, 0.01
FAR = 0.25
"""Of the fall: how far from the truth the limit lies where it is missed, and on which side."""


def worlds(study: "IrreducibleLoss") -> list[World]:
    """One in which every limit is found, one in which none is."""
    return [_world(study, name) for name in (FOUND, MISSED)]


def _world(study: "IrreducibleLoss", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {}
    for claim in named:
        turned = claim.id.rpartition(".")[2] in REVERSED
        expected[claim.id] = "fails" if turned == (name == FOUND) else "holds"

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name == FOUND, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "IrreducibleLoss", found: bool, rng: np.random.Generator, n: int) -> Data:
    """Arrays as of a study with n draws of each class."""
    sweeps, training = study.sweeps, study.training
    truth = np.full(n, LIMIT if found else LIMIT + FAR * FALL)

    def rows(count: int = n) -> Floats:
        return np.asarray(rng.choice(LIBRARY, size=count, replace=count > LIBRARY))

    def curves(points: int, runs: int, law: str = "power") -> Floats:
        return library(points, runs, law)[rows()]

    def table() -> Arrays:
        kept = rows()
        return {
            "truth": truth,
            "rate": truth,
            **{f"early_{law}": library(sweeps.early.points, sweeps.runs, law)[kept] for law in ("power", "stretched")},
            "late_power": curves(sweeps.late.points, sweeps.runs),
        }

    def regression() -> Arrays:
        return {"truth": truth, "floor": truth, "late_power": curves(sweeps.late.points, sweeps.runs)}

    def two_sizes() -> Arrays:
        off = rng.uniform(-0.2, 0.2, n) if found else rng.uniform(0.5, 1.5, n)
        one = {"rate": np.zeros(n)}
        for sweep in ("rich", "poor"):
            one |= {f"{sweep}_limit": np.repeat(off[:, None], 6, axis=1), f"{sweep}_values": np.ones((n, 2))}
        return one

    def other() -> Arrays:
        one: Arrays = {}
        for stream, sign in (("sharper", -1.0), ("flatter", 1.0)):
            slopes = (sign if found else -sign) * np.linspace(0.0, 1.0, 3)
            one |= {
                f"{stream}_power": curves(sweeps.other.points, sweeps.other_runs),
                f"{stream}_cross": truth,
                f"{stream}_entropy": truth,
                f"{stream}_first": np.broadcast_to(slopes[None, :, None], (n, 3, 2)),
            }
        return one

    def member() -> Arrays:
        kept = rows(training.draws)
        level = truth[0] * np.ones(training.draws)
        return {"truth": level, "floor": level, "power": library(len(training.sizes), training.runs, "power")[kept]}

    return Data(
        {
            "table": {name: table() for name in KINDS},
            "regression": {name: regression() for name in (LINEAR, *CHAINS)},
            "two_sizes": {name: two_sizes() for name in (*MIXING, *MEMORY)},
            "other_stream": {name: other() for name in CHAINS},
        },
        {name: member() for name in TRAINED},
    )


@lru_cache(maxsize=32)
def library(points: int, runs: int, law: str) -> Floats:
    """(LIBRARY, 5) limits of planted curves of that law around LIMIT."""
    rng = np.random.default_rng([points, runs])
    sizes = 2.0 ** np.arange(points)
    losses = []
    for _ in range(LIBRARY):
        exponent = rng.uniform(0.9, 1.1)
        mean = sizes**-exponent if law == "power" else np.exp(-((sizes / 4.0) ** exponent))
        spread = NOISE * sizes**-0.5
        losses.append(LIMIT + FALL * mean[:, None] + spread[:, None] * FALL * rng.standard_normal((points, runs)))
    return read(np.broadcast_to(sizes, (LIBRARY, points)), np.array(losses), (law,))[law]
