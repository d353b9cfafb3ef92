"""The cells: rates of every arm first, then the members that are judged."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.normalisers.config import FAMILIES, Family, NormName, Probe, norm_of
from testbed.studies.normalisers.draws import switching
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.normalisers.study import Normalisers

UNCLIPPED = 1e9
"""Gradient norm out of reach."""
STATISTICS = {"batch", "batch_scaled", "power", "power_bare"}
"""Norms that take means over a step."""


def member_cell(
    study: "Normalisers", arm: NormName, family: Family, stay: float, seed: int, rate: float, judged: bool,
    size: int | None = None,
) -> Cell:  # fmt: skip
    """A norm on regimes of a stay; of the second part if a `size` is given, 0 for a norm without statistics.

    Arms of a replicate share source, sequences and, where shapes agree, first weights.
    """
    bursts, part = study.bursts, study.bursts if size is None else study.parts
    ghosts = part.sequences_per_step // size if size else 1
    spec = TrainingSpec(
        source=switching(family, bursts.vocab_size, bursts.tilt, stay, seed),
        context_length=bursts.length - 1,
        data=DataConfig(
            max_context=bursts.length - 1, batch="sequences", targets_per_step=part.sequences_per_step, seed=seed
        ),
        model=study.model.replace(norm=norm_of(arm, ghosts)),
        optimiser=OptimiserConfig(
            learning_rate=rate, steps=part.steps, warmup_steps=study.warmup_steps, clip=UNCLIPPED
        ),
        evaluation=study.evaluation,
        initial_seed=seed,
    )
    kind = "norm" if size is None else "part"
    whole = part.sequences_per_step if arm in STATISTICS else 0
    probe = Probe(
        kind=kind if judged else f"{kind}_rate",  # type: ignore[arg-type]
        arm=arm,
        family=family,
        stay=stay,
        size=whole if size is None else size,
        seed=seed,
        learning_rate=rate,
        bursts=bursts if judged else None,
        reading=study.reading if judged else None,
    )
    return Cell(study.type_name, study.version, probe, spec)


def conditions(study: "Normalisers") -> Iterator[tuple[NormName, Family, float, int | None]]:
    """Norm, family, stay and, in the second part, size: what has a rate of its own."""
    for family in FAMILIES:
        for arm in study.arms:
            for stay in study.stays_of(family, arm):
                yield arm, family, stay, None
    longest = study.bursts.stays[-1]
    yield "layer", "burst", longest, 0
    for size in study.parts.sizes:
        yield "batch", "burst", longest, size


def all_cells(study: "Normalisers", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named: members of a condition once its rate is known."""
    rates = study.tuning.learning_rates
    for arm, family, stay, size in conditions(study):

        def tried(
            rate: float, arm: NormName = arm, family: Family = family, stay: float = stay, size: int | None = size
        ) -> list[Cell]:
            return [member_cell(study, arm, family, stay, seed, rate, False, size) for seed in study.tuning.seeds]

        rate, cells = rates[0], list[Cell]()
        if len(rates) > 1:
            found, cells = least_scored(rates, tried, mean_metric("excess"), finished, study.tuning.tie)
            yield from cells
            if found is None:
                continue
            rate = found
        for seed in study.seeds:
            yield member_cell(study, arm, family, stay, seed, rate, True, size)
