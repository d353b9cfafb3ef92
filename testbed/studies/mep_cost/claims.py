"""The claims on cost: what is said, where it comes from, and where its number must lie.

The paper was at hand as its abstract alone, so that every reading is inferred. The numbers stand in `evidence.py`.
"""

import math
from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.mep_cost.shapes import SHAPES

if TYPE_CHECKING:
    from testbed.studies.mep_cost.study import MepCost

PAPER = "2408.10277"
STUDY = "mep_cost"
OURS = "our derivation"
DERIVED, OPPOSITE = "as derived", "the opposite"
"""The planted worlds."""
LENGTH = "slope on ln T"


def claims(study: "MepCost") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    return (*_counted(study), *_solved(study), *_against(study))


def _stated(
    study: "MepCost",
    name: str,
    statement: str,
    region: Region,
    *,
    place: str,
    scope: str,
    control: str,
    margin: float,
    unit: str,
) -> Claim:
    return Claim(
        id=f"{STUDY}.{name}",
        statement=statement,
        paper=PAPER,
        place=place,
        reading="inferred",
        scope=scope,
        control=f"{control}; worlds '{DERIVED}' and '{OPPOSITE}' differ in it",
        region=region,
        margin=margin,
        decided_at=study.decided_at,
        unit=unit,
    )


def _shapes() -> str:
    """The shapes of which operations are counted, in words."""
    return "; ".join(f"d = {d}, L = {depth}, V = {v}, T = {t}" for d, depth, v, t in SHAPES)


def _counted(study: "MepCost") -> tuple[Claim, ...]:
    counts, linear = study.counts, Region(upper=study.bounds.counted)
    pairs = f"V = {counts.vocab_sizes[0]}, T to {counts.lengths[-1]}"
    windows = f"V = {counts.vocab_sizes[0]}, T to {counts.window_lengths[-1]}"
    place = "abstract (C8)"
    margin = study.bounds.counted

    def one(name: str, statement: str, scope: str, control: str, unit: str = LENGTH, where: str = place) -> Claim:
        return _stated(
            study, name, statement, linear, place=where, scope=scope, control=control, margin=margin, unit=unit
        )

    return (
        one("c8_window_tables", "Windows have a number of tables linear in T.", windows, "all pairs: c8_pair_tables"),
        one(
            "c8_window_equations",
            "Windows have a number of independent equations linear in T.",
            windows,
            "their tables are: c8_window_tables",
        ),
        one("c8_pair_tables", "All pairs (GMEP) have a number of tables linear in T.", pairs, "windows are"),
        one(
            "c8_pair_equations",
            "All pairs have a number of parameters linear in T.",
            pairs,
            "pairs at a fixed lag: c8_fixed_lag",
        ),
        one(
            "c8_fixed_lag",
            "Pairs at lags up to 2 do.",
            pairs,
            "all pairs: c8_pair_equations",
            where=f"{OURS} (C8)",
        ),
        one(
            "c8_vocabulary",
            "Parameters grow no faster than linearly in V, in pairs and in windows.",
            f"V to {counts.vocab_sizes[-1]}; the steeper of all pairs at T = {counts.lengths[-1]} and windows at T ="
            f" {counts.window_lengths[0]}",
            "the number of tables, which does not grow with V at all",
            "slope on ln V",
        ),
    )


def _solved(study: "MepCost") -> tuple[Claim, ...]:
    s, b = study.solving, study.bounds
    linear = Region(upper=b.linear)
    bits = f"V = 2, chains of order 2, {study.replicates} passes"
    scopes = {
        "pair": f"{bits}; proportional fitting of all pairs, V^(2T) laid out, T = {s.dense_lengths[-3]} to"
        f" {s.dense_lengths[-1]}",
        "window": f"{bits}; windows that overlap by T - 1, from their tables to conditionals, T ="
        f" {s.window_lengths[-3]} to {s.window_lengths[-1]}",
        "band": f"{bits}; pairs at lags up to 2, banded, T = {s.band_lengths[-3]} to {s.band_lengths[-1]}",
    }
    names = {"pair": "Solving for all pairs", "window": "Windows in closed form", "band": "A fixed lag"}
    found = []
    for kind, scope in scopes.items():
        for quantity, verb in (("seconds", "take time"), ("bytes", "take memory")):
            takes = verb.replace("take", "takes") if kind != "window" else verb
            found.append(
                _stated(
                    study,
                    f"c8_{kind}_{quantity}",
                    f"{names[kind]} {takes} at most linear in T.",
                    linear,
                    place="abstract (C8)" if kind != "band" else f"{OURS} (C8)",
                    scope=scope,
                    control="a fixed lag: c8_band_" + quantity if kind != "band" else f"all pairs: c8_pair_{quantity}",
                    margin=b.linear,
                    unit=LENGTH,
                )
            )
    return (*found, *_wider(study))


