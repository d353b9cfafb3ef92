"""The number of each claim: a mean over replicates, or the least or largest of a few.

slope_trained    d ln(T* - 2) / dg of models trained at each length; mass_trained: the same number
place_trained    max over g of |mean of ln T* - ln T*_predicted|
slope_carried    d ln(T* - 2) / dg of readouts carried on
sigma_rates      min over sources of the share of replicates in which the largest working rate with sigmaReparam is
                 more than `ratio` times that without; the other arms alike
sigma_entropy    coin: mean over rates of the least head's entropy with sigmaReparam less that without, share of ln n
copy_collapsed   copy, nothing: share of the members that work in which a head has collapsed; coin_collapsed likewise
harm_collapsed   coin, nothing: share of the members that do not work in which a head has collapsed
lead             coin, nothing, rising rate: steps from collapse to spike
near_floor       max over sources of the mean distance from the floor of the logits, share of ln n, nothing, rates that
                 work
weights_floor    max over sources of the mean floor that norms of weights promise, share of ln n, likewise
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.attention_sharpness.claims import PREFIX
from testbed.studies.attention_sharpness.laws import others, slope
from testbed.studies.attention_sharpness.results import Bools, Case, Floats, Measured, largest_rate
from testbed.studies.gate import largest, least, usable
from testbed.studies.judge import Evidence, Mean, Replicates
from testbed.studies.judge.proportion import Proportion
from testbed.studies.judge.share import Share

if TYPE_CHECKING:
    from testbed.studies.attention_sharpness.study import AttentionSharpness

Known = Evidence | None
"""None: too few replicates have the number."""


def evidence(study: "AttentionSharpness", data: Measured) -> dict[str, Known]:
    """Every claim's number, by the claim's id."""
    copies = study.copies
    places = [one.name for one in study.sweep.places]
    arms = [one.name for one in study.sweep.arms]
    nothing, coin, copy = arms[0], (places[1], arms[0]), (places[0], arms[0])
    trained = mean(data, np.array([slope(copies.gaps, others(row)) for row in data.failed]))
    off = data.failed - data.predicted
    sides = [mean(data, sign * off[:, i]) for i in range(off.shape[1]) for sign in (1.0, -1.0)]
    found: dict[str, Known] = {
        "slope_trained": trained,
        "mass_trained": trained,
        "place_trained": largest(sides) if all(one is not None for one in sides) else None,
        "slope_carried": mean(data, np.array([slope(copies.carried_gaps, others(row)) for row in data.carried])),
    }
    for arm in arms[1:]:
        gains = [largest_rate(study, data.works[p, arm]) - largest_rate(study, data.works[p, nothing]) for p in places]
        enough = [one > math.log(study.bounds.ratio) for one in gains]
        found[f"{arm}_rates"] = least([Proportion(int(one.sum()), len(one), "seed") for one in enough])
    both = data.entropy[places[1], arms[1]] - data.entropy[coin]
    found |= {
        f"{arms[1]}_entropy": mean(data, row_mean(both)),
        "copy_collapsed": _share(data, copy, data.works[copy]),
        "coin_collapsed": _share(data, coin, data.works[coin]),
        "harm_collapsed": _share(data, coin, ~data.works[coin]),
        "lead": mean(data, data.lead[coin]),
        "near_floor": largest([_bounded(mean(data, _of_working(data, (p, nothing), data.slack[p]))) for p in places]),
        "weights_floor": largest(
            [_bounded(mean(data, _of_working(data, (p, nothing), data.promised[p]))) for p in places]
        ),
    }
    return {PREFIX + name: number for name, number in found.items()}


def mean(data: Measured, values: Floats) -> Known:
    """Over the replicates that have the number; None where they are too few."""
    kept = np.isfinite(values)
    if not usable(kept):
        return None
    seeds = tuple(int(seed) for seed, keep in zip(data.seeds, kept, strict=True) if keep)
    return Mean(values[kept], Replicates({"seed": seeds}, seed=0))


def row_mean(values: Floats, kept: Bools | None = None) -> Floats:
    """(S,) mean of what is kept of each row; nan where nothing is."""
    use = np.isfinite(values) if kept is None else kept & np.isfinite(values)
    n = use.sum(axis=1)
    found: Floats = np.where(n > 0, np.where(use, values, 0.0).sum(axis=1) / np.maximum(n, 1), np.nan)
    return found


def _share(data: Measured, case: Case, members: Bools) -> Known:
    known = np.where(np.isfinite(data.entropy[case]), data.collapsed[case].astype(float), np.nan)
    return _bounded(mean(data, row_mean(known, members)))


def _of_working(data: Measured, case: Case, values: Floats) -> Floats:
    return row_mean(values, data.works[case])


def _bounded(number: Known) -> Known:
    return None if number is None else Share(number)
