"""The finished records as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.measures.conditioning import condition_number
from testbed.runs import Record
from testbed.studies.conditioning.config import ARMS, LEARNERS, SHARES, Arm, Learner
from testbed.studies.conditioning.grid import forgetting_cell, forgetting_rate, stream_cell, stream_rate
from testbed.studies.conditioning.measure import log_times

if TYPE_CHECKING:
    from testbed.studies.conditioning.study import Conditioning

Floats = NDArray[np.float64]
PLANTED: tuple[Arm, ...] = ("planted_low", "planted_norm", "planted_high")


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from; R replicates, S = 19 levels of `SHARES`, L matrices, m tasks.

    forgotten   by arm (R, S): KL_A after less before, over KL(A || B); nan where the level is not reached
    floor       (R, S) the least that any learner has, in the same unit
    known       (R,) excess on A before, over h_0 - h
    kappa, flat (R, L) of the matrices that arms choose among, when the second task begins
    fresh       (R, L) kappa of the same before the first task
    gaussian    (draws,) kappa of matrices of normal entries, of the same shape
    planted     by arm (R, n) ln kappa of the matrices of the drawn pairs
    pairs       by arm (R, n / 2) ln of the norms of these pairs, sqrt of the sum of squares
    places      by arm (R, n) which ones it trains
    logs        by learner (R, m) ln time; of a task not learnt in time, ln of the steps there were
    missed      by learner (R, m) which those are
    elr         by learner (R, m) ln (rate / |w|) when a task begins
    rates       by learner, and of "forgetting"
    tried       forgetting by arm and rate (R', rates) on the tuning replicates, mean over levels
    aged        slope by learner and rate (R', rates) on the tuning replicates
    off         largest or least of what checks are about
    """

    forgotten: dict[Arm, Floats]
    floor: Floats
    known: Floats
    kappa: Floats
    flat: Floats
    fresh: Floats
    gaussian: Floats
    places: dict[Arm, NDArray[np.int64]]
    logs: dict[Learner, Floats]
    missed: dict[Learner, NDArray[np.bool_]]
    elr: dict[Learner, Floats]
    planted: dict[Arm, Floats] = field(default_factory=dict)
    pairs: dict[Arm, Floats] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    tried: dict[Arm, Floats] = field(default_factory=dict)
    aged: dict[Learner, Floats] = field(default_factory=dict)
    off: dict[str, float] = field(default_factory=dict)
    paired: Floats = field(default_factory=lambda: np.zeros(1))
    diverged: int = 0

    def at(self, arm: Arm, levels: Sequence[float]) -> Floats:
        """(R,) forgetting, mean over levels; nan where one is not reached."""
        return np.asarray(self.forgotten[arm][:, [SHARES.index(one) for one in levels]].mean(axis=1))


def read_off(old: Floats, new: Floats, shares: Sequence[float]) -> Floats:
    """KL_A less its first value where KL_B first comes down to each share of its own first value, by straight lines
    between points; nan where it does not.

    >>> read_off(np.array([0.0, 0.2, 0.6]), np.array([2.0, 1.0, 0.0]), (0.75, 0.25)).round(3).tolist()
    [0.1, 0.4]
    """
    found = np.full(len(shares), np.nan)
    for place, share in enumerate(shares):
        level = share * new[0]
        below = np.flatnonzero(new <= level)
        if len(below) and below[0] > 0:
            i = int(below[0])
            part = (new[i - 1] - level) / (new[i - 1] - new[i])
            found[place] = old[i - 1] + part * (old[i] - old[i - 1]) - old[0]
    return found


def slope(rows: Floats, skipped: int) -> Floats:
    """(R,) least-squares slope over the number of the task, first tasks left out.

    >>> slope(np.array([[9.0, 1.0, 3.0, 5.0]]), 1).tolist()
    [2.0]
    """
    kept = rows[:, skipped:]
    place = np.arange(kept.shape[1]) - (kept.shape[1] - 1) / 2
    return np.asarray(kept @ place / (place @ place))


def gaussian(rows: int, columns: int, draws: int = 4000) -> Floats:
    """(draws,) condition numbers of matrices of independent normal entries, always the same draws."""
    return condition_number(np.random.default_rng(0).standard_normal((draws, rows, columns)))


