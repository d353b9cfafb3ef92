"""The finished records as arrays, one row a replicate."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Replicates, mean_if_known
from testbed.studies.normalisers.config import FAMILIES, NormName

if TYPE_CHECKING:
    from testbed.studies.normalisers.study import Normalisers

Floats = NDArray[np.float64]
BATCH: tuple[NormName, ...] = ("batch", "batch_scaled")


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from; a run that diverged has nan.

    norms[family, norm]     (R, stays of the norm) excess
    told, bayes[family]     (R, stays) what context tells, and the Bayes loss
    fluctuation[family]     (R, stays) root of the summed variances of symbols' shares in a batch
    leak[family, norm]      (R, stays of the norm) batch norms: excess with a batch's own statistics less that with
                            running ones, on the same batches
    part_layer, part_batch  (R,) and (R, sizes) excess in the second part; `part_told` (R,), `part_leak` and
                            `part_fluctuation` (R, sizes)
    """

    norms: dict[tuple[str, str], Floats]
    told: dict[str, Floats]
    bayes: dict[str, Floats]
    fluctuation: dict[str, Floats]
    leak: dict[tuple[str, str], Floats]
    part_layer: Floats
    part_batch: Floats
    part_told: Floats
    part_leak: Floats
    part_fluctuation: Floats
    rates: dict[str, float] = field(default_factory=dict)
    paired: Floats = field(default_factory=lambda: np.zeros(1))

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates of (R,) values; undecided where runs diverged."""
        return mean_if_known(values, replicates_of(len(values)))

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    def gap(self, family: str, arm: str = "batch", over: str = "layer") -> Floats:
        """(R, stays that both have) excess of a norm less that of another."""
        one, other = self.norms[family, arm], self.norms[family, over]
        n = min(one.shape[1], other.shape[1])
        return one[:, -n:] - other[:, -n:]


@lru_cache(maxsize=16)
def replicates_of(n: int) -> Replicates:
    """Independent replicates."""
    return Replicates({"replicate": list(range(n))}, seed=0)


def gather(study: "Normalisers", records: Sequence[Record]) -> Data | None:
    """The records that the study names; None if one is missing."""
    from testbed.studies.normalisers.grid import conditions, member_cell

    by = {_key(one.probe): one for one in records}
    rate = study.tuning.learning_rates[0]
    rows: dict[tuple[str, str, float, int | None], list[Record]] = {}
    for arm, family, stay, size in conditions(study):
        keys = []
        for seed in study.seeds:
            cell = member_cell(study, arm, family, stay, seed, rate, True, size)
            keys.append(_key(cell.probe.resolved()))
        if any(key not in by for key in keys):
            return None
        rows[arm, family, stay, size] = [by[key] for key in keys]

    def metric(name: str, arm: str, family: str, stay: float, size: int | None = None) -> Floats:
        found = [one.metrics.get(name) if one.status == "done" else None for one in rows[arm, family, stay, size]]
        return np.array([np.nan if one is None else float(one) for one in found])

    def over(name: str, family: str, arm: NormName) -> Floats:
        return np.stack([metric(name, arm, family, stay) for stay in study.stays_of(family, arm)], axis=1)  # type: ignore[arg-type]

    pairs = [(family, arm) for family in FAMILIES for arm in study.arms if study.stays_of(family, arm)]
    longest, sizes = study.bursts.stays[-1], study.parts.sizes

    def part(name: str) -> Floats:
        return np.stack([metric(name, "batch", "burst", longest, size) for size in sizes], axis=1)

    done = [one for group in rows.values() for one in group if one.status == "done"]
    z = [float(one.metrics["paired"]) / max(float(one.metrics["paired_error"]), 1e-9) for one in done]  # type: ignore[arg-type]
    return Data(
        norms={pair: over("excess", *pair) for pair in pairs},
        told={f: over("told", f, "layer") for f in FAMILIES},
        bayes={f: over("bayes", f, "layer") for f in FAMILIES},
        fluctuation={f: over("fluctuation", f, "layer") for f in FAMILIES},
        leak={(f, a): over("own", f, a) - over("running", f, a) for f, a in pairs if a in BATCH},
        part_layer=metric("excess", "layer", "burst", longest, 0),
        part_batch=part("excess"),
        part_told=metric("told", "layer", "burst", longest, 0),
        part_leak=part("own") - part("running"),
        part_fluctuation=part("fluctuation"),
        rates={
            f"{arm}, {family}, B = {stay:g}" + (f", statistics of {size} sequences" if size else "")
            + (" (second part)" if size is not None else ""): float(group[0].probe["learning_rate"])
            for (arm, family, stay, size), group in rows.items()
        },
        paired=np.array(z),
    )  # fmt: skip


def _key(probe: dict[str, object]) -> tuple[object, ...]:
    return tuple(probe[name] for name in ("kind", "arm", "family", "stay", "size", "seed"))
