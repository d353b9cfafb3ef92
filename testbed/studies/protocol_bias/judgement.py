"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Ranking, Replicates, Student
from testbed.studies.protocol_bias.claims import STUDY, claims
from testbed.studies.protocol_bias.data import FACTORS, READINGS, Data, Point, gather
from testbed.studies.protocol_bias.evidence import block_shift, evidence, inside
from testbed.studies.protocol_bias.readings import block_factor
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.protocol_bias.study import ProtocolBias

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""
LEARNT = 0.5
"""Networks speak of l* where their best length loses less than this share of h_0 - h at the largest D; models of
visible windows where their excess at l_train is below this share of h_0 - h_l."""
NAMES = {
    "sound": "sound",
    "whole_batches": "whole batches",
    "tied_steps": "tied steps",
    "block_average": "block average",
    "early_stop": "early stop",
    "together": "first three together",
    "trained_on_all": "trained on all positions, read at the last",
}


def judgement(study: "ProtocolBias", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some member or replicate are missing")
    found = checks(study, data)
    numbers = evidence(study, data)
    lost = not_learnt(study, data)

    def gated(name: str) -> Evidence:
        """Nothing is decided by networks that did not learn to use context."""
        what = name.removeprefix(f"{STUDY}.")
        part = "visible" if what.startswith("visible") else "tables" if what.startswith("tables") else "networks"
        return Student(numbers[name].estimate, float("inf"), 1) if part in lost else numbers[name]

    pairs = [(claim, gated(claim.id)) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data, lost))


def not_learnt(study: "ProtocolBias", data: Data) -> list[str]:
    """Parts whose networks did not learn to use context."""
    networks, visible = study.networks, study.visible
    h = np.asarray(networks.designed.conditional_entropies(visible.train_length).value)
    rate = float(networks.designed.entropy_rate().value)
    lost = []
    best = data.losses[Point("designed", networks.sizes[-1], "sound")].mean(axis=0).min()
    if not best < LEARNT * (h[0] - rate):
        lost.append("networks")
    at = visible.lengths.index(visible.train_length)
    worst = max(data.visible["designed", arm][:, at].mean() for arm in ("masked", "unmasked"))
    if not worst < LEARNT * (h[0] - h[-1]):
        lost.append("visible")
    return lost


def checks(study: "ProtocolBias", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / max(len(data.paired), 1)))
    largest = float(np.abs(data.paired).max())
    tables = data.tables
    excess = min(float((tables[f"{case}_loss"] - tables[f"{case}_missing"][:, None]).min()) for case in _cases())
    rising = max(float(np.diff(tables[f"{case}_missing"], axis=1).max()) for case in _cases())
    last = study.networks.sizes[-1]
    same = np.abs(
        data.losses[Point("designed", last, "tied_steps")] - data.losses[Point("designed", last, "sound")]
    ).max()
    return (
        Check("no judged member diverged", data.diverged == 0, f"{data.diverged} diverged"),
        Check(
            "cross-entropy = h_l + excess on fresh tokens",
            largest < bound,
            f"largest |z| {largest:.2f} of {len(data.paired)} members, bound {bound:.2f}",
        ),
        Check(
            "the last place of a block is the loss at full context",
            data.block_error < 1e-5,
            f"largest distance {data.block_error:.1e} nats",
        ),
        Check("tables: no excess lies below 0", excess >= -1e-9, f"least {excess:.1e} nats"),
        Check("tables: h_l never rises", rising <= 1e-12, f"largest rise {rising:.1e} nats"),
        Check("tied steps are the sound ones at the largest D", bool(same < 1e-12), f"largest distance {same:.1e}"),
    )


def _cases() -> tuple[str, ...]:
    from testbed.studies.protocol_bias.exact import CASES

    return CASES


def notes(study: "ProtocolBias", data: Data, lost: list[str]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    networks = study.networks
    said = [
        f"{study.n_seeds} replicates from number {study.first_seed}, {len(study.seeds_of_visible)} of them with models"
        " that are shown other lengths; all protocols, l and D of one share data, order of"
        " targets and first weights. Apparent l*: the shortest within"
        f" {study.bounds.delta:g} nats of the least exact loss of that run. Intervals: {LEVEL:.0%}.",
    ]
    for size in networks.sizes:
        parts = []
        for factor in FACTORS:
            mean, low, high = data.interval(data.shift(study, "designed", size, factor) / np.log(2), LEVEL)
            parts.append(f"{NAMES[factor]} {mean:+.2f} [{low:+.2f}, {high:+.2f}]")
        said.append(f"D = {size:,}, shift of the apparent l* in doublings: {'; '.join(parts)}.")
        training, low, high = data.interval(data.shift(study, "designed", size, "trained_on_all") / np.log(2), LEVEL)
        read = data.optimum(study, "designed", size, "block_average") - data.optimum(
            study, "designed", size, "trained_on_all"
        )
        mean, below, above = data.interval(read / np.log(2), LEVEL)
        said.append(
            f"D = {size:,}: of the block average's, training on blocks makes {training:+.2f} [{low:+.2f},"
            f" {high:+.2f}] and reading the average, not the last position, {mean:+.2f} [{below:+.2f}, {above:+.2f}]."
        )
        said.append(f"D = {size:,}, l* of the mean curve and its interval: {_sets(study, data, size)}.")
        stop = data.stops[size].mean(axis=0)
        said.append(
            f"D = {size:,}: the early stop takes the weights after {', '.join(f'{one:.0%}' for one in stop)} of the"
            f" steps at l = {', '.join(map(str, networks.lengths))}."
        )
    shift = block_shift(study, data)
    kept = inside(study, data)
    said.append(
        "Tables, ln of the factor by which block averages lengthen l*, by D: "
        + ", ".join(
            f"{size:,}: {one:.3f}{'' if used else ' (near the edge, not judged)'}"
            for size, one, used in zip(study.tables.sizes, shift.mean(axis=0), kept, strict=True)
        )
        + f"; predicted at large D {block_factor(study.tables.exponent):.3f}."
    )
    tried = study.tuning.learning_rates
    edges = [what for what, rate in data.rates.items() if len(tried) > 1 and rate in (tried[0], tried[-1])]
    return (
        *said,
        "Learning rates: "
        + ", ".join(f"{what} {rate:g}" for what, rate in data.rates.items())
        + f"; tried {', '.join(f'{one:g}' for one in tried)}; at the edge: {', '.join(edges) if edges else 'none'}.",
        f"Too little learnt for a verdict: {', '.join(lost) if lost else 'none'}.",
    )


def _sets(study: "ProtocolBias", data: Data, size: int) -> str:
    """l*_delta of the mean curve of every reading, with its interval."""
    lengths, parts = study.networks.lengths, []
    for reading in READINGS:
        losses = data.losses[Point("designed", size, reading)]
        if not np.isfinite(losses).all():
            continue
        found = Ranking(losses, Replicates({"seed": data.numbers}, seed=0)).smallest_within(study.bounds.delta)
        at = [lengths[one] for one in found]
        parts.append(f"{NAMES[reading]} {at[0]} [{at[1]}, {at[2]}]")
    return "; ".join(parts)
