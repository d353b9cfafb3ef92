"""The cells of the study: learning rates first, then every replicate's models."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Cell, Record
from testbed.sources import AnySource, MarkovSource
from testbed.studies.mep_against_transformer.config import Kind, Probe, Purpose, Task
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.mep_against_transformer.study import MepAgainstTransformer

TUNING_OFFSET = 1_000_000
"""Replicates from this number on are seen by the tuning alone."""
FEW = "few windows"
"""Task of the models that see few windows."""
MOST_TRIES = 10_000


def cells(study: "MepAgainstTransformer", finished: Mapping[str, Record]) -> list[Cell]:
    """Every cell that can be named, given the finished records."""
    found = [few_cell(study, number, size) for size in study.few.sizes for number in study.numbers]
    for task in study.tasks:
        rates: dict[Kind, float | None] = {}
        for kind in ("short", "long"):
            rates[kind], tuning = tuned_rate(study, task, kind, finished)
            found += tuning
        for number in study.numbers:
            if (rate := rates["short"]) is not None:
                found.append(task_cell(study, task, "short", number, rate))
                found += [task_cell(study, task, "early", number, rate, steps=steps) for steps in study.budget.early]
            if (rate := rates["long"]) is not None:
                found.append(task_cell(study, task, "long", number, rate))
    return found


def tuned_rate(
    study: "MepAgainstTransformer", task: Task, kind: Kind, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The rate of least mean excess on the model's own tokens over the tuning's replicates, the smaller one of equals;
    None before it is known. A rate at which one of them diverges is not chosen."""
    numbers = range(TUNING_OFFSET, TUNING_OFFSET + study.budget.tuning_seeds)

    def trial(rate: float) -> list[Cell]:
        return [task_cell(study, task, kind, number, rate, purpose="tuning") for number in numbers]

    return least_scored(study.budget.learning_rates, trial, mean_metric("own"), finished)


def source_of(task: Task, replicate: int) -> AnySource:
    """The law that a replicate learns."""
    return task.source.replace(seed=replicate) if task.redrawn else task.source


def task_cell(
    study: "MepAgainstTransformer",
    task: Task,
    kind: Kind,
    replicate: int,
    rate: float,
    *,
    purpose: Purpose = "judged",
    steps: int | None = None,
) -> Cell:
    """A model of T tokens, or of 2T with half as many windows a step: as many tokens."""
    budget, t = study.budget, study.context_length
    steps = budget.steps if steps is None else steps
    length, windows = (2 * t, budget.sequences_per_step) if kind == "long" else (t, 2 * budget.sequences_per_step)
    probe = Probe(
        kind=kind,
        purpose=purpose,
        task=task.name,
        replicate=replicate,
        context_length=t,
        learning_rate=rate,
        steps=steps,
        size=steps * windows if kind == "long" else 0,
    )
    spec = _spec(study, source_of(task, replicate), length, windows, replicate, rate, steps)
    return Cell(study.type_name, study.version, probe, spec)


def few_cell(study: "MepAgainstTransformer", replicate: int, size: int) -> Cell:
    """A model of T tokens that sees the same N windows in every epoch."""
    few = study.few
    probe = Probe(
        kind="few",
        task=FEW,
        replicate=replicate,
        context_length=few.context_length,
        learning_rate=few.learning_rate,
        steps=few.steps,
        size=size,
        few=few,
    )
    source = MarkovSource(weak_kernel(study, replicate))
    t = few.context_length
    spec = _spec(study, source, t, few.windows_per_step, replicate, few.learning_rate, few.steps, n_targets=size)
    return Cell(study.type_name, study.version, probe, spec)


def weak_kernel(study: "MepAgainstTransformer", replicate: int) -> np.ndarray:
    """(2, 2, 2): a chain of order 2 whose h_1 - h_2 lies within `few.bias`, drawn from the replicate's number."""
    from testbed.studies.mep_extension.laws import chain_law, markov_kernel

    few = study.few
    rng = np.random.default_rng([*FEW.encode(), replicate])
    for _ in range(MOST_TRIES):
        kernel = markov_kernel(rng, 2, 2, few.alpha)
        if few.bias[0] <= pair_bias(chain_law(kernel, 3)) <= few.bias[1]:
            return kernel
    raise ValueError(f"few.bias: of {MOST_TRIES} chains none has h_1 - h_2 within {few.bias}; widen it or change alpha")


def pair_bias(law: np.ndarray) -> float:
    """h_1 - h_2 of a stationary law of three tokens, nats: H(x_0 x_1) - H(x_0) - (H(x_0 x_1 x_2) - H(x_0 x_1))."""
    blocks = [law.sum(axis=(1, 2)), law.sum(axis=2), law]
    single, pair, triple = (-float(np.sum(b[b > 0] * np.log(b[b > 0]))) for b in blocks)
    return 2 * pair - single - triple


def _spec(
    study: "MepAgainstTransformer",
    source: AnySource,
    length: int,
    windows: int,
    seed: int,
    rate: float,
    steps: int,
    n_targets: int | None = None,
) -> TrainingSpec:
    """Windows of `length` tokens behind a begin symbol, scored at every token."""
    return TrainingSpec(
        source=source,
        context_length=length - 1,
        data=DataConfig(max_context=length - 1, targets_per_step=windows, seed=seed, n_targets=n_targets),
        model=study.model,
        optimiser=study.optimiser.replace(steps=steps, learning_rate=rate),
        evaluation=study.evaluation,
        loss="all",
        initial_seed=seed,
    )
