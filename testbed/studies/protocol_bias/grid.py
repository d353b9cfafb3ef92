"""The cells of the study: tables and tuning first, then members of every protocol and models of visible windows."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.protocol_bias.config import ARMS, PROTOCOLS, ROLES, Arm, Probe, Protocol, Role
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.protocol_bias.study import ProtocolBias

TUNING_OFFSET = 1_000_000
"""Seeds from this number on are seen by the tuning alone."""
WHOLE: frozenset[Protocol] = frozenset({"whole_batches", "together"})
TIED: frozenset[Protocol] = frozenset({"tied_steps", "together"})
BLOCKS: frozenset[Protocol] = frozenset({"all_positions", "together"})
"""What each protocol changes; nothing else differs from the sound one. D and a step count targets: where all positions
train, they lie in fewer windows."""


def steps_of(study: "ProtocolBias", protocol: Protocol, size: int) -> int:
    """The same for every D; with tied steps as many epochs for every D, and at the largest as many steps."""
    steps = study.optimiser.steps
    return max(1, -(-steps * size // study.networks.sizes[-1])) if protocol in TIED else steps


def member_cell(
    study: "ProtocolBias",
    role: Role,
    protocol: Protocol,
    size: int,
    length: int,
    seed: int,
    rate: float,
    tuning: bool = False,
) -> Cell:
    """One member. All l, D and protocols of a replicate have the same data, order and first weights (paired)."""
    networks = study.networks
    block = length + 1 if protocol in BLOCKS else 1  # targets of a window
    spec = TrainingSpec(
        source=networks.source(role),
        context_length=length,
        data=DataConfig(
            n_targets=max(1, round(size / block)),
            max_context=networks.lengths[-1],
            targets_per_step=max(1, round(networks.targets(length, protocol in WHOLE) / block)),
            seed=seed,
        ),
        model=study.model,
        optimiser=study.optimiser.replace(learning_rate=rate, steps=steps_of(study, protocol, size)),
        evaluation=study.evaluation,
        loss="all" if protocol in BLOCKS else "last",
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "member",
        role=role,
        protocol=protocol,
        seed=seed,
        size=size,
        length=length,
        learning_rate=rate,
    )
    return Cell(study.type_name, study.version, probe, spec)


def visible_cell(study: "ProtocolBias", role: Role, arm: Arm, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One model on windows of l_train tokens of an endless stream, its targets at the last position, or at one drawn
    anew for each window: then it knows windows of every length up to l_train, from as many targets."""
    visible = study.visible
    spec = TrainingSpec(
        source=study.networks.source(role),
        context_length=visible.train_length,
        data=DataConfig(max_context=visible.lengths[-1], targets_per_step=visible.windows_per_step, seed=seed),
        model=study.visible_model,
        optimiser=study.optimiser.replace(learning_rate=rate, steps=study.visible_steps),
        evaluation=study.evaluation.replace(path_points=4, path_spacing="log"),
        loss="one" if arm == "masked" else "last",
        initial_seed=seed,
    )
    probe = Probe(
        kind="visible_tuning" if tuning else "visible",
        role=role,
        arm=arm,
        seed=seed,
        learning_rate=rate,
        visible=None if tuning else visible,
    )
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "ProtocolBias", arm: Arm | None, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of least mean held-out loss, None before it is known, the smaller of equal ones; and its cells.

    Of the sound protocol over the extreme l and D, and then for all protocols, l, D and the control: protocols differ
    in what they are named after alone. Of models of visible windows each arm by itself.
    """
    networks, seeds = study.networks, range(TUNING_OFFSET, TUNING_OFFSET + study.tuning.n_seeds)

    def trial(rate: float) -> list[Cell]:
        if arm is not None:
            return [visible_cell(study, "designed", arm, seed, rate, tuning=True) for seed in seeds]
        return [
            member_cell(study, "designed", "sound", size, length, seed, rate, tuning=True)
            for seed in seeds
            for size in (networks.sizes[0], networks.sizes[-1])
            for length in (networks.lengths[0], networks.lengths[-1])
        ]

    return least_scored(study.tuning.learning_rates, trial, mean_metric("heldout"), finished)


def all_cells(study: "ProtocolBias", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named. Equal trainings of two protocols are one training."""
    for seed in study.seeds:
        yield Cell(study.type_name, study.version, Probe(kind="tables", seed=seed, tables=study.tables))
    rate, tuning = tuned(study, None, finished)
    yield from tuning
    if rate is not None:
        for role in ROLES:
            for size in study.networks.sizes_of(role):
                for protocol in PROTOCOLS:
                    for seed in study.seeds:
                        for length in study.networks.lengths:
                            yield member_cell(study, role, protocol, size, length, seed, rate)
    for arm in ARMS:
        rate, tuning = tuned(study, arm, finished)
        yield from tuning
        if rate is not None:
            for role in ROLES:
                for seed in study.seeds_of_visible:
                    yield visible_cell(study, role, arm, seed, rate)
