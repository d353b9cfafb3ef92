"""Planted worlds: outcomes, iterations and traces with known means, through the same numbers and judge."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.multipliers.cases import OUTCOMES, SOLVERS
from testbed.studies.multipliers.claims import PREDICTED, PREDICTED_TO_FAIL, REVERSED, claims
from testbed.studies.multipliers.data import Data
from testbed.studies.multipliers.evidence import CONVERGED, INFEASIBLE, SILENT, evidence
from testbed.studies.multipliers.rate import Floats

if TYPE_CHECKING:
    from testbed.studies.multipliers.study import Multipliers

STOPPED, BOUNDARY = OUTCOMES.index("not converged"), OUTCOMES.index("boundary")
WIDTH = 0.25
"""Standard deviation of the logarithm of a number of iterations."""


def worlds(study: "Multipliers") -> list[World]:
    """One in which the predictions come true, one in which every single one is wrong."""
    return [_world(study, name) for name in (PREDICTED, REVERSED)]


def _world(study: "Multipliers", name: str) -> World:
    named = claims(study)
    fails = {one.id: (one.id.rpartition(".")[2] in PREDICTED_TO_FAIL) == (name == PREDICTED) for one in named}
    expected: dict[str, Word | None] = {key: "fails" if failing else "holds" for key, failing in fails.items()}

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name == PREDICTED, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "Multipliers", predicted: bool, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw."""
    arms = {one.label: _interior(len(one.concentrations), predicted, rng, n_replicates) for one in study.interior}
    arms["edge"] = _edge(study, predicted, rng, n_replicates)
    off = 0.0 if predicted else 0.01
    arms["chain"] = {name: np.full((n_replicates, 2), off) for name in ("first", "change")}
    return Data(range(n_replicates), arms)


def _interior(n_laws: int, predicted: bool, rng: np.random.Generator, n_replicates: int) -> dict[str, Floats]:
    shape = (n_replicates, n_laws, len(SOLVERS))
    uneven = np.linspace(0.0, 1.0, n_laws)[:, None]
    factor = np.array([8.0, 2.0, 3.0]) if predicted else np.array([1.5, 3.0, 3.0])
    first = np.array([10.0, 5.0 if predicted else 20.0, 20.0])
    iterations = first * factor**uneven * np.exp(WIDTH * rng.standard_normal(shape))
    outcome = np.full(shape, float(CONVERGED))
    if not predicted:
        outcome[rng.random(shape) < 0.5] = STOPPED
        outcome[rng.random(shape) < 0.5] = SILENT
    rate = np.broadcast_to(np.linspace(0.5, 0.9, n_laws), (n_replicates, n_laws))
    error = (0.005 if predicted else 0.2) * (1.0 + 0.2 * rng.standard_normal(rate.shape))
    return {
        "outcome": outcome,
        "iterations": iterations,
        "predicted": rate,
        "turn": np.zeros(rate.shape),
        "measured": rate ** (1.0 + error),
    }


def _edge(study: "Multipliers", predicted: bool, rng: np.random.Generator, n_replicates: int) -> dict[str, Floats]:
    settings, n_sweeps = study.edge, study.edge.boundary_sweeps
    slacks = np.array(settings.slacks)
    inside, boundary, outside = slacks > 0, slacks == 0, slacks < 0
    outcome = np.full((n_replicates, len(slacks), len(SOLVERS) + 1), float(CONVERGED))
    outcome[:, outside] = INFEASIBLE if predicted else STOPPED
    outcome[:, boundary, 0] = STOPPED if predicted else CONVERGED
    outcome[:, boundary, 1:] = BOUNDARY if predicted else CONVERGED
    sweeps = np.arange(1, n_sweeps + 1)
    power, stays = (-1.0, 1.0) if predicted else (-2.0, 0.0)
    wobble = 1.0 + 0.05 * rng.standard_normal((n_replicates, 1))
    trace = np.zeros((n_replicates, len(slacks), n_sweeps))
    trace[:, boundary] = (0.1 * sweeps ** (power * wobble))[:, None]
    trace[:, outside] = (0.01 * sweeps ** ((stays - 1.0) * wobble))[:, None]
    grown = np.zeros((n_replicates, len(slacks), 2))
    grown[:, boundary, 1] = (0.6 if predicted else 0.02) * wobble
    slower = (1.0 if predicted else 0.5) * (1.0 + 0.02 * rng.standard_normal((n_replicates, 1)))
    predicted_rate = np.exp(-24.0 * slacks[inside])
    measured = np.exp(-24.0 * slacks[inside] ** slower)
    return {
        "outcome": outcome,
        "slack": np.broadcast_to(slacks if predicted else np.abs(slacks) + 0.01, (n_replicates, len(slacks))),
        "least_table": np.full((n_replicates, len(slacks)), 0.1),
        "predicted": np.broadcast_to(predicted_rate, measured.shape) if not predicted else measured ** (1.0 / 1.005),
        "turn": np.zeros(measured.shape),
        "measured": measured,
        "trace": trace,
        "growth": grown,
        "missed": np.full((n_replicates, len(slacks)), 1e-13 if predicted else 1e-3),
    }
