"""The number of each claim: slopes of logarithms against ln T or ln V, and logarithms of ratios within a pass."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from testbed.studies.judge import Evidence, Exact, Max
from testbed.studies.mep_cost.closed import Floats
from testbed.studies.mep_cost.data import Data

if TYPE_CHECKING:
    from testbed.studies.mep_cost.study import MepCost

STUDY = "mep_cost"
LAST = 3
"""Lengths, the longest, over which a slope is fitted."""


def slope(lengths: ArrayLike, values: Floats) -> Floats:
    """Least-squares slope of ln values (..., n) against ln lengths (n,), over the last three of them.

    >>> slope([2, 4, 8, 16], np.array([9.0, 4.0, 16.0, 64.0])).round(6)
    np.float64(2.0)
    """
    x = np.log(np.asarray(lengths, dtype=np.float64)[-LAST:])
    y = np.log(values[..., -LAST:])
    x = x - x.mean()
    return np.asarray((y * x).sum(axis=-1) / (x**2).sum())[()]


def evidence(study: "MepCost", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    numbers = _counted(data) | _solved(data) | _against(study, data)
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def _counted(data: Data) -> dict[str, Evidence]:
    pairs, windows = data.closed["pairs"], data.closed["windows"]
    v = pairs.axes["V"]

    def against_length(table: str, family: str, number: str) -> Exact:
        found = data.closed[table]
        return Exact(float(slope(found.axes["T"], found.at(family=family, V=v[0], number=number))))

    by_vocab = slope(v, pairs.at(family="pairs_all", T=pairs.axes["T"][-1], number="rank"))
    by_vocab_windows = slope(v, windows.at(family="windows", T=windows.axes["T"][0], number="rank"))
    saved = data.closed["operations"].at(quantity="saved share")
    return {
        "c8_window_tables": against_length("windows", "windows", "tables"),
        "c8_window_equations": against_length("windows", "windows", "rank"),
        "c8_pair_tables": against_length("pairs", "pairs_all", "tables"),
        "c8_pair_equations": against_length("pairs", "pairs_all", "rank"),
        "c8_fixed_lag": against_length("pairs", "pairs_lag_2", "rank"),
        "c8_vocabulary": Max([Exact(float(by_vocab)), Exact(float(by_vocab_windows))]),
        "c9_operations": Exact(float(saved.max())),
    }


def _solved(data: Data) -> dict[str, Evidence]:
    def slopes(name: str) -> Evidence:
        table = data.tables[name]
        (at,) = table.axes.values()
        return data.mean(slope(at, table.values))

    return {
        "c8_pair_seconds": slopes("dense"),
        "c8_pair_bytes": slopes("dense_bytes"),
        "c8_window_seconds": slopes("windows"),
        "c8_window_bytes": slopes("windows_bytes"),
        "c8_band_seconds": slopes("band"),
        "c8_band_bytes": slopes("band_bytes"),
        "c8_pair_seconds_by_v": slopes("dense_by_v"),
        "c8_pair_bytes_by_v": slopes("dense_by_v_bytes"),
        "c8_band_seconds_by_v": slopes("band_by_v"),
        "c8_band_bytes_by_v": slopes("band_by_v_bytes"),
    }


def _against(study: "MepCost", data: Data) -> dict[str, Evidence]:
    longest = study.transformers.lengths[-1]
    step, decode = data.tables["step"], data.tables["decode"]
    shared = study.shared_lengths
    solve_share = np.log(solve_shares(study, data))
    half = np.log(window_ratio(study, data, "half"))
    return {
        "c9_training": data.mean(np.log(step.at(T=longest, model="2T") / step.at(T=longest, model="T"))),
        "c9_decoding": data.mean(np.log(decode.at(T=longest, way="window") / decode.at(T=longest, way="cached"))),
        "c9_windows": Max(data.mean(column) for column in np.log(window_ratio(study, data, "window")).T),
        "c9_half_windows": data.mean(half[:, -1]),
        "c9_half_crossing": data.mean(linear_slope(np.log(study.transformers.lengths), half)),
        "c9_pairs": data.mean(pair_saving(study, data)[:, -1]),
        "c9_crossing": data.mean(linear_slope(np.log(shared), solve_share)),
    }


def linear_slope(x: ArrayLike, y: Floats) -> Floats:
    """Least-squares slope of y (..., n) against x (n,)."""
    centred = np.asarray(x, dtype=np.float64) - np.mean(np.asarray(x))
    return np.asarray((y * centred).sum(axis=-1) / (centred**2).sum())


def window_ratio(study: "MepCost", data: Data, way: str) -> Floats:
    """(pass, T): training at T and decoding by windows in one way, over training at 2T and decoding with kept keys."""
    b, step, decode = study.bounds, data.tables["step"], data.tables["decode"]
    new = b.decoded * np.array(step.axes["T"], dtype=np.float64)
    windows = b.steps * step.at(model="T") + new * decode.at(way=way)
    return np.asarray(windows / (b.steps * step.at(model="2T") + new * decode.at(way="cached")))


def pair_saving(study: "MepCost", data: Data) -> Floats:
    """(pass, shared T): what training at T saves of training at 2T, less solving for all pairs, as a share of the
    latter; decoding is left out, in favour of the pairs."""
    steps = study.bounds.steps
    parts = []
    for t in study.shared_lengths:
        short, long = (steps * data.tables["step"].at(T=t, model=model) for model in ("T", "2T"))
        parts.append((long - short - data.tables["dense"].at(T=t)) / long)
    return np.stack(parts, axis=1)


def solve_shares(study: "MepCost", data: Data) -> Floats:
    """(pass, shared T): seconds of solving for all pairs over those of training at 2T."""
    steps = study.bounds.steps
    return np.stack(
        [
            data.tables["dense"].at(T=t) / (steps * data.tables["step"].at(T=t, model="2T"))
            for t in study.shared_lengths
        ],
        axis=1,
    )
