"""The cells of the study: references and source checks, tuning, then the members that are judged."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from testbed.core import Config
from testbed.runs import Cell, Record
from testbed.studies.optimal_context.config import Arm
from testbed.training import TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.optimal_context.study import OptimalContext

TUNING_OFFSET = 1_000_000
"""Kernels, data and seeds from this number on are seen by the tuning alone."""
EXTENSION_FACTOR = 3.0
DRAWS_PER_KERNEL = 1_000


class Probe(Config):
    """Which point of the grid a cell is. A member's training is held by the cell itself."""

    kind: Literal["member", "endless", "tuning", "reference", "source"] = Field(description="what is measured")
    arm: str = Field(description="name of the arm")
    kernel: int = Field(ge=0, description="kernel number")
    draw: int = Field(0, ge=0, description="data draw within the kernel")
    init: int = Field(0, ge=0, description="initialisation within the draw")
    n_targets: int | None = Field(None, description="dataset size D; none where there is no dataset")
    context_length: int | None = Field(None, description="l; none where all lengths are measured at once")
    learning_rate: float | None = Field(None, description="peak learning rate of a member")
    source: dict[str, object] | None = Field(None, description="identity of the source, where nothing is trained")


def data_seed(kernel: int, draw: int) -> int:
    """One stream of tokens for each kernel and draw: replicates share no random numbers."""
    return 1 + kernel * DRAWS_PER_KERNEL + draw


def member_cell(
    study: "OptimalContext",
    arm: Arm,
    kind: Literal["member", "endless", "tuning"],
    learning_rate: float,
    n_targets: int | None,
    context_length: int,
    kernel: int,
    draw: int = 0,
    init: int = 0,
) -> Cell:
    """A cell with a trained member. Initial weights are the same for all l and D of a replicate (paired)."""
    training = study.training
    spec = TrainingSpec(
        source=arm.kernel(kernel),
        context_length=context_length,
        data=training.data(data_seed(kernel, draw), n_targets, arm.max_context),
        model=training.model,
        optimiser=training.optimiser.replace(learning_rate=learning_rate),
        evaluation=training.evaluation,
        initial_seed=data_seed(kernel, draw) * DRAWS_PER_KERNEL + init,
    )
    probe = Probe(
        kind=kind,
        arm=arm.name,
        kernel=kernel,
        draw=draw,
        init=init,
        n_targets=n_targets,
        context_length=context_length,
        learning_rate=learning_rate,
    )
    return Cell(study.type_name, study.version, probe, spec)


def untrained_cells(study: "OptimalContext", arm: Arm) -> Iterator[Cell]:
    """The table learner and the Bayes mixture on each dataset, and the check of each source."""
    for kernel in study.kernels_of(arm):
        identity = arm.kernel(kernel).identity()
        yield Cell(study.type_name, study.version, Probe(kind="source", arm=arm.name, kernel=kernel, source=identity))
        for draw in range(study.n_draws):
            for size in arm.sizes:
                probe = Probe(kind="reference", arm=arm.name, kernel=kernel, draw=draw, n_targets=size, source=identity)
                yield Cell(study.type_name, study.version, probe)


def corner_cells(study: "OptimalContext", arm: Arm, learning_rate: float) -> Iterator[Cell]:
    """Extreme l and extreme D at one learning rate, and extreme l on an endless stream, on the tuning's own kernels."""
    for kernel in range(TUNING_OFFSET, TUNING_OFFSET + study.tuning.n_kernels):
        for size in (*dict.fromkeys((arm.sizes[0], arm.sizes[-1])), None):
            for length in (arm.lengths[0], arm.lengths[-1]):
                yield member_cell(study, arm, "tuning", learning_rate, size, length, kernel)


