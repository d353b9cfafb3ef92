"""The numbers that the claims are about.

gap_burst, gap_net      slopes over log2 of the stay, of each replicate: excess of batch norm less that of layer norm,
                        in `burst`, and `burst` less `flat`
ratio_net               the same of the logarithm of their ratio, `burst` less `flat`
steadier                gap - left x gap at the fewest sequences that share statistics, gap at the most: at most 0 where
                        that share of it is left
power_bare, _scaled     (power - base) - (1 - closed) (batch - base) at the longest stay: at most 0 where PowerNorm
                        closes that share; base is layer norm, or RMS norm where both stand behind its scaling. A ratio
                        of two noisy gaps is never formed
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.gate import learnt
from testbed.studies.judge import Evidence, Open
from testbed.studies.normalisers.claims import STUDY
from testbed.studies.normalisers.data import Data, Floats

if TYPE_CHECKING:
    from testbed.studies.normalisers.study import Normalisers

CLEAR = 0.05
"""Error rate at which a gap must be above 0 before one asks what share of it is left."""


def evidence(study: "Normalisers", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    bounds, stays = study.bounds, study.bursts.stays
    slopes = {family: slope(stays, data.gap(family)) for family in ("burst", "flat")}
    logs = {
        family: slope(stays, np.log(data.norms[family, "batch"] / data.norms[family, "layer"]))
        for family in ("burst", "flat")
    }
    few, many = (data.part_batch[:, at] - data.part_layer for at in (0, -1))
    bare, scaled = data.gap("burst")[:, -1], data.gap("burst", "batch_scaled", "rms")[:, -1]
    numbers: dict[str, Evidence] = {
        "gap_burst": data.mean(slopes["burst"]),
        "gap_net": data.mean(slopes["burst"] - slopes["flat"]),
        "ratio_net": data.mean(logs["burst"] - logs["flat"]),
        "steadier": share_of(data, many, few, bounds.left),
        "power_bare": share_of(data, data.gap("burst", "power_bare")[:, -1], bare, 1 - bounds.closed),
        "power_scaled": share_of(data, data.gap("burst", "power", "rms")[:, -1], scaled, 1 - bounds.closed),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def slope(stays: Sequence[float], values: Floats) -> Floats:
    """(R,) least-squares slope of values (R, stays) over log2 of the stay."""
    x = np.log2(np.asarray(stays)) - np.log2(np.asarray(stays)).mean()
    return np.asarray(values @ x / (x @ x))


def share_of(data: Data, left: Floats, gap: Floats, share: float) -> Evidence:
    """The mean of left - share x gap; open where there is no gap to ask of."""
    number = data.mean(left - share * gap)
    return number if data.mean(gap).lower(CLEAR) > 0 else Open(number, "batch norm has no clear gap to close")


def unlearnt(study: "Normalisers", data: Data) -> dict[str, list[str]]:
    """For every claim, the arms that it rests on and that did not learn: mean excess not below a share of what context
    tells, or that of too few runs. Winners and losers alike."""
    bounds, stays = study.bounds, study.bursts.stays

    def fails(excess: Floats, told: Floats) -> bool:
        if not float(excess.mean()) < bounds.gate * float(told.mean()):  # also where a run diverged
            return True
        return float(learnt(excess, told, bounds.gate).mean()) < bounds.runs

    def norms(family: str, *names: str) -> list[str]:
        return [
            f"{name} norm in {family}, stay {stay:g}"
            for name in names
            for stay, excess, told in zip(
                stays[::-1], data.norms[family, name].T[::-1], data.told[family].T[::-1], strict=False
            )
            if fails(excess, told)
        ]

    burst, flat = norms("burst", "layer", "batch"), norms("flat", "layer", "batch")
    parts = ["layer norm in the second part"] if fails(data.part_layer, data.part_told) else []
    parts += [
        f"batch norm with statistics of {size} sequences"
        for size, excess in zip(study.parts.sizes, data.part_batch.T, strict=True)
        if fails(excess, data.part_told)
    ]
    found = {
        "gap_burst": burst,
        "gap_net": burst + flat,
        "ratio_net": burst + flat,
        "steadier": parts,
        "power_bare": [*burst, *norms("burst", "power_bare")],
        "power_scaled": norms("burst", "rms", "batch_scaled", "power"),
    }
    return {f"{STUDY}.{name}": arms for name, arms in found.items()}
