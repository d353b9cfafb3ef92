"""The number of each claim, a mean over replicates of differences within them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from testbed.studies.conditioning.claims import CHOSEN, COMPARED, STUDY
from testbed.studies.conditioning.config import Arm, Learner
from testbed.studies.conditioning.data import Data, Floats, slope
from testbed.studies.judge import Evidence, Max, Mean, Open, Replicates, unknown

if TYPE_CHECKING:
    from testbed.studies.conditioning.study import Conditioning

SURE = 0.01
"""Level of the intervals on which the gate rests."""


def evidence(study: "Conditioning", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id; open where what it compares was not reached or not learnt."""
    found: dict[str, Evidence] = {}
    reasons = gate(study, data)
    for name, (first, second) in COMPARED.items():
        found[name] = _difference(study, data, cast(Arm, first), cast(Arm, second), reasons if name in CHOSEN else ())
    slopes = {one: slope(rows, study.stream.skipped) for one, rows in data.logs.items()}
    late = {one: rows[:, study.stream.skipped :].mean(axis=1) for one, rows in data.logs.items()}
    for name, values, anywhere, early in (
        ("nap_young", slopes["nap"], ("nap",), ()),
        ("nap_flat", slopes["nap"], ("nap",), ()),
        ("layer_ages", slopes["layer"], (), ("layer",)),
        ("bare_ages", slopes["bare"], (), ("bare",)),
        ("normalised_ages", slopes["normalised"], (), ("normalised",)),
        ("nap_less", slopes["nap"] - slopes["layer"], ("nap",), ("layer",)),
        ("decay_less", slopes["decayed"] - slopes["layer"], ("decayed",), ("layer",)),
        ("used_later", late["layer"] - late["fresh"], ("fresh",), ()),
        ("used_nap", late["nap"] - late["fresh_nap"], ("fresh_nap",), ()),
    ):
        slow = [one for one in anywhere if missed(study, data, cast(Learner, one)) > study.bounds.missed]
        slow += [one for one in early if missed(study, data, cast(Learner, one), True) > study.bounds.missed]
        number: Evidence = mean(values)
        if slow:
            said = f"{' and '.join(slow)} did not learn over {study.bounds.missed:.0%} of the tasks in time"
            number = Open(number, said)
        found[name] = number
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def mean(values: Floats) -> Mean:
    """Over replicates, which are independent."""
    return Mean(values, Replicates.grid({"replicate": len(values)}, seed=0))


def missed(study: "Conditioning", data: Data, learner: Learner, early: bool = False) -> float:
    """Share of the tasks from which slopes are made, or of the first half of them, that were not learnt in time.

    Such a task counts as learnt at its end, sooner than it would have been: late in the stream that lowers a slope, and
    what is said to rise rises all the same; early in it, it would raise it.
    """
    kept = data.missed[learner][:, study.stream.skipped :]
    return float((kept[:, : kept.shape[1] // 2] if early else kept).mean())


def gate(study: "Conditioning", data: Data) -> tuple[str, ...]:
    """Why choices by kappa say nothing, if they do: kappa must differ between the matrices of a member by more than
    Gaussian matrices do, and must not be what the fresh weights had. Both by one-sided intervals of `SURE`."""
    from scipy.stats import t

    b, reasons = study.bounds, []
    for values, bound, sign, said in (
        (spread(data), b.spread, 1, "kappa differs between matrices hardly more than chance has it"),
        (inherited(data), b.inherited, -1, "kappa is what the fresh weights had"),
    ):
        error = float(values.std(ddof=1)) / len(values) ** 0.5
        surely = float(values.mean()) - sign * float(t.isf(SURE, len(values) - 1)) * error
        if sign * (surely - bound) < 0:
            reasons.append(f"{said}: {values.mean():.2f}, bound {bound:g}")
    return tuple(reasons)


def spread(data: Data) -> Floats:
    """(R,) standard deviation of ln kappa within a member, over that of Gaussian matrices of the same shape."""
    return np.asarray(np.log(data.kappa).std(axis=1, ddof=1) / np.log(data.gaussian).std(ddof=1))


def inherited(data: Data) -> Floats:
    """(R,) rank correlation of kappa before the second task with that of the fresh weights."""
    return correlated(data.kappa, data.fresh)


def correlated(first: Floats, second: Floats) -> Floats:
    """(R,) rank correlations of the rows, which have no ties."""
    ranks = [np.argsort(np.argsort(rows, axis=1), axis=1) - (rows.shape[1] - 1) / 2 for rows in (first, second)]
    return np.asarray((ranks[0] * ranks[1]).sum(axis=1) / (ranks[0] ** 2).sum(axis=1))


def difference(data: Data, first: Arm, second: Arm, levels: Sequence[float]) -> Floats:
    """(R,) forgetting of the first arm less the second's, mean over levels; nan where one of them is not reached."""
    return data.at(first, levels) - data.at(second, levels)


def _difference(study: "Conditioning", data: Data, first: Arm, second: Arm, reasons: tuple[str, ...]) -> Evidence:
    """The largest over levels of the mean difference, open for the reasons given."""
    levels, n = study.bounds.levels, len(data.known)
    unlearnt = int((data.known > study.bounds.known).sum())
    if unlearnt:
        return unknown(f"{unlearnt} of {n} members had not learnt the first task")
    lost = int(np.isnan(difference(data, first, second, levels)).sum())
    if lost:
        return unknown(f"in {lost} of {n} replicates one of the two did not come down to KL_B at {min(levels):g}")
    number: Evidence = Max(mean(difference(data, first, second, [one])) for one in levels)
    for reason in reasons:
        number = Open(number, reason)
    return number
