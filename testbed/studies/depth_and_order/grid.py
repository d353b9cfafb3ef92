"""The cells of the study: levels, networks built by hand and the tuning first, members once their shape is tuned."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.depth_and_order.config import Probe, Shape
from testbed.studies.depth_and_order.levels import chains
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.depth_and_order.study import DepthAndOrder


def all_cells(study: "DepthAndOrder", finished: Mapping[str, Record]) -> list[Cell]:
    """Every cell that can be named."""
    found = [level_cell(study, one.order) for one in study.orders] + built_cells(study)
    rates: dict[str, float | None] = {}
    for shape, order in study.arms():
        if shape.name not in rates:
            rates[shape.name], tuning = tuned(study, shape, finished)
            found += tuning
        rate = rates[shape.name]
        if rate is not None:
            found += [member_cell(study, shape, order, seed, rate) for seed in study.seeds]
    return found


def level_cell(study: "DepthAndOrder", order: int) -> Cell:
    """The levels of one order."""
    probe = Probe(kind="levels", order=order, vocab_size=study.vocab_size, length=study.length, reading=study.reading)
    return Cell(study.type_name, study.version, probe)


def built_cells(study: "DepthAndOrder") -> list[Cell]:
    """Each network on the chains that it is built for, and on those of one order more."""
    return [
        Cell(
            study.type_name,
            study.version,
            Probe(
                kind="built",
                order=on,
                vocab_size=study.vocab_size,
                length=study.length,
                shape=shape,
                built_for=order,
                model=study.model(shape),
                reading=study.reading,
            ),
        )
        for shape, order in study.built()
        for on in (order, order + 1)
    ]


def member_cell(study: "DepthAndOrder", shape: Shape, order: int, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One model on chains of one order."""
    steps = study.steps(order)
    spec = TrainingSpec(
        source=chains(study.vocab_size, order),
        context_length=study.length - 1,
        data=DataConfig(
            max_context=study.length - 1, batch="sequences", targets_per_step=study.sequences_per_step, seed=seed
        ),
        model=study.model(shape),
        optimiser=study.optimiser.replace(
            steps=max(1, round(study.rates.share * steps)) if tuning else steps, learning_rate=rate
        ),
        evaluation=study.evaluation.replace(path_points=1) if tuning else study.evaluation,
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "member",
        order=order,
        vocab_size=study.vocab_size,
        length=study.length,
        shape=shape,
        seed=seed,
        rate=rate,
    )
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "DepthAndOrder", shape: Shape, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The shape's rate, None before it is known, and the cells that decide it."""
    return least_scored(
        study.rates.learning_rates,
        lambda rate: [member_cell(study, shape, study.rates.order, s, rate, tuning=True) for s in study.rates.seeds],
        mean_metric("excess"),
        finished,
        study.rates.tie,
    )
