"""From records to verdicts: the check they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.activations.claims import claims
from testbed.studies.activations.config import ACTS, ARMS, SETTINGS, STACKS
from testbed.studies.activations.data import Data, gather
from testbed.studies.activations.evidence import arrays_of, distance, evidence, in_noises, unlearnt
from testbed.studies.activations.ranking import correlations
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Open
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.activations.study import Activations

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""


def judgement(study: "Activations", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if the check fails, and where the arms concerned did not learn."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some arm, source or replicate are missing")
    found = check(data)
    numbers, missing = evidence(study, data), unlearnt(study, data)

    def gated(claim_id: str) -> Evidence:
        number, arms = numbers[claim_id], missing.get(claim_id, [])
        return Open(number, f"some arms did not learn: {', '.join(arms)}") if arms else number

    pairs = [(claim, gated(claim.id)) for claim in claims(study)]
    notes = (*depth_notes(study, data), *act_notes(study, data))
    return Judgement.of(pairs, study.alpha, (found,), notes)


def check(data: Data) -> Check:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / data.paired.size))
    largest = float(np.abs(data.paired).max())
    return Check(
        "cross-entropy = Bayes loss + excess on fresh tokens",
        largest < bound,
        f"largest |z| {largest:.2f} of {data.paired.size} members, bound {bound:.2f}",
    )


def depth_notes(study: "Activations", data: Data) -> tuple[str, ...]:
    """Of the first part; medians over replicates."""
    said, b = [], study.bounds
    for at, depth in enumerate(study.depths.depths):
        parts = []
        for stack in STACKS:
            units = [
                np.median(distance(one[stack][at], b.low, b.high, b.centre))
                for one in (data.units_small, data.units_start, data.units)
            ]
            stream = data.stream[stack][at]
            parts.append(
                f"{stack} excess {np.median(data.deep[stack][:, at]):.4f}, stream grown"
                f" {np.median(stream[:, -1] / stream[:, 0]):.1f} times by training, moments of hidden units at"
                f" {units[0]:.1f}, {units[1]:.1f}, {units[2]:.1f} half widths"
            )
        said.append(
            f"{depth} blocks, medians: {'; '.join(parts)} (at a start with small writing matrices, at the start, after"
            f" training); context tells {data.deep_told[:, at].mean():.3f}."
        )
    small = data.units_small["none_selu"][-1].mean(axis=0)
    rows = [", ".join(f"{one:.2f}" for one in row) for row in small]
    return (
        *said,
        f"With SELU, no norm and small writing matrices, hidden units of the deepest stack start at means {rows[0]} and"
        f" variances {rows[1]}, by block.",
    )


def act_notes(study: "Activations", data: Data) -> tuple[str, ...]:
    """Of the second part, and of the rates."""
    said, sources = [], study.kinds.sources
    for setting in SETTINGS:
        name = "own rates" if setting == "own" else f"rate {study.kinds.common_rate:g} for all"
        for x in sources:
            excess = {a: float(np.median(data.acts[setting, a, x])) for a in ARMS}
            reach = {a: float(np.isfinite(data.steps[setting, a, x]).mean()) for a in ARMS}
            order = sorted(ARMS, key=lambda a: excess[a])
            steps = [f"{a} {np.median(data.steps[setting, a, x]):.0f} ({reach[a]:.0%})" for a in order]
            said.append(
                f"{x}, {name}: median excess {', '.join(f'{a} {excess[a]:.5f}' for a in order)}; context tells"
                f" {data.told[x].mean():.3f}. Median steps to {study.kinds.near:.0%} of it, share of runs that get"
                f" there: {', '.join(steps)}."
            )
        noises = "; ".join(
            "{} {:+.2f} [{:+.2f}, {:+.2f}]".format(a, *data.interval(in_noises(data, setting, a, sources)))
            for a in ARMS if a != "gelu"
        )  # fmt: skip
        said.append(f"Log ratio to GELU's excess in seed noises, mean over sources, {name}: {noises}.")
        for title, acts in (("all", ACTS), ("without the linear one", tuple(a for a in ACTS if a != "identity"))):
            found, p = correlations(*arrays_of(data, setting, sources, acts))
            mean, low, high = data.interval(found)
            said.append(
                f"Rank correlation of entropy and excess, {name}, activations {title}: {mean:.2f}"
                f" [{low:.2f}, {high:.2f}]; {p:.1%} of relabelled ones do as well."
            )
    rates, deep = study.tuning.learning_rates, study.depth_tuning.learning_rates
    taken = ", ".join(f"{name}: {rate:g}" for name, rate in data.rates.items())
    edge = [
        name for name, rate in data.rates.items()
        if rate in ((deep[0], deep[-1]) if name.endswith("blocks") else (rates[0], rates[-1]))
    ]  # fmt: skip
    return (
        *said,
        f"CRReLU's number starts at 0.01 and ends at {data.epsilon.mean():.3f}, spread {data.epsilon.std():.3f}.",
        f"Rates: {taken}. At an edge of their grid: {'; '.join(edge) if edge else 'none'}.",
        f"Intervals in these notes: {LEVEL:.0%}, each alone.",
    )
