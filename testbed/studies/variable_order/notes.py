"""What a reader should know beside the verdicts, with every number that a control or a caption speaks of."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Student
from testbed.studies.variable_order.blends import CONFIDENCE, CONSTANT, FITTED
from testbed.studies.variable_order.config import Arm
from testbed.studies.variable_order.data import ArmData, Data, Floats
from testbed.studies.variable_order.evidence import later
from testbed.studies.variable_order.grid import steps_of
from testbed.studies.variable_order.settled import fall, within

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder

UNASKED = {
    "linear": "linear blend",
    "loglinear": "log-linear blend",
    "placed": "log-linear by quarters",
    "counts": "log-linear by counts",
    "sure": "by counts and confidence",
    "interpolation": "interpolation by counts",
    "steep": "steep gates by counts",
    "confident": "linear by confidence",
    "confident_log": "log-linear by confidence",
    "ppm": "partial matching",
}
"""Learners that ask no evidence, in words."""
PAPER_LAYERS = (1, 2, 3, 4, 5, 6)
"""Numbers of layers that the paper compares."""


def notes(study: "VariableOrder", data: Data) -> tuple[str, ...]:
    """All of them."""

    def shown(values: Floats, digits: int = 4) -> str:
        low, high = data.mean(values).interval((1 - LEVEL) / 2)
        return f"{values.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    def listed(what: str) -> str:
        return "; ".join(f"{arm.said} {shown(getattr(one, what), 2)}" for arm, one in arms)

    def weights(one: ArmData) -> str:
        return ", ".join(f"{w:.2f}" for w in one.weights.mean(axis=0))

    arms = [(arm, data.arms[arm.name]) for arm in study.arms]
    grid = study.rates.learning_rates
    edge = ", ".join(arm.said for arm, one in arms if one.rate in (grid[0], grid[-1])) or "none"
    clip = study.optimiser.clip
    unasking = "; ".join(f"{UNASKED[name]} {shown(one[:, 0], 2)}" for name, one in data.unasking.items())
    untrue = "; ".join(f"{UNASKED[name]} {shown(one[:, 1], 2)}" for name, one in data.unasking.items())
    chance = "; ".join(f"{arm.said} {one.chance.mean():.2f}" for arm, one in arms)
    halves = ("first", data.parts[:2]), ("second", data.parts[2:])
    by_half = "; ".join(
        f"{half} half: best constant blend {shown(data.bar(slice(parts[0].start, parts[-1].stop)))}, best fitted"
        f" learner that asks no evidence {shown(data.bar(slice(parts[0].start, parts[-1].stop), FITTED))}, "
        + ", ".join(f"{arm.said} {shown(one.mean(slice(parts[0].start, parts[-1].stop)))}" for arm, one in arms)
        for half, parts in halves
    )
    return (
        *rival_notes(study, data),
        f"Excess of models, nats, {LEVEL:.0%} intervals over {study.n_seeds} runs:"
        f" {'; '.join(f'{arm.said} {shown(one.mean())} after {steps_of(study, arm)} steps' for arm, one in arms)}.",
        "In units of the best fixed order's:"
        f" {'; '.join(f'{arm.said} {shown(one.share(data.best), 2)}' for arm, one in arms)}. In units of the best"
        f" constant blend's on the same sequences:"
        f" {'; '.join(f'{arm.said} {shown(one.mean() / data.bar(), 2)}' for arm, one in arms)}. In units of that of"
        " the best fitted learner that asks no evidence:"
        f" {'; '.join(f'{arm.said} {shown(one.mean() / data.bar(names=FITTED), 2)}' for arm, one in arms)}.",
        "Excess on the same sequences of learners that ask no evidence, nats:"
        f" {'; '.join(f'{UNASKED[name]} {shown(one.mean(axis=-1))}' for name, one in data.gaps.items())}.",
        f"By halves of the sequence, nats: {by_half}.",
        f"Slope of preferences along those of context-tree weighting: {listed('follows')}. Of who asks no evidence, on"
        f" the same sequences: {unasking}.",
        "Slopes of single runs, which lie apart, so that the means' intervals say little of any one run:"
        f" {'; '.join(f'{arm.said} ' + ', '.join(f'{x:.2f}' for x in np.sort(one.follows)) for arm, one in arms)}.",
        f"Slope along the true depth, in units of context-tree weighting's: {listed('depth')}. Who asks no evidence:"
        f" {untrue}. {study.reading.chance:.0%} of {study.reading.n_shuffles} permutations of the depths are below:"
        f" {chance}.",
        "Weights of orders 0, 1, .. of the constant log-linear blend nearest to the model, second half:"
        f" {'; '.join(f'{arm.said} ({weights(one)})' for arm, one in arms)}.",
        controls(data),
        "KL(blend by counts || model), nats:"
        f" {'; '.join(f'{arm.said} {shown(one.to_counts.mean(axis=-1))}' for arm, one in arms)}; by counts and"
        f" confidence: {'; '.join(f'{arm.said} {shown(one.to_sure.mean(axis=-1))}' for arm, one in arms)}.",
        settled_note(study, data),
        f"Learning rates: {', '.join(f'{arm.said} {one.rate:g}' for arm, one in arms)}; of"
        f" {', '.join(f'{one:g}' for one in grid)}, the smallest whose excess after half of the steps is within"
        f" {study.rates.tie:g} nats of the least, mean of {study.rates.n_seeds} runs; full trees have"
        f" {study.full_steps} steps and the rate of random ones, not one of their own. At an edge of the grid: {edge}."
        + ("" if clip is None else f" Gradients are clipped at norm {clip:g}."),
        *scope_notes(study),
    )


def scope_notes(study: "VariableOrder") -> tuple[str, ...]:
    """What was not trained, and what was set when numbers were known."""
    absent = [str(layers) for layers in PAPER_LAYERS if layers not in study.layers]
    left_out = [f"{', '.join(absent)} layers"] * bool(absent)
    left_out += ["two layers of attention alone"] * (not study.attention_only)
    unequal = study.full_steps != study.optimiser.steps
    return (
        *([f"Of the paper's comparison not trained at this scale: {' and '.join(left_out)}."] if left_out else ()),
        *(
            [
                f"The control on full trees is not equal in training: {study.full_steps} steps in place of"
                f" {study.optimiser.steps}. That it is as far off on random trees as the highest order follows once it"
                " has learnt, and is a check, not a claim."
            ]
            if unequal
            else ()
        ),
        "Set when numbers of runs of this size were known (see the study): one_nats and near_nats, two_unasking and"
        " deep_unasking, who is among those that ask no evidence, the cells of counts beyond which preferences are"
        " taken, that claims on layers wait for the far end of the fall's interval and for the fall of the difference,"
        " that true_depth and near_nats are open unless their controls are shown to fail, and one of the rates.",
    )


def settled_note(study: "VariableOrder", data: Data) -> str:
    """What the last doubling of steps brought, read off in two ways."""
    arms = [arm for arm in study.arms if arm.name in data.half]
    falls = "; ".join(
        f"{arm.said} {data.half[arm.name].mean():.4f} nats after half of the steps,"
        f" {data.arms[arm.name].own.mean():.4f} after all of them: {fall(study, data, arm).said} of the best fixed"
        " order's excess"
        for arm in arms
    )
    inside = "; ".join(f"{arm.said} {within(data.arms[arm.name]).mean():.0%}" for arm in arms)
    return (
        f"What twice the steps brought, whole trainings, {study.rates.n_seeds} runs of the tuning against"
        f" {study.n_seeds} judged ones, all positions: {falls}. Both sets of"
        f" runs are on sequences of their own; {LEVEL:.0%} intervals (Welch), whose far ends the rule goes by. Within"
        " one training the second half of the steps, in"
        f" which the learning rate falls to {study.optimiser.final_fraction:g} of its peak, takes off {inside} of the"
        " excess itself, so that it has not reached an end: only that twice the steps bring less than the claims'"
        " margins is asked."
    )


def rival_notes(study: "VariableOrder", data: Data) -> tuple[str, ...]:
    """On learners without a network."""

    def exact(name: str) -> str:
        rows = data.rows[name]
        number = Student(float(rows.mean()), float(rows.std(ddof=1)), len(rows), "sequence")
        low, high = number.interval((1 - LEVEL) / 2)
        return f"{number.estimate:.4f} [{low:.4f}, {high:.4f}]"

    def weights(given: Floats) -> str:
        return ", ".join(f"({', '.join(f'{one:.2f}' for one in row)})" for row in np.atleast_2d(given))

    best = float(data.rows[f"order_{data.best}"].mean())
    orders = "; ".join(f"order {order} {exact(f'order_{order}')}" for order in range(data.n_orders))
    wrong = "; ".join(f"{one.said} {exact(f'mismatch_{i}')}" for i, one in enumerate(study.rivals.mismatches))
    dearest = max(float(data.rows[f"mismatch_{i}"].mean()) for i in range(len(study.rivals.mismatches)))
    priors = ", ".join(f"{data.follows[f'mismatch_{i}']:.2f}" for i in range(len(study.rivals.mismatches)))
    blends = "; ".join(
        f"{UNASKED[name]} {weights(data.weights[name])} {exact(name)}, which is"
        f" {data.rows[name].mean() / best:.3f} of the best fixed order's"
        for name in CONSTANT
    )
    others = "; ".join(f"{said} {exact(name)}" for name, said in UNASKED.items() if name not in CONSTANT)
    places = ", ".join(str(data.best_in(part)) for part in data.parts)
    return (
        f"Excess over context-tree weighting, nats, positions from {study.task.depth} on, {LEVEL:.0%} intervals over"
        f" {len(data.rows['order_0'])} sequences: {orders}. Who knows the tree gains {exact('tree')}. Bayes"
        f" loss {exact('rate')}.",
        f"Blends with constant weights of orders 0 to {study.task.depth}, fitted to other sequences: {blends}.",
        f"Other learners that ask no evidence: {others}. Those by confidence weight each order by exp(-{CONFIDENCE:g} x"
        " its entropy).",
        f"Wrong priors: {wrong}. The dearest costs {dearest / best:.2f} of the best fixed order's excess, the slopes of"
        f" their preferences are {priors}; these are numbers of the source, known before any model was trained.",
        f"The best fixed order is {data.best}; by quarters of the sequence {places}.",
    )


def controls(data: Data) -> str:
    """The numbers of the controls that claims name."""
    best = data.best
    one, two, full = (data.arms[arm.name] for arm in (Arm(1), Arm(2), Arm(2, "full")))
    worst = max(float((one.mean(part) / data.bar(part)).mean()) for part in data.parts)
    middle = data.positions["linear"].shape[0] // 2
    ends = {
        name: (data.positions[name][:middle].mean(), data.positions[name][middle:].mean())
        for name in (*FITTED, *(f"order_{order}" for order in range(data.n_orders)))
    }
    turns = ", ".join(
        f"{UNASKED.get(name, name.replace('_', ' '))} {a:.4f} and {b:.4f}" for name, (a, b) in ends.items()
    )
    lateness = min(float(np.mean(part)) for part in later(data, one))
    return (
        f"Numbers of controls. one_fails: two layers {two.share(best).mean():.2f}."
        f" one_nats: two layers {two.mean().mean():.4f}."
        f" two_constant, deep_constant: one layer"
        f" {(one.mean() / data.bar()).mean():.2f}, trained on full trees {(full.mean() / data.bar()).mean():.2f}."
        f" near_nats: best fitted learner that asks no evidence {data.bar(names=FITTED).mean():.4f}."
        f" everywhere: one layer {worst:.2f}. falls: one layer {lateness:.2f}; first and second half of fixed orders"
        f" and fitted blends {turns}. near: one layer {one.share(best).mean():.2f}. two_follows, deep_follows: one"
        f" layer {data.beyond(one, 'follows').mean():.2f}, trained on full trees"
        f" {data.beyond(full, 'follows').mean():.2f} above who asks no evidence."
        f" true_depth: one layer {data.beyond(one, 'depth').mean():.2f}, trained on full trees"
        f" {data.beyond(full, 'depth').mean():.2f}, above who asks no evidence. deep_evidence: trained on full trees"
        f" {full.follows.mean():.2f}."
    )
