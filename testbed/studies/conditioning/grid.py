"""The cells: rates first, then replicates at the rates chosen."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.models import ModelConfig
from testbed.runs import Cell, Record
from testbed.studies.conditioning.config import ARMS, LEARNERS, OLD, PROJECTED, STREAM, Arm, Learner, Probe
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.conditioning.study import Conditioning

NO_CLIP = 1e30
"""Gradients of the exact loss have no noise to be clipped."""


def forgetting_cell(study: "Conditioning", arm: Arm, number: int, rate: float, kind: str = "judged") -> Cell:
    """A second task. All arms of a replicate start from one member, trained on the first."""
    design, given = study.design, study.forgetting
    spec = TrainingSpec(
        source=design.chain(number, OLD),
        context_length=design.order,
        data=DataConfig(max_context=design.order, batch="distinct", seed=number),
        model=study.model,
        optimiser=OptimiserConfig(
            learning_rate=given.first_rate, steps=given.first_steps, warmup_steps=given.warmup_steps, clip=NO_CLIP
        ),
        evaluation=study.evaluation,
        initial_seed=number,
    )
    probe = Probe(kind=kind, number=number, learning_rate=rate, design=design, arm=arm, forgetting=given)  # type: ignore[arg-type]
    return Cell(study.type_name, study.version, probe, spec)


def stream_cell(study: "Conditioning", learner: Learner, number: int, rate: float, kind: str = "judged") -> Cell:
    """A stream. All learners of a replicate see the same tasks."""
    probe = Probe(
        kind=kind,  # type: ignore[arg-type]
        number=number,
        learning_rate=rate,
        design=study.stream_design,
        source=study.stream_design.chain(number, STREAM),
        learner=learner,
        stream=study.stream,
        model=model_of(study.stream_model, learner),
    )
    return Cell(study.type_name, study.version, probe)


def model_of(model: ModelConfig, learner: Learner) -> ModelConfig:
    """The network of a learner.

    layer, fresh     layer norm before attention, MLP and head
    decayed          the same; its matrices decay
    bare             no norms
    normalised       layer norm, and the MLP's hidden units normalised before their nonlinearity
    nap, fresh_nap   the same; its matrices are brought back to their first norm after each step
    """
    norm = "none" if learner == "bare" else "layer"
    inner = "normalised" if learner in ("normalised", *PROJECTED) else "gelu"
    return model.replace(norm=norm, activation=inner)


def forgetting_rate(study: "Conditioning", finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """One rate for all arms, and the cells that decide: the smallest at which every arm comes down to the last level
    within half of the steps in every replicate of the tuning. The first of the grid, if there is none."""

    def trial(rate: float) -> list[Cell]:
        return [forgetting_cell(study, arm, number, rate, "rate") for arm in ARMS for number in study.rates.seeds]

    def slow(records: list[Record]) -> float:
        return float(not all(half_way(study, one) for one in records))

    return least_scored(study.rates.learning_rates, trial, slow, finished)


def half_way(study: "Conditioning", record: Record) -> bool:
    """Whether KL_B is at the last level within half of the steps."""
    if record.status != "done":
        return False
    new, given = record.arrays["new"], study.forgetting
    within = new[: given.steps // 2 // given.every + 1]
    return bool((within <= min(study.bounds.levels) * new[0]).any())


def stream_rate(
    study: "Conditioning", learner: Learner, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """A learner's rate: least mean log time over all tasks of its streams; and the cells that decide."""

    def trial(rate: float) -> list[Cell]:
        return [stream_cell(study, learner, number, rate, "rate") for number in study.stream_rates.seeds]

    tuning = study.stream_rates
    return least_scored(tuning.learning_rates, trial, mean_metric("log_time"), finished, tuning.tie)


def all_cells(study: "Conditioning", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    rate, tried = forgetting_rate(study, finished)
    yield from tried
    if rate is not None:
        for number in study.seeds:
            for arm in ARMS:
                yield forgetting_cell(study, arm, number, rate)
    for learner in LEARNERS:
        rate, tried = stream_rate(study, learner, finished)
        yield from tried
        if rate is not None:
            for number in study.seeds:
                yield stream_cell(study, learner, number, rate)
