"""The number of each claim, from arrays over streams.

nsb_..., tokens_...   ratios of mean errors; the denominator, plug-in's bias or h_0, is taken as known: its own error is
                      far below the margins
correction...         mean over streams of what is left of the bias, in units of the first-order one, either sign
dependence_factor     mean of plug-in's bias in the same units, over the factor of the chain
covers_...            share of streams whose interval holds the truth at an order that the stream's own trust limit
                      names: one a stream, hence independent, and exact binomial
limit_...             share of streams whose limit excludes every order at which the mean error over all streams is
                      above the tolerance; one a stream, hence exact binomial
limit_false_alarms    mean over streams of the share of (source, length, order) that the limit excludes, among those
                      where it is below
coders_above          least mean of rate - code length of the exact law, over sources, lengths and coders: the chance of
                      each stream is in both, and the second is at least h on average
ansatz_...            exact errors; shares of streams (exact binomial)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.estimator_court.config import CourtSource, Size
from testbed.studies.estimator_court.data import (
    MIXING,
    NEVER,
    Data,
    alarm_shares,
    coverage,
    place,
    undersampled,
    warnings,
)
from testbed.studies.estimator_court.measure import CODERS, NAMES
from testbed.studies.estimator_court.stated import CORRECTED, STUDY
from testbed.studies.judge import Evidence, Exact, Max, Min
from testbed.studies.judge.proportion import Proportion
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.estimator_court.study import EstimatorCourt

TOKEN_WATCHERS = ("nsb", "chao_wang_jost")
"""Corrected estimators that are asked about tokens."""
PLUG_IN, NSB = NAMES.index("plug_in"), NAMES.index("nsb")


def evidence(study: "EstimatorCourt", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id; without those for which the streams have no case."""
    numbers = _of_bias(study, data) | _of_intervals(study, data) | _of_limit(study, data) | _of_rates(study, data)
    return {f"{STUDY}.{name}": number for name, number in numbers.items() if number is not None}


def either_sign(data: Data, values: Floats) -> list[Evidence]:
    """For the largest |mean|: the mean and its negative."""
    mean = data.mean(values)
    return [mean, -mean]


def _ratio(data: Data, cases: Sequence[tuple[CourtSource, Size, int]]) -> Evidence | None:
    """Largest over cases of |mean error of NSB| / |mean error of plug-in|."""
    parts = []
    for source, size, k in cases:
        errors = data.errors(source, size)[..., k]
        parts += either_sign(data, errors[:, NSB] / abs(errors[:, PLUG_IN].mean()))
    return Max(parts) if parts else None


def _of_bias(study: "EstimatorCourt", data: Data) -> dict[str, Evidence | None]:
    power = _ratio(data, undersampled(study, data, "power_law"))
    arms = {one.label: one for one in study.corrections}
    left: dict[str, list[Evidence]] = {"independent": [], "dependent": []}
    factors = []
    for label, found in data.corrections.items():
        left[arms[label].role] += either_sign(data, found["corrected"])
        if arms[label].role == "dependent":
            factors.append(data.mean(-found["plug_in"] / float(found["factor"])))
    falls = [token_falls(study, data, size) for size in study.judged_sizes]
    corrected = [place(name) for name in TOKEN_WATCHERS]
    return {
        "nsb_near_uniform": _ratio(data, undersampled(study, data, "near_uniform")),
        "nsb_power_law": power,
        "nsb_still_better": power,
        "correction": Max(left["independent"]),
        "correction_dependent": Max(left["dependent"]),
        "dependence_factor": factors[0] if len(factors) == 1 else Max(factors),
        "tokens_fall": Min([data.mean(one[:, PLUG_IN]) for one in falls]),
        "tokens_corrected": Max([data.mean(one[:, i]) for one in falls for i in corrected]),
    }


def token_falls(study: "EstimatorCourt", data: Data, size: Size) -> Floats:
    """(R, E): by what share of the exact h_0 estimates fall from h_0 to h_K on tokens without structure."""
    arrays = data.streams[study.sources_of_tokens.label, size.n_tokens]
    return np.asarray((arrays["estimates"][..., 0] - arrays["estimates"][..., -1]) / arrays["truth"][0])


def _of_intervals(study: "EstimatorCourt", data: Data) -> dict[str, Evidence | None]:
    def each(names: Sequence[str], beyond: int | None) -> list[Evidence]:
        found = [coverage(study, data, name, beyond) for name in names]
        return [one for one in found if one is not None]

    inside, at_limit, outside = each(CORRECTED, None), each(CORRECTED, 0), each(NAMES, 2)
    return {
        "covers_inside": Min(inside) if inside else None,
        "covers_at_limit": Min(at_limit) if at_limit else None,
        "covers_beyond": Max(outside) if outside else None,
    }


def _of_limit(study: "EstimatorCourt", data: Data) -> dict[str, Evidence | None]:
    alarms, total = alarm_shares(study, data, "nsb", MIXING, False)
    return {
        "limit_warns": warnings(study, data, "nsb", MIXING)[0],
        "limit_plug_in": warnings(study, data, "plug_in", MIXING)[0],
        "limit_false_alarms": data.mean(alarms) if total else None,
        "limit_slow": warnings(study, data, "nsb", NEVER)[0],
    }


def closer(study: "EstimatorCourt", data: Data, coder: int) -> Proportion:
    """Streams whose extrapolated rate is closer to h than the rate itself."""
    flags = []
    for source in study.sources:
        for size in study.sizes:
            if size.coders:
                arrays = data.streams[source.label, size.n_tokens]
                off = np.abs(np.stack([arrays["limit"], arrays["coded"]]) - arrays["rate"])[..., coder]
                flags.append(off[0] < off[1])
    every = np.concatenate(flags)
    return Proportion(int(every.sum()), len(every), "stream")


def _of_rates(study: "EstimatorCourt", data: Data) -> dict[str, Evidence | None]:
    above: list[Evidence] = []
    longest: list[Evidence] = []
    for source in study.sources:
        for size in study.sizes:
            arrays = data.streams[source.label, size.n_tokens]
            if size.coders:
                above += [data.mean(column) for column in (arrays["coded"] - arrays["bayes"][:, None]).T]
            if size.intervals:
                longest.append(data.mean(arrays["estimates"][:, PLUG_IN, -1] - arrays["rate"]))
    errors: dict[str, list[Evidence]] = {"class": [], "other": []}
    sampled: list[NDArray[np.bool_]] = []
    for one in study.extrapolated:
        found = data.extrapolated[one.label]
        errors[one.role].append(Exact(abs(float(found["limit"] - found["rate"]))))
        if one.replicates:
            sampled.append(np.abs(found["coded_limit"] - found["rate"]) <= study.bounds.tolerance)
    return {
        "coders_above": Min(above),
        "plug_in_above": Min(longest),
        "ansatz_class": Max(errors["class"]),
        "ansatz_any": Max(errors["other"]),
        "ansatz_sampled": Proportion(int(np.concatenate(sampled).sum()), len(np.concatenate(sampled)), "stream"),
        "ansatz_closer": Min([closer(study, data, i) for i in range(len(CODERS))]),
    }
