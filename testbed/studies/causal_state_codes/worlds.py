"""Planted worlds: arrays of known shape in place of measured ones, through the same numbers and judge.

clusters are states            streams have a cluster for each causal state, codes and factors are as claimed
clusters are laws              likewise, but a cluster for each law of the next token
clusters are laws and tokens   likewise, but the stream has one for each law and last token; behind the norm laws alone
neither                        clusters are others, but on blocks of three DSE is C_mu; nothing else is as claimed
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.causal_state_codes.claims import claims
from testbed.studies.causal_state_codes.config import Arm
from testbed.studies.causal_state_codes.data import Data, Floats, replicates_of
from testbed.studies.causal_state_codes.evidence import BIT, classes, evidence, laws_bits, states_bits
from testbed.studies.causal_state_codes.grid import CODED, PAIRED, arms_of
from testbed.studies.causal_state_codes.sources import UNIFILAR, complexity
from testbed.studies.causal_state_codes.statements import LAWS, OTHERWISE, STATES, STUDY, TOKENS, judged_arms
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word

if TYPE_CHECKING:
    from testbed.studies.causal_state_codes.study import CausalStateCodes

STRAY = 0.07
"""Share of runs that are not as said."""
BITS, INFO, GAIN = 0.02, 0.1, 0.02
"""Spreads over runs of an entropy (of a run whose clusters are as said), of InfoM, of a gain of InfoE."""


def worlds(study: "CausalStateCodes") -> list[World]:
    """All four, with the right verdicts."""
    return [_world(study, name) for name in (STATES, LAWS, TOKENS, OTHERWISE)]


def _world(study: "CausalStateCodes", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    expected: dict[str, Word | None] = {one.id: "fails" if name == OTHERWISE else "holds" for one in named}
    wrong = {
        STATES: ("complexity", "laws", "laws_read", "laws_and_tokens", "approach"),
        LAWS: ("complexity", "laws_and_tokens"),
        TOKENS: ("complexity", "laws", "approach"),
        OTHERWISE: (),
    }[name]
    expected |= {f"{STUDY}.{one}": "fails" for one in wrong}
    if name == OTHERWISE:
        expected[f"{STUDY}.complexity"] = "holds"
    if name in (LAWS, TOKENS):
        parted = [arm for arm in judged_arms(study) if states_bits(arm) != laws_bits(arm)]
        expected |= {f"{STUDY}.states_{arm}": "fails" for arm in parted}
    return World(name, expected, draw)


def planted(study: "CausalStateCodes", world: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw of a world."""
    at: dict[Arm, dict[str, Floats]] = {}
    for arm in arms_of(study):
        arrays: dict[str, Floats] = {"excess": np.where(rng.random(n) < STRAY, 0.2, 0.01)}
        if arm in UNIFILAR:
            arrays |= _clusters(study, arm, world, rng, n)
        if arm in CODED:
            arrays |= _codes(study, world != OTHERWISE, rng, n)
        if arm in PAIRED:
            arrays |= _factors(study, world != OTHERWISE and arm == "product", rng, n)
        arrays["excess"][: n - n // 5] = 0.01  # enough learn, in every draw
        at[arm] = arrays
    return Data(replicates_of(range(n)), at, {})


def _clusters(study: "CausalStateCodes", arm: Arm, world: str, rng: np.random.Generator, n: int) -> dict[str, Floats]:
    column = {STATES: 0, LAWS: 1, TOKENS: 2, OTHERWISE: None}[world]
    behind = 1 if world == TOKENS else column
    before = np.array([1.6 + 0.2 * rng.standard_normal(n), np.full(n, 1.5)])
    arrays: dict[str, Floats] = {}
    for prefix, one in (("", column), ("read_", behind)):
        total, within = _partitioned(arm, one, rng, n)
        arrays[f"{prefix}rule"] = np.stack([total, before[0]], axis=1)
        arrays[f"{prefix}within"] = np.stack([within, np.full((n, 4), 1.5)], axis=1)
    size = 1 + len(study.reading.clusters.noises)
    moved = np.where(rng.random(n) < (STRAY if world != OTHERWISE else 1 - STRAY), 0.5, 0.01)
    noise = np.zeros((n, 3, size)) + arrays["rule"][:, :1, None]
    noise[:, 0, 1:] += moved[:, None]
    return {**arrays, "noise": noise}


def _partitioned(arm: Arm, column: int | None, rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """(n,) DSE and (n, 4) the largest within a class of each kind, of streams with a cluster for each class of one
    kind; some have one more, which no class explains. Without a kind: clusters that none explains."""
    stray = rng.random(n) < STRAY
    spread = BITS * rng.standard_normal(n)
    if column is None:
        off = np.where(stray, 0.4, 0.0) + spread
        return (complexity(arm) / BIT if arm == "triple" else 2.7) + off, np.full((n, 4), 1.0)
    pairs = classes(arm)
    bits = float(np.log2(len(np.unique(pairs[:, column]))))
    within = [max(len(np.unique(pairs[one == c, column])) for c in np.unique(one)) for one in pairs.T]
    extra = np.where(stray, 0.5, 0.0)
    return bits + extra + spread, np.maximum(np.log2(within)[None], extra[:, None])


def _codes(study: "CausalStateCodes", good: bool, rng: np.random.Generator, n: int) -> dict[str, Floats]:
    b, codes = study.bounds, study.reading.codes
    as_said = (rng.random(n) >= STRAY) == good
    bayes = 0.95 + 0.01 * rng.standard_normal(n)
    trained = bayes - 0.001
    untrained = np.where(as_said, trained - 0.2, trained - b.gain / 3)
    suffices = np.array([(m >= codes.few) for m in codes.units]) == good
    short = np.where(suffices[None] == ((rng.random(n) >= STRAY)[:, None]), 0.1, 5.0) * b.regret
    return {
        "bayes": bayes,
        "accuracy": np.stack([trained, untrained], axis=1),
        "law": np.stack([untrained, trained], axis=1),
        "units": bayes[:, None] - short,
        "redundancy": np.repeat(np.where(as_said, 0.03, 0.8)[:, None], 2, axis=1),
    }


def _factors(study: "CausalStateCodes", good: bool, rng: np.random.Generator, n: int) -> dict[str, Floats]:
    high = np.clip((0.92 if good else 0.45) + INFO * rng.standard_normal(n), 0, 1)
    raw = np.repeat(np.repeat(high[:, None, None], 2, axis=1), 3, axis=2)
    gain = (3 if good else -1) * study.bounds.explicit_gain + GAIN * rng.standard_normal(n)
    window = np.full(n, 0.9)
    mess3 = np.stack([window + gain, window + gain - (0.15 if good else 0.0) + GAIN * rng.standard_normal(n)], axis=1)
    chance = 2 / study.model.width
    overlap = chance * (0.15 if good else 1.0) * rng.gamma(2.0, 0.5, n)
    return {"raw": raw, "mess3": mess3, "window": window, "overlap": np.stack([overlap, overlap], axis=1)}
