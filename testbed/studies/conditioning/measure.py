"""What is measured: both KL along a second task, or the times of a stream. Both go on from weights that were trained.

The trainer trains one task from fresh weights. What comes after it here is trained beside the measuring, since it
starts from members (`testbed.training.continuing`): seconds a cell, with nothing to resume.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from testbed.runs import Cell, MeasureContext, Record
from testbed.runs.record import Metric
from testbed.sources import MarkovSource
from testbed.studies.conditioning.config import FRESH, NEW, OLD, PROJECTED, SHARES, STREAM, Probe
from testbed.studies.conditioning.forgetting import Floats, second_task
from testbed.studies.conditioning.frontier import frontier, least_forgotten
from testbed.studies.conditioning.grid import NO_CLIP
from testbed.studies.conditioning.stream import live
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec
from testbed.training.member import TrainedMember

TOGETHER = 96
"""Members of an ensemble that trains second tasks, so that memory does not grow with the study."""


def probe_of(cell: Cell) -> Probe:
    """The cell's probe, for the type checker."""
    assert isinstance(cell.probe, Probe)
    return cell.probe


def forgetting_records(
    cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
) -> Iterator[Record]:
    """Arrays `old`, `new` (points,): KL from both laws along the second task; `floor` (19,), the least forgetting that
    any learner has at SHARES of the first KL; `places`, `kappa`, `flat`, `norm`, `fresh` (see `Tuned`). Metrics
    `forced` = KL(A || B); `information`, h_0 - h of A; what checks need.
    """
    ready = [cell for cell in cells if _member(cell, members).status == "done"]
    for cell in cells:
        if cell not in ready:
            yield Record(cell.key, cell.study, cell.resolved(), "diverged", {})
    if not ready:
        return
    given = probe_of(ready[0]).forgetting
    assert given is not None
    probes, started = [probe_of(cell) for cell in ready], [_member(cell, members) for cell in ready]
    specs = [
        member.spec.replace(
            source=probe.design.chain(probe.number, NEW),
            optimiser=OptimiserConfig(
                learning_rate=probe.learning_rate, steps=given.steps, warmup_steps=given.warmup_steps, clip=NO_CLIP
            ),
        )
        for probe, member in zip(probes, started, strict=True)
    ]
    arms = [probe.arm for probe in probes if probe.arm is not None]
    numbers = [probe.number for probe in probes]
    found = []
    for first in range(0, len(specs), TOGETHER):
        some = slice(first, first + TOGETHER)
        found += second_task(
            started[some], specs[some], arms[some], numbers[some], given.planted_kappa, given.every, context.device
        )
    fronts: dict[int, tuple[Floats, Floats]] = {}
    for cell, probe, member, one in zip(ready, probes, started, found, strict=True):
        if probe.number not in fronts:
            design = probe.design
            fronts[probe.number] = frontier(design.chain(probe.number, OLD), design.chain(probe.number, NEW))
        front = fronts[probe.number]
        levels = np.asarray(member.spec.source.conditional_entropies(probe.design.order).value)
        metrics: dict[str, Metric] = {
            "forced": float(front[1][-1]),
            "information": float(levels[0] - levels[-1]),
            "before": float(member.scores["excess"]),
            "paired": float(member.scores["paired"]),
            "paired_error": float(member.scores["paired_error"]),
            "above": float((one.old - least_forgotten(one.new, front)).min()),
            "moved": one.moved,
            "changed": one.changed,
        }
        arrays = {
            "old": one.old,
            "new": one.new,
            "floor": least_forgotten(np.array(SHARES) * one.new[0], front),
            "places": one.places.astype(np.float64),
            "kappa": one.kappa,
            "flat": one.flat,
            "norm": one.norm,
            "fresh": one.fresh,
        }
        yield Record(cell.key, cell.study, cell.resolved(), _status(one.diverged), metrics, arrays)


def _status(diverged: bool) -> Literal["done", "diverged"]:
    return "diverged" if diverged else "done"


def _member(cell: Cell, members: Mapping[str, TrainedMember]) -> TrainedMember:
    assert cell.training is not None
    return members[cell.training.training_key]


def stream_records(cells: list[Cell], context: MeasureContext) -> Iterator[Record]:
    """Arrays `times`, `norms` (m,) (see `Aged`); metric `log_time`, the mean of ln time over tasks, a task not learnt
    in time counting as learnt at its end. Learners of one network live as one ensemble."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        probe = probe_of(cell)
        assert probe.stream is not None
        assert probe.model is not None
        same = (probe.stream.resolved(), probe.model.resolved(), probe.learner in FRESH, probe.learner in PROJECTED)
        groups.setdefault(repr((same, probe.design.resolved())), []).append(cell)
    for mine in groups.values():
        probes = [probe_of(cell) for cell in mine]
        stream, learner = probes[0].stream, probes[0].learner
        assert stream is not None
        chains = [probe.design.chain(probe.number, STREAM) for probe in probes]
        levels = [np.asarray(one.conditional_entropies(probes[0].design.order).value) for one in chains]
        targets = [stream.target * float(one[0] - one[-1]) for one in levels]

        def spec_of(member: int, task: int, source: MarkovSource, probes: list[Probe] = probes) -> TrainingSpec:
            return stream_spec(probes[member], task, source)

        lived = live(
            chains,
            [probe.number for probe in probes],
            spec_of,
            targets,
            stream.n_tasks,
            stream.steps,
            learner in FRESH,
            context.device,
        )
        for cell, one in zip(mine, lived, strict=True):
            metrics: dict[str, Metric] = {"log_time": float(np.mean(log_times(one.times, stream.steps)))}
            arrays = {"times": one.times, "norms": one.norms}
            yield Record(cell.key, cell.study, cell.resolved(), _status(one.diverged), metrics, arrays)


def stream_spec(probe: Probe, task: int, source: MarkovSource) -> TrainingSpec:
    """One task of a stream, at a constant rate without warm-up, which those who begin anew would have at every task and
    the others once; those who begin anew draw weights of their own for each task."""
    stream, model, order = probe.stream, probe.model, probe.design.order
    assert stream is not None
    assert model is not None
    return TrainingSpec(
        source=source,
        context_length=order,
        data=DataConfig(max_context=order, batch="distinct", seed=probe.number),
        model=model,
        optimiser=OptimiserConfig(
            learning_rate=probe.learning_rate,
            steps=stream.steps * stream.n_tasks,
            warmup_steps=0,
            final_fraction=1.0,
            clip=NO_CLIP,
            weight_decay=stream.weight_decay if probe.learner == "decayed" else 0.0,
            project=probe.learner in PROJECTED,
        ),
        evaluation=EvaluationConfig(),
        initial_seed=1000 * probe.number + (task if probe.learner in FRESH else 0),
    )


def log_times(times: Floats, steps: int) -> Floats:
    """ln of times of at least one step; of what was not reached, ln of the steps there were.

    >>> np.exp(log_times(np.array([0.0, 20.0, np.nan]), 120)).round().tolist()
    [1.0, 20.0, 120.0]
    """
    return np.asarray(np.log(np.maximum(np.where(np.isnan(times), steps, times), 1.0)))
