"""The finished records as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.markov_landscape.config import (
    MIRRORED,
    PANELS,
    POINTS,
    VARIANTS,
    VARIED,
    Panel,
    Point,
    Probe,
    Variant,
    side,
)
from testbed.studies.markov_landscape.grid import all_cells

if TYPE_CHECKING:
    from testbed.studies.markov_landscape.study import MarkovLandscape

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Spot = tuple[Panel, Variant]


@dataclass(frozen=True, eq=False)
class Ends:
    """Where runs end: `units`, loss after T tokens, 0 at h and 1 at H(pi); `away`, KL(pi || q) in these units."""

    units: Floats
    away: Floats

    @classmethod
    def empty(cls, *shape: int) -> "Ends":
        """To be filled in; nan where there is no run."""
        return cls(np.full(shape, np.nan), np.full(shape, np.nan))

    def at(self, where: NDArray[np.bool_]) -> "Ends":
        """Those at these places."""
        return Ends(self.units[where], self.away[where])


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    side        (n, n): 1 where p + q > 1, -1 where < 1, 0 on the line
    curvature   by network (n, n), units of |lambda| pi_0 pi_1; nan on the line
    maps        by panel (n, n, R); nan on the line
    spots       by panel and variant (S,)
    mirrors     by variant (M,), below the line, without norms
    off         largest distances of what must be equal, by name
    paired      z of cross-entropy less Bayes loss and excess, of every run
    """

    side: NDArray[np.int64]
    curvature: dict[Point, Floats]
    maps: dict[Panel, Ends]
    spots: dict[Spot, Ends]
    mirrors: dict[Variant, Ends]
    off: dict[str, float] = field(default_factory=dict)
    paired: Floats = field(default_factory=lambda: np.zeros(1))
    diverged: int = 0


def sides(values: Sequence[float]) -> NDArray[np.int64]:
    """(n, n): on which side of the line each chain lies."""
    return np.array([[side(p, q) for q in values] for p in values])


def gather(study: "MarkovLandscape", records: Sequence[Record]) -> Data | None:
    """All records as arrays, None where some are missing."""
    found = {record.key: record for record in records}
    cells = all_cells(study)
    if any(cell.key not in found for cell in cells):
        return None
    n, first = len(study.grid.values), study.first_seed
    curvature: dict[Point, Floats] = {}
    maps: dict[Panel, Ends] = {name: Ends.empty(n, n, study.n_seeds) for name in PANELS}
    spots: dict[Spot, Ends] = {(a, b): Ends.empty(study.n_spot) for a in VARIED for b in VARIANTS}
    mirrors: dict[Variant, Ends] = {one: Ends.empty(study.n_mirror) for one in MIRRORED}
    off = dict.fromkeys(("loss_off", "gradient", "hessian_off", "rate_off", "marginal_off", "excess_error"), 0.0)
    paired, diverged = [], 0
    for cell in cells:
        probe, record = cell.probe, found[cell.key]
        assert isinstance(probe, Probe)
        if probe.kind == "point":
            curvature[next(one for one in POINTS if one == probe.panel)] = record.arrays["curvature"]
            for name in ("loss_off", "gradient", "hessian_off"):
                off[name] = max(off[name], float(np.nanmax(record.arrays[name])))
            continue
        if record.status != "done":
            diverged += 1
            continue
        numbers = {name: float(value) for name, value in record.metrics.items()}  # type: ignore[arg-type]
        for name in ("rate_off", "marginal_off", "excess_error"):
            off[name] = max(off[name], numbers[name])
        paired.append(numbers["paired"] / max(numbers["paired_error"], 1e-12))
        place: tuple[int, ...] = (probe.number - first,)
        if probe.kind == "map":
            ends, place = maps[probe.panel], (*probe.place, *place)
        else:
            ends = mirrors[probe.variant] if probe.kind == "mirror" else spots[probe.panel, probe.variant]
        ends.units[place], ends.away[place] = numbers["units"], numbers["from_pi"]
    return Data(sides(study.grid.values), curvature, maps, spots, mirrors, off, np.array(paired), diverged)