def _wider(study: "MepCost") -> tuple[Claim, ...]:
    """The same solvers over more symbols."""
    s, linear = study.vocabularies, Region(upper=study.bounds.linear)
    scopes = {
        "pair": ("all pairs", f"all pairs laid out, T = {s.dense_length}, V = {s.dense[-3]} to {s.dense[-1]}"),
        "band": (
            "a fixed lag",
            f"pairs at lags up to 2, banded, T = {s.band_length}, V = {s.band[-3]} to {s.band[-1]}",
        ),
    }
    return tuple(
        _stated(
            study,
            f"c8_{kind}_{quantity}_by_v",
            f"Solving for {name} takes {what} at most linear in V.",
            linear,
            place=f"{OURS} (C8)",
            scope=f"chains of order 2, {study.replicates} passes; {scope}",
            control=f"against T a fixed lag is linear: c8_band_{quantity}",
            margin=study.bounds.linear,
            unit="slope on ln V",
        )
        for kind, (name, scope) in scopes.items()
        for quantity, what in (("seconds", "time"), ("bytes", "memory"))
    )


def _against(study: "MepCost") -> tuple[Claim, ...]:
    b, tr = study.bounds, study.transformers
    t, shared = tr.lengths[-1], study.shared_lengths
    shape = f"width {study.model.width}, {study.model.depth} blocks, V = {tr.vocab_size}, {study.replicates} passes"
    whole = f"{shape}; {b.steps} steps of {tr.tokens_per_step} tokens at T and at 2T"
    place = "abstract: faster than standard training (C9)"
    return (
        _stated(
            study,
            "c9_training",
            f"A step at T is cheaper than one at 2T with as many tokens, by {b.saving:.0%} at T = {t}.",
            Region(lower=math.log1p(b.saving)),
            place=place,
            scope=shape,
            control=f"at T = {tr.lengths[0]} attention is no share of a step (in the figure)",
            margin=math.log1p(b.saving),
            unit="ln ratio",
        ),
        _stated(
            study,
            "c9_operations",
            "Training at T saves half of the operations of training at 2T with as many tokens.",
            Region(lower=0.5),
            place=place,
            scope=f"{_shapes()}; the largest share; operations of the forward pass, no clock",
            control="attention alone would save half",
            margin=0.5,
            unit="share saved",
        ),
        _stated(
            study,
            "c9_decoding",
            f"A token decoded by windows is no dearer than one by a model of 2T that keeps its keys, at T = {t}.",
            Region(upper=0.0),
            place=f"{OURS} (C9)",
            scope=f"{shape}; windows that overlap by T - 1, {tr.batch} sequences at once",
            control="windows that overlap by T / 2: c9_half_windows",
            margin=0.0,
            unit="ln ratio",
        ),
        _stated(
            study,
            "c9_windows",
            f"Training at T and carrying {b.decoded:,} sequences to 2T by windows that overlap by T - 1 is cheaper than"
            " doing both at 2T, at every T.",
            Region(upper=0.0),
            place=place,
            scope=f"{whole}; T = {tr.lengths[0]} to {t}, the worst",
            control="without any decoding: c9_training; by fewer passes: c9_half_windows",
            margin=0.0,
            unit="ln ratio",
        ),
        _stated(
            study,
            "c9_half_windows",
            f"By windows that overlap by T / 2, which read T / 2 tokens for as many new ones, it is, at T = {t}.",
            Region(upper=0.0),
            place=f"{OURS} (C9)",
            scope=f"{whole}; keys kept within each window; what these windows lose: mep_extension.c1_threshold",
            control="windows that overlap by T - 1: c9_windows",
            margin=0.0,
            unit="ln ratio",
        ),
        _stated(
            study,
            "c9_half_crossing",
            "Longer models favour these windows: their cost over that of 2T falls with T.",
            Region(upper=0.0),
            place=f"{OURS} (C9)",
            scope=f"{whole}; T = {tr.lengths[0]} to {t}",
            control="solving for all pairs, whose share grows: c9_crossing",
            margin=0.0,
            unit=LENGTH,
        ),
        _stated(
            study,
            "c9_pairs",
            f"Training at T and solving for all pairs is cheaper than training at 2T, at T = {shared[-1]}.",
            Region(lower=0.0),
            place=place,
            scope=f"{whole}; V = 2 for the pairs; decoding left out",
            control="the signs at shorter T, in the figure",
            margin=0.0,
            unit="share of training at 2T",
        ),
        _stated(
            study,
            "c9_crossing",
            "Longer models favour it: the share of solving in the cost of training at 2T falls with T.",
            Region(upper=0.0),
            place=place,
            scope=f"{whole}; T = {shared[0]} to {shared[-1]}",
            control="a solver linear in T: c8_band_seconds",
            margin=0.0,
            unit=LENGTH,
        ),
    )
