"""The cells of the study: levels and the tuning first, members once their arm's rate is tuned."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.induction_phases.config import ARMS, LAWS, PAPER_LENGTH, Name, Probe
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases


def all_cells(study: "InductionPhases", finished: Mapping[str, Record]) -> list[Cell]:
    """Every cell that can be named."""
    found = level_cells(study)
    for name in ARMS:
        rate, tuning = tuned(study, name, finished)
        found += tuning
        if rate is not None:
            found += [member_cell(study, name, seed, rate) for seed in study.seeds]
    return found


def level_cells(study: "InductionPhases") -> list[Cell]:
    """Each law of chains at the length of its sequences and at the paper's; arms on the same law share them."""
    found = []
    for name in LAWS:
        arm = study.arms.named(name)
        for length in sorted({arm.length, PAPER_LENGTH + 1}):
            probe = Probe(kind="levels", arm=name, length=length, reading=study.reading, chains=arm.replace(steps=1))
            found.append(Cell(study.type_name, study.version, probe))
    return found


def member_cell(study: "InductionPhases", name: Name, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One model."""
    arm = study.arms.named(name)
    spec = TrainingSpec(
        source=arm.source,
        context_length=arm.length - 1,
        data=DataConfig(
            max_context=arm.length - 1, batch="sequences", targets_per_step=study.sequences_per_step, seed=seed
        ),
        model=study.model.replace(depth=arm.depth),
        optimiser=study.optimiser.replace(steps=arm.steps, learning_rate=rate),
        evaluation=study.evaluation.replace(**({"path_points": 1} if tuning else {"keep_weights": True})),
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "member",
        arm=name,
        length=arm.length,
        seed=seed,
        rate=rate,
        reading=None if tuning else study.reading,
        chains=None if tuning else arm,
    )
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "InductionPhases", name: Name, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The arm's rate, None before it is known, and the cells that decide it."""
    cells = [
        [member_cell(study, name, seed, rate, tuning=True) for seed in study.rates.seeds]
        for rate in study.rates.learning_rates
    ]
    flat = [cell for row in cells for cell in row]
    if any(cell.key not in finished for cell in flat):
        return None, flat
    records = [[finished[cell.key] for cell in row] for row in cells]
    excess = [
        [float(one.metrics["excess"]) if one.status == "done" else float("inf") for one in row]  # type: ignore[arg-type]
        for row in records
    ]
    return study.rates.chosen(excess), flat