def judged_cells(study: "OptimalContext", arm: Arm, learning_rate: float) -> Iterator[Cell]:
    """Every (kernel, draw, init, D, l), and one member on an endless stream at each kernel and l."""
    for kernel in study.kernels_of(arm):
        for length in arm.lengths:
            yield member_cell(study, arm, "endless", learning_rate, None, length, kernel)
            for draw in range(study.n_draws):
                for init in range(study.n_inits):
                    for size in arm.sizes:
                        yield member_cell(study, arm, "member", learning_rate, size, length, kernel, draw, init)


def tuned_learning_rate(
    study: "OptimalContext", arm: Arm, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The arm's learning rate, or None and the tuning cells still to be run.

    1. A rate is left out if a member diverges at it, or where training would be the bottleneck: on an endless stream,
       at an extreme l and on some kernel, its held-out cross-entropy is over delta / 2 above the best rate's.
    2. For each corner (l, D), regret(lr) = held-out cross-entropy less its least over the grid, divided by its largest;
       corners where no choice matters by more than delta / 2 are left out. The least mean regret over corners is
       chosen, the smaller rate where two agree.
    3. A choice at the grid's edge extends the grid by a factor 3, and the rule starts again, `max_extensions` times.

    Held-out cross-entropy alone is used, never the truth, and only on draws, data and seeds that no verdict uses.
    """
    rates = list(study.tuning.learning_rates)
    for extension in range(study.tuning.max_extensions + 1):
        cells = {rate: list(corner_cells(study, arm, rate)) for rate in rates}
        missing = [cell for of_rate in cells.values() for cell in of_rate if cell.key not in finished]
        if missing:
            return None, [cell for of_rate in cells.values() for cell in of_rate]
        chosen = _least_regret(
            {rate: [finished[c.key] for c in of_rate] for rate, of_rate in cells.items()}, study.delta
        )
        if chosen not in (rates[0], rates[-1]) or extension == study.tuning.max_extensions:
            return chosen, [cell for of_rate in cells.values() for cell in of_rate]
        rates = sorted([*rates, chosen * EXTENSION_FACTOR if chosen == rates[-1] else chosen / EXTENSION_FACTOR])
    raise AssertionError("unreachable: the last extension returns")


def _least_regret(records: dict[float, list[Record]], delta: float) -> float:
    rates = sorted(records)
    losses: dict[tuple[object, object], dict[object, list[float]]] = {}  # (D, l) -> kernel -> loss at each rate
    for rate in rates:
        for record in records[rate]:
            p, loss = record.probe, record.metrics["heldout"]
            diverged = record.status != "done" or not isinstance(loss, float) or not np.isfinite(loss)
            of_kernel = losses.setdefault((p["n_targets"], p["context_length"]), {}).setdefault(p["kernel"], [])
            of_kernel.append(np.inf if diverged else float(loss))  # type: ignore[arg-type]
    regrets = {corner: _regret(np.array(list(of_kernel.values()))) for corner, of_kernel in losses.items()}
    endless = np.max([regret.max(axis=0) for (size, _), regret in regrets.items() if size is None], axis=0)
    finite = np.all([np.isfinite(regret).all(axis=0) for regret in regrets.values()], axis=0)
    sound = finite & (endless <= delta / 2)
    if not sound.any():  # every rate is a bottleneck somewhere: the least one, and the judge will say so
        return rates[int(np.argmin(np.where(finite, endless, np.inf)))]
    normalised = []
    for (size, _), regret in regrets.items():
        mean = np.where(sound, regret.mean(axis=0), 0.0)
        if size is not None and mean.max() > delta / 2:
            normalised.append(mean / mean.max())
    score = np.mean(normalised, axis=0) if normalised else np.abs(np.arange(len(rates)) - (len(rates) - 1) / 2)
    return rates[int(np.argmin(np.where(sound, score, np.inf)))]


def _regret(losses: np.ndarray) -> np.ndarray:
    """(kernels, rates): loss less the least over rates; infinite where a member diverged."""
    least = losses.min(axis=1, keepdims=True)
    return np.where(np.isfinite(losses), losses - np.where(np.isfinite(least), least, 0.0), np.inf)
