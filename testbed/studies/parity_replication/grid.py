"""The cells of the study: the choice of settings first, then every member that is judged."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from testbed.core import Config
from testbed.runs import Cell, Record
from testbed.studies.parity_replication.config import PROTOCOLS, ProtocolName, Role
from testbed.training.mlp_spec import MLP_TRAINER_VERSION, MLPOptimiserConfig, MLPSpec

if TYPE_CHECKING:
    from testbed.studies.parity_replication.study import ParityReplication

TUNING_OFFSET = 1_000_000
"""Seeds from this number on are seen by the choice of settings alone."""
ROLES: tuple[Role, ...] = ("designed", "control")
Setting = tuple[float, float]
"""Learning rate and weight decay."""


class Probe(Config):
    """A member: which point of the grid it is, and all that decides what it learns."""

    kind: Literal["member", "tuning"] = Field(description="judged, or seen by the choice of settings alone")
    tasks: Role = Field(description="set of tasks")
    protocol: ProtocolName = Field(description="training protocol")
    seed: int = Field(ge=0, description="replicate: seed of samples, their order, and initial weights")
    spec: MLPSpec = Field(description="what is trained")
    n_contexts: int = Field(ge=2, description="fresh samples on which it is scored")
    trainer: int = Field(description="version of the trainer")


def member_cell(
    study: "ParityReplication",
    kind: Literal["member", "tuning"],
    role: Role,
    name: ProtocolName,
    setting: Setting,
    seed: int,
    size: int,
    length: int,
) -> Cell:
    """One member. All l of a replicate and D have the same samples in the same order (paired)."""
    tasks, protocol = study.task_set(role), study.protocol(name)
    per_epoch = -(-size // study.batch_size)
    spec = MLPSpec(
        source=tasks.source,
        context_length=length,
        n_bits=tasks.n_bits,
        n_targets=size,
        batch_size=study.batch_size,
        steps=max(protocol.steps, protocol.least_epochs * per_epoch),
        patience=study.patience,
        most_epochs=study.most_epochs,
        n_validation=study.n_validation,
        model=study.model,
        optimiser=MLPOptimiserConfig(
            learning_rate=setting[0], weight_decay=setting[1], clip=study.clip, cosine=protocol.cosine
        ),
        data_seed=seed,
        initial_seed=seed,
    )
    probe = Probe(
        kind=kind,
        tasks=role,
        protocol=name,
        seed=seed,
        spec=spec,
        n_contexts=study.n_contexts,
        trainer=MLP_TRAINER_VERSION,
    )
    return Cell(study.type_name, study.version, probe)


def tuning_cells(study: "ParityReplication", name: ProtocolName, size: int, setting: Setting) -> Iterator[Cell]:
    """The extreme l of the designed set at one D and setting, on the tuning's own seeds."""
    lengths = study.designed.lengths
    for seed in range(TUNING_OFFSET, TUNING_OFFSET + study.n_tuning_seeds):
        for length in (lengths[0], lengths[-1]):
            yield member_cell(study, "tuning", "designed", name, setting, seed, size, length)


def chosen_setting(
    study: "ParityReplication", name: ProtocolName, size: int, finished: Mapping[str, Record]
) -> tuple[Setting | None, list[Cell]]:
    """The setting of least mean validation loss at the end of training at this D, the smaller one where two agree; None
    before it is known. And the cells that it rests on.

    The choice reads no truth, and serves both sets of tasks and all l. A protocol with one setting has no choice.
    """
    settings = study.protocol(name).settings
    if len(settings) == 1:
        return settings[0], []
    cells = {setting: list(tuning_cells(study, name, size, setting)) for setting in settings}
    named = [cell for mine in cells.values() for cell in mine]
    if any(cell.key not in finished for cell in named):
        return None, named
    losses = {
        setting: float(np.mean([_end_of_training(finished[cell.key]) for cell in mine]))
        for setting, mine in cells.items()
    }
    return min(losses, key=losses.__getitem__), named


def _end_of_training(record: Record) -> float:
    value = float(record.metrics["end_validation"])  # type: ignore[arg-type]
    return value if record.status == "done" and np.isfinite(value) else np.inf


def judged_cells(
    study: "ParityReplication", role: Role, name: ProtocolName, size: int, setting: Setting
) -> Iterator[Cell]:
    """Every replicate and l of a set of tasks at one D: members of one shape, an ensemble."""
    for seed in study.seeds:
        for length in study.task_set(role).lengths:
            yield member_cell(study, "member", role, name, setting, seed, size, length)


def all_cells(study: "ParityReplication", finished: Mapping[str, Record]) -> list[Cell]:
    """The choices first; once a protocol's setting at a D is chosen, its members."""
    cells: list[Cell] = []
    for name in PROTOCOLS:
        for size in study.designed.sizes:
            setting, tuning = chosen_setting(study, name, size, finished)
            cells += tuning
            if setting is not None:
                for role in ROLES:
                    if size in study.task_set(role).sizes:
                        cells += judged_cells(study, role, name, size, setting)
    return cells
