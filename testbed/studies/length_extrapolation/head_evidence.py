"""Evidence on claims about attention: entropy, and the mass on the relevant pair, of heads picked out at n = m.

One number a replicate, the mean over its heads that are picked by what they do at n = m without a change: diffuse heads
(H above 1 nat), broad ones (and sigma below sqrt(2 ln m)), frozen ones (sigma above 5.5), or the one head with the most
mass on the relevant pair. Replicates without such heads do not count.
"""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.judge import Evidence, Max, Mean, Min
from testbed.studies.judge.evidence import MINIMUM_REPLICATES
from testbed.studies.length_extrapolation.config import MULTIPLIERS, NONE, Task
from testbed.studies.length_extrapolation.loss_evidence import not_learnt, tasks_of, with_added
from testbed.studies.length_extrapolation.results import Floats, Measured, Row

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

Chosen = NDArray[np.bool_]
DIFFUSE = 1.0
"""Nats of entropy at n = m above which a head can be said to spread or not."""
FROZEN, FROZEN_CHANGE = 5.5, 0.25
"""P2: standard deviation of logits above which InfoScale should hold entropy, and the share that it may change by."""


def head_evidence(study: "LengthExtrapolation", data: Measured) -> dict[str, Evidence | str]:
    """Evidence by the claim's short name, or why there is none."""
    return {
        "flat": _flat(study, data),
        "relative": _relative(study, data),
        "frozen": _frozen(study, data),
        "focus": _focus(study, data),
        "mass": _mass(study, data),
        "not_best": _not_best(study, data),
    }


# ------------------------------------------------------------------------------------------------ heads
def diffuse(data: Measured, task: Task, arm: str) -> Chosen:
    """(n_seeds, depth, heads): H above 1 nat at n = m."""
    found: Chosen = data.heads[task.name, Row(arm), 1]["entropy"] > DIFFUSE
    return found


def broad(data: Measured, task: Task, arm: str) -> Chosen:
    """Diffuse heads whose logits spread less than sqrt(2 ln m)."""
    spread = data.heads[task.name, Row(arm), 1]["logit_std"]
    return diffuse(data, task, arm) & (spread < math.sqrt(2 * math.log(task.train_length)))


def frozen(data: Measured, task: Task, arm: str) -> Chosen:
    """Heads whose logits spread more than 5.5."""
    found: Chosen = data.heads[task.name, Row(arm), 1]["logit_std"] > FROZEN
    return found


def retrieving(data: Measured, task: Task, arm: str) -> Chosen:
    """The one head with the most mass on the relevant keys."""
    mass = data.heads[task.name, Row(arm), 1]["key_mass"]
    flat = mass.reshape(len(mass), -1)
    best = np.nan_to_num(flat, nan=-1.0).argmax(axis=1)
    return (np.arange(flat.shape[1]) == best[:, None]).reshape(mass.shape)


def mean_over(values: Floats, chosen: Chosen) -> Floats:
    """(n_seeds,): mean over the chosen heads; nan where none is."""
    count = chosen.sum(axis=(1, 2))
    total = np.where(chosen, values, 0.0).sum(axis=(1, 2))
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def entropies(study: "LengthExtrapolation", data: Measured, task: Task, row: Row) -> Floats:
    """(n_ratios, n_seeds, depth, heads): H at every length of a task."""
    return np.stack([data.heads[task.name, row, ratio]["entropy"] for ratio in study.ratios_of(task)])


def slopes(study: "LengthExtrapolation", data: Measured, task: Task, row: Row) -> Floats:
    """(n_seeds, depth, heads): b_H, the least-squares slope of H on ln n."""
    x = np.log(np.array(study.ratios_of(task), dtype=np.float64))
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    found: Floats = np.einsum("r,rslh->slh", weights, entropies(study, data, task, row))
    return found


def _ends(study: "LengthExtrapolation", data: Measured, task: Task, row: Row, name: str) -> tuple[Floats, Floats]:
    """A measure under a change at n = m, and at the longest length."""
    return data.heads[task.name, row, 1][name], data.heads[task.name, row, study.largest(task)][name]


# ------------------------------------------------------------------------------------------------ evidence
def _mean(data: Measured, task: Task, arm: str, values: Floats) -> Mean | None:
    """Over the replicates that learnt and have a number; None where they are too few."""
    kept = data.learnt[task.name, arm] & np.isfinite(values)
    return data.mean_of(values, kept) if int(kept.sum()) >= MINIMUM_REPLICATES else None


def _rows(study: "LengthExtrapolation", data: Measured) -> Iterator[tuple[Task, str, Row]]:
    """The scaling alone, on both arms, where heads were looked at and attention has something to find."""
    for arm in (study.nope_arm, study.rope_arm):
        for task in tasks_of(study, data, arm, "classes", "recall"):
            row = Row(arm, study.claimed[1])
            if (task.name, row, 1) in data.heads:
                yield task, arm, row


