"""Planted worlds: weights and divergences along training in place of measured ones, through the same numbers and judge.

competition    as the paper has it: single tokens first, then inference by pairs, then retrieval where N is small
the reverse    pairs first, retrieval only where chains are many or unseen, laws that no interpolation reaches; the
               boundary lies at an end of the grid throughout, so that nothing is decided on it
uniform first  as competition, but that the first point is the uniform law and no predictor by single tokens
falling        as competition, but that retrieval is ahead early and inference late where N is between, and that
               log-odds read it the other way
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.competition_of_predictors.claims import COMPETITION, FALLING, REVERSE, STUDY, UNIFORM, claims
from testbed.studies.competition_of_predictors.config import CONTINUUM
from testbed.studies.competition_of_predictors.data import Arm, Data, Floats
from testbed.studies.competition_of_predictors.evidence import evidence
from testbed.studies.judge import Claim, Evidence, Replicates, World
from testbed.studies.judge.claim import Word
from testbed.training.evaluation import path_steps

if TYPE_CHECKING:
    from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors

NOISE = 0.02
"""Of every weight, for each replicate and point."""
GAP = 0.05
"""Divergence of predictors from each other and of the model from them, nats."""
UNTRAINED = 0.1
"""Excess of the continuum, as a share of it."""


def worlds(study: "CompetitionOfPredictors") -> list[World]:
    """Every claim holds in the first and fails in one of the others."""
    return [_world(study, name) for name in (COMPETITION, REVERSE, UNIFORM, FALLING)]


FAILING = {
    COMPETITION: (),
    UNIFORM: ("singles_first",),
    FALLING: ("boundary", "same_boundary", "inference_first", "takeover", "passes"),
}
"""Claims that fail in a world; in the reverse all but those on the boundary."""


def _expected(world: str, claim: str) -> Word:
    name = claim.removeprefix(f"{STUDY}.")
    if world == REVERSE:
        return "undecided" if name in ("boundary", "same_boundary") else "fails"
    return "fails" if name in FAILING[world] else "holds"


def _world(study: "CompetitionOfPredictors", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, {one.id: _expected(name, one.id) for one in named}, draw)


def planted(study: "CompetitionOfPredictors", world: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw of a world."""
    evaluation = study.evaluation
    steps = np.array(path_steps(study.optimiser.steps, evaluation.path_points, evaluation.path_spacing), dtype=float)
    share = steps / steps[-1]
    arms = {chains: _arm(study, world, chains, share, rng, n) for chains in study.task.arms}
    gaps = np.full((n, len(study.reading.limit_chains)), GAP) * np.exp(0.05 * rng.standard_normal((n, 1)))
    return Data(Replicates({"replicate": range(n)}, seed=0), steps, arms, {"gap_in": gaps, "gap_out": gaps}, rate=1e-2)


def _arm(
    study: "CompetitionOfPredictors", world: str, chains: int, share: Floats, rng: np.random.Generator, n: int
) -> Arm:
    task, b, points, competes = study.task, study.bounds, len(share), world != REVERSE
    middle = 0.5 * (study.reading.early[1] + study.reading.late[0])
    is_late, is_first = (share > middle).astype(float), (np.arange(points) == 0).astype(float)
    if chains == 1:
        leads = np.full(points, 0.9)
    elif chains == CONTINUUM:
        leads = np.full(points, -0.9)
    elif chains == task.between:
        leads = np.where((is_late > 0) == (world != FALLING), 0.4, -0.4)
    else:
        leads = np.full(points, 0.6 if chains < task.between else -0.6)
    if not competes:
        leads = -leads
    pairs = 1.0 - 0.8 * is_first if competes else np.ones(points)
    if chains == 1:
        pairs = np.ones(points)
    retrieval, inference = pairs * (1 + leads) / 2, pairs * (1 - leads) / 2
    rest = 1 - pairs
    singles, uniform = (np.zeros(points), rest) if world == UNIFORM else (rest / 2, np.zeros(points))
    weights = np.stack([singles, retrieval, singles, inference, uniform], axis=-1)
    noisy = np.abs(weights + NOISE * rng.standard_normal((n, points, 5)))
    noisy /= noisy.sum(axis=-1, keepdims=True)
    odds = noisy[..., [0, 3, 2, 1, 4]] if world == FALLING and chains == task.between else noisy
    rises = competes == (chains != CONTINUUM)
    level = 0.03 + (3.0 if rises else -1.0) * b.rise * is_late
    gap, shape = np.full(n, GAP), (n, points, 5)
    excess = UNTRAINED * GAP + (0.0 if chains == CONTINUUM else (1.5 if competes else 0.3) * b.share * GAP)
    paths = {"weights": noisy, "weights_log": odds, "kl_in": excess * np.exp(0.02 * rng.standard_normal(shape))}
    paths |= {"kl_out": np.broadcast_to(level[None, :, None], shape) * np.exp(0.02 * rng.standard_normal(shape))}
    left = (0.5 if competes else 1.5) * b.left * GAP * np.exp(0.05 * rng.standard_normal((n, points)))
    paths |= {"apart": np.full(shape, GAP), "left": left, "left_log": left}
    return Arm(paths, {"gap_in": gap, "gap_out": gap, "single_in": gap})
