"""The finished records as arrays over passes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean, Replicates
from testbed.studies.mep_cost.closed import NUMBERS, PAIRS, SHAPES, WINDOWS, Floats
from testbed.studies.tables import Axes, Table

if TYPE_CHECKING:
    from testbed.studies.mep_cost.study import MepCost

MODELS, WAYS = ("T", "2T"), ("window", "half", "cached")
KINDS = ("dense", "windows", "band")
BY_VOCAB = ("dense", "band")
"""Kinds that are solved over more symbols too."""


@dataclass(frozen=True, eq=False)
class Data:
    """tables: of the passes, the first axis over them; closed: counts, without that axis."""

    tables: dict[str, Table]
    closed: dict[str, Table]

    @property
    def n_passes(self) -> int:
        return len(self.tables["step"].values)

    def mean(self, values: Floats) -> Mean:
        """Evidence on the mean over passes of (n_passes,) values."""
        return Mean(values, Replicates({"pass": range(len(values))}, seed=0))

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        evidence = self.mean(values)
        return evidence.estimate, *evidence.interval((1 - LEVEL) / 2)


def gather(study: "MepCost", records: Sequence[Record]) -> Data | None:
    """The records of every pass that the study names; None if one is missing."""
    done = {(r.probe["kind"], r.probe["replicate"]): r.arrays for r in records if r.status == "done"}
    closed = done.get(("closed", 0))
    mine = [(done.get(("pass", number)), done.get(("vocabulary", number))) for number in study.numbers]
    if closed is None or any(one is None for both in mine for one in both):
        return None
    merged = [{**first, **second} for first, second in mine if first is not None and second is not None]
    axes = axes_of(study)
    tables = {name: Table(axes[name], np.stack([one[name] for one in merged])) for name in axes}
    forms = {name: Table(at, closed[name]) for name, at in closed_axes(study).items()}
    return Data(tables, forms)


def axes_of(study: "MepCost") -> dict[str, Axes]:
    """The axes of what a pass gives."""
    solving = study.solving
    lengths = {"dense": solving.dense_lengths, "windows": solving.window_lengths, "band": solving.band_lengths}
    solved: dict[str, Axes] = {}
    for kind in KINDS:
        solved |= {kind: {"T": lengths[kind]}, f"{kind}_bytes": {"T": lengths[kind]}}
    for kind in BY_VOCAB:
        v: Axes = {"V": getattr(study.vocabularies, kind)}
        solved |= {f"{kind}_by_v": v, f"{kind}_by_v_bytes": v}
    t: Axes = {"T": study.transformers.lengths}
    return {
        **solved,
        "dense_sweeps": {"T": solving.dense_lengths},
        "dense_error": {"T": solving.dense_lengths},
        "step": {**t, "model": MODELS},
        "decode": {**t, "way": WAYS},
        "cached_error": {},
    }


def closed_axes(study: "MepCost") -> dict[str, Axes]:
    """The axes of what is counted."""
    counts = study.counts
    vocab: Axes = {"V": counts.vocab_sizes}
    number: Axes = {"number": NUMBERS}
    return {
        "pairs": {"family": tuple(PAIRS), **vocab, "T": counts.lengths, **number},
        "windows": {"family": tuple(WINDOWS), **vocab, "T": counts.window_lengths, **number},
        "operations": {"shape": SHAPES, "quantity": ("F(2T) / F(T)", "saved share", "window decoding over cached")},
    }
