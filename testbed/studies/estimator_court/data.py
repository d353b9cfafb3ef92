"""The finished records as arrays over streams, and what every claim and figure reads off them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.estimator_court.config import Correction, CourtSource, Extrapolated, Kind, Size
from testbed.studies.estimator_court.measure import NAMES
from testbed.studies.judge import Mean, Replicates
from testbed.studies.judge.proportion import Proportion
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt

Flags = NDArray[np.bool_]
MIXING: tuple[Kind, ...] = ("near_uniform", "power_law", "other")
"""Kinds of sources whose streams show all their statistics."""
NEVER = ("slow", "mixture")
"""Kinds at which counting bins cannot show what is wrong."""


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    streams       by (label of the source, N): the arrays of `stream_arrays`
    corrections, extrapolated   by label
    """

    first: int
    streams: dict[tuple[str, int], dict[str, Floats]]
    corrections: dict[str, dict[str, Floats]]
    extrapolated: dict[str, dict[str, Floats]]

    def mean(self, values: Floats) -> Mean:
        """Evidence on the mean over the streams (R,) of an arm."""
        numbers = range(self.first, self.first + len(values))
        return Mean(values, Replicates({"stream": numbers}, seed=0))

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with Student's interval of level LEVEL."""
        student = self.mean(values).student
        return student.estimate, *student.interval((1 - LEVEL) / 2)

    def errors(self, source: CourtSource, size: Size) -> Floats:
        """(R, E, K + 1): estimate less truth."""
        arrays = self.streams[source.label, size.n_tokens]
        return np.asarray(arrays["estimates"] - arrays["truth"])

    def bias(self, source: CourtSource, size: Size) -> Floats:
        """(E, K + 1): mean error over streams."""
        return np.asarray(self.errors(source, size).mean(axis=0))

    def holds(self, source: CourtSource, size: Size) -> Flags:
        """(R, E, K + 1): whether the interval holds the truth."""
        arrays = self.streams[source.label, size.n_tokens]
        return np.asarray(np.abs(arrays["estimates"] - arrays["truth"]) <= arrays["half"])

    def trusted(self, source: CourtSource, size: Size) -> Flags:
        """(R, K + 1): whether the order lies within the trust limit."""
        arrays = self.streams[source.label, size.n_tokens]
        return np.asarray(np.arange(source.max_order + 1) <= arrays["trust"][:, None])

    def break_orders(self, source: CourtSource, size: Size, tolerance: float) -> NDArray[np.int64]:
        """(E,): the first order at which the bias exceeds the tolerance, K + 1 where none does."""
        broken = np.abs(self.bias(source, size)) > tolerance
        return np.where(broken.any(axis=1), broken.argmax(axis=1), source.max_order + 1)


def gather(study: "EstimatorCourt", records: Sequence[Record]) -> Data | None:
    """The records of every arm that the study names; None if one is missing."""
    done = {record.key: record.arrays for record in records if record.status == "done"}
    data = Data(study.first_replicate, {}, {}, {})
    for cell, probe in zip(study.cells({}), study.probes, strict=True):
        if cell.key not in done:
            return None
        if isinstance(probe.settings, Correction):
            data.corrections[probe.settings.label] = done[cell.key]
        elif isinstance(probe.settings, Extrapolated):
            data.extrapolated[probe.settings.label] = done[cell.key]
        else:
            data.streams[probe.settings.source.label, probe.settings.size.n_tokens] = done[cell.key]
    return data


def place(estimator: str) -> int:
    """Its row among the estimates."""
    return NAMES.index(estimator)


def of_kinds(study: "EstimatorCourt", kinds: Sequence[str]) -> list[CourtSource]:
    return [one for one in study.sources if one.kind in kinds]


def held_at(study: "EstimatorCourt", data: Data, estimator: str, beyond: int | None) -> tuple[int, int]:
    """Intervals that hold, and how many there are: one from each stream of the mixing sources.

    beyond    orders beyond the trust limit at which the interval is looked at; None for half the limit, where that is
              two or more. Streams without such an order are left out, as are, except at half the limit, those whose
              limit was not reached: it is the longest order that was asked for.
    """
    held = total = 0
    for source in of_kinds(study, MIXING):
        for size in study.interval_sizes:
            limits = data.streams[source.label, size.n_tokens]["trust"].astype(int)
            if beyond is None:
                orders, kept = limits // 2, limits >= 2
            else:
                orders = limits + beyond
                kept = (limits >= 0) & (limits < source.max_order) & (orders >= 0) & (orders <= source.max_order)
            rows = np.flatnonzero(kept[: size.n_intervals])
            held += int(data.holds(source, size)[rows, place(estimator), orders[rows]].sum())
            total += len(rows)
    return held, total


def coverage(study: "EstimatorCourt", data: Data, estimator: str, beyond: int | None) -> Proportion | None:
    """Of independent streams; None where no stream has such an order."""
    held, total = held_at(study, data, estimator, beyond)
    return Proportion(held, total, "stream") if total else None


def alarm_shares(
    study: "EstimatorCourt", data: Data, estimator: str, kinds: Sequence[str], biased: bool
) -> tuple[Floats, int]:
    """(R,): the share of (un)biased orders that each stream's trust limit excludes; and how many orders there are.

    Biased: mean error over streams above the tolerance, over all orders of the sources of these kinds and all lengths.
    """
    excluded, total = np.zeros(1), 0
    for source in of_kinds(study, kinds):
        for size in study.judged_sizes:
            wrong = np.abs(data.bias(source, size)[place(estimator)]) > study.bounds.tolerance
            chosen = wrong if biased else ~wrong
            excluded = excluded + (~data.trusted(source, size)[:, chosen]).sum(axis=1)
            total += int(chosen.sum())
    return excluded / max(total, 1), total


def warnings(
    study: "EstimatorCourt", data: Data, estimator: str, kinds: Sequence[str]
) -> tuple[Proportion | None, int]:
    """Streams whose trust limit excludes every order at which the estimator is off; and how many such orders there are.

    One event a stream, so that they are independent. Sources and lengths without such an order are left out.
    """
    warned = total = n_orders = 0
    for source in of_kinds(study, kinds):
        for size in study.interval_sizes:
            off = np.abs(data.bias(source, size)[place(estimator)]) > study.bounds.tolerance
            if off.any():
                excluded = ~data.trusted(source, size)[:, off]
                warned += int(excluded.all(axis=1).sum())
                total += len(excluded)
                n_orders += int(off.sum())
    return (Proportion(warned, total, "stream") if total else None), n_orders


def held_within(study: "EstimatorCourt", data: Data, source: CourtSource, size: Size) -> tuple[Floats, int]:
    """(E,): the share of intervals that hold, over streams and the orders within the trust limit; and their number."""
    inside = data.trusted(source, size)[: size.n_intervals]
    holds = data.holds(source, size)[: size.n_intervals].transpose(0, 2, 1)[inside]
    return (holds.mean(axis=0) if len(holds) else np.full(len(NAMES), np.nan)), len(holds)


def undersampled(study: "EstimatorCourt", data: Data, kind: str) -> list[tuple[CourtSource, Size, int]]:
    """(source, size, order) of that kind whose mean coverage deficit lies in 0.05 .. 0.9."""
    found = []
    for source in of_kinds(study, [kind]):
        for size in study.judged_sizes:
            deficit = data.streams[source.label, size.n_tokens]["deficit"].mean(axis=0)
            found += [(source, size, int(k)) for k in np.flatnonzero((deficit > 0.05) & (deficit < 0.9))]
    return found
