"""The finished records as arrays, one row a run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.representation_phases.config import CORNERS, Corner, FamilyName
from testbed.studies.representation_phases.phases import Phases, three_legs, two_legs

if TYPE_CHECKING:
    from testbed.studies.representation_phases.study import RepresentationPhases

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Cell = tuple[FamilyName, Corner]
Followed = Literal["rank", "covariance", "alpha"]
"""RankMe of features as they are; of their covariance, centred; alpha-ReQ, reciprocal."""
Legs = Literal["fall, rise, fall", "fall, rise", "rise, fall"]


@dataclass(frozen=True, eq=False)
class Runs:
    """Paths of the runs of a corner.

    step (P,)           finished steps, from 0 on
    rank (R, P)         RankMe;  covariance, alpha (R, P), halves (R, 2, P), as `measure.path_arrays` has them
    divergence (R, 4, P)  KL from unigrams, bigrams, trigrams, all tokens seen
    level (R, 3)        what the first three of these laws lack
    warm                first point after the warm-up
    """

    step: Floats
    rank: Floats
    covariance: Floats
    alpha: Floats
    halves: Floats
    divergence: Floats
    level: Floats
    warm: int = 0

    def paths(self, what: Followed) -> Floats:
        """(R, P) what is followed, logarithmic, so that it falls where the spectrum becomes steeper."""
        return -np.log(self.alpha) if what == "alpha" else np.log(getattr(self, what))

    @cached_property
    def _legs(self) -> dict[tuple[Followed, Legs], list[Phases]]:
        return {}

    def legs(self, what: Followed, kind: Legs) -> list[Phases]:
        """Of every run, the best fall, rise, fall; the best fall and rise; or the best rise and fall."""
        known = self._legs
        if (what, kind) not in known:
            paths = self.paths(what)
            if kind == "fall, rise, fall":
                known[what, kind] = [three_legs(path, self.warm) for path in paths]
            else:
                sign = 1.0 if kind == "fall, rise" else -1.0
                known[what, kind] = [two_legs(sign * path, self.warm) for path in paths]
        return known[what, kind]

    @property
    def half(self) -> int:
        """The first point at half the steps or later."""
        return int(np.searchsorted(self.step, self.step[-1] / 2))

    @property
    def left(self) -> Floats:
        """(R,) what is left to learn at the end: KL from the Bayes law over that of the unigrams' law."""
        return np.asarray(self.divergence[:, 3, -1] / self.level[:, 0])

    @property
    def late_gain(self) -> Floats:
        """(R,) how much of it was learnt over the last doubling of steps."""
        return np.asarray(self.divergence[:, 3, self.half] / self.level[:, 0]) - self.left


@dataclass(frozen=True, eq=False)
class Streams:
    """Of the deeper networks of an arm, (R, depth + 1) each; `left` (R,) as of runs."""

    entropy: Floats
    belief: Floats
    entropy_untrained: Floats
    belief_untrained: Floats
    null: Floats
    left: Floats


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from; `joins`: how far early and late parts are apart where they meet."""

    runs: dict[Cell, Runs]
    streams: dict[str, Streams]
    rates: dict[str, tuple[float, tuple[float, ...]]] = field(default_factory=dict)
    joins: float = 0.0
    diverged: int = 0


def gather(study: "RepresentationPhases", records: Sequence[Record]) -> Data | None:
    """All records as arrays; None where some are missing."""
    found = {
        (one.probe["kind"], one.probe["name"], one.probe.get("corner"), one.probe["seed"]): one
        for one in records
        if not one.probe["kind"].endswith("tuning")
    }
    wanted = [
        (kind, name, corner, seed)
        for name in study.families for corner in CORNERS for seed in study.seeds for kind in ("early", "late")
    ]  # fmt: skip
    wanted_layers = [("layers", arm.name, None, seed) for arm in study.layers.arms for seed in study.seeds]
    if any(key not in found for key in [*wanted, *wanted_layers]):
        return None
    diverged = sum(found[key].status != "done" for key in [*wanted, *wanted_layers])
    if diverged:
        return Data({}, {}, diverged=diverged)
    runs: dict[Cell, Runs] = {}
    rates: dict[str, tuple[float, tuple[float, ...]]] = {}
    joins = 0.0
    for name in study.families:
        for corner in CORNERS:
            pairs = [[found[kind, name, corner, seed] for kind in ("early", "late")] for seed in study.seeds]
            parts = [[one.arrays for one in pair] for pair in pairs]
            joined = {
                key: np.stack([np.concatenate([a[key], b[key][..., 1:]], axis=-1) for a, b in parts])
                for key in ("step", "rank", "covariance", "alpha", "halves", "divergence")
            }
            joins = max(joins, *(abs(float(np.log(a["rank"][-1] / b["rank"][0]))) for a, b in parts))
            level = np.stack([b["level"] for _, b in parts])
            step = joined.pop("step")[0]
            warm = min(int(np.searchsorted(step, study.recipe.warmup_steps)), len(step) - 3)
            runs[name, corner] = Runs(step=step, **joined, level=level, warm=warm)
            grid = study.family(name).size(corner).learning_rates
            rates[f"{name}, {corner}"] = float(pairs[0][1].probe["learning_rate"]), grid
    streams: dict[str, Streams] = {}
    for arm in study.layers.arms:
        known = [found["layers", arm.name, None, seed] for seed in study.seeds]
        arrays = {key: np.stack([one.arrays[key] for one in known]) for key in known[0].arrays}
        room = np.mean(arrays["risk"][:, :1] - arrays["risk"], axis=1)
        streams[arm.name] = Streams(
            **{key: arrays[key] for key in ("entropy", "belief", "entropy_untrained", "belief_untrained", "null")},
            left=arrays["excess"].mean(axis=1) / room,
        )
        rates[arm.name] = float(known[0].probe["learning_rate"]), arm.learning_rates
    return Data(runs, streams, rates, joins)
