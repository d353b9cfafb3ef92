"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge.proportion import Proportion
from testbed.studies.representation_phases.claims import claims
from testbed.studies.representation_phases.config import CORNERS
from testbed.studies.representation_phases.data import Bools, Data, Followed, Legs, gather
from testbed.studies.representation_phases.evidence import (
    THREE,
    coincide,
    evidence,
    has,
    is_open,
    learnt,
    re_paired,
    says_unigrams,
    streams_blocks,
)
from testbed.studies.representation_phases.phases import by_chance, three_legs
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.representation_phases.study import RepresentationPhases

SIZES: dict[Followed, str] = {"covariance": "RankMe, centred", "rank": "not centred", "alpha": "alpha-ReQ"}
"""What paths are of: the judged one first."""
JOIN = 0.02
"""Of ln RankMe: early and late parts are one run but for rounding, which training can amplify."""


def judgement(study: "RepresentationPhases", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None or data.diverged:
        said = "records are missing" if data is None else f"{data.diverged} parts of runs diverged"
        return Judgement.incomplete(said)
    found = checks(data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    lowest = min(float(runs.divergence.min()) for runs in data.runs.values())
    falling = max(float(np.diff(-runs.level, axis=1).min() * -1) for runs in data.runs.values())
    return (
        Check("early and late parts of a run meet", data.joins < JOIN, f"ln RankMe off by at most {data.joins:.1e}"),
        Check("divergences are not negative", lowest > -1e-6, f"least {lowest:.1e}"),
        Check("longer contexts lack less", falling < 0.02, f"a longer one lacks at most {falling:.1e} more, sampled"),
    )


def said(flags: Bools) -> str:
    """How many runs, with the interval of the share."""
    low, high = Proportion(int(flags.sum()), len(flags), "run").interval((1 - LEVEL) / 2)
    return f"{int(flags.sum())} of {len(flags)} [{low:.2f}, {high:.2f}]"


def notes(study: "RepresentationPhases", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    reading, bounds = study.reading, study.bounds
    lines = []
    for name in study.families:
        for corner in CORNERS:
            runs = data.runs[name, corner]
            found = runs.legs("covariance", THREE)
            legs = np.median([one.legs for one in found], axis=0)
            counts = {(what, kind): said(has(runs, reading, what, kind)) for what in SIZES for kind in get_args(Legs)}
            halves = [
                sum(three_legs(p, runs.warm).found(reading.leg, reading.jitter) for p in np.log(runs.halves[:, k]))
                for k in (0, 1)
            ]
            lines.append(
                f"{name}, {corner}. Runs with phases"
                + "".join(f"; by {SIZES[what]} {counts[what, THREE]}" for what in SIZES)
                + f". End still open: {int(is_open(runs, reading, bounds).sum())}. Fall and rise alone"
                + "".join(f"; by {SIZES[what]} {counts[what, 'fall, rise']}" for what in SIZES)
                + ". Rise and fall alone"
                + "".join(f"; by {SIZES[what]} {counts[what, 'rise, fall']}" for what in SIZES)
                + f". Phases from either half of the windows, not centred: {halves[0]} and {halves[1]}. At the unigrams"
                f" at the bottom of the dip: {int(says_unigrams(runs, bounds).sum())}. Centred, median legs"
                f" {', '.join(f'{one:.2f}' for one in legs)}, median jitter"
                f" {np.median([one.sigma for one in found]):.3f}. Left to learn {runs.left.mean():.2f} of what the"
                f" unigrams lack, {runs.late_gain.mean():.3f} less than at half the steps"
                f"{'' if learnt(runs, bounds) else ', too much for a verdict'}."
            )
    rng = np.random.Generator(np.random.Philox(key=0))
    settings = reading.leg, reading.jitter, reading.n_null, rng
    for what in ("covariance", "rank"):
        drawn = [by_chance(path, runs.warm, *settings) for runs in data.runs.values() for path in runs.paths(what)]
        lines.append(
            f"The detector on paths of one turn at most, {SIZES[what]}: each path's best such fit, noisy after the"
            f" warm-up as the path is; {reading.n_null} each: phases in {np.mean(drawn):.1%}, in at most"
            f" {np.max(drawn):.0%} of any path's."
        )
    for arm, streams in data.streams.items():
        i, j = streams_blocks(streams)
        depth = streams.entropy.shape[1] - 1
        gap = streams.belief.max(axis=1) - streams.null.max(axis=1)
        lines.append(
            f"{arm}: collapse over blocks {counted(i, depth)}, belief over {counted(j, depth)} (blocks 1 to {depth};"
            f" no drop {int((i == 0).sum())}); same block in {said(coincide(i, j))} runs; {1 / depth:.2f} for blocks"
            f" at random, and {re_paired(i, j):.2f} if one run's collapse is paired with another's belief. Best layer's"
            f" R² {streams.belief.max(axis=1).mean():.3f}, at least {gap.min():.3f} above its shuffled null; untrained"
            f" {streams.belief_untrained.max(axis=1).mean():.3f}. Left to learn {streams.left.mean():.2f}"
            f"{'' if streams.left.mean() < bounds.layer_gate else ', too much for a verdict'}. With the block of least"
            f" change of S, drop or not: {said(coincide(lenient(streams.entropy), j))}."
        )
    edge = [name for name, (rate, grid) in data.rates.items() if rate in (grid[0], grid[-1])]
    chosen = "; ".join(f"{name} {rate:g}" for name, (rate, _) in data.rates.items())
    lines.append(f"Learning rates: {chosen}; at an edge of the grid: {'; '.join(edge) if edge else 'none'}.")
    return tuple(lines)


def counted(blocks: np.ndarray, depth: int) -> str:
    """How many runs have each block."""
    return "/".join(str(int((blocks == one).sum())) for one in range(1, depth + 1))


def lenient(entropy: np.ndarray) -> np.ndarray:
    """(R,) block over which S changes least, 1 the first: the largest drop where there is one."""
    return np.asarray(np.diff(entropy, axis=1).argmin(axis=1) + 1)
