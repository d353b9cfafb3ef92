"""What a reader should know beside the verdicts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from testbed.studies.conditioning.claims import COMPARED
from testbed.studies.conditioning.config import ARMS, KINDS, LEARNERS, SHARES, Arm
from testbed.studies.conditioning.data import PLANTED, Data, Floats, slope
from testbed.studies.conditioning.evidence import correlated, difference, inherited, mean, missed, spread
from testbed.studies.drawing import LEVEL

if TYPE_CHECKING:
    from testbed.studies.conditioning.study import Conditioning

PAIRS = cast(tuple[tuple[Arm, Arm], ...], (*COMPARED.values(), ("planted_low", "planted_norm")))
"""Arms that are shown beside each other: those of claims, and the norm alone."""
THIRDS: tuple[Arm, ...] = ("low", "high", "random", "sham")
"""Arms that are held against training all."""


def interval(values: Floats) -> tuple[float, float, float]:
    """Mean and its interval, for this number alone."""
    number = mean(values)
    low, high = number.interval((1 - LEVEL) / 2)
    return number.estimate, low, high


def said(values: Floats, digits: int = 3) -> str:
    """The same in words; of replicates that have the number."""
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return "unknown"
    middle, low, high = interval(finite)
    lost = f" ({len(values) - len(finite)} did not get there)" if len(finite) < len(values) else ""
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]{lost}"


def notes(study: "Conditioning", data: Data) -> tuple[str, ...]:
    """All of them."""
    return (*_of_forgetting(study, data), *_of_kappa(study, data), *_of_streams(study, data))


def _of_forgetting(study: "Conditioning", data: Data) -> list[str]:
    levels, less = study.bounds.levels, study.bounds.less
    lines = [
        f"Forgetting, share of KL(A || B), mean over KL_B at {', '.join(f'{one:g}' for one in levels)} of its first:"
        f" {'; '.join(f'{arm} {said(data.at(arm, levels))}' for arm in ARMS)}. Intervals: {LEVEL:.0%}, each alone."
    ]
    for first, second in PAIRS:
        at = "; ".join(f"at {one:g} {said(difference(data, first, second, [one]))}" for one in levels)
        lines.append(f"{first} less {second}: {at}; {alike(study, data, first, second)}.")
    random = data.at("random", levels)
    scale = float(np.nanmean(random)) if np.isfinite(random).any() else float("nan")
    floor = data.floor[:, [SHARES.index(one) for one in levels]].mean(axis=1)
    thirds = "; ".join(f"{arm} {said(difference(data, arm, 'all', levels))}" for arm in THIRDS)
    return [
        *lines,
        f"The margin, {less:g} of KL(A || B), is {less / scale:.0%} of what random matrices forget there; the"
        f" least that any learner forgets there is {said(floor)}. Two random choices differ by"
        f" {said(difference(data, 'sham', 'random', levels))}.",
        f"A third of the matrices against all of them, whichever third: {thirds}.",
        f"First task: excess at most {data.known.max():.1e} of h_0 - h. Rate of the second task:"
        f" {data.rates['forgetting']:g} for all arms. On the tuning replicates each arm forgets least at:"
        f" {', '.join(f'{arm} {_least(study, rows)}' for arm, rows in data.tried.items())}.",
    ]


def alike(study: "Conditioning", data: Data, first: Arm, second: Arm) -> str:
    """Whether both differences lie within the margin either way, each interval alone: the reading of equivalence."""
    less = study.bounds.less
    for one in study.bounds.levels:
        values = difference(data, first, second, [one])
        if not np.isfinite(values).all():
            return "not known whether alike"
        _, low, high = interval(values)
        if not -less < low <= high < less:
            return "not shown to be alike within the margin"
    return "alike within the margin at every level"


def _of_kappa(study: "Conditioning", data: Data) -> list[str]:
    kappa, flat, n = data.kappa, data.flat, len(data.known)
    lines = [
        f"kappa of the {kappa.shape[1]} matrices: median {np.median(data.fresh):.1f} before the first task,"
        f" {np.median(kappa):.1f} after it, {np.median(data.gaussian):.1f} of Gaussian matrices of this shape;"
        f" spread of ln kappa within a member over theirs {said(spread(data), 2)}; rank correlation with kappa before"
        f" the first task {said(inherited(data), 2)}, with flatness {said(correlated(kappa, flat), 2)}.",
        f"Matrices that the lowest third by kappa and the flattest third share: {_shared(data, 'low', 'flat'):.1f} of"
        f" {data.places['low'].shape[1]}; highest kappa and least flat: {_shared(data, 'high', 'uneven'):.1f}.",
        "Pairs planted, geometric means: "
        + "; ".join(
            f"{arm} kappa {np.exp(data.planted[arm].mean()):.1f}, norm {np.exp(data.pairs[arm].mean()):.2f}"
            for arm in PLANTED
        )
        + ".",
    ]
    for arm in ("low", "high", "flat"):
        counts = np.bincount(data.places[arm].ravel() % len(KINDS), minlength=len(KINDS)) / n
        of = data.places[arm].ravel() // (len(KINDS) * study.model.heads)
        blocks = np.bincount(of, minlength=study.model.depth) / n
        lines.append(
            f"Arm {arm}, matrices a replicate: {', '.join(f'{k} {c:.2f}' for k, c in zip(KINDS, counts, strict=True))};"
            f" by block {', '.join(f'{c:.2f}' for c in blocks)}."
        )
    return lines


def _shared(data: Data, first: Arm, second: Arm) -> float:
    pairs = zip(data.places[first], data.places[second], strict=True)
    return float(np.mean([len(np.intersect1d(a, b)) for a, b in pairs]))


def _of_streams(study: "Conditioning", data: Data) -> list[str]:
    skipped, lines = study.stream.skipped, []
    for learner in LEARNERS:
        rows = data.logs[learner]
        by_rate = zip(study.stream_rates.learning_rates, data.aged[learner].mean(axis=0), strict=True)
        lines.append(
            f"Stream, {learner}: rate {data.rates[learner]:g}; slope of ln time from task {skipped} on"
            f" {said(slope(rows, skipped), 4)} per task, before it, from task 1, {said(slope(rows[:, :skipped], 1), 4)}"
            f" (the tuning replicates', from task {skipped}, by rate:"
            f" {', '.join(f'{rate:g}: {one:.4f}' for rate, one in by_rate)}); first task"
            f" {np.exp(rows[:, 0].mean()):.0f} steps, from task {skipped} on {np.exp(rows[:, skipped:].mean()):.0f};"
            f" slope of ln ELR {said(slope(data.elr[learner], skipped), 4)}; not learnt in time"
            f" {missed(study, data, learner):.1%}."
        )
    late = {one: rows[:, skipped:].mean(axis=1) for one, rows in data.logs.items()}
    ends = {name: _ends(study, name) for name in data.rates}
    edge = [name for name, rate in data.rates.items() if rate in ends[name]]
    return [
        *lines,
        f"ln time from task {skipped} on, NaP less fresh NaP {said(late['nap'] - late['fresh_nap'])}, less fresh layer"
        f" norm {said(late['nap'] - late['fresh'])}; layer norm less fresh {said(late['layer'] - late['fresh'])}; with"
        f" weight decay less fresh {said(late['decayed'] - late['fresh'])}.",
        f"Chosen rates at an edge of their grid: {', '.join(edge) if edge else 'none'}.",
    ]


def _least(study: "Conditioning", rows: Floats) -> str:
    """The rate of least mean among those at which every replicate got there."""
    means = rows.mean(axis=0)
    return f"{study.rates.learning_rates[int(np.nanargmin(means))]:g}" if np.isfinite(means).any() else "none"


def _ends(study: "Conditioning", name: str) -> Sequence[float]:
    grid = (study.rates if name == "forgetting" else study.stream_rates).learning_rates
    return grid[0], grid[-1]
