"""The finished records as arrays, one row a replicate, and the numbers that claims and figures share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.compression_at_inference.adapting import FAMILIES, Paths, belief_of_tokens, kept_on_front, paths
from testbed.studies.compression_at_inference.config import CACHED, DROPPED, KEYS, SCHEMES, Adapters, Dropped, Trained
from testbed.studies.compression_at_inference.dropping import regret
from testbed.studies.drawing import LEVEL
from testbed.studies.gate import learnt
from testbed.studies.judge import Evidence, Replicates, mean_if_known

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference

Floats = NDArray[np.float64]
NETS = "mess3"
NAMES = tuple(SCHEMES)
LEAST = 1e-300


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    bits        (B,) of the schemes
    caches      by arm: divergence, added, response (R, schemes, B); noise, exceeded (R, ways to round keys, B); excess,
                uniform, decisive (R,)
    nulls       as caches, of the same models at their first weights
    drops       by arm: mean loss of each criterion (R, n + 1); of `fillers` dial (R, numbers of fillers) too
    paths       of each replicate
    nets        excess (R, 2), uniform (R,) of the networks on Mess3
    tokens      R^2 of the belief from the raw tokens of a history: see `adapting.belief_of_tokens`
    rates       chosen learning rates
    paired      z of cross-entropy less Bayes loss and excess, of every member
    """

    seeds: tuple[int, ...]
    bits: NDArray[np.int64]
    caches: dict[Trained, dict[str, Floats]]
    nulls: dict[Trained, dict[str, Floats]]
    drops: dict[Dropped, dict[str, Floats]]
    paths: tuple[Paths, ...]
    nets: dict[str, Floats]
    tokens: tuple[float, ...]
    rates: dict[str, float] = field(default_factory=dict)
    paired: Floats = field(default_factory=lambda: np.zeros(1))

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates of (R,) values; open where some are not known."""
        return mean_if_known(values, Replicates({"seed": self.seeds}, seed=0))

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    # -- caches
    def log_divergence(self, arm: Trained, scheme: str, null: bool = False) -> Floats:
        """(R, B) ln KL(q || q_b); null: of the untrained model."""
        one = (self.nulls if null else self.caches)[arm]
        return np.log(np.maximum(one["divergence"][:, NAMES.index(scheme)], LEAST))

    def ratio(
        self,
        arm: Trained,
        above: str,
        below: str,
        bits: int | None = None,
        high: int | None = None,
        null: bool = False,
    ) -> Floats:
        """(R,) ln of the divergence of one scheme over another's: at so many bits, or the mean from `high` bits on."""
        change = self.log_divergence(arm, above, null) - self.log_divergence(arm, below, null)
        at = self.bits == bits if bits is not None else self.bits >= (high or 0)
        return np.asarray(change[:, at].mean(axis=1))

    def slope(self, arm: Trained, schemes: Sequence[str], low: int, high: int, null: bool = False) -> Floats:
        """(R,) slope of ln KL over ln(2^b - 1), least squares over these bits, mean over schemes."""
        at = (self.bits >= low) & (self.bits <= high)
        levels = np.log(2.0 ** self.bits[at] - 1)
        centred = levels - levels.mean()
        found = [self.log_divergence(arm, one, null)[:, at] @ centred / (centred @ centred) for one in schemes]
        return np.asarray(np.mean(found, axis=0))

    def over_law(self, arm: Trained) -> Floats:
        """(R, schemes, B) KL over the law c (2^b - 1)^-2 through the divergence at the most bits."""
        moved = np.maximum(self.caches[arm]["divergence"], LEAST)
        levels = (2.0**self.bits - 1) ** 2
        return np.asarray(moved * levels / (moved[:, :, -1:] * levels[-1]))

    def from_law(self, arms: Sequence[Trained], schemes: Sequence[str]) -> tuple[Floats, Floats]:
        """(R,) mean |ln(KL / law)| over arms, schemes and bits, the most bits left out, in which no row's margin is
        exceeded, and mean ln(KL / law) over those in which some is; nan where there are none."""
        at = [NAMES.index(one) for one in schemes]
        away = np.concatenate([np.log(self.over_law(arm))[:, at, :-1].reshape(len(self.seeds), -1) for arm in arms], 1)
        beyond = np.concatenate(
            [self.caches[arm]["exceeded"][:, at, :-1].reshape(len(self.seeds), -1) > 0 for arm in arms], 1
        )
        with np.errstate(invalid="ignore"):
            inside = np.sum(np.abs(away) * ~beyond, axis=1) / np.sum(~beyond, axis=1)
            outside = np.sum(away * beyond, axis=1) / np.sum(beyond, axis=1)
        return inside, outside

    def response(self, arm: Trained) -> Floats:
        """(R,) KL over half the variance of the output's logits at the most bits, mean over ways to round keys."""
        at = [NAMES.index(one) for one in KEYS]
        return np.asarray(self.caches[arm]["response"][:, at, -1].mean(axis=1))

    def noise_ratio(self, arm: Trained, by: str, null: bool = False) -> Floats:
        """(R,) ln of the variance of the first block's logits with keys rounded after positions over that before, mean
        over bits."""
        noise = np.log(np.maximum((self.nulls if null else self.caches)[arm]["noise"], LEAST))
        change = noise[:, NAMES.index(f"{by} after")] - noise[:, NAMES.index(f"{by} before")]
        return np.asarray(change.mean(axis=1))

    def has_learnt(self, arm: Trained, share: float) -> bool:
        """Whether every replicate of an arm has learnt its source."""
        one = self.nets if arm == NETS else self.caches[arm]
        excess = one["excess"].max(axis=1) if arm == NETS else one["excess"]
        return bool(learnt(excess, one["uniform"], share).all())

    # -- dropped tokens
    def regret(self, arm: Dropped, criterion: str) -> Floats:
        """(R,) regret with half of the tokens dropped: 0 the best sets, 1 chance."""
        curves = self.drops[arm]
        half = curves["best"].shape[1] // 2
        return regret(curves[criterion][:, half], curves["best"][:, half], curves["chance"][:, half])

    def dial(self) -> Floats:
        """(R, numbers of fillers) regret of surprisal against the number of fillers."""
        curves = self.drops["fillers"]
        half = curves["best"].shape[1] // 2
        return regret(curves["dial"], curves["best"][:, [half]], curves["chance"][:, [half]])

    # -- adapters
    def end(self, place: int, what: str) -> Floats:
        """(R,) `carried` or `own` of the affine map (0) or the rotation (1)."""
        return np.array([getattr(one, f"end_{what}")[place] for one in self.paths])

    def front(self, family: str) -> Floats:
        """(R,) what a family keeps of its own, mean over what is to be carried."""
        return np.array([kept_on_front(one, FAMILIES.index(family)) for one in self.paths])


