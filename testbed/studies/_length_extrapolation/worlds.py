"""Planted worlds: excesses of known means in place of trained models, judged as those of a study are.

A row's excess at n = r m is   M (e + g(r) c(row) N),   e the excess at n = m, c what the row adds at the largest ratio,
g(r) = ln r / ln R, M a factor of the member (lognormal, 20 %), N one of the cell (5 %). On sources with an exact
control c is the control's own, computed without any model.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from testbed.methods import Method
from testbed.sources import Source
from testbed.studies._length_extrapolation.claims import NOTHING, claims, evidence
from testbed.studies._length_extrapolation.config import MULTIPLIERS, Change, Task
from testbed.studies._length_extrapolation.grid import changes_of
from testbed.studies._length_extrapolation.oracle import SEED, excess_of, logit_std, power_of
from testbed.studies._length_extrapolation.results import Measured, Row
from testbed.studies.judge import Claim, Evidence, World

if TYPE_CHECKING:
    from testbed.studies._length_extrapolation.study import LengthExtrapolation

NO_CONTEXT, START = 0.7, 0.005
"""KL without context, and excess at n = m, in nats."""
OUT_OF_RANGE, HALF_WAY, IN_RANGE, SCALED, CLAIMED = 1.0, 0.5, 0.1, 0.05, 0.01
"""What rows add at the largest ratio where nothing else is said, in nats."""
N_SEQUENCES = 400

FAILURES: Mapping[str, str] = {
    "spread_logits": "no_op",
    "harmless": "control",
    "scaling_repairs": "positions",
    "no_second_gain": "second_gain",
    "beaten": "best",
    "no_tax": "tax",
}
"""World -> the claim that fails in it."""


def worlds(study: "LengthExtrapolation") -> list[World]:
    """One world in which every claim holds, and for each claim one in which it fails.

    A claim that this config has no tasks for can be neither.
    """
    numbers = evidence(study, planted(study, "as_claimed", np.random.default_rng(0), 8))
    decidable = {name for name, one in numbers.items() if not isinstance(one, str)}

    def expected(failing: str | None) -> dict[str, str | None]:
        words = {claim.id: "fails" if claim.id.endswith(f".{failing}") else "holds" for claim in claims(study)}
        return {name: word if name in decidable else None for name, word in words.items()}

    return [_world(study, name, expected(failing)) for name, failing in ({"as_claimed": None} | dict(FAILURES)).items()]


def _world(study: "LengthExtrapolation", name: str, expected: Mapping[str, str | None]) -> World:
    named = claims(study)

    def draw(rng: np.random.Generator, n_replicates: int) -> list[tuple[Claim, Evidence]]:
        numbers = evidence(study, planted(study, name, rng, n_replicates))
        return [(claim, NOTHING if isinstance(one := numbers[claim.id], str) else one) for claim in named]

    return World(name, expected, draw)  # type: ignore[arg-type]


def planted(study: "LengthExtrapolation", world: str, rng: np.random.Generator, n: int) -> Measured:
    """The measurements of a study in this world, all members having learnt."""
    data = Measured(tuple(range(n)))
    for task in study.tasks:
        for ratio in study.ratios:
            data.no_context[task.name, ratio] = np.full(n, NO_CONTEXT)
        for arm in study.arms_of(task):
            member = np.exp(0.2 * rng.standard_normal(n))
            for change, _ in changes_of(study, task, arm):
                row = Row(arm.name, change)
                for ratio in study.ratios:
                    cost = added(study, world, task, row, ratio) * np.exp(0.05 * rng.standard_normal(n))
                    data.late[task.name, row, ratio] = member * (START + cost)
                    here = tax(study, world, task, row) if ratio == 1 else 0.0
                    data.everywhere[task.name, row, ratio] = member * (
                        START + here * np.exp(0.05 * rng.standard_normal(n))
                    )
    data.judge_learnt(study.gate)
    return data


def added(study: "LengthExtrapolation", world: str, task: Task, row: Row, ratio: int) -> float:
    """What a row's excess is above that at n = m, in the mean."""
    grown = math.log(ratio) / math.log(study.ratios[-1])
    if grown == 0:
        return 0.0
    change = next((one for one in study.changes if one.name == row.change), None)
    if row.arm == study.claimed[0]:
        best = row.change == study.claimed[1]
        return grown * ((HALF_WAY if world == "beaten" else CLAIMED) if best else HALF_WAY)
    if row.arm == study.rope_arm:
        return grown * _on_rope(study, world, change)
    is_scaling = change is not None and change.kind in MULTIPLIERS
    if not is_scaling and change is not None:
        return grown * HALF_WAY
    if task.role == "averaging":
        return grown * 3 * study.no_op_margin if is_scaling and world == "spread_logits" else 0.0
    if task.role in ("classes", "evidence"):
        assert change is None or is_scaling
        return 0.0 if change is None or world == "harmless" else _exact_cost(study, task, change, ratio)
    if task.role == "local":
        return 0.0
    return grown * (SCALED if is_scaling and world != "no_second_gain" else IN_RANGE)


def _on_rope(study: "LengthExtrapolation", world: str, change: Change | None) -> float:
    if change is not None and change.name == study.in_range:
        return IN_RANGE
    if change is not None and change.over == study.in_range:
        return IN_RANGE if world == "no_second_gain" else SCALED
    if change is None or change.kind in MULTIPLIERS:
        first = next(one for one in study.changes if one.kind in MULTIPLIERS)
        return IN_RANGE if world == "scaling_repairs" and change is first else OUT_OF_RANGE
    return HALF_WAY


def tax(study: "LengthExtrapolation", world: str, task: Task, row: Row) -> float:
    """What a change costs over all positions of a sequence of the training length, in the mean."""
    change = next((one for one in study.changes if one.name == row.change), None)
    costs = change is not None and change.kind in MULTIPLIERS and not change.no_op
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
