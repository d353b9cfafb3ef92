"""The cells: exact frontiers; the tuning of each model's rate; small members; large ones, each beside its small one."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.adaptive_decoding.config import NAMES, ROLES, Name, Probe, Role
from testbed.studies.tuning import TUNING_OFFSET, least_scored, mean_metric
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.adaptive_decoding.study import AdaptiveDecoding


def all_cells(study: "AdaptiveDecoding", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named: members once their rate is chosen, large ones once the small one is trained."""
    for role in ROLES:
        for seed in study.seeds:
            probe = Probe(
                kind="ideal", role=role, seed=seed, design=study.design, reading=study.reading, length=study.length
            )
            yield Cell(study.type_name, study.version, probe)
    window: dict[tuple[Role, int], Record] = {}
    for name in NAMES:
        rate, tuning = tuned(study, name, finished)
        yield from tuning
        if rate is None:
            continue
        for role in ROLES:
            for seed in study.seeds:
                if name == "large":
                    beside = window.get((role, seed))
                    if beside is not None:
                        yield member_cell(study, name, role, seed, rate, beside=beside)
                    continue
                cell = member_cell(study, name, role, seed, rate)
                if name == "window" and cell.key in finished and finished[cell.key].status == "done":
                    window[role, seed] = finished[cell.key]
                yield cell


def member_cell(
    study: "AdaptiveDecoding",
    name: Name,
    role: Role,
    seed: int,
    rate: float,
    tuning: bool = False,
    beside: Record | None = None,
) -> Cell:
    """One member: windows of one token for `window`, else whole sequences."""
    arm = study.arm(name)
    one = name == "window"
    length = 1 if one else study.length - 1
    spec = TrainingSpec(
        source=study.design.source(role, seed),
        context_length=length,
        data=DataConfig(
            max_context=length,
            batch="sampled" if one else "sequences",
            targets_per_step=arm.per_step,
            seed=seed,
        ),
        model=arm.model,
        optimiser=study.optimiser.replace(learning_rate=rate, steps=arm.steps),
        evaluation=study.evaluation,
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "member",
        arm=name,
        role=role,
        seed=seed,
        rate=rate,
        reading=None if tuning else study.reading,
        length=study.length,
        small=None if beside is None else beside.arrays["table"],
    )
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "AdaptiveDecoding", name: Name, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of least mean held-out loss over both sources, None before it is known; and its cells."""
    seeds = range(TUNING_OFFSET, TUNING_OFFSET + study.tuning_seeds)

    def trial(rate: float) -> list[Cell]:
        return [member_cell(study, name, role, seed, rate, tuning=True) for role in ROLES for seed in seeds]

    return least_scored(study.arm(name).learning_rates, trial, mean_metric("heldout"), finished)
