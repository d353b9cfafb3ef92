"""The finished records as arrays, one row a replicate."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.activations.config import ARMS, SETTINGS, STACKS
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Replicates, mean_if_known

if TYPE_CHECKING:
    from testbed.studies.activations.study import Activations

Floats = NDArray[np.float64]
Key = tuple[str, str, str]
"""Setting, arm, source."""


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from; a run that diverged has nan.

    deep[stack]             (R, depths) excess; `deep_told` (R, depths)
    stream[stack]           by depth, (R, depth + 1) variance of the residual stream after training
    units, units_start,     [stack] by depth, (R, 2, depth) mean and variance of hidden units: after training, at the
    units_small             start, at a start with small writing matrices
    acts[setting, arm, x]   (R,) excess; `steps` to near the Bayes law; `entropy` of hidden units
    told[x]                 (R,)
    epsilon                 CRReLU's numbers
    """

    deep: dict[str, Floats]
    deep_told: Floats
    stream: dict[str, list[Floats]]
    units: dict[str, list[Floats]]
    units_start: dict[str, list[Floats]]
    units_small: dict[str, list[Floats]]
    acts: dict[Key, Floats]
    steps: dict[Key, Floats]
    entropy: dict[Key, Floats]
    told: dict[str, Floats]
    epsilon: Floats
    rates: dict[str, float] = field(default_factory=dict)
    paired: Floats = field(default_factory=lambda: np.zeros(1))

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates of (R,) values; undecided where runs diverged."""
        return mean_if_known(values, replicates_of(len(values)))

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    def logs(self, setting: str, arm: str, sources: Sequence[str]) -> Floats:
        """(R, sources) log ratio of an activation's excess to GELU's."""
        return np.stack([np.log(self.acts[setting, arm, x] / self.acts[setting, "gelu", x]) for x in sources], axis=1)


@lru_cache(maxsize=16)
def replicates_of(n: int) -> Replicates:
    """Independent replicates."""
    return Replicates({"replicate": list(range(n))}, seed=0)


def gather(study: "Activations", records: Sequence[Record]) -> Data | None:
    """The records that the study names; None if one is missing."""
    by = {tuple(one.probe[k] for k in ("kind", "arm", "setting", "source", "depth", "seed")): one for one in records}
    depths, sources, seeds = study.depths.depths, study.kinds.sources, study.seeds
    wanted: list[tuple[str, str, str, str, int, int]] = []
    wanted += [("depth", a, "own", "", d, s) for a in STACKS for d in depths for s in seeds]
    wanted += [("act", a, t, x, 0, s) for a in ARMS for t in SETTINGS for x in sources for s in seeds]
    if any(one not in by for one in wanted):
        return None

    def row(name: str, kind: str, arm: str, setting: str = "own", source: str = "", depth: int = 0) -> Floats:
        found = [by[kind, arm, setting, source, depth, seed] for seed in seeds]
        values = [one.metrics.get(name) if one.status == "done" else None for one in found]
        return np.array([np.nan if one is None else float(one) for one in values])

    def arrays(name: str, shape: tuple[int, ...]) -> dict[str, list[Floats]]:
        def rows(arm: str, depth: int) -> Floats:
            found = [by["depth", arm, "own", "", depth, seed] for seed in seeds]
            size = tuple(depth + 1 if n == 0 else depth if n < 0 else n for n in shape)
            return np.stack([one.arrays[name] if one.status == "done" else np.full(size, np.nan) for one in found])

        return {arm: [rows(arm, depth) for depth in depths] for arm in STACKS}

    def table(name: str) -> dict[Key, Floats]:
        return {(t, a, x): row(name, "act", a, t, x) for t in SETTINGS for a in ARMS for x in sources}

    done = [by[key] for key in wanted if by[key].status == "done"]
    z = [float(r.metrics["paired"]) / max(float(r.metrics["paired_error"]), 1e-9) for r in done]  # type: ignore[arg-type]
    rates: dict[str, float] = {}
    for one in done:
        p = one.probe
        if p["kind"] == "depth" or p["setting"] == "own":
            where = f"{p['depth']} blocks" if p["kind"] == "depth" else str(p["source"])
            rates[f"{p['arm']}, {where}"] = float(p["learning_rate"])
    return Data(
        deep={a: np.stack([row("excess", "depth", a, depth=d) for d in depths], axis=1) for a in STACKS},
        deep_told=np.stack([row("told", "depth", "layer_gelu", depth=d) for d in depths], axis=1),
        stream=arrays("stream", (0,)),
        units=arrays("units", (2, -1)),
        units_start=arrays("units_start", (2, -1)),
        units_small=arrays("units_small", (2, -1)),
        acts=table("excess"),
        steps=table("steps"),
        entropy=table("entropy"),
        told={x: row("told", "act", "gelu", "own", x) for x in sources},
        epsilon=np.concatenate([row("epsilon", "act", "crrelu", "own", x) for x in sources]),
        rates=rates,
        paired=np.array(z),
    )
