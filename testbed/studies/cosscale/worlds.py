"""Planted worlds: numbers of known means in place of trained members', judged as those of a study are.

Every number of every seed carries independent normal noise; in a study the arms of a seed are paired, so that the power
found here is the lower for it. Two worlds are planted again with as much noise as trained members have (`NOISE`): there
many claims stay undecided, and what counts is that none is decided wrongly. In each world one replicate has not learnt,
and the gate must leave it out.

An arm that has learnt the far source in one block reads beyond the window, so that C4 and P8 fail of it. They hold in
the world in which the large alphas lose that source and keep to the window; there the gate leaves C3 and P9 open, which
ask for arms that learnt.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.cosscale.arms import KEY_NORM, NOPE, PLAIN, scaled, window
from testbed.studies.cosscale.claims import claims
from testbed.studies.cosscale.config import Role
from testbed.studies.cosscale.evidence import TASKS, evidence
from testbed.studies.cosscale.judgement import NOTHING
from testbed.studies.cosscale.results import Measured, aligned_within
from testbed.studies.cosscale.stated import CLAIMED, TILTING, UNWINDOWED, USELESS, WINDOWED
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.theory import cosscale_peak

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

FAR = {"c4_window", "c4_others", "c4_gau", "c4_gau_others", "p8_far", "p8_gau"}
"""What fails where large alphas learn the far source."""
FAILS = {
    CLAIMED: FAR,
    WINDOWED: set[str](),
    TILTING: {"c3_rises", "c3_mean", "c3_follows", "c3_learnt", "c3_gau", "c3_gau_mean", *FAR},
    UNWINDOWED: {
        *("c4_window", "c4_others", "c4_alike", "p7_aligned", "p8_local", "p8_far", "p9_sharp", "p9_small"),
        *("c4_gau", "c4_gau_others", "c4_born", "c4_born_others", "gau_blind", "gau_start", "p8_gau"),
    },
    USELESS: {"curves", "c8_angles", "c8_key_norm", "c9_transfers", "c9_with_rope", "c9_without", *FAR},
}
"""The claims that fail in each world; the others hold, but for these."""
NOISY = {f"{world}, noisy": world for world in (CLAIMED, UNWINDOWED)}
FAILS |= {noisy: FAILS[world] for noisy, world in NOISY.items()}
NOISE = 15.0
"""By how much more the numbers of a noisy world spread; excesses at n = m, which the gate reads, do not."""
OPEN = {
    WINDOWED: {
        *("c3_rises", "c3_mean", "c3_follows", "c3_learnt", "c3_gau", "c3_gau_mean", "curves", "c8_angles"),
        *("p9_sharp", "p9_small", "gau_start"),
    }
}
"""Claims that the gate leaves undecided: an arm that they need has not learnt the far source."""
UNPLACED: tuple[Role, ...] = ("recall", "content")
"""Where InfoScale is tried without positions."""
COSINE, SHARE, NATS = 0.004, 0.01, 0.004
"""Standard deviation over seeds of cosines, of shares of attention, and of numbers in nats."""
BEYOND = 0.6
"""Attention in the window of an arm that reads the far source."""
SATURATED, FLOOR, NO_CONTEXT, LEARNT = 0.35, 1.0, 2.0, 0.03
FALL = 0.05
"""Where training leaves the cosines to softmax, eta falls by so much from one alpha to the next."""
WINDOW_FLOOR = 0.2
"""What a window of one key fewer loses on the local source."""
UNTRAINED = 1.5
"""Excess of the replicate that has not learnt."""


def worlds(study: "CosScaleStudy") -> list[World]:
    """For each claim one in which it holds, and one in which it fails."""
    return [_world(study, name) for name in FAILS]


def _world(study: "CosScaleStudy", name: str) -> World:
    named = claims(study)
    short = {one.id: one.id.rpartition(".")[2] for one in named}
    expected: dict[str, Word | None] = {
        full: "fails" if one in FAILS[name] else "undecided" if one in OPEN.get(name, ()) else "holds"
        for full, one in short.items()
    }

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        found = []
        for claim in named:
            found.append((claim, numbers[claim.id] or NOTHING))
        return found

    return World(name, expected, draw)


def planted(study: "CosScaleStudy", world: str, rng: np.random.Generator, n: int) -> Measured:
    """The numbers of one draw of a world."""
    data = Measured(tuple(range(n)), study.bounds.gate, study.bounds.reads)
    noise, world = (NOISE, NOISY[world]) if world in NOISY else (1.0, world)
    windowed, useless = world != UNWINDOWED, world == USELESS
    tilting, loses_far = world == TILTING, world == WINDOWED

    def put(task: Role, arm: str, name: str, mean: float, spread: float = NATS) -> None:
        data.values[task, arm, name] = mean + noise * spread * rng.standard_normal(n)

    def put_learnt(task: Role, arm: str, excess: float = LEARNT) -> None:
        put(task, arm, "excess", excess, min(NATS, excess / 10) / noise)
        data.values[task, arm, "excess"][-1] = UNTRAINED
        put(task, arm, "no_context", NO_CONTEXT, 0.0)
        put(task, arm, "floor", FLOOR, 0.0)

    def put_window(task: Role, arm: str, reach: int) -> None:
        floor = WINDOW_FLOOR * (study.reaches[-1] - reach) if task == "local" else 0.0
        put_learnt(task, arm, LEARNT + floor)
        if task == "local":
            data.values[task, arm, "own_floor"] = np.full(n, floor)

    def put_cosines(task: Role, plain: str, arm: str, number: int, alpha: float, head_dim: int) -> None:
        theory = float(cosscale_peak(alpha, head_dim))
        for name in ("eta", "eta_mean"):
            put(task, arm, name, SATURATED - FALL * number if tilting else theory, min(COSINE, (1 - theory) / 12))
        put(task, plain, f"untrained-{alpha:g}", min(theory, SATURATED), COSINE)

    for task in TASKS:
        put_learnt(task, PLAIN)
        for arm in (PLAIN, KEY_NORM):
            put(task, arm, "untrained-contrast", 0.1, COSINE)
            put(task, arm, "contrast", 0.3 if arm == PLAIN else 0.2 if useless else 0.6, COSINE)
        put_learnt(task, KEY_NORM)
        put(task, PLAIN, "path", 0.5)
        put(task, PLAIN, "row_js", 0.1)
        put(task, PLAIN, "ranged", 0.3)
        data.values[task, PLAIN, "ranged_infoscale"] = data.at(task, PLAIN, "ranged") - 0.05
        for reach in study.reaches:
            put_window(task, window(reach), reach)
            put(task, window(reach), "mass_width", float(reach))
            put(task, window(reach), "effective_keys", float(reach))
        for number, alpha in enumerate(study.alphas):
            arm = scaled(alpha)
            put_cosines(task, PLAIN, arm, number, alpha, study.head_dim)
            put(task, arm, "untrained-contrast", 0.1, COSINE)
            put(task, arm, "contrast", 0.2 if useless else 0.5, COSINE)
            aligned = aligned_within(alpha, study.train_length, study.head_dim, study.reach)
            share = 0.97 if alpha >= study.bounds.large_from else aligned
            lost = loses_far and task == "far" and alpha >= study.bounds.large_from
            reads_far = task == "far" and not lost
            put(task, arm, "within", (BEYOND if reads_far else share) if windowed else 0.3, SHARE)
            put(task, arm, "others", (BEYOND if reads_far else 0.97) if windowed else 0.3, SHARE)
            put(task, arm, "row_js", 0.05 if windowed else 0.3)
            put(task, arm, "mass_width", study.reaches[-1] if windowed else study.reaches[-1] - 1.0)
            put(task, arm, "effective_keys", study.reaches[-1] if windowed else study.reaches[-1] - 1.0)
            put_learnt(task, arm, FLOOR if lost else LEARNT)
            for name in ("entropy", "entropy_long"):
                put(task, arm, name, 0.5 if windowed else 2.0)
            put(task, arm, "path", 0.6 if useless else 0.4)
            put(task, arm, "excess_long", 0.3)
            data.values[task, arm, "excess_long_infoscale"] = data.at(task, arm, "excess_long") + (
                0.0 if windowed else 0.2
            )
        family = study.gated
        put_learnt(task, family.plain)
        for number, alpha in enumerate(family.alphas):
            arm = family.scaled(alpha)
            lost = loses_far and task == "far" and alpha == family.main
            reads_far = task == "far" and not lost
            put_learnt(task, arm, FLOOR if lost else LEARNT)
            put_cosines(task, family.plain, arm, number, alpha, family.head_dim)
            for name in ("within", "others"):
                put(task, arm, name, (BEYOND if reads_far else 0.97) if windowed else 0.3, SHARE)
        put_learnt(task, family.ones, NO_CONTEXT if windowed else LEARNT)
        for name in ("left", "left-others"):
            outside = (0.03 if windowed else 0.7) * np.exp(0.1 * rng.standard_normal(n))
            data.values[task, family.ones, f"untrained-{name}-{family.main:g}"] = outside
        weight = np.abs(1.0 + 0.1 * rng.standard_normal(n)) * (1e-20 if windowed else 0.1)
        data.values[task, family.ones, f"untrained-wanted-{family.main:g}"] = weight
    for base in (PLAIN, *(one.name for one in study.baselines)):
        put_learnt("recall", base)
        put("recall", base, "excess_long", 0.3)
        for alpha in study.position_alphas:
            put_learnt("recall", scaled(alpha, base))
            gained = (base == PLAIN) != useless
            put("recall", scaled(alpha, base), "excess_long", 0.2 if gained else 0.3)
    put_learnt("content", NOPE)
    for task in UNPLACED:
        put(task, NOPE, "ranged", 0.3)
        moved = 0.05 if useless and task == "content" else -0.05
        data.values[task, NOPE, "ranged_infoscale"] = data.at(task, NOPE, "ranged") + moved
    return data
