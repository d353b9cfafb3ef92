"""Planted worlds: excesses and heads of known means in place of trained models, judged as those of a study are.

A row's excess at n = r m is   M (e + g(r) c(row) N),   e the excess at n = m, c what the row adds at the largest ratio,
g(r) = ln r / ln R, M a factor of the member (lognormal, 20 %), N one of the cell (5 %). On sources with an exact
control c is the control's own, computed without any model. Heads are planted in `world_heads`.

What the right verdicts are is not typed in: the numbers of the claims without any noise are the truth.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from testbed.methods import Method
from testbed.sources import Source
from testbed.studies.judge import Claim, Evidence, World
from testbed.studies.judge.claim import Word
from testbed.studies.length_extrapolation.claims import NOTHING, PREFIX, claims, evidence
from testbed.studies.length_extrapolation.config import MULTIPLIERS, NONE, ROTARY, Arm, Change, Task
from testbed.studies.length_extrapolation.grid import changes_of
from testbed.studies.length_extrapolation.oracle import SEED, excess_of, logit_std, power_of
from testbed.studies.length_extrapolation.results import Floats, Measured, Row
from testbed.studies.length_extrapolation.world_heads import planted_heads, strength

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

NO_CONTEXT, START = 0.7, 0.005
"""KL without context, and excess at n = m, in nats."""
OUT_OF_RANGE, HALF_WAY, ADDED, IN_RANGE, SCALED, CLAIMED = 1.0, 0.5, 0.45, 0.1, 0.05, 0.01
"""What rows add at the largest ratio where nothing else is said, in nats; SCALED is what a multiplier takes off."""
NORMED = 0.4
"""What CosScale leaves of the excess of other rows."""
N_SEQUENCES = 400
BASE = "as_claimed"

FAILURES: Mapping[str, tuple[str, ...]] = {
    "spread_logits": ("no_op",),
    "harmless": ("control",),
    "one_cost": ("order", "sphere"),
    "scaling_repairs": ("positions",),
    "no_gain": ("gain_in_range", "gain_nope", "not_best"),
    "beaten": ("best",),
    "harmful": ("added",),
    "cosscale_idle": ("only_rope",),
    "cosscale_anywhere": ("only_rope",),
    "no_tax": ("tax",),
    "relative_entropy": ("flat",),
    "frozen_grows": ("frozen",),
    "focus_lost": ("focus",),
    "mass_lost": ("mass",),
    BASE: ("relative",),
}
"""World -> the claims that fail in it, whatever else does; in `relative_entropy` it is `relative` that holds."""


def worlds(study: "LengthExtrapolation") -> list[World]:
    """One world in which all claims hold but `relative`, and for each claim one in which it fails."""
    return [_world(study, name) for name in FAILURES]


def truths(study: "LengthExtrapolation", world: str) -> dict[str, Word | None]:
    """{claim id: the right verdict}; None for a claim that this config has no tasks for."""
    numbers = evidence(study, planted(study, world, None, 8))

    def word(claim: Claim) -> Word | None:
        number = numbers[claim.id]
        if isinstance(number, str):
            return None
        return "holds" if claim.region.contains(number.estimate, number.estimate) else "fails"

    return {claim.id: word(claim) for claim in claims(study)}


def _world(study: "LengthExtrapolation", name: str) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, NOTHING if isinstance(one := numbers[claim.id], str) else one) for claim in named]

    return World(name, truths(study, name), draw)


def planted(
    study: "LengthExtrapolation", world: str, rng: np.random.Generator | None, n: int, noisiness: float = 1.0
) -> Measured:
    """The measurements of a study in this world, all members having learnt; without a generator, without noise.

    noisiness    factor on every spread
    """

    def noise(spread: float) -> Floats:
        return np.ones(n) if rng is None else np.exp(noisiness * spread * rng.standard_normal(n))

    data = Measured(tuple(range(n)))
    with_heads = {NONE, *(change.name for change in study.changes if change.heads)}
    for task in study.tasks:
        for ratio in study.ratios_of(task):
            data.no_context[task.name, ratio] = np.full(n, NO_CONTEXT)
        for arm in study.arms_of(task):
            member = noise(0.2)
            for change, _ in changes_of(study, task, arm):
                row = Row(arm.name, change)
                for ratio in study.ratios_of(task):
                    key = task.name, row, ratio
                    data.late[key] = member * (START + added(study, world, task, arm, change, ratio) * noise(0.05))
                    here = tax(study, world, task, change) if ratio == 1 else 0.0
                    data.everywhere[key] = member * (START + here * noise(0.05))
                    if change in with_heads:
                        data.heads[key] = planted_heads(study, world, task, arm, change, ratio, noise)
    data.judge_learnt(study.gate)
    return data


def added(study: "LengthExtrapolation", world: str, task: Task, arm: Arm, change: str, ratio: int) -> float:
    """What a row's excess is above that at n = m, in the mean."""
    if ratio == 1:
        return 0.0
    one = None if change == NONE else study.change(change)
    rotary = ROTARY in {method.type_name for method in arm.methods}
    if not rotary and task.role in ("classes", "evidence"):
        return _of_classes(study, world, task, one, ratio)
    level = _on_rope(study, world, task, arm, one) if rotary else _without_positions(study, world, task, arm, one)
    return level * math.log(ratio) / math.log(study.largest(task))


