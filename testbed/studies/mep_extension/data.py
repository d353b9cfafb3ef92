"""The finished records as labelled arrays, one row a replicate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean, Replicates
from testbed.studies.mep_extension import closed, groups, laws, schemes
from testbed.studies.mep_extension.config import ClosedForms, CountsArm, CrossingArm, ExactArm, GroupsArm
from testbed.studies.mep_extension.counts import predictor_names
from testbed.studies.mep_extension.exact import SHORTENED
from testbed.studies.mep_extension.laws import Floats
from testbed.studies.tables import Axes, Table

if TYPE_CHECKING:
    from testbed.studies.mep_extension.study import MepExtension


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    arms[arm][name]   a table of the arm, one row a replicate
    closed[name]      a closed form
    """

    replicates: Replicates
    arms: dict[str, dict[str, Table]]
    closed: dict[str, Table]
    context_length: int

    @property
    def window(self) -> str:
        """The sliding window, T - 1 tokens: the baseline of everything."""
        return schemes.window(self.context_length - 1)

    def loss(self, source: str, scheme: str) -> Floats:
        """(n_replicates,): X, nats per new token, of exact tables."""
        return self.arms["exact"]["divergence"].at(source=source, scheme=scheme)[:, self.context_length :].mean(axis=1)

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


def gather(study: "MepExtension", records: Sequence[Record]) -> Data | None:
    """The records of every arm and replicate that the study names; None if one is missing."""
    found = {(r.probe["arm"], r.probe["replicate"]): r.arrays for r in records if r.status == "done"}
    arms: dict[str, dict[str, Table]] = {}
    for arm, settings in study.random_arms.items():
        mine = [found.get((arm, number)) for number in study.numbers]
        if any(one is None for one in mine):
            return None
        axes = axes_of(settings)
        arms[arm] = {name: Table(axes[name], np.stack([one[name] for one in mine if one is not None])) for name in axes}
    forms = found.get(("closed_forms", 0))
    if forms is None:
        return None
    tables = {name: Table(axes, forms[name]) for name, axes in closed_axes(study.closed_forms).items()}
    return Data(replicates_of(study.numbers), arms, tables, study.exact.context_length)


def replicates_of(numbers: Sequence[int]) -> Replicates:
    return Replicates({"draw of all random laws": numbers}, seed=0)


def axes_of(settings: ExactArm | GroupsArm | CountsArm | CrossingArm) -> dict[str, Axes]:
    """The axes of each array that an arm gives."""
    if isinstance(settings, ExactArm):
        t = settings.context_length
        source: Axes = {"source": laws.names_of(t)}
        return {
            "divergence": {**source, "scheme": schemes.names_of(t), "t": tuple(range(2 * t))},
            "shortened": {**source, "scheme": SHORTENED},
            "formula": {"order": tuple(range(1, t + 2)), "overlap": tuple(range(t))},
            "entropy": source,
        }
    if isinstance(settings, GroupsArm):
        return {
            "triangle": {"law": groups.TRIANGLE_LAWS, "option": groups.TRIANGLE_OPTIONS},
            "smep": {"law": groups.SMEP_LAWS, "reading": groups.READINGS},
            "one_way": {"case": groups.ONE_WAY},
            "growth": {"order": settings.growth_orders, "n": settings.growth_lengths},
        }
    size: Axes = {"size": settings.sizes}
    if isinstance(settings, CrossingArm):
        return {"difference": size, "predicted": {}, "bias": {}}
    law: Axes = {"source": settings.sources}
    fitted: Axes = {**law, "scheme": settings.schemes}
    return {
        "loss": {**law, "scheme": predictor_names(settings), **size},
        "estimation": {**fitted, **size},
        "pythagoras": {**fitted, **size},
        **dict.fromkeys(("bias", "rank", "sandwich"), fitted),
    }


def closed_axes(settings: ClosedForms) -> dict[str, Axes]:
    """The axes of each closed form."""
    t = settings.copy_sizes[0][1]
    family: Axes = {"family": closed.FAMILIES}
    return {
        "parity": {"size": settings.parity_sizes, "number": ("deviation", "divergence")},
        "copies": {"size": settings.copy_sizes, "scheme": closed.COPY_OPTIONS, "t": tuple(range(t, 2 * t))},
        "coverage": {"T": settings.coverage_lengths},
        "blocks": {"T": settings.coverage_lengths, "number": ("reach", "largest")},
        "tables": {**family, "T": settings.table_lengths},
        "equations": {**family, "T": settings.equation_lengths},
    }
