"""The finished records as arrays, one number a replicate."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Mean, Replicates
from testbed.studies.linear_attention_entropy.config import KERNELS, MISSES, Arm, Design

if TYPE_CHECKING:
    from testbed.studies.linear_attention_entropy.study import LinearAttentionEntropy

Floats = NDArray[np.float64]
Run = tuple[str, Arm]
METRICS = ("lost", "mass", "added", "hit", "miss", "whole")
"""Of members; of which tasks and arms, `measure.member_record` says."""


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    random      (R, kernels, norms) mean entropy of random rows
    rises       (R, kernels) share of draws in which entropy rises with |q|; `large_rises` by more than a little
    largest     (R, kernels) largest rise, nats
    change      (R, kernels) largest change of an entropy over norms
    draws       draws of a replicate
    demand      by T: entropies (W,), and what a copy read with them loses (W,); no replicate has a part in it
    told        by task (R,): KL of the uniform law, nats
    values      by metric, and task and arm: (R,), nats
    entropy     by task and arm: (R, layers), nats
    rates       chosen, by task and arm
    paired      z of cross-entropy less Bayes loss and excess, of every member
    """

    design: Design
    replicates: Replicates
    random: Floats
    rises: Floats
    large_rises: Floats
    largest: Floats
    change: Floats
    draws: int
    demand: dict[int, tuple[Floats, Floats]]
    told: dict[str, Floats]
    values: dict[str, dict[Run, Floats]]
    entropy: dict[Run, Floats]
    rates: dict[Run, float] = field(default_factory=dict)
    paired: Floats = field(default_factory=lambda: np.zeros(1))

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates of (R,) values."""
        return Mean(values, self.replicates)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    def share(self, task: str, arm: Arm, what: str = "lost") -> Floats:
        """(R,) a metric as a share of what context tells."""
        return self.values[what][task, arm] / self.told[task]

    def less(self, task: str, arm: Arm, other: Arm, what: str = "lost") -> Floats:
        """(R,) an arm's share less another's."""
        return self.share(task, arm, what) - self.share(task, other, what)

    def least_entropy(self, task: str, arm: Arm) -> Floats:
        """(R,) of the layer whose head has the least."""
        return np.asarray(self.entropy[task, arm].min(axis=1))


def replicates_of(seeds: Sequence[int]) -> Replicates:
    """Replicates by their numbers."""
    return Replicates({"replicate": list(seeds)}, seed=0)


def gather(study: "LinearAttentionEntropy", records: Sequence[Record]) -> Data | None:
    """The records that the study names; None if one is missing or diverged."""
    design, seeds = study.design, study.seeds
    done = [one for one in records if one.status == "done"]
    closed = {one.probe["seed"]: one for one in done if one.probe["kind"] == "untrained"}
    found = {
        (one.probe["task"], one.probe["arm"], one.probe["seed"]): one for one in done if one.probe["kind"] == "member"
    }
    runs: list[Run] = [(task, arm) for task in design.tasks for arm in design.arms(task)]
    if any(seed not in closed for seed in seeds):
        return None
    if any((*run, seed) not in found for run in runs for seed in seeds):
        return None
    values: dict[str, dict[Run, Floats]] = {name: {} for name in METRICS}
    entropy: dict[Run, Floats] = {}
    told: dict[str, Floats] = {}
    rates: dict[Run, float] = {}
    z = []
    for run in runs:
        task, arm = run
        mine = [found[task, arm, seed] for seed in seeds]
        for name in METRICS:
            if all(name in one.metrics for one in mine):
                values[name][run] = _metric(mine, name)
        if task != MISSES and arm in KERNELS:
            entropy[run] = np.stack([one.arrays["entropy"] for one in mine])
        told[task] = _metric(mine, "told")
        rates[run] = float(mine[0].probe["learning_rate"])
        z.append(_metric(mine, "paired") / np.maximum(_metric(mine, "paired_error"), 1e-9))
    if any((MISSES, arm) not in values["miss"] for arm in design.arms(MISSES)):
        return None  # a replicate without a missing key
    arrays = [closed[seed].arrays for seed in seeds]
    return Data(
        design=design,
        replicates=replicates_of(seeds),
        random=np.stack([one["entropy"] for one in arrays]),
        rises=np.stack([one["rises"] for one in arrays]),
        large_rises=np.stack([one["large_rises"] for one in arrays]),
        largest=np.stack([one["largest"] for one in arrays]),
        change=np.stack([one["change"] for one in arrays]),
        draws=study.reading.n_draws,
        demand={T: (arrays[0][f"entropy_{T}"], arrays[0][f"excess_{T}"]) for T in design.lengths},
        told=told,
        values=values,
        entropy=entropy,
        rates=rates,
        paired=np.concatenate(z),
    )


def _metric(records: Sequence[Record], name: str) -> Floats:
    return np.array([float(one.metrics[name]) for one in records])  # type: ignore[arg-type]
