"""The cells of the study: the tuning of each arm first, then its members."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.causal_state_codes.config import Arm, Probe
from testbed.studies.causal_state_codes.sources import source_of
from testbed.studies.tuning import TUNING_OFFSET, least_scored, mean_metric
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.causal_state_codes.study import CausalStateCodes

CODED: tuple[Arm, ...] = ("even", "triple", "mess3")
"""Whose codes are read."""
TIE = 5e-4
"""Nats of held-out loss within which rates are alike: the smaller of them is taken."""
PAIRED: tuple[Arm, ...] = ("product", "coupled")


def arms_of(study: "CausalStateCodes") -> tuple[Arm, ...]:
    """Every arm that is trained."""
    return (*study.clustered, "mess3", *PAIRED)


def all_cells(study: "CausalStateCodes", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    for arm in arms_of(study):
        rate, tuning = tuned(study, arm, finished)
        yield from tuning
        if rate is not None:
            for seed in study.seeds:
                yield member_cell(study, arm, seed, rate)


def member_cell(study: "CausalStateCodes", arm: Arm, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One member: windows of T tokens, scored at every position."""
    recipe, reading = study.recipe, study.reading
    steps = study.steps.of(arm)
    spec = TrainingSpec(
        source=source_of(arm),
        context_length=study.context_length,
        data=DataConfig(max_context=study.context_length, targets_per_step=recipe.windows_per_step, seed=seed),
        model=study.model,
        optimiser=OptimiserConfig(
            clip=None,  # left out it would be 1
            beta2=0.99,
            learning_rate=rate,
            steps=steps,
            warmup_steps=max(1, round(recipe.warmup * steps)),
        ),
        evaluation=study.evaluation,
        loss="all",
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "member",
        arm=arm,
        seed=seed,
        learning_rate=rate,
        clusters=reading.clusters if arm not in PAIRED and not tuning else None,
        codes=reading.codes if arm in CODED and not tuning else None,
        factors=reading.factors if arm in PAIRED and not tuning else None,
        n_sequences=0 if tuning else reading.n_sequences,
        first_position=0 if tuning else reading.first_position,
    )
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "CausalStateCodes", arm: Arm, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of least mean held-out loss, None before it is known, the smaller of those alike; and its cells."""
    seeds = range(TUNING_OFFSET, TUNING_OFFSET + study.recipe.tuning_seeds)

    def trial(rate: float) -> list[Cell]:
        return [member_cell(study, arm, seed, rate, tuning=True) for seed in seeds]

    return least_scored(study.recipe.learning_rates, trial, mean_metric("heldout"), finished, TIE)
