"""What a reader should know beside the verdicts, with every number that a control or a caption speaks of."""

from typing import TYPE_CHECKING

from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Student
from testbed.studies.variable_order.config import Arm
from testbed.studies.variable_order.data import Data, Floats
from testbed.studies.variable_order.evidence import lead
from testbed.studies.variable_order.grid import steps_of
from testbed.studies.variable_order.settled import fall

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder

SAID = {"linear": "linear", "loglinear": "log-linear"}
"""Constant blends in words."""


def notes(study: "VariableOrder", data: Data) -> tuple[str, ...]:
    """All of them."""

    def shown(values: Floats, digits: int = 4) -> str:
        low, high = data.mean(values).interval((1 - LEVEL) / 2)
        return f"{values.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    arms = [(arm, data.arms[arm.name]) for arm in study.arms]
    falls = "; ".join(f"{arm.said} {fall(one).mean():.0%} by step {one.path_step[-1]:.0f}" for arm, one in arms)
    grid = study.rates.learning_rates
    edge = ", ".join(arm.said for arm, one in arms if one.rate in (grid[0], grid[-1])) or "none"
    clip = study.optimiser.clip
    return (
        *rival_notes(study, data),
        f"Excess of models, nats, {LEVEL:.0%} intervals over {study.n_seeds} runs, so that spreads are known badly:"
        f" {'; '.join(f'{arm.said} {shown(one.mean())} after {steps_of(study, arm)} steps' for arm, one in arms)}.",
        "In units of the best fixed order's:"
        f" {'; '.join(f'{arm.said} {shown(one.share(data.best), 2)}' for arm, one in arms)}. In units of the best"
        f" constant blend's: {'; '.join(f'{arm.said} {shown(one.mean() / data.bar(), 2)}' for arm, one in arms)}.",
        "Coefficient of context-tree weighting in the second half:"
        f" {'; '.join(f'{arm.said} {shown(one.late, 2)}' for arm, one in arms)}.",
        controls(data),
        "KL(interpolation || model), nats:"
        f" {'; '.join(f'{arm.said} {shown(one.to_interpolation.mean(axis=-1))}' for arm, one in arms)}.",
        f"What the last doubling of steps took off the excess, all positions of the arm's own source: {falls}. The"
        f" learning rate falls to {study.optimiser.final_fraction:g} of its peak at the end, which by itself brings"
        " much of a fall and ends it: what a longer training would reach is not known where the fall is small either.",
        f"Learning rates: {', '.join(f'{arm.said} {one.rate:g}' for arm, one in arms)}; of"
        f" {', '.join(f'{one:g}' for one in grid)}, the smallest whose excess after {study.rates.steps} steps is within"
        f" {study.rates.tie:g} nats of the least, mean of {study.rates.n_seeds} runs; full trees have"
        f" {study.full_steps} steps and the rate of random ones, not one of their own. At an edge of the grid: {edge}."
        + ("" if clip is None else f" Gradients are clipped at norm {clip:g}."),
    )


def rival_notes(study: "VariableOrder", data: Data) -> tuple[str, ...]:
    """On learners without a network."""

    def exact(name: str) -> str:
        rows = data.rows[name]
        number = Student(float(rows.mean()), float(rows.std(ddof=1)), len(rows), "sequence")
        low, high = number.interval((1 - LEVEL) / 2)
        return f"{number.estimate:.4f} [{low:.4f}, {high:.4f}]"

    best = float(data.rows[f"order_{data.best}"].mean())
    orders = "; ".join(f"order {order} {exact(f'order_{order}')}" for order in range(data.n_orders))
    wrong = "; ".join(f"{one.said} {exact(f'mismatch_{i}')}" for i, one in enumerate(study.rivals.mismatches))
    dearest = max(float(data.rows[f"mismatch_{i}"].mean()) for i in range(len(study.rivals.mismatches)))
    priors = ", ".join(f"{data.late[f'mismatch_{i}']:.2f}" for i in range(len(study.rivals.mismatches)))
    blends = "; ".join(
        f"{SAID[name]} ({', '.join(f'{one:.2f}' for one in data.weights[name])}) {exact(name)}, which is"
        f" {data.rows[name].mean() / best:.3f} of the best fixed order's"
        for name in data.constant
    )
    followed = {"log-linear blend": data.late["loglinear"], "partial matching": data.late["ppm"]}
    places = ", ".join(str(data.best_in(part)) for part in data.parts)
    return (
        f"Excess over context-tree weighting, nats, positions from {study.task.depth} on, {LEVEL:.0%} intervals over"
        f" {len(data.rows['order_0'])} sequences: {orders}; interpolation {exact('interpolation')}; prediction by"
        f" partial matching {exact('ppm')}. Who knows the tree gains {exact('tree')}. Bayes loss {exact('rate')}.",
        f"Blends with constant weights of orders 0 to {study.task.depth}, fitted to other sequences: {blends}.",
        f"Wrong priors: {wrong}. The dearest costs {dearest / best:.2f} of the best fixed order's excess; these are"
        " numbers of the source, known before any model was trained.",
        f"The best fixed order is {data.best}; by quarters of the sequence {places}.",
        "Coefficients of learners that follow no evidence, second half: fixed orders, the interpolation and the"
        f" constant linear blend 0 by construction; {'; '.join(f'{name} {one:.2f}' for name, one in followed.items())}."
        f" Below about {max(followed.values()):.2f} a coefficient therefore shows nothing. Of learners that do follow"
        f" it, wrong priors: {priors}.",
    )


def controls(data: Data) -> str:
    """The numbers of the controls that claims name."""
    best = data.best
    one, two, full = (data.arms[arm.name] for arm in (Arm(1), Arm(2), Arm(2, "full")))
    worst = max(float((one.mean(part) / data.bar(part)).mean()) for part in data.parts)
    leads = {
        "trained on full trees": min(float(lead(full, order, best).mean()) for order in range(data.n_orders)),
        "one layer": min(float(lead(one, order, best).mean()) for order in range(data.n_orders)),
    }
    gap = float(data.rows[f"order_{best}"].mean())
    leads |= {f"constant {SAID[name]} blend": value / gap for name, value in data.leads.items()}
    return (
        f"Numbers of controls. one_fails: two layers {two.share(best).mean():.2f}. beyond_one: one layer"
        f" {one.share(best).mean():.2f}, trained on full trees {full.share(best).mean():.2f}. two_adapts, deep_adapts:"
        f" one layer {(one.mean() / data.bar()).mean():.2f}, trained on full trees"
        f" {(full.mean() / data.bar()).mean():.2f}. everywhere: one layer {worst:.2f}. near: one layer"
        f" {one.mean().mean():.3f} nats. deep_evidence: trained on full trees {full.late.mean():.2f}. nearest:"
        f" {', '.join(f'{name} {value:.2f}' for name, value in leads.items())}. full_fixed: trained on random trees"
        f" {two.share(best).mean():.2f}."
    )
