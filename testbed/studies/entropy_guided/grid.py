"""The cells: each arm's rate, then its members. Arms of a replicate share sequences and first weights."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.models import ModelConfig
from testbed.runs import Cell, Record
from testbed.studies.entropy_guided.config import DEPTHS, NEITHER, PLACES, Arm, Form, Probe
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.entropy_guided.study import EntropyGuidedStudy

HELD_OUT = 64
"""Held-out tokens; nothing is chosen by them."""


def forms_at(place: str) -> tuple[Form, ...]:
    """Forms of the penalty on a source: the paper's own, and on the coin the other, for the defect."""
    return ("window", "row") if place == "coin" else ("window",)


def main_arms(study: "EntropyGuidedStudy") -> list[Arm]:
    """Every cell without a penalty, and those that have one at the claims' c."""
    c = study.penalty.coefficient
    found = [Arm(place, cell) for place in PLACES for cell in study.lattice.cells]
    return found + [
        Arm(place, cell, form, c) for place in PLACES for cell in study.lattice.with_penalty for form in forms_at(place)
    ]


def dose_arms(study: "EntropyGuidedStudy") -> list[Arm]:
    """Other coefficients on the coin, softmax alone."""
    doses = sorted((study.penalty.paper, *study.penalty.others))
    return [Arm("coin", NEITHER, form, c) for form in forms_at("coin") for c in doses]


def seeds_of(study: "EntropyGuidedStudy", arm: Arm) -> range:
    """Replicates of an arm: all without a penalty, fewer with one."""
    p = study.penalty
    n = {"none": study.n_seeds}.get(arm.form, p.n_others if arm.coefficient in p.others else p.n_seeds)
    return study.seeds[:n]


def member_cell(study: "EntropyGuidedStudy", arm: Arm, seed: int, rate: float, kind: str = "member") -> Cell:
    """One model."""
    training, length = study.training, study.sources.length
    norm, activation = arm.cell.split("_")
    network, judged = study.network, kind == "member"
    spec = TrainingSpec(
        source=study.sources.source(arm.place),
        context_length=length - 1,
        data=DataConfig(
            max_context=length - 1, batch="sequences", targets_per_step=training.sequences_per_step, seed=seed
        ),
        model=ModelConfig.model_validate(
            {
                "width": network.width,
                "depth": DEPTHS[arm.place],
                "heads": network.heads,
                "mlp_ratio": network.mlp_ratio,
                "norm": norm,
                "activation": activation,
                "methods": study.penalty.methods(arm.form, arm.coefficient),
            }
        ),
        optimiser=OptimiserConfig(
            learning_rate=rate, steps=training.of(arm.place), warmup_steps=training.warmup_steps, clip=None
        ),
        evaluation=EvaluationConfig(
            n_contexts=study.reading.n_contexts,
            n_heldout=HELD_OUT,
            path_points=study.reading.path_points if judged else 1,
            path_spacing="even",
        ),
        initial_seed=seed,
    )
    probe = Probe(
        kind=kind,  # type: ignore[arg-type]
        place=arm.place,
        lattice=arm.cell,
        form=arm.form,
        coefficient=arm.coefficient,
        seed=seed,
        learning_rate=rate,
        n_sequences=study.reading.n_sequences if judged else None,
    )
    return Cell(study.type_name, study.version, probe, spec)


def rate_of(study: "EntropyGuidedStudy", arm: Arm, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The arm's rate, None before it is known, and the cells that decide it."""

    def trial(rate: float) -> list[Cell]:
        return [member_cell(study, arm, seed, rate, "rate") for seed in study.tuning.seeds]

    return least_scored(study.tuning.learning_rates, trial, mean_metric("excess"), finished, study.tuning.tie)


def all_cells(study: "EntropyGuidedStudy", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    for arm in main_arms(study) + dose_arms(study):
        rate, cells = rate_of(study, arm, finished)
        yield from cells
        if rate is not None:
            for seed in seeds_of(study, arm):
                yield member_cell(study, arm, seed, rate)
