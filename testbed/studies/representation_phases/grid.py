"""The cells of the study: trials of learning rates first, then the runs of each corner, and the deeper networks."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.models import ModelConfig
from testbed.runs import Cell, Record
from testbed.studies.representation_phases.config import (
    CORNERS,
    Corner,
    FamilyName,
    LayerArm,
    Probe,
)
from testbed.studies.representation_phases.laws import law_of, layer_source
from testbed.studies.tuning import TUNING_OFFSET, least_scored, mean_metric
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.representation_phases.study import RepresentationPhases


def all_cells(study: "RepresentationPhases", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named: runs once their rate is chosen."""
    for name in study.families:
        for corner in CORNERS:
            rate, trials = tuned(study, name, corner, finished)
            yield from trials
            if rate is not None:
                for seed in study.seeds:
                    yield run_cell(study, name, corner, seed, rate, "early")
                    yield run_cell(study, name, corner, seed, rate, "late")
    for arm in study.layers.arms:
        rate, trials = layer_tuned(study, arm, finished)
        yield from trials
        if rate is not None:
            for seed in study.seeds:
                yield layer_cell(study, arm, seed, rate)


def tuned(
    study: "RepresentationPhases", name: FamilyName, corner: Corner, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The rate of least mean held-out loss of a corner, None before it is known, and its trials."""
    recipe, rates = study.recipe, study.family(name).size(corner).learning_rates

    def trial(rate: float) -> list[Cell]:
        seeds = range(TUNING_OFFSET, TUNING_OFFSET + recipe.tuning_seeds)
        return [run_cell(study, name, corner, seed, rate, "tuning") for seed in seeds]

    return least_scored(rates, trial, mean_metric("heldout"), finished, recipe.tie)


def early_steps(steps: int) -> int:
    """Where the late part's path begins, as `testbed.training.evaluation.path_steps` has it."""
    return round(max(steps / 64, 1))


def scored(study: "RepresentationPhases") -> EvaluationConfig:
    """Of trials: the choice is made on the held-out loss."""
    n = study.recipe.n_heldout
    return EvaluationConfig(evaluation_budget=1, n_contexts=n // 4, n_heldout=n, path_points=1)


def run_cell(
    study: "RepresentationPhases", name: FamilyName, corner: Corner, seed: int, rate: float, kind: str
) -> Cell:
    """A run, or its first steps over again: the rate never decays, so that a shorter run is the longer one's start.

    The late part keeps points from the 64th part of its steps on, the early one from the first step up to there.
    """
    family, recipe = study.family(name), study.recipe
    size, tuning = family.size(corner), kind == "tuning"
    early = kind == "early"
    kept = EvaluationConfig(
        evaluation_budget=1,
        n_contexts=32,
        n_heldout=32,
        path_points=recipe.early_points if early else recipe.late_points,
        keep_weights=True,
    )
    spec = TrainingSpec(
        source=law_of(family, name, corner, study.exponent, seed),
        context_length=family.context_length,
        data=DataConfig(max_context=family.context_length, targets_per_step=family.windows_per_step, seed=seed),
        model=ModelConfig(width=size.width, depth=recipe.depth, heads=recipe.heads, mlp_ratio=recipe.mlp_ratio),
        optimiser=OptimiserConfig(
            clip=None,  # left out it would be 1
            learning_rate=rate,
            steps=early_steps(family.steps) if early else family.steps,
            warmup_steps=recipe.warmup_steps,
            final_fraction=1.0,
            beta2=recipe.beta2,
        ),
        evaluation=scored(study) if tuning else kept,
        loss="all",
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "early" if early else "late",
        name=name,
        corner=corner,
        seed=seed,
        learning_rate=rate,
        n_inputs=0 if tuning else study.reading.n_inputs,
    )
    return Cell(study.type_name, study.version, probe, spec)


def layer_tuned(
    study: "RepresentationPhases", arm: LayerArm, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The rate of an arm of deeper networks, and its trials."""

    def trial(rate: float) -> list[Cell]:
        seeds = range(TUNING_OFFSET, TUNING_OFFSET + study.layers.tuning_seeds)
        return [layer_cell(study, arm, seed, rate, tuning=True) for seed in seeds]

    return least_scored(arm.learning_rates, trial, mean_metric("heldout"), finished)


def layer_cell(study: "RepresentationPhases", arm: LayerArm, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One of the deeper networks, scored at every position, with a rate that decays."""
    layers = study.layers
    spec = TrainingSpec(
        source=layer_source(arm, seed),
        context_length=layers.context_length,
        data=DataConfig(max_context=layers.context_length, targets_per_step=layers.windows_per_step, seed=seed),
        model=ModelConfig(width=layers.width, depth=layers.depth, heads=layers.heads, mlp_ratio=layers.mlp_ratio),
        optimiser=OptimiserConfig(
            clip=None,
            learning_rate=rate,
            steps=arm.steps,
            warmup_steps=layers.warmup_steps,
            beta2=study.recipe.beta2,
        ),
        evaluation=scored(study),
        loss="all",
        initial_seed=seed,
    )
    probe = Probe(
        kind="layer_tuning" if tuning else "layers",
        name=arm.name,
        seed=seed,
        learning_rate=rate,
        layers=None if tuning else layers,
    )
    return Cell(study.type_name, study.version, probe, spec)
