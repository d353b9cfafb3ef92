"""From records to verdicts: the numbers of the claims, the checks they rest on, and what stands beside them."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.mep_cost.claims import claims
from testbed.studies.mep_cost.closed import Floats
from testbed.studies.mep_cost.data import Data, gather
from testbed.studies.mep_cost.evidence import STUDY, evidence, pair_saving, solve_shares, window_ratio
from testbed.studies.mep_cost.shapes import SHAPES, TABLED
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.mep_cost.study import MepCost

WALL = 2**30
"""Bytes: a dense law that takes more counts as out of reach."""


def judgement(study: "MepCost", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some pass are missing")
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "MepCost", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    residual = float(data.tables["dense_error"].values.max())
    off = float(data.tables["cached_error"].values.max())
    pairs = data.closed["pairs"]
    v, t = (np.array(pairs.axes[name], dtype=np.float64) for name in ("V", "T"))
    rank = 1 + 2 * t * (v[:, None] - 1) + t * (2 * t - 1) * (v[:, None] - 1) ** 2
    counted = float(np.abs(pairs.at(family="pairs_all", number="rank") / rank - 1).max())
    operations = data.closed["operations"].values
    near = float(np.abs(operations / np.array(TABLED) - 1).max())
    return (
        Check("the solver's laws have their marginals", residual < 1e-10, f"largest residual {residual:.1e}"),
        Check("kept keys give the logits of a whole pass", off < 1e-3, f"largest difference {off:.1e}"),
        Check("ranks of all pairs follow their formula", counted < 1e-12, f"relative difference {counted:.1e}"),
        Check("operations agree with a table worked out beforehand", near < 0.05, f"relative difference {near:.3f}"),
    )


def signs(data: Data, lengths: Sequence[int], values: Floats) -> str:
    """The sign at each T that its interval allows: + more, - less, 0 open."""
    found = []
    for t, column in zip(lengths, values.T, strict=True):
        _, low, high = data.interval(column)
        found.append(f"{t}: {'+' if low > 0 else '-' if high < 0 else '0'}")
    return ", ".join(found)


def crossing_words(data: Data, lengths: Sequence[int], values: Floats) -> str:
    """Where the sign of the mean of (pass, T) values changes: between which lengths whose intervals leave no doubt."""
    ends = [data.interval(column) for column in values.T]
    decided = [(t, 1 if low > 0 else -1) for t, (_, low, high) in zip(lengths, ends, strict=True) if low * high > 0]
    changes = [
        f"from {'+' if first > 0 else '-'} to {'+' if second > 0 else '-'} between T = {a} and {b}"
        for (a, first), (b, second) in itertools.pairwise(decided)
        if first != second
    ]
    return f"it changes {', '.join(changes)}" if changes else "no change of sign is certain"


def notes(study: "MepCost", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    b, tr = study.bounds, study.transformers
    ratio, half = (np.log(window_ratio(study, data, way)) for way in ("window", "half"))
    saving = pair_saving(study, data)
    step = data.tables["step"]
    training = np.log(step.at(model="2T") / step.at(model="T"))
    middle, low, high = (100 * np.expm1(one) for one in data.interval(training[:, -1]))
    shares = [data.interval(column)[0] for column in solve_shares(study, data).T]
    wall = next(t for t in range(1, 64) if 8 * 2 ** (2 * t) > WALL)
    shapes = "; ".join(
        f"d = {d}, T = {t}: {share:.1%}, window decoding {dear:.0f} times as dear"
        for (d, _, _, t), (_, share, dear) in zip(SHAPES, data.closed["operations"].values, strict=True)
    )
    return (
        _take_home(study, data),
        f"Training at 2T takes {middle:.1f} % more than at T = {tr.lengths[-1]} ({low:.1f} to {high:.1f}), as"
        f" many tokens. Sign of training at 2T less training at T, at T: {signs(data, tr.lengths, training)};"
        f" {crossing_words(data, tr.lengths, training)}.",
        *(
            f"Training at T and carrying {b.decoded:,} sequences by windows that overlap by {name} costs"
            f" {_times(data, tr.lengths, values)} times as much as both at 2T. Sign of the difference, at T:"
            f" {signs(data, tr.lengths, values)}; {crossing_words(data, tr.lengths, values)}."
            for name, values in (("T - 1", ratio), ("T / 2", half))
        ),
        f"Solving for all pairs (V = 2) takes of training at 2T: "
        f"{', '.join(f'{one:.1%} (T = {t})' for t, one in zip(study.shared_lengths, shares, strict=True))}. Sign of"
        f" what training at T saves less that, at T: {signs(data, study.shared_lengths, saving)};"
        f" {crossing_words(data, study.shared_lengths, saving)}; at such lengths a step at T may be the dearer one.",
        f"The dense law of 2T bits passes 1 GiB at T = {wall}; with V = 16 at T = 4.",
        f"Operations saved by two passes over T against one over 2T: {shapes}.",
        f"{study.replicates} passes in one process, processor time; seconds are facts of the machine, verdicts rest on"
        " slopes and on ratios within a pass. Passes are repeats, not machines.",
    )


def _times(data: Data, lengths: Sequence[int], values: Floats) -> str:
    means = [np.exp(data.interval(column)[0]) for column in values.T]
    return ", ".join(f"{one:.2f} (T = {t})" for t, one in zip(lengths, means, strict=True))


def _take_home(study: "MepCost", data: Data) -> str:
    numbers = evidence(study, data)
    steep = ("window_equations", "pair_equations", "window_seconds", "pair_seconds", "window_bytes", "pair_bytes")
    slopes = [numbers[f"{STUDY}.c8_{name}"].estimate for name in steep]
    saved = -np.expm1(-numbers[f"{STUDY}.c9_training"].estimate)
    whole, half = (
        np.exp(data.interval(np.log(window_ratio(study, data, way))[:, -1])[0]) for way in ("window", "half")
    )
    t, shared = study.transformers.lengths[-1], study.shared_lengths[-1]
    pairs = numbers[f"{STUDY}.c9_pairs"].estimate
    return (
        "Linear in T are the tables of windows and all that is at a fixed lag; equations, seconds and bytes"
        " of windows and"
        f" of all pairs grow with powers of T from {min(slopes):.1f} to {max(slopes):.1f}. Training at T = {t} saves"
        f" {saved:.0%} of training at 2T; with {study.bounds.decoded:,} sequences carried on the whole costs"
        f" {whole:.2f} times as much by windows that overlap by T - 1 and {half:.2f} times by windows that overlap by"
        f" T / 2; with all pairs solved for at T = {shared} training is {abs(pairs):.0%}"
        f" {'cheaper' if pairs > 0 else 'dearer'}. A model's own windows need no table: their conditionals are its own."
    )