def _both_signs(
    study: "LengthExtrapolation", data: Measured, number: Callable[[Task, str, Row], Floats], which: str
) -> Evidence | str:
    """Evidence on the largest absolute value over tasks and arms."""
    parts: list[Evidence] = []
    for task, arm, row in _rows(study, data):
        one = _mean(data, task, arm, number(task, arm, row))
        parts += [] if one is None else [one, -one]
    return Max(parts) if parts else f"fewer than five replicates learnt a task and have {which} heads"


def _flat(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    def slope(task: Task, arm: str, row: Row) -> Floats:
        return mean_over(slopes(study, data, task, row), diffuse(data, task, arm))

    return _both_signs(study, data, slope, "diffuse")


def _relative(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    def change(task: Task, arm: str, row: Row) -> Floats:
        before, after = _ends(study, data, task, row, "entropy")
        shorter, longer = (math.log(ratio * task.train_length) for ratio in (1, study.largest(task)))
        with np.errstate(divide="ignore", invalid="ignore"):
            return mean_over((after / longer) / (before / shorter) - 1.0, broad(data, task, arm))

    return _both_signs(study, data, change, "broad")


def _frozen(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    def change(task: Task, arm: str, row: Row) -> Floats:
        before, after = (mean_over(one, frozen(data, task, arm)) for one in _ends(study, data, task, row, "entropy"))
        with np.errstate(divide="ignore", invalid="ignore"):
            return after / before - 1.0

    return _both_signs(study, data, change, "frozen")


def in_range_rows(study: "LengthExtrapolation", scaling: str) -> Iterator[tuple[str, str]]:
    """(arm, change): a scaling where positions are in range, which are none or kept there."""
    yield study.nope_arm, scaling
    both = with_added(study, study.in_range, scaling)
    if both is not None:
        yield study.rope_arm, both


def masses(study: "LengthExtrapolation", data: Measured, scaling: str) -> Iterator[tuple[Task, str, Floats, Floats]]:
    """Task, arm and (n_seeds,) F_m, F_n of the retrieving head, for a scaling with positions in range."""
    for arm, change in in_range_rows(study, scaling):
        for task in tasks_of(study, data, arm, "recall"):
            if (task.name, Row(arm, change), 1) in data.heads:
                chosen = retrieving(data, task, arm)
                before, after = _ends(study, data, task, Row(arm, change), "key_mass")
                yield task, arm, mean_over(before, chosen), mean_over(after, chosen)


def _focus(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    parts = [
        _mean(data, task, arm, after / before) for task, arm, before, after in masses(study, data, study.claimed[1])
    ]
    found = [one for one in parts if one is not None]
    return Min(found) if found else not_learnt(study.rope_arm, "recall")


def _mass(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    parts: list[Mean | None] = [
        _mean(data, task, arm, before - after) for task, arm, before, after in masses(study, data, study.claimed[1])
    ]
    for scaling in (study.log_law, study.yarn_law):
        parts += [
            _mean(data, task, arm, after - before + 2 * study.mass_margin)
            for task, arm, before, after in masses(study, data, scaling)
        ]
    found = [one for one in parts if one is not None]
    return Min(found) if found else not_learnt(study.rope_arm, "recall")


def _not_best(study: "LengthExtrapolation", data: Measured) -> Evidence | str:
    scalings = [one.name for one in study.changes if one.kind in MULTIPLIERS]
    families: tuple[tuple[str, str, list[str], int], ...] = (
        ("recall", study.rope_arm, [study.in_range, *_added_to(study, study.in_range, scalings)], 1),
        ("classes", study.nope_arm, [NONE, *scalings], -1),
    )
    parts: list[Evidence] = []
    for role, arm, names, sign in families:
        for task in tasks_of(study, data, arm, role):  # type: ignore[arg-type]
            rows = [row for name in names if (task.name, row := Row(arm, name), 1) in data.heads]
            one = _mean(data, task, arm, correlations(study, data, task, rows)) if len(rows) > 2 else None
            if one is None:
                return not_learnt(arm, role)
            parts.append(one if sign > 0 else -one)
    return Min(parts) if len(parts) >= len(families) else not_learnt(study.nope_arm, "recall", "classes")


def _added_to(study: "LengthExtrapolation", base: str, scalings: list[str]) -> list[str]:
    return [both for one in scalings if (both := with_added(study, base, one)) is not None]


def correlations(study: "LengthExtrapolation", data: Measured, task: Task, rows: list[Row]) -> Floats:
    """(n_seeds,): correlation over rows of |b_H|, mean over diffuse heads, with the growth of KL from m to R m.

    Of the values, not of their ranks: ranks of so few rows often agree in all replicates, whose spread then is none.
    """
    arm, largest = rows[0].arm, study.largest(task)
    flatness = [mean_over(np.abs(slopes(study, data, task, row)), diffuse(data, task, arm)) for row in rows]
    growth = [data.late[task.name, row, largest] - data.late[task.name, row, 1] for row in rows]
    x, y = (np.stack(one) - np.mean(one, axis=0) for one in (flatness, growth))  # (rows, n_seeds)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = (x * y).sum(axis=0) / np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return found
