"""Planted worlds: laws of known places instead of trained ones, through the same numbers and judge.

all as predicted                trained laws are the fixed points, but for noise
all at the Bayes law            they are the Bayes laws, but for noise
EMO alone at the Bayes law      those of EMO are; losses that are not proper get half way, proper ones 15 % of the way
                                to the uniform law
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.loss_properness.claims import BAYES, EMO_WINS, PREDICTED, STUDY, claims, evidence
from testbed.studies.loss_properness.config import KINDS, Design, Kind
from testbed.studies.loss_properness.data import Data, Floats, Laws, replicates_of
from testbed.studies.loss_properness.measure import fixed_points
from testbed.training.losses import Loss
from testbed.training.losses.emo import EmbeddingCost, cost_of

if TYPE_CHECKING:
    from testbed.studies.loss_properness.study import LossProperness

NOISE = 0.02
"""Of the logarithms of planted laws."""
SMALL = 1e-4
"""Share of the uniform law in them: no model is quite sure."""


def worlds(study: "LossProperness") -> list[World]:
    """In each of three worlds, which claims hold is known."""
    return [_world(study, name) for name in (PREDICTED, BAYES, EMO_WINS)]


def expected(study: "LossProperness", world: str) -> dict[str, Word | None]:
    """The right verdicts; None where either is."""
    found: dict[str, Word | None] = {}
    for arm in study.arms:
        is_emo, proper = arm.name.startswith("emo"), arm.objective.proper
        there = world == PREDICTED or (world == BAYES and proper)
        found[f"at_{arm.name}"] = "holds" if there else "fails"
        if not proper:
            found[f"moved_{arm.name}"] = "holds" if world == PREDICTED else "fails"
        if world == EMO_WINS and is_emo:
            found[f"at_{arm.name}"] = "fails"
    found |= {
        "floor": "holds" if world == PREDICTED else "fails",
        "emo_better": "holds" if world == EMO_WINS else "fails",
        "emo_closer": "holds" if world == EMO_WINS else "fails",
        "same_optimum": "fails" if world == EMO_WINS else "holds",
        "smoothing_floor": "holds" if world == PREDICTED else "fails",
    }
    return {f"{STUDY}.{name}": word for name, word in found.items()}


def _world(study: "LossProperness", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected(study, name), draw)


def planted(study: "LossProperness", world: str, rng: np.random.Generator, n_replicates: int) -> Data:
    """The laws of one draw of a world."""
    laws: dict[tuple[str, Kind], Laws] = {}
    for kind in KINDS:
        for arm in study.arms:
            parts = [_exact(study.design, arm.objective, kind, seed) for seed in range(n_replicates)]
            weight, bayes, predicted = (np.stack(one) for one in zip(*parts, strict=True))
            where = {PREDICTED: predicted, BAYES: bayes}.get(world)
            if where is None and arm.name.startswith("emo"):
                where = bayes
            elif where is None and arm.objective.proper:
                where = 0.85 * bayes + 0.15 / bayes.shape[-1]
            elif where is None:
                where = 0.5 * (bayes + predicted) if kind != "deterministic" else 0.85 * bayes + 0.15 / bayes.shape[-1]
            noisy = where * np.exp(NOISE * rng.standard_normal(where.shape)) + SMALL / where.shape[-1]
            laws[arm.name, kind] = Laws(weight, bayes, predicted, noisy / noisy.sum(axis=-1, keepdims=True))
    return Data(replicates_of(range(n_replicates)), laws, {}, {}, {}, np.zeros(1), 0.0)


@lru_cache(maxsize=4096)
def _exact(design: Design, objective: Loss, kind: Kind, seed: int) -> tuple[Floats, Floats, Floats]:
    """Weight, Bayes law and fixed point of every context of a source."""
    law = design.source(kind, seed).context_law(design.context_length)
    cost = None
    if isinstance(objective, EmbeddingCost):
        rows = objective.rows(design.vocab_size)
        # a read-out of no model's own: vectors in general position
        cost = cost_of(np.random.default_rng(5).standard_normal((design.vocab_size, 8)) if rows is None else rows)
    return law.probabilities, law.laws, fixed_points(objective, law.laws, cost)
