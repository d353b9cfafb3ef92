"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import judge
from testbed.studies.study import Check, Judgement
from testbed.studies.variable_order.claims import claims
from testbed.studies.variable_order.data import Data, Floats, gather
from testbed.studies.variable_order.evidence import evidence, of_sequences

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder

FALSE_ALARM = 1e-6
"""Probability that a sound study fails a statistical check."""


def judgement(study: "VariableOrder", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None or data.diverged:
        said = "records are missing" if data is None else f"{data.diverged} models diverged"
        return Judgement((), (Check("complete", False, said),))
    found = checks(study, data)
    failed = next((check for check in found if not check.passed), None)
    void = None if failed is None else f"{failed.name} ({failed.detail})"
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement(tuple(judge(pairs, study.alpha, void=void)), found, notes(study, data))


def checks(study: "VariableOrder", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / max(len(data.paired), 1)))
    largest = float(np.abs(data.paired).max())
    least = min(float(one.min()) for name, one in data.positions.items() if name not in ("tree", "rate"))
    first = float(data.positions["tree"][0])
    blind = max(abs(data.late[name]) for name in data.late if name.startswith("order_") or name == "interpolation")
    return (
        Check("on full trees the highest order is the Bayes law", data.full_gap < 1e-9, f"{data.full_gap:.1e} nats"),
        Check("no rival beats the Bayes law", least > -1e-12, f"least excess {least:.1e} nats"),
        Check(
            "fixed orders and their interpolation follow no evidence", blind < 1e-6, f"coefficients up to {blind:.1e}"
        ),
        Check("at first the tree tells nothing", abs(first) < 1e-9, f"{first:.1e} nats"),
        Check("cross-entropy = Bayes loss + excess", largest < bound, f"largest z {largest:.2f}, bound {bound:.2f}"),
    )


def notes(study: "VariableOrder", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""

    def shown(values: Floats, digits: int = 4) -> str:
        low, high = data.mean(values).interval((1 - LEVEL) / 2)
        return f"{values.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    def exact(name: str) -> str:
        number = of_sequences(data.rows[name])
        low, high = number.interval((1 - LEVEL) / 2)
        return f"{number.estimate:.4f} [{low:.4f}, {high:.4f}]"

    arms = [(arm, data.arms[arm.name]) for arm in study.arms]
    orders = "; ".join(f"order {order} {exact(f'order_{order}')}" for order in range(data.n_orders))
    wrong = "; ".join(f"{one.said} {exact(f'mismatch_{i}')}" for i, one in enumerate(study.rivals.mismatches))
    priors = ", ".join(f"{data.late[f'mismatch_{i}']:.2f}" for i in range(len(study.rivals.mismatches)))
    places = ", ".join(str(data.best_in(part)) for part in data.parts)
    fall = "; ".join(
        f"{arm.said} {shown(one.path_excess[:, -2] - one.path_excess[:, -1])} from step {one.path_step[-2]:.0f} to"
        f" {one.path_step[-1]:.0f}"
        for arm, one in arms
    )
    grid = study.rates.learning_rates
    edge = ", ".join(arm.said for arm, one in arms if one.rate in (grid[0], grid[-1])) or "none"
    return (
        f"Excess over context-tree weighting, nats, positions from {study.task.depth} on, {LEVEL:.0%} intervals over"
        f" {len(data.rows['order_0'])} sequences: {orders}; interpolation {exact('interpolation')}; prediction by"
        f" partial matching {exact('ppm')}; wrong priors: {wrong}. Who knows the tree gains {exact('tree')}. Bayes"
        f" loss {exact('rate')}.",
        f"The best fixed order is {data.best}; by quarters of the sequence {places}.",
        f"Excess of models, nats, {LEVEL:.0%} intervals over {study.n_seeds} runs:"
        f" {'; '.join(f'{arm.said} {shown(one.mean())}' for arm, one in arms)}.",
        "In units of the best fixed order's:"
        f" {'; '.join(f'{arm.said} {shown(one.share(data.best), 2)}' for arm, one in arms)}.",
        "Coefficient of context-tree weighting in the second half:"
        f" {'; '.join(f'{arm.said} {shown(one.late, 2)}' for arm, one in arms)}. Of learners without a network, from"
        f" {len(data.rows['order_0'])} sequences: prediction by partial matching {data.late['ppm']:.2f}; wrong priors"
        f" {priors}.",
        "KL(interpolation || model), nats:"
        f" {'; '.join(f'{arm.said} {shown(one.to_interpolation.mean(axis=-1))}' for arm, one in arms)}.",
        f"What the last part of training still brought, nats, all positions of the arm's own source: {fall}.",
        f"Learning rates: {', '.join(f'{arm.said} {one.rate:g}' for arm, one in arms)}; of"
        f" {', '.join(f'{one:g}' for one in grid)}, the smallest whose excess after {study.rates.steps} steps is within"
        f" {study.rates.tie:g} nats of the least, mean of {study.rates.n_seeds} runs; full trees have the rate of"
        f" random ones. At an edge of the grid: {edge}.",
    )
