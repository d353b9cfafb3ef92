"""Planted worlds, through the same evidence, gates and judge; their spread is smaller than that of real runs.

Runs of recall and of kernels that stay half way are not planted, so that power is less than calibration says.

all as claimed            NaLa lies between ReLU and the softmax and its loss grows with T, heads are as sharp as they
                          are said to be, sinks and affine scaling help where keys are missing, sampling hurts chains
                          most
all the other way         every order is reversed: ReLU has the least excess, and softmaxes have more than NaLa; soft
                          heads copy and sharp ones do not; what attends to nothing loses
nothing is learnt         all models are at the uniform law: nothing is decided of trained ones; random rows, which
                          need none, are as claimed
a softmax in seven        as claimed, but of the softmaxes on copies with rotary positions every seventh run stays at
is stuck                  the uniform law: what is held against them is not decided
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.linear_attention_entropy.claims import CLAIMED, NOTHING, OTHER, STUCK, STUDY, claims
from testbed.studies.linear_attention_entropy.config import (
    BIGRAM,
    CONTEXT,
    KERNELS,
    LEARNED,
    LONGER,
    MISSES,
    UNIGRAM,
    Arm,
)
from testbed.studies.linear_attention_entropy.data import METRICS, Data, Floats, replicates_of
from testbed.studies.linear_attention_entropy.evidence import evidence
from testbed.studies.linear_attention_entropy.gates import UNTRAINED

if TYPE_CHECKING:
    from testbed.studies.linear_attention_entropy.study import LinearAttentionEntropy

OWN = 0.06
"""Relative noise of a planted number; real runs have more."""
RESTS_ON_COPIES = (
    "copy_relu", "copy_best", "copy_softmax", "copy_grows", "copy_spiky", "copy_longer", "copy_released",
    "hyper_copies",
)  # fmt: skip
"""Claims that a stuck softmax on copies leaves open."""
COPY = {
    CLAIMED: {"softmax": (0.005,) * 3, "elu": (0.7, 0.8, 0.9), "relu": (0.7, 0.8, 0.9), "taylor": (0.15, 0.2, 0.5),
              "nala": (0.05, 0.1, 0.22), "nala_rope": (0.5,) * 3},
    OTHER: {"softmax": (0.15,) * 3, "elu": (0.02,) * 3, "relu": (0.02,) * 3, "taylor": (0.02,) * 3,
            "nala": (0.08,) * 3, "nala_rope": (0.08,) * 3},
}  # fmt: skip
"""Excess on copies as a share of what context tells, at the shortest T, between, and at the longest."""
CHAIN = {CLAIMED: {"softmax": 0.05, "relu": 0.2, "nala": 0.12}, OTHER: {"softmax": 0.18, "relu": 0.03, "nala": 0.1}}
AT = {CLAIMED: {LEARNED: 0.02, LONGER: 0.15, UNIGRAM: 0.02}, OTHER: {LEARNED: 0.6, LONGER: 0.01, UNIGRAM: 0.1}}
SHARP, SOFT = 0.25, 2.2
"""Nats of entropy of heads."""


def worlds(study: "LinearAttentionEntropy") -> list[World]:
    """In each world, which claims hold is known."""
    return [_world(study, name) for name in (CLAIMED, OTHER, NOTHING, STUCK)]


def expected(study: "LinearAttentionEntropy", world: str) -> dict[str, Word | None]:
    """The right verdicts, of which gates of the design, such as windows that are too short, may leave some open."""
    found: dict[str, Word | None] = {one.id: "fails" if world == OTHER else "holds" for one in claims(study)}
    if world == NOTHING:
        found |= {one: "undecided" for one in found if one.removeprefix(f"{STUDY}.") not in UNTRAINED}
    if world == STUCK:
        found |= {f"{STUDY}.{name}": "undecided" for name in RESTS_ON_COPIES}
    return found


def _world(study: "LinearAttentionEntropy", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        found = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, found[claim.id]) for claim in named]

    return World(name, expected(study, name), draw)


def excess(study: "LinearAttentionEntropy", world: str, task: str, arm: Arm, what: str = "lost") -> float:
    """A planted share of what context tells."""
    design = study.design
    if world == NOTHING:
        return 0.0 if what == "added" else 1.0
    if what == "added":
        copies, chains, coins = (0.25, 0.5, 0.02) if world == CLAIMED else (0.6, 0.1, 0.2)
        return {BIGRAM: chains, UNIGRAM: coins}.get(task, copies)
    if task in design.copies:
        place = design.copies.index(task)
        return COPY[world].get(arm, COPY[world]["relu"])[
            0 if place == 0 else 2 if place == len(design.copies) - 1 else 1
        ]
    if task == MISSES:
        if arm == "softmax":
            return 0.08 if what == "miss" else 0.02
        return 0.15 if world == OTHER else 0.02
    if task == BIGRAM:
        return CHAIN[world].get(arm, 0.1)
    if (task, arm) == (UNIGRAM, "softmax"):
        return 0.02
    return 0.05 if task == LEARNED and arm != "nala" else AT[world][task]


def planted(study: "LinearAttentionEntropy", world: str, rng: np.random.Generator, n: int) -> Data:
    """The numbers of one draw of a world."""
    design, reading = study.design, study.reading

    def noisy(value: float, *more: int) -> Floats:
        return np.asarray(value * np.exp(OWN * rng.standard_normal((n, *more))))

    stuck, world = world == STUCK, CLAIMED if world == STUCK else world
    told = {task: noisy(1.4 if task not in CONTEXT else 0.4) for task in design.tasks}
    values: dict[str, dict[tuple[str, Arm], Floats]] = {name: {} for name in METRICS}
    entropy: dict[tuple[str, Arm], Floats] = {}
    for task in design.tasks:
        for arm in design.arms(task):
            wanted = ["lost"]
            if task == MISSES:
                wanted += ["hit", "miss", "whole"]
            elif arm == "softmax" and task in (design.central, *CONTEXT):
                wanted += ["added"]
            for what in wanted:
                values[what][task, arm] = told[task] * noisy(excess(study, world, task, arm, what))
            if stuck and task in design.copies and arm == "softmax":
                values["lost"][task, arm][::7] = told[task][::7]
            if task != MISSES and arm in KERNELS:
                soft = (arm in ("taylor", "softmax")) == (world != OTHER)
                entropy[task, arm] = noisy(SOFT if soft else SHARP, design.depth(task))
    shape = (n, len(KERNELS), len(reading.norms))
    random, top = np.empty(shape), np.log(reading.n_keys)
    claimed, nala = world != OTHER, KERNELS.index("nala")
    random[:] = np.linspace(1.0, 0.0, shape[2])
    random[:, nala] = np.linspace(1.0 if claimed else 0.2, 0.6 if claimed else 0.1, shape[2])
    random[:, KERNELS.index("softmax")] = np.linspace(1.0, 0.4 if claimed else 0.0, shape[2])
    random = top * np.maximum(random * (1 + 0.01 * rng.standard_normal(shape)), 0.0)
    rises = np.zeros(shape[:2])
    rises[:, nala] = rng.binomial(reading.n_draws, 0.0 if claimed else 0.05, n) / reading.n_draws
    points = np.linspace(0.0, 3.0, 31)
    return Data(
        design=design,
        replicates=replicates_of(range(n)),
        random=random,
        rises=rises,
        large_rises=rises,
        largest=np.zeros(shape[:2]),
        change=np.zeros(shape[:2]),
        draws=reading.n_draws,
        demand=dict.fromkeys(design.lengths, (points, np.maximum(points - 1.5, 0.0))),
        told=told,
        values=values,
        entropy=entropy,
    )