def _without_positions(study: "LengthExtrapolation", world: str, task: Task, arm: Arm, change: Change | None) -> float:
    is_scaling = change is not None and change.kind in MULTIPLIERS
    if change is not None and not is_scaling:
        return HALF_WAY
    if task.role == "averaging":
        return 3 * study.no_op_margin if is_scaling and world == "spread_logits" else 0.0
    if task.role not in ("recall", "argmax"):
        return 0.0
    if arm.name == study.normed_nope_arm:
        return IN_RANGE - (SCALED if world == "cosscale_anywhere" else 0.0)
    return _scaled(study, world, task, change)


def _scaled(study: "LengthExtrapolation", world: str, task: Task, change: Change | None) -> float:
    """Positions in range: the stronger a multiplier, the better, or in one world the worse."""
    gain = SCALED * strength(study, task, change)
    return IN_RANGE + (2 * gain if world == "no_gain" else -gain)


def _on_rope(study: "LengthExtrapolation", world: str, task: Task, arm: Arm, change: Change | None) -> float:
    normed, scaling = study.claimed
    if arm.name == normed:
        if change is not None and change.name == scaling:
            return HALF_WAY if world == "beaten" else CLAIMED
        if change is None:
            return OUT_OF_RANGE if world == "cosscale_idle" else HALF_WAY
        return NORMED * _on_rope(study, world, task, study.arm(study.rope_arm), change)
    if change is not None and study.in_range in (change.name, change.over):
        return _scaled(study, world, task, change)
    if change is None or change.kind in MULTIPLIERS:
        first = next(one for one in study.changes if one.kind in MULTIPLIERS)
        return SCALED / 2 if world == "scaling_repairs" and change is first else OUT_OF_RANGE
    if change.over is not None:
        return OUT_OF_RANGE if world == "harmful" else ADDED
    return HALF_WAY


def _of_classes(study: "LengthExtrapolation", world: str, task: Task, change: Change | None, ratio: int) -> float:
    """The exact control's own cost; in one world nothing, in one that of the weakest for all."""
    if change is None or world == "harmless":
        return 0.0
    if change.kind not in MULTIPLIERS:
        return HALF_WAY
    chosen = study.change(study.claimed[1]) if world == "one_cost" else change
    return _exact_cost(study, task, chosen, ratio)


def tax(study: "LengthExtrapolation", world: str, task: Task, change: str) -> float:
    """What a change costs over all positions of a sequence of the training length, in the mean."""
    one = None if change == NONE else study.change(change)
    costs = one is not None and one.kind in MULTIPLIERS and not one.no_op
    return 5 * study.margin if costs and task.role in ("local", "recall") and world != "no_tax" else 0.0


def _exact_cost(study: "LengthExtrapolation", task: Task, change: Change, ratio: int) -> float:
    head_dim = study.model.geometry(task.train_length).head_dim
    return exact_cost(task.source, change.methods[0], ratio * task.train_length, head_dim, task.train_length)


@lru_cache(maxsize=1024)
def exact_cost(source: Source, method: Method, length: int, head_dim: int, train_length: int) -> float:
    """What a scaling method costs exact attention at this length, nats."""
    std = logit_std(source, source.sample(N_SEQUENCES, train_length, SEED))
    power = power_of(method, length, head_dim, train_length, std)
    excess, _ = excess_of(source, source.sample(N_SEQUENCES, length, SEED), np.array([power]))
    return float(excess[0])


__all__ = ["BASE", "FAILURES", "PREFIX", "planted", "truths", "worlds"]