def gather(study: "Conditioning", records: Sequence[Record]) -> Data | None:
    """All records as arrays, None where some are missing."""
    found = {record.key: record for record in records}
    rate, tried_cells = forgetting_rate(study, found)
    stream_rates = {one: stream_rate(study, one, found)[0] for one in LEARNERS}
    if rate is None or None in stream_rates.values():
        return None
    cells = {arm: [forgetting_cell(study, arm, number, rate) for number in study.seeds] for arm in ARMS}
    lived = {
        one: [stream_cell(study, one, number, float(stream_rates[one] or 0)) for number in study.seeds]
        for one in LEARNERS
    }
    every = [cell for group in (*cells.values(), *lived.values()) for cell in group]
    if any(cell.key not in found for cell in every):
        return None
    diverged = sum(found[cell.key].status != "done" for cell in every)
    if diverged:
        none = np.zeros((0, 0))
        return Data({}, none, none, none, none, none, none, {}, {}, {}, {}, diverged=diverged)
    mine = {arm: [found[cell.key] for cell in group] for arm, group in cells.items()}
    forced = np.array([_number(one, "forced") for one in mine["all"]])
    flat = [one for group in mine.values() for one in group]
    off = {name: max(_number(one, name) for one in flat) for name in ("moved", "changed")}
    off["above"] = min(_number(one, "above") for one in flat)
    streams = {one: [found[cell.key] for cell in group] for one, group in lived.items()}
    times = {one: np.stack([record.arrays["times"] for record in group]) for one, group in streams.items()}
    norms = {one: np.stack([record.arrays["norms"] for record in group]) for one, group in streams.items()}
    off["projected"] = float(np.abs(np.log(norms["nap"] / norms["nap"][:, :1])).max())
    places = {arm: np.stack([one.arrays["places"] for one in group]).astype(np.int64) for arm, group in mine.items()}
    planted, pairs = {}, {}
    for arm in PLANTED:
        kappa, norm = (
            np.take_along_axis(np.stack([one.arrays[name] for one in mine[arm]]), places[arm], axis=1)
            for name in ("kappa", "norm")
        )
        planted[arm] = np.log(kappa)
        pairs[arm] = np.log((norm.reshape(len(norm), -1, 2) ** 2).sum(axis=2)) / 2
    return Data(
        forgotten={arm: np.stack([_forgotten(one) for one in group]) for arm, group in mine.items()},
        floor=np.stack([one.arrays["floor"] for one in mine["all"]]) / forced[:, None],
        known=np.array([_number(one, "before") / _number(one, "information") for one in mine["all"]]),
        kappa=np.stack([one.arrays["kappa"] for one in mine["all"]]),
        flat=np.stack([one.arrays["flat"] for one in mine["all"]]),
        fresh=np.stack([one.arrays["fresh"] for one in mine["all"]]),
        gaussian=gaussian(study.model.width, study.model.width // study.model.heads),
        places=places,
        planted=planted,
        pairs=pairs,
        logs={one: log_times(array, study.stream.steps) for one, array in times.items()},
        missed={one: np.isnan(array) for one, array in times.items()},
        elr={one: np.log(float(stream_rates[one] or 0) / array) for one, array in norms.items()},
        rates={"forgetting": rate} | {one: float(value or 0) for one, value in stream_rates.items()},
        tried=_tried(study, [found[cell.key] for cell in tried_cells]),
        aged={one: _aged(study, [found[cell.key] for cell in stream_rate(study, one, found)[1]]) for one in LEARNERS},
        off=off,
        paired=np.array([_number(one, "paired") / max(_number(one, "paired_error"), 1e-12) for one in mine["all"]]),
    )


def _tried(study: "Conditioning", records: list[Record]) -> dict[Arm, Floats]:
    """(replicates, rates) of each arm, as the cells of a trial stand: by rate, arm, replicate."""
    rates, n = study.rates.learning_rates, study.rates.n_seeds
    columns = [SHARES.index(one) for one in study.bounds.levels]
    values = [float(_forgotten(one)[columns].mean()) if one.status == "done" else float("nan") for one in records]
    table = np.array(values).reshape(len(rates), len(ARMS), n)
    return {arm: table[:, place].T for place, arm in enumerate(ARMS)}


def _aged(study: "Conditioning", records: list[Record]) -> Floats:
    """(replicates, rates) slopes of a learner."""
    logs = log_times(np.stack([one.arrays["times"] for one in records]), study.stream.steps)
    return slope(logs, study.stream.skipped).reshape(-1, study.stream_rates.n_seeds).T


def _forgotten(record: Record) -> Floats:
    return read_off(record.arrays["old"], record.arrays["new"], SHARES) / _number(record, "forced")


def _number(record: Record, name: str) -> float:
    return float(record.metrics[name])  # type: ignore[arg-type]
