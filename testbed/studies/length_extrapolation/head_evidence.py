"""Evidence on claims about attention: entropy, and the mass on the relevant pair, of heads picked out at n = m.

One number a replicate, the mean over heads picked by what they do at n = m without a change: diffuse (H above 1 nat),
broad (and sigma below sqrt(2 ln m)), frozen (sigma above 5.5), or the one with the most mass on what is asked for.
Judged are rotary positions kept in range; frozen heads, those of the arms with CosScale too. Without positions a model
may read them off its attention on the begin symbol: such rows, with the symbol and with the symbol hidden, are reported
beside (`reported`) and decide nothing.
"""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.judge import Mean
from testbed.studies.judge.evidence import MINIMUM_REPLICATES
from testbed.studies.length_extrapolation.config import MULTIPLIERS, NONE, ROTARY, Role, Task
from testbed.studies.length_extrapolation.loss_evidence import Named, not_learnt, tasks_of, with_added
from testbed.studies.length_extrapolation.parts import Parts, largest, least
from testbed.studies.length_extrapolation.results import Floats, Measured, Row

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

Chosen = NDArray[np.bool_]
DIFFUSE = 1.0  # nats of entropy at n = m above which a head can be said to spread or not
FROZEN, FROZEN_CHANGE = 5.5, 0.25
"""P2: standard deviation of logits above which InfoScale should hold entropy, and the share that it may change by."""


def head_evidence(study: "LengthExtrapolation", data: Measured) -> dict[str, Parts | str]:
    """Evidence by the claim's short name, or why there is none."""
    arm = study.rope_arm
    found: dict[str, Parts | str] = {}
    for name, (rows, reason) in numbers_of(study, data, arm).items():
        found[name] = (least if name in LEAST else largest)(rows) if rows else reason
    return found | {"not_best": _not_best(study, data)}


LEAST = frozenset({"focus", "mass", "mass_loss"})
"""Claims on the least of their rows' numbers; the others are on the largest."""


def numbers_of(study: "LengthExtrapolation", data: Measured, arm: str) -> dict[str, tuple[Named, str]]:
    """{claim: its rows' numbers for an arm, and what to say where there are none}."""
    spread = not_learnt(arm, "classes", "recall")
    found = not_learnt(arm, "recall")
    normed = [one for one, _ in study.normed_arms if arm == study.rope_arm]
    return {
        "flat": (_flat(study, data, arm), f"{spread}, with diffuse heads"),
        "relative": (_relative(study, data, arm), f"{spread}, with broad heads"),
        "frozen": (
            [row for one in (arm, *normed) for row in _frozen(study, data, one)],
            f"fewer than five replicates have heads with spread above {FROZEN} on these tasks (see attention_theory)",
        ),
        "focus": (_focus(study, data, arm), found),
        "shape": (_shape(study, data, arm), found),
        "mass": (_mass(study, data, arm), found),
        "mass_loss": (_mass_loss(study, data, arm), found),
    }


def reported(study: "LengthExtrapolation", data: Measured) -> dict[str, dict[str, Parts]]:
    """{arm: {claim: the same numbers}} of arms without positions; told beside the verdicts, and no part of them."""
    return {
        arm: {
            name: (least if name in LEAST else largest)(rows)
            for name, (rows, _) in numbers_of(study, data, arm).items()
            if rows
        }
        for arm in (study.nope_arm, study.hidden_arm)
    }


# ------------------------------------------------------------------------------------------------ heads
def diffuse(data: Measured, task: Task, arm: str) -> Chosen:
    """(n_seeds, depth, heads): H above 1 nat at n = m."""
    found: Chosen = data.heads[task.name, Row(arm), 1]["entropy"] > DIFFUSE
    return found


def every(data: Measured, task: Task, arm: str) -> Chosen:
    """All heads."""
    return np.ones_like(diffuse(data, task, arm))


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


def _mean(data: Measured, task: Task, arm: str, values: Floats) -> Mean | None:
    """Over the replicates that learnt and have a number; None where they are too few."""
    kept = data.learnt[task.name, arm] & np.isfinite(values)
    return data.mean_of(values, kept) if int(kept.sum()) >= MINIMUM_REPLICATES else None


def scaled_row(study: "LengthExtrapolation", arm: str, scaling: str) -> Row | None:
    """A scaling with positions in range: alone where an arm has none, else with those kept there."""
    rotary = any(one.type_name == ROTARY for one in study.arm(arm).methods)
    change = with_added(study, study.in_range, scaling) if rotary else scaling
    return None if change is None else Row(arm, change)


def _rows(
    study: "LengthExtrapolation", data: Measured, arm: str, scaling: str, *roles: Role
) -> Iterator[tuple[Task, Row]]:
    """The scaling with positions in range, where heads were looked at."""
    if all(one.name != arm for one in study.arms):
        return
    if (row := scaled_row(study, arm, scaling)) is None:
        return
    for task in tasks_of(study, data, arm, *roles):
        if (task.name, row, 1) in data.heads:
            yield task, row


def _both_signs(study: "LengthExtrapolation", data: Measured, arm: str, number: Callable[[Task, Row], Floats]) -> Named:
    """A number and its negative, for every task whose best attention has something to find."""
    parts = Named()
    for task, row in _rows(study, data, arm, study.scaling, "classes", "recall"):
        one = _mean(data, task, row.arm, number(task, row))
        parts += [] if one is None else [(f"{task.name}, {row}", one), (f"minus {task.name}, {row}", -one)]
    return parts


def _flat(study: "LengthExtrapolation", data: Measured, arm: str) -> Named:
    def slope(task: Task, row: Row) -> Floats:
        return mean_over(slopes(study, data, task, row), diffuse(data, task, row.arm))

    return _both_signs(study, data, arm, slope)


