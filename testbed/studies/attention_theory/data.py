"""The finished records as labelled arrays, one row a replicate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.attention_theory.closed_forms import DENSITIES
from testbed.studies.attention_theory.config import ClosedForms, GaussianHeads, RandomKeys, SingleKey
from testbed.studies.attention_theory.laws import LAWS
from testbed.studies.attention_theory.rows import Floats
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean, Replicates
from testbed.studies.tables import Axes, Table

if TYPE_CHECKING:
    from testbed.studies.attention_theory.study import AttentionTheory


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    arms[arm][name]   a table of the arm
    closed[name]      a closed form
    head_dim          of the arm `random_keys`
    """

    replicates: Replicates
    arms: dict[str, dict[str, Table]]
    closed: dict[str, Table]
    head_dim: int

    @property
    def theory_peak(self) -> Table:
        """eta_1* at the head dimension of the random keys, by alpha."""
        peak = self.closed["peak"]
        return Table({"alpha": peak.axes["alpha"]}, peak.at(c="d-3", d=self.head_dim))

    def mean(self, values: Floats) -> Mean:
        """Evidence on the mean over replicates of (n_replicates,) values."""
        return Mean(values, self.replicates)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        evidence = self.mean(values)
        return evidence.estimate, *evidence.interval((1 - LEVEL) / 2)

    def error(self, values: Floats) -> float:
        """Standard error of the mean."""
        return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def gather(study: "AttentionTheory", records: Sequence[Record]) -> Data | None:
    """The records of every arm and replicate that the study names; None if one is missing."""
    found = {(r.probe["arm"], r.probe["replicate"]): r.arrays for r in records if r.status == "done"}
    numbers = study.numbers
    arms: dict[str, dict[str, Table]] = {}
    for arm, settings in study.simulated.items():
        mine = [found.get((arm, number)) for number in numbers]
        if any(one is None for one in mine):
            return None
        axes = axes_of(settings)
        arms[arm] = {name: Table(axes[name], np.stack([one[name] for one in mine if one is not None])) for name in axes}
    closed = found.get(("closed_forms", 0))
    if closed is None:
        return None
    return Data(
        replicates_of(numbers),
        arms,
        {name: Table(axes, closed[name]) for name, axes in closed_axes(study.closed_forms).items()},
        study.random_keys.head_dim,
    )


def replicates_of(numbers: Sequence[int]) -> Replicates:
    return Replicates({"stream of random numbers": numbers}, seed=0)


def axes_of(settings: GaussianHeads | RandomKeys | SingleKey) -> dict[str, Axes]:
    """The axes of each array that a simulation gives, without the first."""
    n: Axes = {"n": settings.lengths}
    by_law: Axes = {"law": LAWS, **n}
    if isinstance(settings, GaussianHeads):
        heads: Axes = {"std": settings.stds, **by_law}
        solved: Axes = {"std": tuple(std for std in settings.stds if std <= settings.solved_to), **n}
        return {
            **dict.fromkeys(("entropy", "originals", "originals_over_fillers"), heads),
            **dict.fromkeys(("solved_factor", "solved_entropy"), solved),
            "second_moment": n,
        }
    if isinstance(settings, RandomKeys):
        keys: Axes = {"alpha": settings.scales, **by_law}
        return {
            **dict.fromkeys(("entropy", "cosine", "divergence"), keys),
            **dict.fromkeys(("largest_cosine", "second_moment"), n),
        }
    return dict.fromkeys(("loss", "mass", "entropy", "divergence"), by_law)


def closed_axes(settings: ClosedForms) -> dict[str, Axes]:
    """The axes of each closed form."""
    factors: Axes = {"n": settings.factor_lengths}
    by_dim: Axes = {"d": settings.factor_dims, **factors}
    aligned: Axes = {"alpha": settings.alphas, "n": settings.window_lengths}
    return {
        "infoscale_factor": by_dim,
        "sphere_factor": by_dim,
        "log_factor": factors,
        "yarn_factor": factors,
        "peak": {"c": tuple(DENSITIES), "d": settings.peak_dims, "alpha": settings.alphas},
        "window_mass": {"alpha": settings.alphas, "reach": settings.reaches, "n": settings.window_lengths},
        "window_entropy": aligned,
        "window_peak": aligned,
        "decay": {"distance": settings.distances},
        "gap_mass": {"gap": settings.gaps, "law": LAWS, "n": settings.gap_lengths},
        "remoteness": {},
    }
