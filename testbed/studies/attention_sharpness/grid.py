"""The cells of the study: sweeps, ramps and the tuning of copies first, copies once their rate is chosen."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.methods import LearnedPositions
from testbed.methods.distance_logits import DistanceLogits
from testbed.runs import Cell, Record
from testbed.sources.lags.noisy_copy import NoisyCopySource
from testbed.studies.attention_sharpness.config import Arm, Kind, Place, Probe
from testbed.studies.attention_sharpness.laws import failing_length
from testbed.studies.tuning import TUNING_OFFSET, least_scored, mean_metric
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.attention_sharpness.study import AttentionSharpness


def lengths(study: "AttentionSharpness", gap: float) -> tuple[int, ...]:
    """Keys of the windows at which models of this gap are trained, rising."""
    predicted = failing_length(gap, study.copies.noise)
    return tuple(max(3, round(predicted * one)) for one in study.copies.multiples)


def all_cells(study: "AttentionSharpness", finished: Mapping[str, Record]) -> list[Cell]:
    """Every cell that can be named."""
    found = list(_sweep_cells(study))
    copies = study.copies
    for gap in copies.gaps:
        at = lengths(study, gap)
        rate, tuning = tuned(study, "length", gap, at[len(at) // 2], finished)
        found += tuning
        if rate is not None:
            found += [copy_cell(study, "length", gap, one, seed, rate) for one in at for seed in study.seeds]
    gap, at_one = copies.readout_gap, copies.readout_length
    rate, tuning = tuned(study, "readout", gap, at_one, finished)
    found += tuning
    if rate is not None:
        found += [copy_cell(study, "readout", gap, at_one, seed, rate) for seed in study.seeds]
    return found


def tuned(
    study: "AttentionSharpness", kind: Kind, gap: float, length: int, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The rate of least mean held-out loss at the length next above the predicted one, the smaller of equals."""
    seeds = range(TUNING_OFFSET, TUNING_OFFSET + study.copies.tuning_seeds)

    def trial(rate: float) -> list[Cell]:
        return [copy_cell(study, kind, gap, length, seed, rate, tuning=True) for seed in seeds]

    return least_scored(study.copies.learning_rates, trial, mean_metric("heldout"), finished)


def copy_cell(
    study: "AttentionSharpness", kind: Kind, gap: float, length: int, seed: int, rate: float, tuning: bool = False
) -> Cell:
    """One head over `length` keys, of which the farthest is to be copied."""
    copies = study.copies
    spec = TrainingSpec(
        source=NoisyCopySource(lag=length, noise=copies.noise),
        context_length=length,
        data=DataConfig(max_context=length, targets_per_step=copies.windows_per_step, seed=seed),
        model=study.copy_model.replace(methods=(DistanceLogits(gap=gap),)),
        optimiser=OptimiserConfig(steps=copies.steps, learning_rate=rate),
        evaluation=study.copy_evaluation,
        initial_seed=seed,
    )
    probe = Probe(kind=kind, tuning=tuning, gap=gap, length=length, seed=seed, learning_rate=rate)
    if kind == "readout" and not tuning:
        probe = probe.replace(carried_gaps=copies.carried_gaps)
    return Cell(study.type_name, study.version, probe, spec)


def _sweep_cells(study: "AttentionSharpness") -> Iterator[Cell]:
    for place in study.sweep.places:
        for arm in study.sweep.arms:
            for seed in study.seeds:
                for rate in study.sweep.rates:
                    yield sweep_cell(study, "sweep", place, arm, seed, rate)
                if arm in study.sweep.ramped:
                    yield sweep_cell(study, "ramp", place, arm, seed, study.sweep.ramp_rate)


def sweep_cell(study: "AttentionSharpness", kind: Kind, place: Place, arm: Arm, seed: int, rate: float) -> Cell:
    """Whole sequences, no clipping; a ramp's rate rises to the end, a sweep's falls after its warm-up."""
    sweep, ramp = study.sweep, kind == "ramp"
    spec = TrainingSpec(
        source=place.source,
        context_length=sweep.length - 1,
        data=DataConfig(
            batch="sequences", max_context=sweep.length - 1, targets_per_step=sweep.sequences_per_step, seed=seed
        ),
        model=study.model.replace(methods=(LearnedPositions(), *arm.methods)),
        optimiser=OptimiserConfig(
            steps=sweep.steps,
            learning_rate=rate,
            clip=None,
            warmup_steps=sweep.steps if ramp else sweep.warmup,
            final_fraction=0.1,
        ),
        evaluation=EvaluationConfig(
            n_contexts=study.sweep_contexts,
            n_heldout=2,
            path_points=sweep.ramp_points if ramp else sweep.points,
            path_spacing="even",
            keep_weights=True,
        ),
        initial_seed=seed,
    )
    probe = Probe(kind=kind, place=place.name, arm=arm.name, seed=seed, learning_rate=rate)
    return Cell(study.type_name, study.version, probe, spec)
