"""Planted worlds: numbers of known means in place of trained members', judged as those of a study are.

Every number of every seed carries independent normal noise; in a study the arms of a seed are paired, so that the power
found here is the lower for it.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.cosscale.arms import NOPE, PLAIN, scaled, window
from testbed.studies.cosscale.claims import CLAIMED, TILTING, UNWINDOWED, USELESS, claims
from testbed.studies.cosscale.config import Role
from testbed.studies.cosscale.evidence import TASKS, evidence, matched_reach
from testbed.studies.cosscale.results import Measured, aligned_within
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.theory import cosscale_peak

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

FAILS = {
    CLAIMED: set[str](),
    TILTING: {"c3_rises", "c3_follows", "c3_learnt", "c3_gau"},
    UNWINDOWED: {
        *("c4_window", "c4_alike", "p7_aligned", "p8_local", "p8_far", "p9_sharp", "p9_small"),
        *("c4_gau", "c4_born", "p8_gau"),
    },
    USELESS: {"curves", "c8_angles", "c9_rope_only"},
}
"""The claims that fail in each world; the others hold."""
COSINE, SHARE, NATS = 0.008, 0.01, 0.008
"""Standard deviation over seeds of cosines, of shares of attention, and of numbers in nats."""
SATURATED, FLOOR = 0.35, 1.0
FALL = 0.05
"""Where training leaves the cosines to softmax, eta falls by so much from one alpha to the next: less is needed."""


def worlds(study: "CosScaleStudy") -> list[World]:
    """One in which every claim holds, and for each claim one in which it fails."""
    return [_world(study, name) for name in FAILS]


def _world(study: "CosScaleStudy", name: str) -> World:
    named = claims(study)
    expected: dict[str, Word | None] = {
        one.id: "fails" if one.id.rpartition(".")[2] in FAILS[name] else "holds" for one in named
    }

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, numbers[claim.id]) for claim in named]

    return World(name, expected, draw)


def planted(study: "CosScaleStudy", world: str, rng: np.random.Generator, n: int) -> Measured:
    """The numbers of one draw of a world."""
    data = Measured(tuple(range(n)))
    windowed, useless = world != UNWINDOWED, world == USELESS

    def put(task: Role, arm: str, name: str, mean: float, spread: float = NATS) -> None:
        data.values[task, arm, name] = mean + spread * rng.standard_normal(n)

    for task in TASKS:
        put(task, PLAIN, "contrast", 0.3, COSINE)
        put(task, PLAIN, "path", 0.5)
        put(task, PLAIN, "excess_long", 0.3)
        put(task, PLAIN, "row_js", 0.1)
        for reach in study.reaches:
            put(task, window(reach), "excess", 0.1 if task == "local" else FLOOR)
        for number, alpha in enumerate(study.alphas):
            arm, theory = scaled(alpha), float(cosscale_peak(alpha, study.head_dim))
            saturated = min(theory, SATURATED)
            put(task, arm, "eta", SATURATED - FALL * number if world == TILTING else theory, COSINE)
            put(task, PLAIN, f"untrained-{alpha:g}", saturated, COSINE)
            put(task, arm, "contrast", 0.25 if useless else 0.5, COSINE)
            aligned = aligned_within(alpha, study.train_length, study.head_dim, study.reach)
            put(task, arm, "within", aligned if windowed else 0.3, SHARE)
            put(task, arm, "row_js", 0.05 if windowed else 0.3)
            like = data.at(task, window(matched_reach(study, alpha) if task == "local" else study.reach), "excess")
            data.values[task, arm, "excess"] = like + (0.0 if windowed else -0.9 if task == "far" else 0.2)
            data.values[task, arm, "excess"] += NATS * rng.standard_normal(n)
            put(task, arm, "floor", FLOOR, 0.0)
            for name in ("entropy", "entropy_long"):
                put(task, arm, name, 0.5 if windowed else 2.0)
            put(task, arm, "path", 0.6 if useless else 0.4)
            put(task, arm, "excess_long", 0.3 if useless else 0.2)
            data.values[task, arm, "excess_long_infoscale"] = data.at(task, arm, "excess_long") + (
                0.0 if windowed else 0.2
            )
        for number, alpha in enumerate(study.gau_alphas):
            arm, theory = study.gated.scaled(alpha), float(cosscale_peak(alpha, study.gated.head_dim))
            put(task, arm, "eta", SATURATED - FALL * number if world == TILTING else theory, COSINE)
            put(task, arm, "within", 0.97 if windowed else 0.3, SHARE)
            put(task, study.gated.plain, f"untrained-within-{alpha:g}", 0.97 if windowed else 0.3, SHARE)
            put(task, arm, "excess", FLOOR if windowed else 0.1)
            put(task, arm, "floor", FLOOR, 0.0)
    for base in (PLAIN, NOPE):
        put("content", base, "excess_long", 0.3)
        for alpha in study.content_alphas:
            gained = base == PLAIN if not useless else base == NOPE
            put("content", scaled(alpha, base), "excess_long", 0.2 if gained else 0.3)
    return data
