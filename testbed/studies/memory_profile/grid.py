"""The cells of the study: families of the horizon law, the tuning of each arm, then its members."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.memory_profile.config import (
    ARMS,
    FAMILIES,
    ArmName,
    HorizonProbe,
    MemberProbe,
    NetworkFamily,
    NetworkProbe,
)
from testbed.studies.memory_profile.families import whole_source
from testbed.studies.memory_profile.profiles import Lags, drawn_lags, source_of
from testbed.studies.tuning import TUNING_OFFSET, least_scored, mean_metric
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.memory_profile.study import MemoryProfile

STRIDE = 4096
"""Seeds that a replicate has for its members."""


def all_cells(study: "MemoryProfile", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    for seed in study.seeds:
        for family in FAMILIES:
            probe = HorizonProbe(family=family, seed=seed, settings=study.horizon)
            yield Cell(study.type_name, study.version, probe)
    yield from network_cells(study, finished)
    for arm in ARMS:
        rate, tuning = tuned(study, "absolute" if arm == "exchangeable" else arm, finished)
        if arm != "exchangeable":
            yield from tuning
        if rate is not None:
            for seed in study.seeds:
                for place, lags in enumerate(drawn_lags(study.profiles, arm == "exchangeable", seed)):
                    yield member_cell(study, arm, seed, place, lags, rate)


def network_cells(study: "MemoryProfile", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Transformers on D targets: the tuning of each family at its middle size, then every size and replicate."""
    sizes, tuning = study.horizon.sizes, range(TUNING_OFFSET, TUNING_OFFSET + study.tuning_seeds)
    for family in study.networks.families:

        def trial(rate: float, family: NetworkFamily = family) -> list[Cell]:
            return [network_cell(study, family, seed, sizes[len(sizes) // 2], rate, tuning=True) for seed in tuning]

        rate, tried = least_scored(study.networks.learning_rates, trial, mean_metric("stopped_heldout"), finished)
        yield from tried
        if rate is not None:
            yield from (network_cell(study, family, seed, size, rate) for seed in study.seeds for size in sizes)


def network_cell(
    study: "MemoryProfile", family: NetworkFamily, seed: int, size: int, rate: float, tuning: bool = False
) -> Cell:
    """One transformer on D targets."""
    window = study.networks.window
    spec = TrainingSpec(
        source=whole_source(family, study.horizon, seed),
        context_length=window,
        data=DataConfig(n_targets=size, max_context=window, targets_per_step=study.windows_per_step, seed=seed),
        model=study.model.replace(methods=study.networks.methods),
        optimiser=study.optimiser.replace(learning_rate=rate),
        evaluation=study.evaluation,
        initial_seed=seed,
    )
    kind = "network_tuning" if tuning else "network"
    probe = NetworkProbe(kind=kind, family=family, seed=seed, size=size, learning_rate=rate)  # type: ignore[arg-type]
    return Cell(study.type_name, study.version, probe, spec)


def member_cell(
    study: "MemoryProfile", arm: ArmName, seed: int, place: int, lags: Lags, rate: float, tuning: bool = False
) -> Cell:
    """One member, with weights and tokens of its own: windows whose last token alone is scored, all lags in sight."""
    window = study.profiles.window
    number = seed * STRIDE + place + (STRIDE // 2 if arm == "exchangeable" else 0)
    spec = TrainingSpec(
        source=source_of(study.profiles, lags),
        context_length=window,
        data=DataConfig(max_context=window, targets_per_step=study.windows_per_step, seed=number),
        model=study.model.replace(methods=study.arm(arm).methods),
        optimiser=study.optimiser.replace(learning_rate=rate),
        evaluation=study.evaluation,
        initial_seed=number,
    )
    kind = "tuning" if tuning else "member"
    probe = MemberProbe(kind=kind, arm=arm, seed=seed, place=place, lags=lags, learning_rate=rate)  # type: ignore[arg-type]
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "MemoryProfile", arm: ArmName, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of least mean held-out loss over every fourth source of each tuning replicate; and its cells.

    Every fourth of three by three crossings: each number of far lags and each sum stands for itself once.
    """

    def trial(rate: float) -> list[Cell]:
        cells = []
        for seed in range(TUNING_OFFSET, TUNING_OFFSET + study.tuning_seeds):
            lags = drawn_lags(study.profiles, False, seed)
            step = len(study.profiles.sums) + 1
            cells += [
                member_cell(study, arm, seed, place, lags[place], rate, tuning=True)
                for place in range(0, len(lags), step)
            ]
        return cells

    return least_scored(study.arm(arm).learning_rates, trial, mean_metric("heldout"), finished)
