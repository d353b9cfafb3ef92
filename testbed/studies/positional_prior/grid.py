"""The cells: the exact side, then rates, then slopes, then members, each once what it needs is chosen."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.positional_prior.config import ARMS, SINGLE, SLOPED, Arm, Probe, methods_of
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.positional_prior.study import PositionalPrior


def exact_cell(study: "PositionalPrior", source: str) -> Cell:
    """What needs no model."""
    probe = Probe(kind="exact", source=source, design=study.design, slopes=study.slopes, n_exact=study.reading.n_exact)
    return Cell(study.type_name, study.version, probe)


def member_cell(
    study: "PositionalPrior", arm: Arm, source: str, seed: int, rate: float, slope: float | None, kind: str = "member"
) -> Cell:
    """One model. All arms of a replicate have the same source, sequences and first weights (paired)."""
    length, training = study.design.length, study.training
    judged = kind in ("member", "sweep")
    spec = TrainingSpec(
        source=study.design.source(source),
        context_length=length - 1,
        data=DataConfig(
            max_context=length - 1, batch="sequences", targets_per_step=training.sequences_per_step, seed=seed
        ),
        model=study.model.replace(methods=methods_of(arm, slope)),
        optimiser=OptimiserConfig(learning_rate=rate, steps=training.steps, warmup_steps=training.warmup_steps),
        evaluation=study.evaluation,
        initial_seed=seed,
    )
    probe = Probe(
        kind=kind,  # type: ignore[arg-type]
        source=source,
        arm=arm,
        seed=seed,
        learning_rate=rate,
        slope=slope,
        design=study.design if judged else None,
        reading=study.reading if judged else None,
    )
    return Cell(study.type_name, study.version, probe, spec)


def rate_of(
    study: "PositionalPrior", arm: Arm, source: str, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The arm's rate on a source, None before it is known, and the cells that decide it. The middle power law decides
    for all that fall; slopes stand in the middle of their grid."""
    where = study.design.middle if source != SINGLE else source
    grid = study.slopes.of(arm)
    slope = grid[len(grid) // 2] if arm in SLOPED else None

    def trial(rate: float) -> list[Cell]:
        return [member_cell(study, arm, where, seed, rate, slope, "rate") for seed in study.tuning.seeds]

    rates, tie = study.tuning.learning_rates, study.tuning.tie
    return least_scored(rates, trial, mean_metric("excess"), finished, tie)


def slope_of(
    study: "PositionalPrior", arm: Arm, source: str, rate: float, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The arm's slope on a source, at its rate. On the single lag the weakest, without a trial: on the exact side it is
    the best of those that only fall. Beside RoPE, that of the harmonic arm."""
    grid = study.slopes.of(arm)
    if arm == "rope_harmonic" and source != SINGLE:
        own, _ = rate_of(study, "harmonic", source, finished)
        return (None if own is None else slope_of(study, "harmonic", source, own, finished)[0]), []
    if source == SINGLE:
        return grid[0], []

    def trial(slope: float) -> list[Cell]:
        return [member_cell(study, arm, source, seed, rate, slope, "slope") for seed in study.tuning.seeds]

    return least_scored(grid, trial, mean_metric("excess"), finished)


def all_cells(study: "PositionalPrior", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    for source in study.design.names:
        yield exact_cell(study, source)
    for arm in ARMS:
        named: set[str] = set()
        for source in study.design.names:
            rate, rate_cells = rate_of(study, arm, source, finished)
            for cell in rate_cells:
                if cell.key not in named:
                    named.add(cell.key)
                    yield cell
            if rate is None:
                continue
            slope = None
            if arm in SLOPED:
                slope, slope_cells = slope_of(study, arm, source, rate, finished)
                yield from slope_cells
                if slope is None:
                    continue
            for seed in study.seeds:
                yield member_cell(study, arm, source, seed, rate, slope)
            if arm == "harmonic" and source in study.design.powers:
                for m in study.slopes.harmonic:
                    for seed in study.seeds:
                        yield member_cell(study, arm, source, seed, rate, m, "sweep")
