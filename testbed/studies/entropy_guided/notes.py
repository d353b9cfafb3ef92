"""What a reader should know beside the verdicts."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.entropy_guided.config import HMAX, LOGS, NEITHER, PLACES, Arm, Place, cell_title
from testbed.studies.entropy_guided.data import Data, Floats
from testbed.studies.entropy_guided.evidence import overload_and_kl
from testbed.studies.entropy_guided.exact import uniform_penalty
from testbed.studies.entropy_guided.grid import dose_arms, forms_at, main_arms
from testbed.studies.entropy_guided.order import across, within

if TYPE_CHECKING:
    from testbed.studies.entropy_guided.study import EntropyGuidedStudy


def notes(study: "EntropyGuidedStudy", data: Data) -> tuple[str, ...]:
    """Medians, pairs and their ties, theta and KL by dose, runs above the gate, rates at an edge."""
    said = [text for place in PLACES for text in (_medians(study, data, place), *_orders(study, data, place))]
    for cell in study.lattice.with_penalty:
        ends = [
            f"{np.median(data.runs[Arm('coin', cell, form, study.penalty.coefficient)].theta):.2f} with {LOGS[form]}"
            for form in forms_at("coin")
        ]
        said.append(
            f"coin, {cell_title(cell)}: median theta at the end {' and '.join(ends)}, tau {study.penalty.tolerance:g}."
        )
    grid = np.linspace(0.0, 1.0, 1001)
    least = {hmax: uniform_penalty(study.sources.length, study.penalty.tolerance, grid, hmax) for hmax in HMAX}
    best = {hmax: float(grid[int(np.argmin(one))]) for hmax, one in least.items()}
    falls = [
        f"{place} {np.median([_late_fall(data.runs[arm].path) for arm in main_arms(study) if arm.place == place]):.2f}"
        for place in PLACES
    ]
    return (
        *said,
        _doses(study, data),
        _broken(study, data),
        _gate(study, data),
        f"Exact: a uniform head at its best theta is penalised by {least['window'].min():.2f} c a window with ln T"
        f" (theta = {best['window']:.2f}), by {least['row'].min():.0f} with ln i (theta from"
        f" {1 - study.penalty.tolerance:g}). The two forms differ in the width of what is free and in strength as well,"
        " so that they are no test of the mechanism alone.",
        "Excess at the end over that at the point of the path before it, median over arms and runs:"
        f" {', '.join(falls)}; the rate falls to nothing there.",
        _edges(study, data),
        "The best entropies are those of heads whose values are read out linearly; with an MLP behind, weights that"
        " depend on the averaged token do as well on the coin, so that ln i is sufficient, not necessary.",
    )


def _medians(study: "EntropyGuidedStudy", data: Data, place: Place) -> str:
    parts = []
    for arm in [one for one in main_arms(study) if one.place == place]:
        one = data.runs[arm]
        over = "/".join(f"{one.over[hmax].mean():.2f}" for hmax in HMAX)
        under = "/".join(f"{one.under[hmax].mean():.2f}" for hmax in HMAX)
        what = cell_title(arm.cell) + ("" if arm.form == "none" else f" with {LOGS[arm.form]}")
        parts.append(
            f"{what} {np.median(one.kl):.5f} (overload {over}, collapse {under}, broken {one.broken.mean():.0%})"
        )
    return (
        f"{place}: context tells {data.information(place):.3f} nats a token. Median KL, overload and collapse with"
        f" Hmax = ln T/ln i, runs that diverged or spiked: {'; '.join(parts)}."
    )


def _orders(study: "EntropyGuidedStudy", data: Data, place: Place) -> list[str]:
    """How the pairs are ordered, and how many are tied."""
    said = []
    for hmax in HMAX:
        over, kl = overload_and_kl(study, data, place, hmax)
        parts = []
        for name, one in (("cells", across(over, kl)), ("runs of a cell", within(over, kl))):
            low, high = one.number().interval((1 - LEVEL) / 2)
            parts.append(
                f"{name} {one.share:.0%} ({LEVEL:.0%} interval {low:.0%} to {high:.0%}); tied {one.tied:.0%}, so"
                f" that with ties as halves at most {one.ceiling:.0%} could be reached"
            )
        by_cell = [
            f"{cell_title(cell)} {mine.share:.0%}, tied {mine.tied:.0%}"
            for cell, a, b in zip(study.lattice.cells, over, kl, strict=True)
            for mine in [within(a[None], b[None])]
        ]
        said.append(
            f"{place}, Hmax = {LOGS[hmax]}: pairs that differ in overload and have more KL with more of it, of"
            f" {'; of '.join(parts)}. Runs by cell: {'; '.join(by_cell)}."
        )
    halves = [data.runs[Arm(place, cell)].halves for cell in study.lattice.cells]
    alike = within(*(np.stack([one[:, half] for one in halves]) for half in (0, 1))).share
    said.append(
        f"{place}: the halves of the sequences put {alike:.0%} of the pairs of runs of a cell into one order by KL,"
        " what its noise leaves to be told."
    )
    return said


def _doses(study: "EntropyGuidedStudy", data: Data) -> str:
    p, twin = study.penalty, data.runs[Arm("coin", NEITHER)].kl
    parts = []
    for c in sorted((p.paper, p.coefficient, *p.others)):
        ends = []
        for form in forms_at("coin"):
            one = data.runs[Arm("coin", NEITHER, form, c)]
            moved = np.abs(one.kl - twin[: len(one.kl)])
            theta = one.theta.mean(axis=(1, 2))
            ends.append(
                f"{LOGS[form]} theta {np.median(theta):.2f} ({int((theta < 0.5).sum())} of {len(theta)} runs below"
                f" 1/2), KL {np.median(one.kl):.4f}, from the twin's by {moved.max():.4f} at most"
            )
        parts.append(f"c = {c:g}: {'; '.join(ends)}")
    return (
        f"coin, {cell_title(NEITHER)}, by dose, medians over runs; without a penalty KL {np.median(twin):.4f}."
        f" {'. '.join(parts)}."
    )


def _broken(study: "EntropyGuidedStudy", data: Data) -> str:
    parts = []
    for place in PLACES:
        runs = [(cell, data.runs[Arm(place, cell)]) for cell in study.lattice.cells]
        cells = [
            f"{cell_title(cell)} {int(one.broken.sum())} of {len(one.broken)} ({one.rate:g})" for cell, one in runs
        ]
        parts.append(f"{place}: {', '.join(cells)}")
    return (
        f"Runs without a penalty that diverged or spiked, seen at {study.reading.path_points} points, and in brackets"
        f" the tuned rate: {'; '.join(parts)}."
    )


def _gate(study: "EntropyGuidedStudy", data: Data) -> str:
    found = []
    for arm in main_arms(study):
        above = data.above_gate(arm, study.bounds.gate)
        if above:
            form = "" if arm.form == "none" else f" with {LOGS[arm.form]}"
            found.append(f"{cell_title(arm.cell)}{form} on {arm.place} {above} of {len(data.runs[arm].kl)}")
    return (
        f"The gate asks that an arm's mean KL be below {study.bounds.gate:.0%} of what context tells; single runs above"
        f" that: {', '.join(found) if found else 'none'}. Each rate was chosen on {study.tuning.n_seeds} runs."
    )


def _edges(study: "EntropyGuidedStudy", data: Data) -> str:
    outer = (study.tuning.learning_rates[0], study.tuning.learning_rates[-1])
    found = []
    for arm in main_arms(study) + dose_arms(study):
        rate = data.runs[arm].rate
        if rate in outer:
            form = "" if arm.form == "none" else f" with {LOGS[arm.form]}, c = {arm.coefficient:g},"
            found.append(f"{cell_title(arm.cell)}{form} on {arm.place} ({rate:g})")
    return f"Rates at an edge of the grid, of all arms: {', '.join(found) if found else 'none'}."


def _late_fall(path: Floats) -> float:
    """Median over runs of the excess at the end over that at the point before it; (R, points)."""
    return float(np.median(path[:, -1] / path[:, -2])) if path.shape[1] > 1 else float("nan")
