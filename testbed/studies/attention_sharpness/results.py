"""The finished records of the study as arrays over replicates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.attention_sharpness.config import Bounds
from testbed.studies.attention_sharpness.grid import lengths
from testbed.studies.attention_sharpness.laws import crossing, failing_length

if TYPE_CHECKING:
    from testbed.studies.attention_sharpness.study import AttentionSharpness

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Case = tuple[str, str]
"""A source and an arm."""


@dataclass(eq=False)
class Measured:
    """Numbers of every member; S seeds, G gaps, R rates.

    failed, predicted   (S, G) and (G,): ln T* of models trained at each length, nan where half is not crossed; the law
    carried             (S, G'): ln T* of readouts carried on
    works, collapsed    {case: (S, R)}: excess ends below a share of no context; least entropy of a head ends below a
                        share of ln n. A member that diverged does not work; nothing is said of its entropy (nan)
    entropy             {case: (S, R)}: that least entropy, share of ln n
    lead                {case: (S,)}: steps from collapse to spike under a rising rate; nan where one does not come
    slack, promised     {source: (S, R)} without methods: mean distance from the floor of the logits, and the floor that
                        norms of weights promise, shares of ln n
    least_slack         of every row measured, nats
    records             by kind and place, for figures and notes; empty in planted worlds
    """

    seeds: tuple[int, ...]
    failed: Floats
    predicted: Floats
    carried: Floats
    works: dict[Case, Bools]
    collapsed: dict[Case, Bools]
    entropy: dict[Case, Floats]
    lead: dict[Case, Floats]
    slack: dict[str, Floats]
    promised: dict[str, Floats]
    least_slack: float
    records: Mapping[tuple[Any, ...], Record] = field(default_factory=dict)


def gather(study: "AttentionSharpness", records: Sequence[Record]) -> Measured | None:
    """The records that the study names; None if one is missing."""
    index: dict[tuple[Any, ...], Record] = {}
    for one in records:
        p = one.probe
        if one.status != "failed" and not p["tuning"]:
            where = (p["gap"], p["length"]) if p["kind"] in ("length", "readout") else (p["place"], p["arm"])
            rate = (p["learning_rate"],) if p["kind"] == "sweep" else ()
            index[(p["kind"], *where, p["seed"], *rate)] = one
    copies, sweep, seeds = study.copies, study.sweep, tuple(study.seeds)
    try:
        failed = np.array([[_trained(study, index, gap, seed) for gap in copies.gaps] for seed in seeds])
        carried = np.array([_carried(study, index, seed) for seed in seeds])
        cases: list[Case] = [(place.name, arm.name) for place in sweep.places for arm in sweep.arms]
        swept = {case: [[index["sweep", *case, s, rate] for rate in sweep.rates] for s in seeds] for case in cases}
        ramped: list[Case] = [(place.name, arm.name) for place in sweep.places for arm in sweep.ramped]
        ramps = {case: [index["ramp", *case, seed] for seed in seeds] for case in ramped}
    except KeyError:
        return None
    b = study.bounds

    def numbers(case: Case, name: str) -> Floats:
        return np.array([[float(one.metrics.get(name, np.nan)) for one in row] for row in swept[case]])  # type: ignore[arg-type]

    entropy = {case: np.array([[last_entropy(one) for one in row] for row in swept[case]]) for case in cases}
    slack: dict[str, Floats] = {}
    promised: dict[str, Floats] = {}
    for place in sweep.places:
        case = (place.name, sweep.arms[0].name)
        slack[place.name] = np.array([[_mean(one, "slack_share") for one in row] for row in swept[case]])
        promised[place.name] = numbers(case, "floor_of_weights")
    return Measured(
        seeds,
        failed,
        np.log([failing_length(gap, copies.noise) for gap in copies.gaps]),
        carried,
        {case: np.array([[works(one, b) for one in row] for row in swept[case]]) for case in cases},
        {case: entropy[case] < b.collapsed for case in cases},
        entropy,
        {case: np.array([lead(one, b) for one in ramps[case]]) for case in ramped},
        slack,
        promised,
        float(np.nanmin([numbers(case, "least_slack") for case in cases])),
        index,
    )


def _trained(study: "AttentionSharpness", index: Mapping[tuple[Any, ...], Record], gap: float, seed: int) -> float:
    at = lengths(study, gap)
    return crossing(at, [lost(index["length", gap, one, seed], study.bounds) for one in at])


def lost(record: Record, bounds: Bounds) -> float:
    """Share of the information that a copy has lost; nan where training has not reached the gap."""
    if record.status != "done":
        return np.nan
    reached = float(record.metrics["gap_reached"]) >= bounds.reached * record.probe["gap"]  # type: ignore[arg-type]
    return float(record.metrics["lost"]) if reached else np.nan  # type: ignore[arg-type]


def _carried(study: "AttentionSharpness", index: Mapping[tuple[Any, ...], Record], seed: int) -> list[float]:
    record = index["readout", study.copies.readout_gap, study.copies.readout_length, seed]
    if record.status != "done":
        return [np.nan] * len(study.copies.carried_gaps)
    return [crossing(*both) for both in zip(record.arrays["lengths"], record.arrays["lost"], strict=True)]


def works(record: Record, bounds: Bounds) -> bool:
    """Whether the excess ends below the share of no context's."""
    if record.status != "done":
        return False
    excess, alone = (float(record.metrics[name]) for name in ("excess", "no_context"))  # type: ignore[arg-type]
    return bool(excess < bounds.works * alone)


def last_entropy(record: Record) -> float:
    """The least mean entropy of a head at the end, share of ln n; nan where it diverged."""
    return float(least_entropy(record)[-1]) if record.status == "done" else np.nan


def least_entropy(record: Record) -> Floats:
    """(n,) least mean entropy of a head along training, share of ln n."""
    found: Floats = record.arrays["entropy"].min(axis=(1, 2))
    return found


def collapse_and_spike(record: Record, bounds: Bounds) -> tuple[float, float]:
    """The steps of the first evaluations at which a head has collapsed, and at which the excess stands a share of no
    context's above its least so far; infinite where none does."""
    step, excess = record.arrays["step"].astype(float), record.arrays["excess"]
    alone = float(record.metrics["no_context"])  # type: ignore[arg-type]
    with np.errstate(invalid="ignore"):
        fallen = np.flatnonzero(least_entropy(record) < bounds.collapsed)
        least = np.fmin.accumulate(excess)
        spiked = np.flatnonzero(~(excess - least < bounds.rise * alone))
    return (
        float(step[fallen[0]]) if len(fallen) else np.inf,
        float(step[spiked[0]]) if len(spiked) else np.inf,
    )


def lead(record: Record, bounds: Bounds) -> float:
    """Steps from collapse to spike; nan unless both come."""
    fallen, spiked = collapse_and_spike(record, bounds)
    return spiked - fallen if np.isfinite(fallen) and np.isfinite(spiked) else np.nan


def _mean(record: Record, name: str) -> float:
    return float(record.arrays[name].mean()) if name in record.arrays else np.nan


def largest_rate(study: "AttentionSharpness", works_SR: Bools) -> Floats:
    """(S,) ln of the largest rate up to which all smaller ones on the grid from the first that works on work too; of
    the smallest of the grid less one step where none does."""
    rates = np.log(study.sweep.rates)
    below = rates[0] - (rates[1] - rates[0])
    found = []
    for row in works_SR:
        at = np.flatnonzero(row)
        if len(at) == 0:
            found.append(below)
            continue
        last = at[0]
        while last + 1 < len(row) and row[last + 1]:
            last += 1
        found.append(rates[last])
    return np.array(found)
