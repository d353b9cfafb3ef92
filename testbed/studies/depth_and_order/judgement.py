"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.depth_and_order.claims import claims
from testbed.studies.depth_and_order.data import Arm, Data, Floats, gather
from testbed.studies.depth_and_order.evidence import evidence
from testbed.studies.depth_and_order.fates import FATES, fates
from testbed.studies.drawing import LEVEL, median_interval
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.depth_and_order.study import DepthAndOrder

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""
BUILT_OFF = 1e-2
"""Largest deviation in log probability of what is built from what it is to be: float32, e^(-sharpness), and that a
large coordinate makes a norm a constant to its inverse square alone."""


def judgement(study: "DepthAndOrder", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None or data.diverged:
        said = "records are missing" if data is None else f"{data.diverged} models diverged"
        return Judgement.incomplete(said)
    found = checks(data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / max(len(data.paired), 1)))
    largest = float(np.abs(data.paired).max())
    falling = all(np.all(np.diff(level.steps) < 0) for level in data.levels.values())
    off = max(one.off for one in data.built.values())
    return (
        Check("what counts more loses less", falling, "uniform, orders 0 .. k - 1"),
        Check("what is built is the law it is built to hold", off < BUILT_OFF, f"off by {off:.1e} in log probability"),
        Check("cross-entropy = Bayes loss + excess", largest < bound, f"largest z {largest:.2f}, bound {bound:.2f}"),
    )


def notes(study: "DepthAndOrder", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""

    def shown(values: Floats, digits: int = 2) -> str:
        low, middle, high = median_interval(values)
        return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    def each(arms: Sequence[Arm], what: str) -> str:
        return f"{what}: " + "; ".join(f"{shape} on {k}: {shown(data.ratio((shape, k)))}" for shape, k in arms)

    arms = list(data.arms)
    levels = "; ".join(
        f"k = {k}: uniform {one.uniform:.4f}"
        + "".join(f", order {j} {value:.4f}" for j, value in enumerate(one.counts))
        + (f", order {k - 1} and one token more {one.edge:.4f}" if one.edge is not None else "")
        for k, one in sorted(data.levels.items())
    )
    error = max(one.error for one in data.levels.values())
    built = "; ".join(
        f"{shape} for {k} {one.excess.mean() / one.short.mean():.3f}" if on == k else
        f"on {on} {one.excess.mean() / one.short.mean():.2f}"
        for (shape, k, on), one in sorted(data.built.items())
    )  # fmt: skip
    told = {arm: fates(study, data, arm) for arm in arms}
    counted = "; ".join(
        f"{shape} on {k}: "
        + ", ".join(f"{int((told[shape, k] == place).sum())} {said}" for place, said in FATES.items())
        for shape, k in arms
        if (told[shape, k] != 0).any()
    )
    waits = "; ".join(waited(data, arm) for arm in arms if arm[1] > 0)
    plateaus = "; ".join(dwelt(study, data, arm) for arm in arms if arm[1] > 0)
    grid = study.rates.learning_rates
    rates = {arm[0]: path.rate for arm, path in data.arms.items()}
    edge = ", ".join(name for name, rate in rates.items() if rate in (grid[0], grid[-1])) or "none"
    return (
        f"Levels, nats above the Bayes law, standard errors up to {error:.4f}: {levels}.",
        each(arms, f"Excess at the end over the gap, medians with {LEVEL:.0%} intervals by order statistics") + ".",
        "Built by hand, excess over the gap (a check has it be that of the linear readout of the counted law), and on"
        f" chains of one order more: {built}.",
        f"Of {study.n_seeds} runs, where not all got there (counts; what may be said of shares, verdicts say):"
        f" {counted or 'none'}.",
        "Median of how many times the steps grow from half way down to the level of order k - 1 until half of the gap"
        f" below it is gone; with > where half of the runs were not so far at the end: {waits}.",
        "Log of how many times as slowly the loss falls at the level of order k - 1 as right above it, and as right"
        f" below, and in how many runs it comes through: {plateaus}.",
        f"Learning rates: {', '.join(f'{name} {rate:g}' for name, rate in rates.items())}; of"
        f" {', '.join(f'{one:g}' for one in grid)}, that with the least mean excess of {study.rates.n_seeds} runs of"
        f" {study.rates.share:.0%} of the steps on order {study.rates.order}. At an edge of the grid: {edge}.",
    )


def waited(data: Data, arm: Arm) -> str:
    """The median wait of an arm in words; a run that never got so far waited longer than all that it made."""
    shape, k = arm
    values, made = data.waited(arm)
    if not len(values):
        return f"{shape} on {k}: never at order {k - 1}"
    known = bool(np.isfinite(np.median(values)))
    return f"{shape} on {k}: {'' if known else '> '}{np.exp(np.median(np.minimum(values, made))):.1f}"


def dwelt(study: "DepthAndOrder", data: Data, arm: Arm) -> str:
    """How much more slowly an arm falls at the level, in words."""
    sides = data.dwelling(arm, study.bounds.band)
    kept = np.isfinite(sides).all(axis=1)
    said = " and ".join(f"{value:.2f}" for value in sides[kept].mean(axis=0)) if kept.any() else "-"
    return f"{arm[0]} on {arm[1]}: {said} ({int(kept.sum())})"
