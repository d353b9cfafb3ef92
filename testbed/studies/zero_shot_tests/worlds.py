"""Planted worlds: counts and exponents with known means, through the same numbers and judge."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.tables import Floats
from testbed.studies.zero_shot_tests.claims import PREDICTED, PREDICTED_TO_FAIL, REVERSED, claims
from testbed.studies.zero_shot_tests.config import Tails, Texts
from testbed.studies.zero_shot_tests.data import AZUMA, NORMAL, Data
from testbed.studies.zero_shot_tests.evidence import evidence

if TYPE_CHECKING:
    from testbed.studies.zero_shot_tests.study import ZeroShotTests


def worlds(study: "ZeroShotTests") -> list[World]:
    """One in which the predictions come true, one in which every single one is wrong."""
    return [_world(study, name) for name in (PREDICTED, REVERSED)]


def _world(study: "ZeroShotTests", name: str) -> World:
    named = claims(study)
    fails = {one.id: (one.id.rpartition(".")[2] in PREDICTED_TO_FAIL) == (name == PREDICTED) for one in named}
    expected: dict[str, Word | None] = {key: "fails" if failing else "holds" for key, failing in fails.items()}

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name == PREDICTED, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "ZeroShotTests", predicted: bool, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw; numbers of texts are those of the study."""
    tails = {one.label: _tails(one, predicted, rng) for one in study.tails}
    pairs = {arm: _exponents(predicted, rng, n_replicates) for arm in ("independent", "chain")}
    pairs |= {"drift": _texts(study.drift, predicted, rng), "blind": _texts(study.blind, predicted, rng)}
    return Data(tails, pairs)


def _tails(settings: Tails, predicted: bool, rng: np.random.Generator) -> dict[str, Floats]:
    n = settings.n_texts
    reach = np.array(settings.reaches)[:, None] * np.ones(len(settings.lengths))
    azuma = np.minimum(1.0, 2.0 * np.exp(-2.0 * reach**2))
    freedman = 0.7 * azuma
    low, high = 0.3 * azuma, np.minimum(1.0, azuma + 0.2)
    return {
        "beyond": rng.binomial(n, low if predicted else high).astype(np.float64),
        "beyond_rate": rng.binomial(n, high if predicted else low).astype(np.float64),
        "azuma": azuma,
        "freedman": freedman,
        "n_texts": np.array(float(n)),
    }


def _exponents(predicted: bool, rng: np.random.Generator, n: int) -> dict[str, Floats]:
    """Exponents of n pairs, with errors far within their bound, or far outside; few of either kind are exceptions."""
    forward = rng.uniform(0.1, 1.0, n)
    backward = forward * rng.choice([0.7, 1.4], n)
    ours = forward * (0.5 if predicted else 0.99)
    wobble = 1.0 + 0.005 * rng.standard_normal((2, n))
    return {
        "forward": forward,
        "backward": backward,
        "predicted": ours,
        "slope": ours * wobble[0] * (1.0 if predicted else 1.2),
        "best_slope": (forward if predicted else backward) * wobble[1],
    }


def _texts(settings: Texts, predicted: bool, rng: np.random.Generator) -> dict[str, Floats]:
    n, pairs = settings.n_texts, settings.n_pairs
    seen = (settings.role == "drift") == predicted
    reject_b = 0.99 if seen else 0.03
    shape = (pairs, 1)
    size = settings.size if predicted else 2.0 * settings.size

    def counted(by_a: float, by_b: float) -> Floats:
        return np.stack([rng.binomial(n, by_a, shape), rng.binomial(n, by_b, shape)], axis=1).astype(np.float64)

    wrong = 0.01 if predicted else 0.4
    return {
        AZUMA: counted(0.002 if predicted else size, reject_b),
        NORMAL: counted(size, reject_b),
        "mistaken": counted(wrong, wrong),
        "distance": np.sort(rng.exponential(0.01 if predicted else 0.2, (pairs, n)), axis=1),
    }
