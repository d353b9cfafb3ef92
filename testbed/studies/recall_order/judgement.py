"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.recall_order.claims import claims
from testbed.studies.recall_order.config import LIMITED, ORDERS
from testbed.studies.recall_order.data import Data, baseline, effect, gather, harm, middle
from testbed.studies.recall_order.evidence import evidence, kept
from testbed.studies.recall_order.measure import sizes
from testbed.studies.recall_order.partition import least_error_of_one, lower_bound, needed_bits
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.recall_order.study import RecallOrder

ROUNDING = 1e-12
ERRORS = 6.0
"""Standard errors of counting by which errors may lie below a bound."""


def judgement(study: "RecallOrder", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of an arm, order or replicate are missing")
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "RecallOrder", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims: of the best memory, and that no run does better."""
    case = study.design.exact
    n, small, large = case.n_elements, case.small, case.large
    zero = {order: int(np.argmax(data.exact[order] < ROUNDING)) + 1 for order in ORDERS}
    below = max(
        lower_bound(n, *sizes(case, order), states) - data.exact[order][states - 1]
        for order in ORDERS
        for states in range(1, len(data.exact[order]) + 1)
    )
    found = [
        Check(
            "the best memory errs no less than the lower bound",
            bool(below < ROUNDING),
            f"largest difference {below:.1e}",
        )
    ]
    if n >= 2 * large + small - 1 and n >= 2 * small + large - 1:
        wanted = {order: round(2 ** needed_bits(n, case.first(order))) for order in ORDERS}
        found.append(Check("the best memory errs never from C(n, m) states on, not before", zero == wanted, f"{zero}"))
    if small == 1:
        alone = [least_error_of_one(n, large, states) for states in range(1, n + 1)]
        off = float(np.abs(np.array(alone) - data.exact["small_first"]).max())
        found.append(Check("for one element it is that of classes by size", off < ROUNDING, f"off by {off:.1e}"))
    worst = excess_over_bound(study, data)
    detail = "no run to compare" if worst is None else f"least difference {worst:+.2f} standard errors of counting"
    found.append(
        Check("no runs err less than any memory of their states can", worst is None or worst > -ERRORS, detail)
    )
    return tuple(found)


def bound_of(study: "RecallOrder", order: str) -> np.ndarray:
    """(n,) least error of any memory by number of states, or less, read once."""
    case = study.design.main
    return np.array([lower_bound(case.n_elements, *sizes(case, order), one) for one in study.memory.states])


def excess_over_bound(study: "RecallOrder", data: Data) -> float | None:
    """The least, over orders, numbers of states and both readers, of mean error less bound, in standard errors of
    counting so many windows; None where no run was measured."""
    found = []
    for order in ORDERS:
        runs, bound = data.runs["once", order], bound_of(study, order)
        for errors in (runs.bounded, runs.reader):
            rows = errors[np.isfinite(errors).all(axis=1)]
            if len(rows):
                n = len(rows) * study.memory.n_windows
                found.append((rows.mean(axis=0) - bound) / np.sqrt(np.maximum(bound * (1.0 - bound), 1.0 / n) / n))
    return float(min(one.min() for one in found)) if found else None


def notes(study: "RecallOrder", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = []
    for arm in study.arms:
        rows = data.learnt(study, arm)
        parts = []
        for order in ORDERS:
            runs = data.runs[arm, order]
            alone = int(data.order_learnt(study, arm, order).sum())
            parts.append(
                f"{order.replace('_', ' ')} learnt in {alone}, median {np.nanmedian(runs.excess):.4f} nats (fell by"
                f" {np.nanmedian(runs.before - runs.excess):.4f} in the last quarter)"
                if np.isfinite(runs.excess).any()
                else f"{order.replace('_', ' ')} diverged throughout"
            )
        numbers = data.runs[arm, ORDERS[0]].numbers
        size = f"{numbers} numbers of state" if numbers else "a cache"
        said.append(f"{arm} ({size}, rate {data.rates[arm]:g}): both orders learnt in {int(rows.sum())} of {len(rows)}"
                    f" replicates; {'; '.join(parts)}.")  # fmt: skip
    for arm in (one for one in LIMITED if one in study.arms):
        rows = data.learnt(study, arm)
        if rows.any():
            errors = [float(middle(study, data.runs[arm, order].bounded)[rows].mean()) for order in ORDERS]
            late, early = effect(study, data, arm)[rows], effect(study, data, arm, "early")[rows]
            before = f", at three quarters of the steps with the bound on {early.mean():+.3f}" if arm == "once" else ""
            said.append(
                f"{arm}, replicates that learnt: mean error over the middle {errors[0]:.3f} with the small set first,"
                f" {errors[1]:.3f} with the large one; effect of order {late.mean():+.3f}{before}; with the memory free"
                f" {baseline(data, arm)[rows].mean():+.3f}; correlation with the difference of the orders' excess"
                f" {_correlation(data, arm, late, rows)}."
            )
    rows = data.learnt(study, "once")
    if rows.any():
        bounds = [bound_of(study, order)[np.array(study.memory.between)].mean() for order in ORDERS]
        readers = [float(middle(study, data.runs["once", order].reader)[rows].mean()) for order in ORDERS]
        said.append(
            f"Over the middle no memory of so many states errs less than {bounds[0]:.3f} with the small set first and"
            f" {bounds[1]:.3f} with the large one; the best reader of what the networks hand on errs in"
            f" {' and '.join(f'{one:.3f}' if np.isfinite(one) else '(too many sets)' for one in readers)}."
        )
    if "twice" in study.arms and (both := kept(study, data, LIMITED)).any():
        said.append(
            f"Large set first, read twice less read once: {harm(study, data)[both].mean():+.3f} of the answers."
        )
    rates = study.tuning.learning_rates
    edge = sorted({f"{arm} {rate:g}" for arm, rate in data.rates.items() if rate in (rates[0], rates[-1])})
    said.append(
        f"Rates at an edge of the grid: {', '.join(edge) or 'none'}. Runs that diverged, counted as not learnt:"
        f" {data.diverged}."
    )
    return tuple(said)


def _correlation(data: Data, arm: str, values: np.ndarray, rows: np.ndarray) -> str:
    small, large = (data.runs[arm, order].excess[rows] for order in ORDERS)  # type: ignore[index]
    if rows.sum() < 3 or np.std(values) == 0 or np.std(large - small) == 0:
        return "not known"
    return f"{np.corrcoef(values, large - small)[0, 1]:+.2f}"
