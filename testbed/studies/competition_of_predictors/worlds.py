"""Planted worlds: weights and divergences along training in place of measured ones, through the same numbers and judge.

competition    as the paper has it: single tokens first, then inference by pairs, then retrieval where N is small
the reverse    pairs first, retrieval only where chains are many or unseen, a boundary that falls, laws that no
               interpolation reaches
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.competition_of_predictors.claims import COMPETITION, REVERSE, claims
from testbed.studies.competition_of_predictors.config import CONTINUUM
from testbed.studies.competition_of_predictors.data import Arm, Data, Floats
from testbed.studies.competition_of_predictors.evidence import evidence
from testbed.studies.judge import Claim, Evidence, Replicates, World
from testbed.training.evaluation import path_steps

if TYPE_CHECKING:
    from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors

NOISE = 0.02
"""Of every weight, for each replicate and point."""


def worlds(study: "CompetitionOfPredictors") -> list[World]:
    """Every claim holds in the first and fails in the second."""
    return [_world(study, COMPETITION), _world(study, REVERSE)]


def _world(study: "CompetitionOfPredictors", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name == COMPETITION, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, {one.id: "holds" if name == COMPETITION else "fails" for one in named}, draw)


def planted(study: "CompetitionOfPredictors", competes: bool, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw of a world."""
    evaluation = study.evaluation
    steps = np.array(path_steps(study.optimiser.steps, evaluation.path_points, evaluation.path_spacing), dtype=float)
    share = steps / steps[-1]
    arms = {chains: _arm(study, competes, chains, share, rng, n) for chains in study.task.arms}
    limit = (0.4 if competes else 3.0) * study.bounds.limit
    gaps = np.full((n, len(study.reading.limit_chains)), limit) * np.exp(0.05 * rng.standard_normal((n, 1)))
    return Data(Replicates({"replicate": range(n)}, seed=0), steps, arms, {"gap_in": gaps, "gap_out": gaps}, rate=1e-2)


def _arm(
    study: "CompetitionOfPredictors", competes: bool, chains: int, share: Floats, rng: np.random.Generator, n: int
) -> Arm:
    task, b, points = study.task, study.bounds, len(share)
    middle = 0.5 * (study.reading.early[1] + study.reading.late[0])
    is_late, is_first = (share > middle).astype(float), (np.arange(points) == 0).astype(float)
    if chains == 1:
        leads = np.full(points, 0.9)
    elif chains == CONTINUUM:
        leads = np.full(points, -0.9)
    elif chains == task.between:
        leads = np.where(is_late > 0, 0.4, -0.4)
    else:
        leads = np.full(points, 0.6 if chains < task.between else -0.6)
    if not competes:
        leads = -leads
    pairs = 1.0 - 0.8 * is_first if competes else np.ones(points)
    if chains == 1:
        pairs = np.ones(points)
    retrieval, inference = pairs * (1 + leads) / 2, pairs * (1 - leads) / 2
    weights = np.stack([(1 - pairs) / 2, retrieval, (1 - pairs) / 2, inference], axis=-1)
    noisy = np.abs(weights + NOISE * rng.standard_normal((n, points, 4)))
    noisy /= noisy.sum(axis=-1, keepdims=True)
    odds = noisy if competes else _shifted(noisy)
    rises = competes == (chains != CONTINUUM)
    level = 0.03 + (3.0 if rises else -1.0) * b.rise * is_late
    gap = 0.05 * np.ones(n)
    excess = (1.5 if competes else 0.3) * b.share * 0.05
    kl_in = np.full((n, points, 4), excess)
    kl_out = np.broadcast_to(level[None, :, None], (n, points, 4)) * np.exp(0.02 * rng.standard_normal((n, points, 4)))
    left = (0.5 if competes else 2.0) * b.left * np.exp(0.05 * rng.standard_normal((n, points)))
    paths = {"weights": noisy, "weights_log": odds, "kl_in": kl_in * np.exp(0.02 * rng.standard_normal((n, points, 4)))}
    paths |= {"kl_out": kl_out, "left": left, "left_log": left}
    return Arm(paths, {"gap_in": gap, "gap_out": gap, "single_in": gap})


def _shifted(weights: Floats) -> Floats:
    """Weights of another reading, to which inference by pairs looks like retrieval."""
    moved = weights.copy()
    taken = 0.9 * moved[..., 3]
    moved[..., 3] -= taken
    moved[..., 1] += taken
    return moved
