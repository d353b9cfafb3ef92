"""The finished records of the study as numbers over replicates, and which of those learnt their task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.cosscale.arms import arms_of
from testbed.studies.cosscale.config import Role
from testbed.studies.gate import Bools, learnt, usable
from testbed.studies.judge import Mean, Replicates
from testbed.theory import aligned_weights

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

Floats = NDArray[np.float64]
Case = tuple[Role, str]
"""A task and an arm on it."""
BINS = 200
"""Bins of the histograms of cosines, over [-1, 1]."""
TOP = 1.0 - 1.0 / BINS
"""The middle of the last of them: no mode is read above it."""
SMOOTHING = 5
"""Bins over which a histogram is averaged before its mode is read."""


@dataclass(eq=False)
class Measured:
    """Numbers of every member, heads and blocks averaged; {(task, arm, name): (n_seeds,)}, nan where one diverged.

    eta, eta_mean         mode and mean of the attended cosine before rotation, without the diagonal
    eta_rotated           the mode after rotation
    tilted-8, ...         the mode under 8 cos for weights that know no CosScale; untrained-8: their first weights;
                          tilted-mean-8, untrained-mean-8: the mean
    within                weight on the `reach` nearest keys; others: the same of the weight that is not on the query's
                          own key; untrained-within-8, untrained-others-8: under 8 cos before training;
                          untrained-left-8, untrained-left-others-8: what these leave out
    contrast              attended mean cosine less that of all pairs, after rotation; untrained-contrast
    entropy, entropy_long, effective_keys, mass_width
    excess, excess_long, excess_long_infoscale, no_context, floor, floor_long
    own_floor             of the local source's windows: excess of the best law given so many tokens, exactly, which is
                          all that the gate asks of them
    wanted, untrained-wanted-8, ...    weight on the key that stands as far back as the far source's pointers say
    ranged, ranged_infoscale    excess at the longest length with positions in range, without and with InfoScale
    path                  mean excess over the points along training, which are log-spaced
    row_kl, row_js        mean KL(row of the windowed arm || the arm's row) and Jensen-Shannon divergence, nats
    records               {(task, arm): one record a seed}; empty in planted worlds
    """

    seeds: tuple[int, ...]
    gate: float
    reads: float
    values: dict[tuple[Role, str, str], Floats] = field(default_factory=dict)
    records: dict[Case, list[Record]] = field(default_factory=dict)
    keys: dict[str, Floats] = field(default_factory=dict)  # by block: attended cosine (n_seeds, alphas, laws, n)
    lost: set[Case] = field(default_factory=set)  # arms of which every member diverged
    designs: dict[tuple[int, ...], Replicates] = field(default_factory=dict)

    def at(self, task: Role, arm: str, name: str) -> Floats:
        """The numbers of an arm; nan where every member of it diverged."""
        if (task, arm) in self.lost:
            return np.full(len(self.seeds), np.nan)
        return self.values[task, arm, name]

    def learnt(self, *cases: Case, partly: Sequence[Case] = ()) -> Bools:
        """(n_seeds,) the replicates in which all of these learnt their task, and those of `partly` a part of it."""
        kept = np.ones(len(self.seeds), dtype=np.bool_)
        for (task, arm), share in (
            (case, share) for of, share in ((cases, self.gate), (partly, self.reads)) for case in of
        ):
            floor = self.values.get((task, arm, "own_floor"), 0.0)  # a window is not asked for what it does not show
            kept &= learnt(self.at(task, arm, "excess") - floor, self.at(task, arm, "no_context"), share)
        return kept

    def usable(self, *cases: Case, partly: Sequence[Case] = ()) -> bool:
        """Whether enough replicates learnt all of these for a verdict to rest on them."""
        return usable(self.learnt(*cases, partly=partly))

    def design(self, kept: Bools) -> Replicates:
        """The replicates that are left; one object for equal sets, so that contrasts share their resamples."""
        seeds = tuple(int(seed) for seed, keep in zip(self.seeds, kept, strict=True) if keep)
        return self.designs.setdefault(seeds, Replicates({"seed": seeds}, seed=0))

    def mean(self, values: Floats, *cases: Case, partly: Sequence[Case] = ()) -> Mean | None:
        """Evidence on the mean over the replicates in which all of these learnt; None if they are too few."""
        kept = self.learnt(*cases, partly=partly) & np.isfinite(values)
        return Mean(values[kept], self.design(kept)) if usable(kept) else None

    def shown(self, case: Case) -> Bools:
        """The replicates that figures show: those that learnt where they are enough, else all that did not diverge."""
        kept = self.learnt(case)
        return kept if usable(kept) else np.isfinite(self.at(*case, "excess"))

    def average(self, task: Role, arm: str, name: str) -> float:
        """Mean over the replicates that are shown."""
        values = self.at(task, arm, name)[self.shown((task, arm))]
        return float(values.mean()) if len(values) else float("nan")


def gather(study: "CosScaleStudy", records: Sequence[Record]) -> Measured | None:
    """The records that the study names; None if one is missing."""
    index: dict[tuple[Any, ...], Record] = {}
    for record in records:
        p = record.probe
        if record.status != "failed":
            index[p["kind"], p.get("task"), p.get("arm", p.get("block")), p["seed"]] = record
    data = Measured(tuple(study.seeds), study.bounds.gate, study.bounds.reads)
    try:
        for family in study.families:
            drawn = [index["random_keys", None, family.block, seed].arrays["cosine"] for seed in data.seeds]
            data.keys[family.block] = np.stack(drawn)
        for task in study.tasks:
            for arm in arms_of(study, task.role):
                data.records[task.role, arm.name] = [index["member", task.role, arm.name, seed] for seed in data.seeds]
    except KeyError:
        return None
    for arm in arms_of(study, "local"):
        if arm.reach is not None:
            data.values["local", arm.name, "own_floor"] = np.full(study.n_seeds, study.own_floor("local", arm))
    data.lost |= {case for case, mine in data.records.items() if all(one.status != "done" for one in mine)}
    for (role, name), mine in data.records.items():
        if (role, name) in data.lost:
            continue
        data.values |= {(role, name, quantity): values for quantity, values in _numbers(study, mine)}
        if role in ("local", "far") and not name.startswith("gau-"):
            windowed = data.records[role, study.standard.window()]
            pairs = np.array([_divergences(a, b) for a, b in zip(windowed, mine, strict=True)])
            data.values |= {(role, name, "row_kl"): pairs[:, 0], (role, name, "row_js"): pairs[:, 1]}
    return data


def _numbers(study: "CosScaleStudy", records: list[Record]) -> Iterator[tuple[str, Floats]]:
    """Every number of one arm on one task, by name; nan where a member diverged."""
    done = np.array([one.status == "done" for one in records])
    kept = [one for one in records if one.status == "done"]

    def spread(values: Sequence[float]) -> Floats:
        found = np.full(len(records), np.nan)
        found[done] = values
        return found

    def arrays(name: str) -> list[NDArray[Any]]:
        return [one.arrays[name] for one in kept]

    for name in kept[0].metrics:
        yield name, spread([float(one.metrics[name]) for one in kept])  # type: ignore[arg-type]
    yield "path", spread([one.mean() for one in arrays("path_excess")])
    if "by_distance" not in kept[0].arrays:  # only local and far attention is looked at
        return
    for name in ("contrast", "entropy", "entropy_long", "effective_keys", "mass_width", "scale"):
        yield name, spread([one.mean() for one in arrays(name)])
    yield "untrained-contrast", spread([one.mean() for one in arrays("untrained_contrast")])
    edges = np.linspace(-1.0, 1.0, kept[0].arrays["cosine_mass"].shape[-1] + 1)
    yield "eta", spread([mode(edges, one[0, 1]) for one in arrays("cosine_mass")])
    yield "eta_rotated", spread([mode(edges, one[1, 1]) for one in arrays("cosine_mass")])
    yield "eta_mean", spread([one[0, 1, 0].mean() for one in arrays("cosine_mean")])
    yield "within", spread([near(one, study.reach) for one in arrays("by_distance")])
    yield "others", spread([near(one, study.reach, own=False) for one in arrays("by_distance")])
    far = study.tokens_back
    yield "wanted", spread([one[..., far].mean() for one in arrays("by_distance")])
    for i, alpha in enumerate(kept[0].probe["tilted"]):
        for name in ("tilted", "untrained"):
            yield f"{name}-{alpha:g}", spread([mode(edges, one[i]) for one in arrays(f"{name}_mass")])
            yield f"{name}-mean-{alpha:g}", spread([one[i].mean() for one in arrays(f"{name}_mean")])
            profiles = [one[i] for one in arrays(f"{name}_by_distance")]
            yield f"{name}-within-{alpha:g}", spread([near(one, study.reach) for one in profiles])
            yield f"{name}-others-{alpha:g}", spread([near(one, study.reach, own=False) for one in profiles])
            yield f"{name}-left-{alpha:g}", spread([left(one, study.reach) for one in profiles])
            yield f"{name}-left-others-{alpha:g}", spread([left(one, study.reach, own=False) for one in profiles])
            yield f"{name}-wanted-{alpha:g}", spread([one[..., far].mean() for one in profiles])


def mode(edges: Floats, mass: NDArray[Any]) -> float:
    """The middle of the fullest bin of histograms (..., bins), each averaged over five neighbours or as many as there
    are, so that an end of the range can be the mode; the mean over blocks and heads.

    >>> round(mode(np.linspace(-1, 1, 201), np.eye(200)[199]), 3)
    0.995
    """
    ones = np.ones(SMOOTHING)
    bins = mass.shape[-1]
    share = np.convolve(np.ones(bins), ones, "same")
    flat = np.asarray(mass, dtype=np.float64).reshape(-1, bins)
    smooth = np.array([np.convolve(one, ones, "same") / share for one in flat])
    # of bins that share a maximum the one with most mass of its own: a lone bin lies under five equal averages
    best = np.argmax(np.where(smooth >= smooth.max(axis=1, keepdims=True) * (1 - 1e-9), 1.0 + flat, 0.0), axis=1)
    return float(((edges[:-1] + edges[1:]) / 2)[best].mean())


def near(by_distance: Floats, reach: int, own: bool = True) -> float:
    """Weight on the `reach` nearest keys of (L, H, m) mean weights by distance; of what is not on the query's own key,
    where `own` is not counted. Zero where all of it is on that one key.

    >>> near(np.array([[[0.9, 0.06, 0.04]]]), 2), round(near(np.array([[[0.9, 0.06, 0.04]]]), 2, own=False), 12)
    (0.96, 0.6)
    """
    first = 0 if own else 1
    total = by_distance[..., first:].sum(axis=-1)
    inside = by_distance[..., first:reach].sum(axis=-1)
    return float(np.mean(np.where(total > 0, inside / np.maximum(total, 1e-300), 0.0)))


def left(by_distance: Floats, reach: int, own: bool = True) -> float:
    """What `near` leaves out, summed itself: where it is next to nothing 1 less a share would be rounding.

    >>> left(np.array([[[1.0, 0.0, 1e-30]]]), 2)
    1e-30
    """
    profiles = np.asarray(by_distance, dtype=np.float64)
    total = profiles[..., 0 if own else 1 :].sum(axis=-1)
    outside = profiles[..., reach:].sum(axis=-1)
    return float(np.mean(np.where(total > 0, outside / np.maximum(total, 1e-300), 1.0)))


def _divergences(one: Record, other: Record) -> tuple[float, float]:
    """Mean KL(p || q) and Jensen-Shannon divergence of rows, nats; both arms read the same tokens and places."""
    if "diverged" in (one.status, other.status):
        return float("nan"), float("nan")
    log_p, log_q = (record.arrays["log_rows"].astype(np.float64) for record in (one, other))
    p, q = np.exp(log_p), np.exp(log_q)
    log_half = np.logaddexp(log_p, log_q) - np.log(2.0)
    kl = np.sum(np.where(p > 0, p * (log_p - log_q), 0.0), axis=-1).mean()
    to_half = [np.sum(np.where(w > 0, w * (log_w - log_half), 0.0), axis=-1) for w, log_w in ((p, log_p), (q, log_q))]
    return float(kl), float(np.mean(to_half[0] + to_half[1]) / 2)


def aligned_within(alpha: float, length: int, head_dim: int, reach: int) -> float:
    """Weight on the `reach` nearest keys if q and k point one way under RoPE; queries of a window's second half."""
    places = range(length // 2, length)
    masses = [float(aligned_weights(alpha, i + 1, head_dim, query=i)[-reach:].sum()) for i in places]
    return float(np.mean(masses))


def random_cosine(data: Measured, block: str, n_index: int) -> Floats:
    """(n_seeds, n_alphas): attended cosine of random keys, no scaling with length."""
    return data.keys[block][:, :, 0, n_index]
