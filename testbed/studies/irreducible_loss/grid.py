"""The cells of the study: curves without training and the tuning first, members once their rate is tuned."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.irreducible_loss.classes import CHAINS, KINDS, LINEAR, MEMORY, MIXING, TRAINED, Kind, source_of
from testbed.studies.irreducible_loss.config import MemberProbe, Probe, What
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.irreducible_loss.study import IrreducibleLoss

TUNING_OFFSET = 1_000_000
"""Draws from this number on are seen by the tuning alone."""
QUESTIONS: tuple[tuple[What, tuple[str, ...]], ...] = (
    ("table", tuple(KINDS)),
    ("regression", (LINEAR, *CHAINS)),
    ("two_sizes", (*MIXING, *MEMORY)),
    ("other_stream", CHAINS),
)


def all_cells(study: "IrreducibleLoss", finished: Mapping[str, Record]) -> list[Cell]:
    """Every cell that can be named."""
    found = [curve_cell(study, what, kind) for what, kinds in QUESTIONS for kind in kinds]
    for name in TRAINED:
        rate, tuning = tuned(study, KINDS[name], finished)
        found += tuning
        if rate is not None:
            for draw in study.trained_draws:
                found += [
                    member_cell(study, KINDS[name], draw, size, run, rate)
                    for size in study.training.sizes
                    for run in range(study.training.runs)
                ]
                found.append(member_cell(study, KINDS[name], draw, 0, 0, rate))
    return found


def curve_cell(study: "IrreducibleLoss", what: What, kind: str) -> Cell:
    """All draws of a class."""
    draws = study.two_size_draws if what == "two_sizes" else study.draws
    probe = Probe(what=what, kind=kind, first_draw=study.first_draw, draws=draws, sweeps=study.sweeps)
    return Cell(study.type_name, study.version, probe)


def member_cell(
    study: "IrreducibleLoss", kind: Kind, draw: int, size: int, run: int, rate: float, tuning: bool = False
) -> Cell:
    """A transformer that sees the window; size 0 stands for an endless stream."""
    training = study.training
    seed = draw * 10_007 + run
    spec = TrainingSpec(
        source=source_of(kind, draw),
        context_length=kind.window,
        data=DataConfig(
            n_targets=size or None, max_context=kind.window, targets_per_step=training.targets_per_step, seed=seed
        ),
        model=study.model,
        optimiser=study.optimiser.replace(steps=training.steps, learning_rate=rate),
        evaluation=study.evaluation,
        initial_seed=seed,
    )
    probe = MemberProbe(
        what="tuning" if tuning else "member" if size else "endless",
        kind=kind.name,
        draw=draw,
        size=size,
        run=run,
        learning_rate=rate,
    )
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "IrreducibleLoss", kind: Kind, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of least mean held-out loss over the endless stream and the middle size, the smaller one of equals; None
    before it is known."""
    training = study.training
    middle = training.sizes[len(training.sizes) // 2]
    draws = range(TUNING_OFFSET, TUNING_OFFSET + training.tuning_draws)

    def trial(rate: float) -> list[Cell]:
        return [member_cell(study, kind, one, size, 0, rate, tuning=True) for one in draws for size in (0, middle)]

    return least_scored(training.learning_rates, trial, mean_metric("stopped"), finished)
