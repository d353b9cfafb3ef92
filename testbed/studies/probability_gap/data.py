"""The finished records as arrays over replicates, by arm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean, Replicates
from testbed.studies.judge.proportion import Proportion
from testbed.studies.probability_gap.chains import STATEMENTS, TOLERANCE, Floats
from testbed.studies.probability_gap.config import Chains

if TYPE_CHECKING:
    from testbed.studies.probability_gap.study import ProbabilityGap

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from; every first axis is over replicates.

    violated  by chains' label: (R, n_statements, n_chains), whether each chain violates each statement
    learner   by chains' label: (R, 2, n_chains), the same for the learner's entropy and gap
    trained   (R, n_models, 2), the same for the trained transformers
    found     (R, n_unproved): whether the search found a counterexample
    samples   by kind: truth and noise (R, M + 1); plug_in, split, shrunk (R, M + 1), means over data sets
    alarms    (R, n_sets): whether the plug-in gap of noise rises from 0 to M tokens
    raw       the arrays of every arm, stacked
    """

    replicates: Replicates
    violated: dict[str, Flags]
    learner: dict[str, Flags]
    trained: Flags
    found: Flags
    samples: dict[str, dict[str, Floats]]
    alarms: Flags
    raw: dict[str, dict[str, Floats]]

    def mean(self, values: Floats) -> Mean:
        """Evidence on the mean over replicates of (R,) values."""
        return Mean(values, self.replicates)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        evidence = self.mean(values)
        return evidence.estimate, *evidence.interval((1 - LEVEL) / 2)

    def share(self, chains: Chains, statement: str) -> Proportion:
        """Share of these chains that violate a statement. Chains are independent, within a replicate too."""
        return proportion(self.violated[chains.label][:, STATEMENTS.index(statement)])


def proportion(flags: Flags, unit: str = "chain") -> Proportion:
    """Of independent trials, all axes alike."""
    return Proportion(int(flags.sum()), flags.size, unit)


def _key(record: Record) -> tuple[str, int, int]:
    """Arm, replicate, number of the transformer (records of the other arms may be older than that number)."""
    return record.probe["arm"], record.probe["replicate"], record.probe.get("model", 0)


def gather(study: "ProbabilityGap", records: Sequence[Record]) -> Data | None:
    """The records of every arm and replicate that the study names; None if one is missing."""
    done = {_key(r): r.arrays for r in records if r.status == "done"}
    raw: dict[str, dict[str, Floats]] = {}
    for arm in study.arms:
        models = study.trained.n_models if arm == "trained" else 1
        mine = [done.get((arm, number, model)) for number in study.numbers for model in range(models)]
        if any(one is None for one in mine):
            return None
        present = [one for one in mine if one is not None]
        raw[arm] = {name: np.stack([one[name] for one in present]) for name in present[0]}
        if arm == "trained":
            raw[arm] = {name: one.reshape(-1, models, *one.shape[1:]) for name, one in raw[arm].items()}
    samples: dict[str, dict[str, Floats]] = {
        kind: {name: a.mean(axis=1) if a.ndim == 3 else a for name, a in raw[f"samples_{kind}"].items()}
        for kind in study.sample_kinds
    }
    plug_in = raw["samples_noise"]["plug_in"]
    return Data(
        Replicates({"stream of random numbers": study.numbers}, seed=0),
        {one.label: raw[one.label]["violation"] > 0 for one in study.chains},
        {one.label: raw[one.label]["learner"] > TOLERANCE for one in study.chains},
        raw["trained"]["violation"] > TOLERANCE,
        np.isfinite(raw["search"]["draws"]),
        samples,
        plug_in[..., -1] > plug_in[..., 0],
        raw,
    )
