"""The finished records as arrays over replicates, and which replicates are judged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean, Replicates
from testbed.studies.mep_against_transformer.extensions import COUNTED, POLICIES, Floats, names_of, window
from testbed.studies.mep_against_transformer.grid import FEW
from testbed.studies.tables import Axes, Table

if TYPE_CHECKING:
    from testbed.studies.mep_against_transformer.study import MepAgainstTransformer

DISTANCES = ("orders", "ways", "delta")
Key = tuple[str, str, int, int, int]
"""Kind, task, replicate, steps, size."""


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from; the first axis of every table is over replicates.

    tables   own (task, t < T), exact and loss of the models of T tokens; long (task, t) and counted of those of 2T;
             policies and distances (task, steps, .); few_* (size) and predicted
    learnt   (R,): whether the replicate's models of T and of 2T tokens have learnt their tokens, in every task
    rates    the tuned learning rate of each (task, kind); `tuning`, mean excess at every rate tried
    """

    tables: dict[str, Table]
    learnt: np.ndarray
    context_length: int
    rates: dict[tuple[str, str], float]
    tuning: dict[tuple[str, str], dict[float, float]]

    def kept(self) -> "Data":
        """The replicates whose models have learnt: those that are judged."""
        return self._rows(self.learnt)

    def _rows(self, chosen: np.ndarray) -> "Data":
        tables = {name: Table(one.axes, one.values[chosen]) for name, one in self.tables.items()}
        return replace(self, tables=tables, learnt=self.learnt[chosen])

    def mean(self, values: Floats) -> Mean:
        """Evidence on the mean over replicates of (R,) values."""
        return Mean(values, Replicates({"seed of weights, tokens and laws": range(len(values))}, seed=0))

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        evidence = self.mean(values)
        return evidence.estimate, *evidence.interval((1 - LEVEL) / 2)

    def new(self, table: str, **labels: object) -> Floats:
        """(R,): X, the mean loss on the tokens from T on, nats per new token."""
        return np.asarray(self.tables[table].at(**labels)[:, self.context_length :].mean(axis=1))

    @property
    def sliding(self) -> str:
        """The window of T - 1 tokens."""
        return window(self.context_length - 1)


def gather(study: "MepAgainstTransformer", records: Sequence[Record]) -> Data | None:
    """The records that the study names, once its rates are tuned; None if one is missing."""
    judged = [r for r in records if r.probe["purpose"] == "judged" and r.status in ("done", "diverged")]
    found: dict[Key, Record] = {_key(r): r for r in judged}
    budget = study.budget
    steps = (*budget.early, budget.steps)
    wanted: list[Key] = [("few", FEW, i, study.few.steps, n) for i in study.numbers for n in study.few.sizes]
    long_size = budget.steps * budget.sequences_per_step
    for task in study.tasks:
        for i in study.numbers:
            wanted += [("early" if s < budget.steps else "short", task.name, i, s, 0) for s in steps]
            wanted.append(("long", task.name, i, budget.steps, long_size))
    if any(key not in found for key in wanted):
        return None

    def stacked(name: str, kind: str, task: str, steps: int, size: int) -> Floats:
        return np.stack([found[kind, task, i, steps, size].arrays[name] for i in study.numbers])

    def by_task(name: str, kind: str, size: int = 0) -> Floats:
        return np.stack([stacked(name, kind, task.name, budget.steps, size) for task in study.tasks], axis=1)

    def by_steps(name: str) -> Floats:
        kinds = [("early", s) for s in budget.early] + [("short", budget.steps)]
        return np.stack(
            [np.stack([stacked(name, k, task.name, s, 0) for k, s in kinds], axis=1) for task in study.tasks], axis=1
        )

    def by_size(name: str) -> Floats:
        return np.stack([stacked(name, "few", FEW, study.few.steps, n) for n in study.few.sizes], axis=1)

    values = {
        "own": by_task("own", "short"),
        "exact": by_task("exact", "short"),
        "loss": by_task("loss", "short"),
        "long": by_task("own", "long", long_size),
        "counted": by_task("counted", "long", long_size),
        "policies": by_steps("policies"),
        "distances": by_steps("order"),
        "few": by_size("difference"),
        "few_counted": by_size("counted_difference"),
        "predicted": by_size("predicted")[:, 0],
    }
    axes = axes_of(study)
    tables = {name: Table(axes[name], array) for name, array in values.items()}
    trained = ("short", "long")
    diverged = {r.probe["replicate"] for r in judged if r.status == "diverged" and r.probe["kind"] in trained}
    # both: a model of 2T that has not learnt would tie with anything
    learnt = np.maximum(*(values[name].mean(axis=2).max(axis=1) for name in ("own", "long"))) <= study.bounds.gate
    learnt &= np.array([number not in diverged for number in study.numbers])
    return Data(tables, learnt, study.context_length, _rates(judged), _tuning(records))


def _key(record: Record) -> Key:
    probe = record.probe
    return probe["kind"], probe["task"], probe["replicate"], probe["steps"], probe["size"]


def _rates(judged: Sequence[Record]) -> dict[tuple[str, str], float]:
    kinds = ("short", "long")
    return {(r.probe["task"], r.probe["kind"]): r.probe["learning_rate"] for r in judged if r.probe["kind"] in kinds}


def _tuning(records: Sequence[Record]) -> dict[tuple[str, str], dict[float, float]]:
    scores: dict[tuple[str, str], dict[float, list[float]]] = {}
    for r in records:
        if r.probe["purpose"] == "tuning" and r.status == "done":
            at = scores.setdefault((r.probe["task"], r.probe["kind"]), {})
            at.setdefault(r.probe["learning_rate"], []).append(float(r.metrics["own"]))  # type: ignore[arg-type]
    return {key: {rate: float(np.mean(all_)) for rate, all_ in at.items()} for key, at in scores.items()}


def axes_of(study: "MepAgainstTransformer") -> dict[str, Axes]:
    """The axes of each table, behind that of replicates."""
    t = study.context_length
    task: Axes = {"task": tuple(one.name for one in study.tasks)}
    steps: Axes = {**task, "steps": (*study.budget.early, study.budget.steps)}
    every: Axes = {"t": tuple(range(2 * t))}
    size: Axes = {"size": study.few.sizes}
    return {
        "own": {**task, "t": tuple(range(t))},
        "exact": {**task, **every},
        "loss": {**task, "scheme": names_of(t), **every},
        "long": {**task, **every},
        "counted": {**task, "scheme": COUNTED, **every},
        "policies": {**steps, "policy": POLICIES},
        "distances": {**steps, "distance": DISTANCES},
        "few": size,
        "few_counted": size,
        "predicted": {},
    }