def _relative(study: "LengthExtrapolation", data: Measured, arm: str) -> Named:
    def change(task: Task, row: Row) -> Floats:
        before, after = _ends(study, data, task, row, "entropy")
        shorter, longer = (math.log(ratio * task.train_length) for ratio in (1, study.largest(task)))
        with np.errstate(divide="ignore", invalid="ignore"):
            return mean_over((after / longer) / (before / shorter) - 1.0, broad(data, task, row.arm))

    return _both_signs(study, data, arm, change)


def _frozen(study: "LengthExtrapolation", data: Measured, arm: str) -> Named:
    def change(task: Task, row: Row) -> Floats:
        heads = frozen(data, task, row.arm)
        before, after = (mean_over(one, heads) for one in _ends(study, data, task, row, "entropy"))
        with np.errstate(divide="ignore", invalid="ignore"):
            return after / before - 1.0

    return _both_signs(study, data, arm, change)


def masses(study: "LengthExtrapolation", data: Measured, task: Task, row: Row) -> tuple[Floats, Floats]:
    """(n_seeds,) F_m, F_n of the retrieving head."""
    chosen = retrieving(data, task, row.arm)
    before, after = _ends(study, data, task, row, "key_mass")
    return mean_over(before, chosen), mean_over(after, chosen)


def _each(data: Measured, rows: Iterator[tuple[str, Task, Row, Floats]]) -> Named:
    parts = Named()
    for said, task, row, values in rows:
        one = _mean(data, task, row.arm, values)
        parts += [] if one is None else [(f"{task.name}, {row}{said}", one)]
    return parts


def _focus(study: "LengthExtrapolation", data: Measured, arm: str) -> Named:
    def shares() -> Iterator[tuple[str, Task, Row, Floats]]:
        for task, row in _rows(study, data, arm, study.scaling, "recall", "fillers"):
            before, after = masses(study, data, task, row)
            yield "", task, row, after / before

    return _each(data, shares())


def _shape(study: "LengthExtrapolation", data: Measured, arm: str) -> Named:
    def drifts() -> Iterator[tuple[str, Task, Row, Floats]]:
        for task, row in _rows(study, data, arm, study.scaling, "recall"):
            drift = data.heads[task.name, row, study.largest(task)].get("drift")
            if drift is not None:
                yield "", task, row, drift.mean(axis=(1, 2))

    return _each(data, drifts())


def _falls_and_not(
    study: "LengthExtrapolation",
    data: Measured,
    arm: str,
    fall: Callable[[Task, Row], Floats],
    margin: float,
) -> Named:
    """What falls under InfoScale, and two margins less what falls under the other two laws: all at least the margin."""

    def rows() -> Iterator[tuple[str, Task, Row, Floats]]:
        for task, row in _rows(study, data, arm, study.scaling, "recall", "fillers"):
            yield ", lost", task, row, fall(task, row)
        for law in (study.log_law, study.yarn_law):
            for task, row in _rows(study, data, arm, law, "recall", "fillers"):
                yield ", 2 margins less what is lost", task, row, 2 * margin - fall(task, row)

    return _each(data, rows())


def _mass(study: "LengthExtrapolation", data: Measured, arm: str) -> Named:
    def fall(task: Task, row: Row) -> Floats:
        before, after = masses(study, data, task, row)
        return before - after

    return _falls_and_not(study, data, arm, fall, study.mass_margin)


def _mass_loss(study: "LengthExtrapolation", data: Measured, arm: str) -> Named:
    def rise(task: Task, row: Row) -> Floats:
        return data.late[task.name, row, study.largest(task)] - data.late[task.name, row, 1]

    return _falls_and_not(study, data, arm, rise, study.margin)


def _not_best(study: "LengthExtrapolation", data: Measured) -> Parts | str:
    scalings = [one.name for one in study.changes if one.kind in MULTIPLIERS]
    families: tuple[tuple[Role, str, list[str], int, Callable[..., Chosen]], ...] = (
        ("recall", study.rope_arm, [study.in_range, *_added_to(study, study.in_range, scalings)], 1, every),
        ("classes", study.nope_arm, [NONE, *scalings], -1, diffuse),
    )
    parts = Named()
    for role, arm, names, sign, heads in families:
        for task in tasks_of(study, data, arm, role):
            rows = [row for name in names if (task.name, row := Row(arm, name), 1) in data.heads]
            one = (
                _mean(data, task, arm, correlations(study, data, task, rows, heads(data, task, arm)))
                if len(rows) > 2
                else None
            )
            if one is None:
                return f"{not_learnt(arm, role)}, with the heads asked for"
            parts.append((f"{task.name}, {len(rows)} rows", one) if sign > 0 else (f"minus {task.name}", -one))
    return least(parts) if len(parts) >= len(families) else not_learnt(study.nope_arm, "recall", "classes")


def _added_to(study: "LengthExtrapolation", base: str, scalings: list[str]) -> list[str]:
    return [both for one in scalings if (both := with_added(study, base, one)) is not None]


def correlations(study: "LengthExtrapolation", data: Measured, task: Task, rows: list[Row], chosen: Chosen) -> Floats:
    """(n_seeds,): correlation over rows of |b_H|, mean over the chosen heads, with the growth of KL from m to R m.

    Of the values, not of their ranks: ranks of so few rows often agree in all replicates, whose spread then is none.
    """
    largest = study.largest(task)
    flatness = [mean_over(np.abs(slopes(study, data, task, row)), chosen) for row in rows]
    growth = [data.late[task.name, row, largest] - data.late[task.name, row, 1] for row in rows]
    x, y = (np.stack(one) - np.mean(one, axis=0) for one in (flatness, growth))  # (rows, n_seeds)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = (x * y).sum(axis=0) / np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return found
