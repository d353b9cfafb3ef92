"""The finished records of an arm, as arrays over dataset sizes, replicates and context lengths."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Ranking, Replicates
from testbed.studies.optimal_context.config import Arm

if TYPE_CHECKING:
    from testbed.studies.optimal_context.study import OptimalContext

EXCESS_OF = {"fixed_budget": "excess", "oracle_stop": "oracle_excess"}
"""The metric that each estimand reads."""


@dataclass(frozen=True)
class ArmData:
    """The finished records of one arm.

    excess     (n_sizes, rows, n_lengths) of the judged estimand; rows are (kernel, draw, init)
    by_estimand     excess and endless for each estimand
    risk       (rows, n_lengths): h_l of the row's kernel
    reference  (n_sizes, n_kernels x draws, n_lengths): the table learner's exact excess on the same targets
    expected   likewise, its mean over further datasets of the kernel
    mixture    (n_sizes, n_kernels x draws, n_lengths): the Bayes mixture's excess, nan where it has no closed form
    mixture_is what the mixture is: "exact", "given the contexts", or None
    endless    (n_lengths,): the optimiser's own excess on an endless stream, largest over kernels
    learning_rate   the arm's, tuned
    """

    arm: Arm
    labels: dict[str, list[int]]
    excess: np.ndarray
    by_estimand: dict[str, tuple[np.ndarray, np.ndarray]]
    risk: np.ndarray
    reference: np.ndarray
    expected: np.ndarray
    mixture: np.ndarray
    mixture_is: str | None
    endless: np.ndarray
    learning_rate: float

    def judged_by(self, estimand: str) -> "ArmData":
        """The same members, judged by another estimand."""
        excess, endless = self.by_estimand[estimand]
        return replace(self, excess=excess, endless=endless)

    @cached_property
    def loss(self) -> np.ndarray:
        """(n_sizes, rows, n_lengths): h_l + excess."""
        return self.risk + self.excess

    @property
    def is_finite(self) -> bool:
        """No member diverged."""
        return bool(np.isfinite(self.excess).all())

    @cached_property
    def replicates(self) -> Replicates:
        return Replicates(self.labels, seed=0)

    @cached_property
    def rankings(self) -> list[Ranking]:
        """One for each dataset size."""
        return [Ranking(loss, self.replicates) for loss in self.loss]

    @property
    def reference_loss(self) -> np.ndarray:
        """(n_sizes, n_lengths): mean loss of the table learner on the same targets."""
        return np.asarray((self.risk_of_draws + self.reference).mean(axis=1))

    @property
    def expected_loss(self) -> np.ndarray:
        """(n_sizes, n_lengths): the table learner's loss in expectation over datasets."""
        return np.asarray((self.risk_of_draws + self.expected).mean(axis=1))

    @property
    def risk_of_draws(self) -> np.ndarray:
        """(n_kernels x draws, n_lengths): h_l, one row for each dataset."""
        inits = max(self.labels["initialisation"]) + 1
        return self.risk[::inits]


def arm_data(study: "OptimalContext", arm: Arm, records: Sequence[Record]) -> ArmData | None:
    """Gather an arm's records; None where some are missing."""
    mine = [record for record in records if record.probe["arm"] == arm.name and record.status != "failed"]
    index: dict[tuple[Any, ...], Record] = {}
    for record in mine:
        p = record.probe
        index[p["kind"], p["kernel"], p["draw"], p["init"], p["n_targets"], p["context_length"]] = record
    kernels, draws, inits = study.kernels_of(arm), range(study.n_draws), range(study.n_inits)
    rows = [(kernel, draw, init) for kernel in kernels for draw in draws for init in inits]
    try:
        members = [[[index["member", *row, d, n] for n in arm.lengths] for row in rows] for d in arm.sizes]
        references = [[index["reference", k, j, 0, d, None] for k in kernels for j in draws] for d in arm.sizes]
        endless = [[index["endless", kernel, 0, 0, None, n] for n in arm.lengths] for kernel in kernels]
    except KeyError:
        return None

    def metric(name: str) -> np.ndarray:
        return np.array(
            [
                [[number(r.metrics[name]) if r.status == "done" else np.nan for r in row] for row in size]
                for size in members
            ]
        )

    def own_excess(name: str) -> np.ndarray:
        return np.asarray(np.max([[number(r.metrics[name]) for r in row] for row in endless], axis=0))

    by_estimand = {estimand: (metric(name), own_excess(name)) for estimand, name in EXCESS_OF.items()}
    return ArmData(
        arm=arm,
        labels={
            "kernel": [row[0] for row in rows],
            "draw": [row[1] for row in rows],
            "initialisation": [row[2] for row in rows],
        },
        excess=by_estimand[study.estimand][0],
        endless=by_estimand[study.estimand][1],
        by_estimand=by_estimand,
        risk=metric("bayes_risk")[0],
        reference=np.array([[one.arrays["excess"] for one in of_size] for of_size in references]),
        expected=np.array([[one.arrays["expected_excess"] for one in of_size] for of_size in references]),
        mixture=np.array([[one.arrays["mixture_excess"] for one in of_size] for of_size in references]),
        mixture_is=cast("str | None", references[0][0].metrics["mixture"]),
        learning_rate=number(members[0][0][0].probe["learning_rate"]),
    )


def number(value: Any) -> float:
    """A metric as a number; nan where there is none."""
    return float("nan") if value is None else float(value)


def counted(data: ArmData) -> str:
    """ "12 kernels, 12 draws, 12 initialisations in all": how many units there are at each level."""
    parts = [f"{count} {level}{'' if count == 1 else 's'}" for level, count in data.replicates.counts.items()]
    return ", ".join(parts) + " in all"
