"""Planted worlds: shares of violating chains and errors of estimates with known means, through the same numbers."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, Replicates, World
from testbed.studies.judge.claim import Word
from testbed.studies.probability_gap.chains import PROVED, STATEMENTS, UNPROVED, Floats
from testbed.studies.probability_gap.claims import PREDICTED, PREDICTED_TO_FAIL, REVERSED, claims
from testbed.studies.probability_gap.config import Chains
from testbed.studies.probability_gap.data import Data, Flags
from testbed.studies.probability_gap.evidence import evidence

if TYPE_CHECKING:
    from testbed.studies.probability_gap.study import ProbabilityGap

SELDOM, OFTEN = 0.2, 5.0
"""Shares of violating chains, in units of the bound, where a statement holds and where it fails."""
SPREAD = 0.004
"""Standard deviation of an estimate of the gap from one data set."""


def worlds(study: "ProbabilityGap") -> list[World]:
    """One in which the predictions come true, one in which every single one is wrong."""
    return [_world(study, name) for name in (PREDICTED, REVERSED)]


def _world(study: "ProbabilityGap", name: str) -> World:
    named = claims(study)
    fails = {one.id: (one.id.rpartition(".")[2] in PREDICTED_TO_FAIL) == (name == PREDICTED) for one in named}
    expected: dict[str, Word | None] = {key: "fails" if failing else "holds" for key, failing in fails.items()}

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name == PREDICTED, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "ProbabilityGap", predicted: bool, rng: np.random.Generator, n_replicates: int) -> Data:
    """The arrays of one draw."""
    rare = study.bounds.rare

    def drawn(often: bool, chains: Chains) -> Flags:
        share = rare * (OFTEN if often else SELDOM)
        return np.asarray(rng.random((n_replicates, chains.n_chains)) < share)

    violated = {
        one.label: np.stack([drawn(_violated(one, name) == predicted, one) for name in STATEMENTS], axis=1)
        for one in study.chains
    }
    learner = {one.label: np.stack([drawn(predicted, one) for _ in range(2)], axis=1) for one in study.chains}
    trained = np.full((n_replicates, study.trained.n_models, 2), predicted)
    found = np.full((n_replicates, len(UNPROVED)), predicted)
    raw = {f"samples_{kind}": _sample(study, kind, predicted, rng, n_replicates) for kind in study.sample_kinds}
    samples: dict[str, dict[str, Floats]] = {
        kind: {name: a.mean(axis=1) if a.ndim == 3 else a for name, a in raw[f"samples_{kind}"].items()}
        for kind in study.sample_kinds
    }
    alarms = np.full((n_replicates, study.samples.n_sets), predicted)
    replicates = Replicates({"stream of random numbers": range(n_replicates)}, seed=0)
    return Data(replicates, violated, learner, trained, found, samples, alarms, raw)


def _violated(chains: Chains, statement: str) -> bool:
    """As predicted."""
    if statement in (*PROVED, "ratio") or chains.kind == "copy":
        return False
    return not (statement == "margin" and chains.vocab_size == 2)


def _sample(
    study: "ProbabilityGap", kind: str, predicted: bool, rng: np.random.Generator, n_replicates: int
) -> dict[str, Floats]:
    settings = study.samples
    m = np.arange(settings.max_context + 1)
    formula = 0.01 * 2.0**m
    truth = np.zeros(len(m)) if kind == "noise" else 0.2 + 0.1 * (m > 0)
    up = formula if predicted else (1.0 + 4 * study.bounds.formula) * formula
    split = np.zeros(len(m)) if kind == "noise" else -0.2 * formula
    if kind != "noise" and not predicted:
        up, split = -up - 4 * study.bounds.bracket, -split
    shrunk = 0.8 * up if predicted else np.zeros(len(m)) + (0.0 if kind == "noise" else 0.6)
    if kind == "noise" and not predicted:
        split = np.full(len(m), 4 * study.bounds.split)
    shape = (n_replicates, settings.n_sets, len(m))
    scale = SPREAD * np.minimum(formula / formula[-1], 1.0)
    return {
        "truth": np.broadcast_to(truth, (n_replicates, len(m))),
        "noise": np.broadcast_to(formula, (n_replicates, len(m))),
        "plug_in": truth + up + scale * rng.standard_normal(shape),
        "split": truth + split + scale * rng.standard_normal(shape),
        "shrunk": truth + shrunk + scale * rng.standard_normal(shape),
    }
