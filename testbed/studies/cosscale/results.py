"""The finished records of the study as numbers over replicates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.cosscale.arms import arms_of
from testbed.studies.cosscale.config import Role
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean, Replicates
from testbed.theory import aligned_weights

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

Floats = NDArray[np.float64]
ATTENDED = (0, 1, 0)
"""Stage, weighting and place of eta_1*: before rotation, by attention, without the diagonal."""


@dataclass(eq=False)
class Measured:
    """Numbers of every member, heads and blocks averaged; {(task, arm, name): (n_seeds,)}.

    eta, eta_mean         mode and mean of the attended cosine before rotation, without the diagonal
    tilted-8, ...         the mode under 8 cos for weights that know no CosScale; untrained-8: their first weights
    untrained-within-8    weight on the nearest keys under 8 cos before training
    contrast              attended mean cosine less that of all pairs, after rotation
    within                weight on the `reach` nearest keys; entropy, entropy_long, effective_keys, mass_width
    excess, excess_long, excess_long_infoscale, no_context, floor, floor_long
    path                  mean excess over the points along training, which are log-spaced
    row_kl                mean KL(row of the windowed arm || the arm's row), nats; row_js: Jensen-Shannon
    records               {(task, arm): one record a seed}; empty in planted worlds
    """

    seeds: tuple[int, ...]
    values: dict[tuple[Role, str, str], Floats] = field(default_factory=dict)
    records: dict[tuple[Role, str], list[Record]] = field(default_factory=dict)
    keys: dict[str, Floats] = field(default_factory=dict)  # by block: attended cosine (n_seeds, alphas, laws, n)
    design: Replicates = field(init=False)

    def __post_init__(self) -> None:
        self.design = Replicates({"seed": self.seeds}, seed=0)

    def at(self, task: Role, arm: str, name: str) -> Floats:
        return self.values[task, arm, name]

    def mean(self, values: Floats) -> Mean:
        """Evidence on the mean over replicates."""
        return Mean(values, self.design)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        evidence = self.mean(values)
        return evidence.estimate, *evidence.interval((1 - LEVEL) / 2)

    @property
    def n_diverged(self) -> int:
        return sum(one.status == "diverged" for of_arm in self.records.values() for one in of_arm)


def gather(study: "CosScaleStudy", records: Sequence[Record]) -> Measured | None:
    """The records that the study names; None if one is missing. Where a member diverged there are no values."""
    index: dict[tuple[Any, ...], Record] = {}
    for record in records:
        p = record.probe
        if record.status != "failed":
            index[p["kind"], p.get("task"), p.get("arm", p.get("block")), p["seed"]] = record
    data = Measured(tuple(study.seeds))
    try:
        for family in study.families:
            drawn = [index["random_keys", None, family.block, seed].arrays["cosine"] for seed in data.seeds]
            data.keys[family.block] = np.stack(drawn)
        for task in study.tasks:
            for arm in arms_of(study, task.role):
                data.records[task.role, arm.name] = [index["member", task.role, arm.name, seed] for seed in data.seeds]
    except KeyError:
        return None
    if data.n_diverged:
        return data
    for (role, name), mine in data.records.items():
        data.values |= {(role, name, quantity): values for quantity, values in _numbers(study, mine)}
        if role != "content":
            family = study.gated if name.startswith("gau-") else study.standard
            windowed = data.records[role, family.window()]
            pairs = np.array([_divergences(a, b) for a, b in zip(windowed, mine, strict=True)])
            data.values |= {(role, name, "row_kl"): pairs[:, 0], (role, name, "row_js"): pairs[:, 1]}
    return data


def _numbers(study: "CosScaleStudy", records: list[Record]) -> Iterator[tuple[str, Floats]]:
    """Every number of one arm on one task, by name."""

    def arrays(name: str) -> list[NDArray[Any]]:
        return [one.arrays[name] for one in records]

    for name in records[0].metrics:
        yield name, np.array([one.metrics[name] for one in records], dtype=np.float64)
    for name in ("contrast", "entropy", "entropy_long", "effective_keys", "mass_width", "scale"):
        yield name, np.array([one.mean() for one in arrays(name)])
    yield "eta", np.array([one[ATTENDED].mean() for one in arrays("cosine_mode")])
    yield "eta_mean", np.array([one[ATTENDED].mean() for one in arrays("cosine_mean")])
    at = study.reaches.index(study.reach)
    yield "within", np.array([one[at].mean() for one in arrays("within")])
    yield "path", np.array([one.mean() for one in arrays("path_excess")])
    for i, alpha in enumerate(records[0].probe["tilted"]):
        for name in ("tilted", "untrained"):
            yield f"{name}-{alpha:g}", np.array([one[i].mean() for one in arrays(f"{name}_mode")])
            yield f"{name}-within-{alpha:g}", np.array([one[i, at].mean() for one in arrays(f"{name}_within")])


def _divergences(one: Record, other: Record) -> tuple[float, float]:
    """Mean KL(p || q) and Jensen-Shannon divergence of rows, nats; both arms read the same tokens and places."""
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
