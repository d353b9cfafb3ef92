"""The cells of the study: exact contexts and the tuning first, members once their arm's rate is chosen."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.compression_at_inference.config import CACHED, DROPPED, Cache, Null, Probe, Trained
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference

ARMS: tuple[Trained, ...] = (*CACHED, "mess3")


def all_cells(study: "CompressionAtInference", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    for seed in study.seeds:
        for arm in DROPPED:
            probe = Probe(kind="drop", arm=arm, seed=seed, dropping=study.dropping)
            yield Cell(study.type_name, study.version, probe)
        for cached in CACHED:
            model = study.cache.model(cached, study.model)
            probe = Null(kind="null", arm=cached, seed=seed, cache=untrained(study.cache), model=model)
            yield Cell(study.type_name, study.version, probe)
    for trained in ARMS:
        rate, tuning = tuned(study, trained, finished)
        yield from tuning
        if rate is not None:
            for seed in study.seeds:
                for net in (0, 1) if trained == "mess3" else (0,):
                    yield member_cell(study, trained, seed, rate, net)


def untrained(cache: Cache) -> Cache:
    """How the caches of models at their first weights are measured: on a quarter of the sequences."""
    return cache.replace(n_sequences=max(2, cache.n_sequences // 4))


def member_cell(
    study: "CompressionAtInference", arm: Trained, seed: int, rate: float, net: int = 0, tuning: bool = False
) -> Cell:
    """One member; the second network of a pair has data and first weights of its own."""
    of_net = 2 * seed + net if arm == "mess3" else seed
    if arm == "mess3":
        length, steps = study.adapters.context_length, study.adapters.steps
        source, model = study.adapters.source, study.model.replace(depth=2, methods=("learned",))
        data = DataConfig(max_context=length, targets_per_step=study.adapters.windows_per_step, seed=of_net)
    else:
        length, steps = study.cache.length(arm) - 1, study.cache.steps(arm)
        source, model = study.cache.source(arm), study.cache.model(arm, study.model)
        per_step = study.cache.sequences_per_step
        data = DataConfig(max_context=length, batch="sequences", targets_per_step=per_step, seed=of_net)
    spec = TrainingSpec(
        source=source,
        context_length=length,
        data=data,
        model=model,
        optimiser=study.optimiser.replace(steps=steps, learning_rate=rate),
        evaluation=study.evaluation,
        loss="all" if arm == "mess3" else "last",
        initial_seed=of_net,
    )
    probe = Probe(
        kind="tuning" if tuning else "net" if arm == "mess3" else "cache",
        arm=arm,
        seed=seed,
        net=net,
        rate=rate,
        cache=None if tuning or arm == "mess3" else study.cache,
        adapters=study.adapters if arm == "mess3" and not tuning else None,
    )
    return Cell(study.type_name, study.version, probe, spec)


def tuned(
    study: "CompressionAtInference", arm: Trained, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The arm's rate, None before it is known, and the cells that decide it: final excess, before any rounding."""
    cells = [
        [member_cell(study, arm, seed, rate, tuning=True) for seed in study.rates.seeds]
        for rate in study.rates.learning_rates
    ]
    flat = [cell for row in cells for cell in row]
    if any(cell.key not in finished for cell in flat):
        return None, flat
    return study.rates.chosen([[_excess(finished[cell.key]) for cell in row] for row in cells]), flat


def _excess(record: Record) -> float:
    return float(record.metrics["excess"]) if record.status == "done" else float("inf")  # type: ignore[arg-type]
