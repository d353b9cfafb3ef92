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
from testbed.studies.length_extrapolation.config import MULTIPLIERS, NONE, READ, ROTARY, Arm, Change, Task
from testbed.studies.length_extrapolation.grid import changes_of
from testbed.studies.length_extrapolation.oracle import SEED, excess_of, logit_std, power_of
from testbed.studies.length_extrapolation.reach import lost_by, reach_of
from testbed.studies.length_extrapolation.results import Floats, Measured, Row
from testbed.studies.length_extrapolation.world_heads import near_boundary, planted_heads, strength

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

NO_CONTEXT, START = 0.7, 0.002
"""KL without context, and excess at n = m, in nats."""
OUT_OF_RANGE, HALF_WAY, IN_RANGE, LEARNT_SCALE, NORMED = 1.0, 0.5, 0.1, 0.05, 0.005
"""What rows add at the largest ratio where nothing else is said, in nats: raw rotary positions; other changes;
positions in range without a multiplier, and with a learnt one; CosScale with positions in range."""
ENOUGH = 0.65
"""Strength of a multiplier that makes up for all distractors; a weaker one does in proportion."""
N_SEQUENCES = 400
BASE = "as_claimed"

FAILURES: Mapping[str, tuple[str, ...]] = {
    "spread_logits": ("no_op",),
    "read_logits": ("no_op_read",),
    "harmless": ("control",),
    "strong_is_cheap": ("order", "sphere"),
    "no_tax": ("tax",),
    "scaling_repairs": ("positions",),
    "no_gain": ("gain_in_range", "gain_drawn", "gain_hidden", "not_best"),
    "beaten": ("best",),
    "harmful": ("added_infoscale",),
    "harmful_norm": ("added_cosscale",),
    "cosscale_idle": ("only_rope",),
    "cosscale_anywhere": ("only_rope",),
    "gain_anywhere": ("boundary",),
    "gain_nowhere": ("boundary",),
    "leak": ("reach_bound",),
    "blocked": ("within_reach",),
    "wasteful": ("reach_cost",),
    "relative_entropy": ("flat",),
    "frozen_grows": ("frozen",),
    "focus_lost": ("focus",),
    "reshaped": ("shape",),
    "mass_lost": ("mass",),
    "loss_grows": ("mass_loss",),
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
    for task in study.tasks:
        for ratio in study.ratios_of(task):
            data.no_context[task.name, ratio] = np.full(n, NO_CONTEXT)
        for arm in study.arms_of(task):
            member = noise(0.2)
            data.lost[task.name, arm.name] = lost_by(study, task, arm, 1)
            for change, _ in changes_of(study, task, arm):
                row = Row(arm.name, change)
                for ratio in study.ratios_of(task):
                    key = task.name, row, ratio
                    data.late[key] = member * (START + added(study, world, task, arm, change, ratio) * noise(0.05))
                    if change == NONE and reach_of(study, task, arm, NONE, ratio) is not None:
                        data.late[key] = trained_with_mask(study, world, task, arm, ratio) + START / 10 * member
                    here = tax(study, world, task, change) if ratio == 1 else 0.0
                    data.everywhere[key] = member * (START + here * noise(0.05))
                    if study.looks_at_heads(change):
                        data.heads[key] = planted_heads(study, world, task, arm, change, ratio, noise)
    data.judge_learnt(study.gate)
    return data


def added(study: "LengthExtrapolation", world: str, task: Task, arm: Arm, change: str, ratio: int) -> float:
    """What a row's excess is above that at n = m, in the mean."""
    if ratio == 1:
        return 0.0
    one = None if change == NONE else study.change(change)
    if task.role == "lag":
        return _behind_masks(study, world, task, arm, change, ratio)
    rotary = has_rotary(arm)
    if not rotary and task.role in ("classes", "evidence"):
        return _of_classes(study, world, task, one, ratio)
    level = _on_rope(study, world, task, arm, one) if rotary else _without_positions(study, world, task, arm, one)
    return level * math.log(ratio) / math.log(study.largest(task))


def has_rotary(arm: Arm) -> bool:
    """Whether an arm has rotary positions, at its own places or at drawn ones."""
    return ROTARY in {method.type_name for method in arm.methods}


def _without_positions(study: "LengthExtrapolation", world: str, task: Task, arm: Arm, change: Change | None) -> float:
    is_scaling = change is not None and change.kind in MULTIPLIERS
    if task.role == "averaging" and change is not None and change.kind in (*MULTIPLIERS, *READ):
        sharpened = "read_logits" if change.kind in READ else "spread_logits"
        return 3 * study.margin if world == sharpened else 0.0
    if change is not None and not is_scaling:
        return HALF_WAY
    if task.role not in ("recall", "argmax"):  # without a change
        return 0.0
    if arm.name in {nope for _, nope in study.normed_arms}:
        return IN_RANGE * (0.5 if world == "cosscale_anywhere" else 2.0)
    return _scaled(study, world, task, change)


def _scaled(study: "LengthExtrapolation", world: str, task: Task, change: Change | None) -> float:
    """Positions in range: the stronger a multiplier, the better, or in one world the worse."""
    share = min(1.0, strength(study, task, change) / ENOUGH)
    if world == "no_gain":
        return IN_RANGE * (1 + share)
    if world == "loss_grows" and change is not None:
        share = min(share, 0.8)
    return IN_RANGE * (1 - share)


def _on_rope(study: "LengthExtrapolation", world: str, task: Task, arm: Arm, change: Change | None) -> float:
    if arm.name in {normed for normed, _ in study.normed_arms}:
        return _normed(study, world, arm, change)
    if arm.name in study.scaled_arms:
        in_range = change is not None and change.name == study.in_range
        return (2 * IN_RANGE if world == "no_gain" else LEARNT_SCALE) if in_range else OUT_OF_RANGE
    if arm.name == study.drawn_arm:
        return _scaled(study, world, task, change)
    if change is not None and study.in_range in (change.name, change.over):
        one = _scaled(study, world, task, change)
        return one + (HALF_WAY if world == "harmful" and change.over is not None else 0.0)
    if change is None or change.kind in MULTIPLIERS:
        first = next(one for one in study.changes if one.kind in MULTIPLIERS)
        return 0.0 if world == "scaling_repairs" and change is first else OUT_OF_RANGE
    if change.over is not None:
        return OUT_OF_RANGE if world == "harmful" else 0.5 * HALF_WAY
    return HALF_WAY


def _normed(study: "LengthExtrapolation", world: str, arm: Arm, change: Change | None) -> float:
    """With CosScale: as good as the best with InfoScale, else better than without it; it gains near the boundary."""
    if change is not None and change.name == study.scaling:
        return HALF_WAY if world == "beaten" else 0.0
    if change is None:
        return 3 * OUT_OF_RANGE if world == "cosscale_idle" else HALF_WAY
    if study.in_range in (change.name, change.over):
        gains = world == "gain_anywhere" or (near_boundary(study, arm) and world != "gain_nowhere")
        return IN_RANGE / 4 if gains and change.name == study.in_range else NORMED
    return HALF_WAY * (2.0 if world == "harmful_norm" else 0.2)


def _behind_masks(study: "LengthExtrapolation", world: str, task: Task, arm: Arm, change: str, ratio: int) -> float:
    """A mask put on costs half more than the exact law behind it loses; in one world too little."""
    reach = reach_of(study, task, arm, change, ratio)
    return HALF_WAY if reach is None else (0.5 if world == "leak" else 1.5) * reach.loss


def trained_with_mask(study: "LengthExtrapolation", world: str, task: Task, arm: Arm, ratio: int) -> float:
    """The excess of an arm trained behind a mask: what the exact law loses there; in two worlds more with length."""
    loss = lost_by(study, task, arm, ratio)
    more = 5 * study.margin if ratio > 1 and world == ("wasteful" if loss > 0 else "blocked") else 0.0
    return more + (0.5 if world == "leak" else 1.0) * loss


def _of_classes(study: "LengthExtrapolation", world: str, task: Task, change: Change | None, ratio: int) -> float:
    """The exact control's own cost; in one world nothing, in one half of InfoScale's for all others."""
    if change is None or world == "harmless":
        return 0.0
    if change.kind not in MULTIPLIERS:
        return HALF_WAY
    if world == "strong_is_cheap":
        return _exact_cost(study, task, study.change(study.scaling), ratio) * (
            1.0 if change.name == study.scaling else 0.5
        )
    return _exact_cost(study, task, change, ratio)


def tax(study: "LengthExtrapolation", world: str, task: Task, change: str) -> float:
    """What a change costs over all positions of a sequence of the training length, in the mean."""
    one = None if change == NONE else study.change(change)
    costs = one is not None and one.kind in MULTIPLIERS and not one.no_op
    return 5 * study.margin if costs and task.role in ("local", "averaging") and world != "no_tax" else 0.0


def _exact_cost(study: "LengthExtrapolation", task: Task, change: Change, ratio: int) -> float:
    head_dim = study.head_dim(task)
    return exact_cost(task.source, change.methods[0], ratio * task.train_length, head_dim, task.train_length)


@lru_cache(maxsize=1024)
def exact_cost(source: Source, method: Method, length: int, head_dim: int, train_length: int) -> float:
    """What a scaling method costs exact attention at this length, nats."""
    std = logit_std(source, source.sample(N_SEQUENCES, train_length, SEED))
    power = power_of(method, length, head_dim, train_length, std)
    excess, _ = excess_of(source, source.sample(N_SEQUENCES, length, SEED), np.array([power]))
    return float(excess[0])


__all__ = ["BASE", "FAILURES", "PREFIX", "planted", "truths", "worlds"]