def gather(study: "CompressionAtInference", records: Sequence[Record]) -> Data | None:
    """The records of every arm and replicate that the study names; None if one is missing or diverged."""
    done = [one for one in records if one.status == "done" and one.probe["kind"] != "tuning"]
    nulls = {(one.probe["arm"], one.probe["seed"]): one for one in done if one.probe["kind"] == "null"}
    done = [one for one in done if one.probe["kind"] != "null"]
    found = {(one.probe["arm"], one.probe["seed"], one.probe["net"]): one for one in done}
    wanted = [(arm, seed, 0) for arm in (*CACHED, *DROPPED, NETS) for seed in study.seeds]
    wanted += [(NETS, seed, 1) for seed in study.seeds]
    if any(one not in found for one in wanted) or any((a, s) not in nulls for a in CACHED for s in study.seeds):
        return None

    def stacked(arm: str, net: int = 0) -> dict[str, Floats]:
        return _stacked([found[arm, seed, net] for seed in study.seeds])

    pairs = [[found[NETS, seed, net] for net in (0, 1)] for seed in study.seeds]
    members = [found[one] for one in wanted if one[0] not in DROPPED]
    z = [_metric(one, "paired") / max(_metric(one, "paired_error"), 1e-9) for one in members]
    return Data(
        seeds=tuple(study.seeds),
        bits=np.array(study.cache.bits),
        caches={arm: stacked(arm) for arm in CACHED},
        nulls={arm: _stacked([nulls[arm, seed] for seed in study.seeds]) for arm in CACHED},
        drops={arm: stacked(arm) for arm in DROPPED},
        paths=tuple(_paths(first, second, study.adapters) for first, second in pairs),
        nets={
            "excess": np.array([[_metric(one, "excess") for one in pair] for pair in pairs]),
            "uniform": np.array([float(pair[0].arrays["uniform"]) for pair in pairs]),
        },
        tokens=belief_of_tokens(study.adapters),
        rates={str(one.probe["arm"]): float(one.probe["rate"]) for one in members},
        paired=np.array(z),
    )


def _stacked(records: Sequence[Record]) -> dict[str, Floats]:
    return {name: np.stack([one.arrays[name] for one in records]) for name in records[0].arrays}


def _metric(record: Record, name: str) -> float:
    return float(record.metrics[name])  # type: ignore[arg-type]


def _paths(first: Record, second: Record, adapters: Adapters) -> Paths:
    arrays = first.arrays
    given = [arrays["stream"], second.arrays["stream"], arrays["beliefs"], arrays["weight"]]
    x, y, beliefs, weights = (one.tobytes() for one in given)
    n, width = given[0].shape
    return _kept_paths(x, y, beliefs, weights, n, width, adapters)


@lru_cache(maxsize=256)
def _kept_paths(x: bytes, y: bytes, beliefs: bytes, weights: bytes, n: int, width: int, adapters: Adapters) -> Paths:
    """Verdicts and figures ask for the same fits."""
    first, second = (np.frombuffer(one).reshape(n, width) for one in (x, y))
    return paths(first, second, np.frombuffer(beliefs).reshape(n, -1), np.frombuffer(weights), adapters)
