"""Planted worlds: arrays of known shape in place of measured ones, through the same numbers and judge.

m-local entropy rules    difficulty is the number of far lags, and noise; nothing rules where places are alike. The
                         horizon law is true for every learner: losses and best lengths are its powers, parities are
                         never learnt; twins fall as D^-1
excess entropy rules     difficulty is the sum of lags, also where places are alike. Tables pay for every context:
                         losses fall as D^(-1/4), best lengths are logarithmic, parities are learnt like copies
far lags are easy        difficulty falls with number and sum of far lags, and where places are alike rises with
                         h_(m-1). Losses are those of learners of a few parameters, D^-1; lengths as before
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.memory_profile.claims import EXCESS, LATE, LOCAL, STUDY, claims
from testbed.studies.memory_profile.config import ARMS, FAMILIES, LEARNERS, LENGTHS, NETWORK, POWERS, ArmName, Family
from testbed.studies.memory_profile.data import Arrays, Data
from testbed.studies.memory_profile.evidence import evidence
from testbed.studies.memory_profile.profiles import N_BITS, drawn_lags
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.memory_profile.study import MemoryProfile

GAMMA, BETA = 1.5, 1.25
NOISE = 0.02
FIRST_SEED = 2_000_000


def holds(world: str, name: str) -> bool | None:
    """Whether a claim is true in a world; None where that was not planted."""
    kind = name.partition("_")[0]
    if kind in ("local", "excess", "none"):
        return _profile_holds(world, name, kind)
    if kind in ("loss", "horizon", "unseen"):
        return world == LOCAL
    if kind == "rate":
        return world == LATE or (world == LOCAL and name.endswith("twin"))
    return world != LOCAL


def _profile_holds(world: str, name: str, kind: str) -> bool | None:
    if kind == "none":
        return {LOCAL: True, EXCESS: "excess" not in name, LATE: None if "excess" in name else False}[world]
    return kind == {LOCAL: "local", EXCESS: "excess", LATE: ""}[world]


def worlds(study: "MemoryProfile") -> list[World]:
    """In each of three worlds, which claims hold is known."""
    return [_world(study, name) for name in (LOCAL, EXCESS, LATE)]


def _world(study: "MemoryProfile", name: str) -> World:
    named = claims(study)
    words: dict[bool | None, Word | None] = {True: "holds", False: "fails", None: None}
    expected = {one.id: words[holds(name, one.id.removeprefix(f"{STUDY}."))] for one in named}

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "MemoryProfile", name: str, rng: np.random.Generator, n: int) -> Data:
    """The arrays of one draw of a world."""
    arms = {arm: _arm(study, name, arm, rng, n) for arm in ARMS}
    return Data(arms, {}, {family: _family(study, name, family, rng, n) for family in FAMILIES})


def _arm(study: "MemoryProfile", name: str, arm: ArmName, rng: np.random.Generator, n: int) -> Arrays:
    one, far = study.profiles, arm == "exchangeable"
    first = FIRST_SEED + int(rng.integers(2**20))
    lags = np.array([drawn_lags(one, far, first + row) for row in range(n)])
    profile = (lags[..., None] > np.arange(one.window + 1)).sum(axis=-2).astype(np.float64)
    m = one.far_split if far else one.split
    total = lags.sum(axis=-1).astype(np.float64)
    ruling = {LOCAL: profile[..., m - 1], EXCESS: total, LATE: -profile[..., m - 1] - total / total.mean()}[name]
    if far:
        ruling = {LOCAL: np.zeros_like(total), EXCESS: total, LATE: profile[..., m - 1]}[name]
    spread = 1.0 if name == EXCESS else 0.2
    made: Arrays = {"lags": lags, "profile": profile, "rate": np.zeros_like(total), "excess_entropy": total}
    made |= {d: ruling + spread * rng.standard_normal(total.shape) for d in ("final", "steps")}
    return made | {"worth": np.asarray(float(N_BITS))}


def _family(study: "MemoryProfile", name: str, family: Family, rng: np.random.Generator, n: int) -> Arrays:
    sizes = np.array(study.horizon.sizes, dtype=np.float64)
    true = name == LOCAL

    def spread(mean: Floats, noise: float = NOISE) -> Floats:
        return np.asarray(mean * np.exp(noise * rng.standard_normal((n, len(sizes)))))

    logarithmic = 2.0 + np.log(sizes / sizes[0])
    length = spread(2.0 * (sizes / sizes[0]) ** (0.5 / BETA) if true else logarithmic, 0.2 * NOISE)
    exponent = {LOCAL: GAMMA / (2 * BETA), EXCESS: 0.25, LATE: 1.0}[name]
    loss = 0.1 * (sizes / sizes[0]) ** -exponent
    if family == "parity":
        loss = np.full(len(sizes), 1.0 if true else 0.2)
    if family == "twin" and true:
        loss = 0.1 * (sizes / sizes[0]) ** -1.0
    if family == "santa_fe":
        loss = np.full(len(sizes), 0.01 if true else 0.6)
    numbers: Arrays = {"tabular": np.tile(logarithmic if not true else logarithmic + 20.0, (n, 1)), "worth": np.ones(n)}
    numbers |= {
        f"loss_{learner}": spread(loss)
        for learner in (*LEARNERS, *([NETWORK] if family in study.networks.families else []))
    }
    numbers |= {f"length_{learner}": length for learner in LENGTHS}
    if family in POWERS:
        numbers |= {"gamma": np.full(n, GAMMA), "beta": np.full(n, BETA)}
    return numbers
