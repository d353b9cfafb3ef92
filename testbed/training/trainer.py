"""Train one ensemble from start to end, in parts where the device has not the memory for all of it at once."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from testbed.training.checkpoint import Progress, group_key, restore, save
from testbed.training.ensemble import Ensemble
from testbed.training.evaluation import EvaluationSet, Scores, evaluation_set, path_steps
from testbed.training.masking import MaskedSet, masked_set
from testbed.training.member import TrainedMember
from testbed.training.memory import parts_that_fit, release, too_large
from testbed.training.sequences import SequenceSet, sequence_set
from testbed.training.spec import TrainingSpec

Observer = Callable[[int], None]
"""Called after every step with the number of steps finished."""

CHECKPOINT_SECONDS = 60.0
"""How often a training's state is written: what a kill can cost."""


def train(
    specs: list[TrainingSpec],
    device: str = "cpu",
    observe: Observer | None = None,
    checkpoints: Path | None = None,
) -> list[TrainedMember]:
    """Train specs of one shape together; the result is in the caller's order.

    A member's result does not depend on the others, except for rounding. Where a GPU's memory does not hold them all,
    they are trained in parts; where it runs out all the same, a part is halved, once.

    checkpoints   a folder of this training's own: its state is written there every minute, and found there again

    Raises ResourceError where the memory does not suffice, and StoreError where a checkpoint cannot be trusted.
    """
    parts = parts_that_fit(specs, device)
    watch = _Watch(observe, specs[0].optimiser.steps, len(specs))
    trained: list[TrainedMember] = []
    for part in parts:
        members = _train_if_it_fits(part, device, watch, checkpoints, is_last=part is parts[-1])
        if members is None and len(part) == 1:
            raise too_large(part, device)
        if members is None:
            release()  # here, where nothing refers to what did not fit
            half = len(part) // 2
            members = []
            for piece in (part[:half], part[half:]):
                found = _train_if_it_fits(piece, device, watch, checkpoints, is_last=False)
                if found is None:
                    raise too_large(piece, device)
                members += found
        trained += members
    return trained


class _Watch:
    """Tells the observer of an ensemble trained in parts: the steps that all of it would have made by now."""

    def __init__(self, observe: Observer | None, n_steps: int, n_members: int) -> None:
        self.observe, self.n_steps, self.n_members = observe, n_steps, n_members
        self.trained = 0
        self.said = 0

    def __call__(self, steps: int, part: int) -> None:
        done = (self.trained * self.n_steps + part * steps) // self.n_members
        if steps == self.n_steps:
            self.trained += part
        if self.observe is not None and done > self.said:
            self.said = done
            self.observe(done)


def _train_if_it_fits(
    specs: list[TrainingSpec], device: str, watch: _Watch, checkpoints: Path | None, is_last: bool
) -> list[TrainedMember] | None:
    """The trained members; None where the device's memory ran out."""
    try:
        return _train(specs, device, watch, checkpoints, is_last)
    except torch.OutOfMemoryError:
        return None


def _train(
    specs: list[TrainingSpec], device: str, watch: _Watch, checkpoints: Path | None, is_last: bool
) -> list[TrainedMember]:
    started = saved = time.monotonic()
    ensemble = Ensemble(specs, device)
    n_steps, scoring = specs[0].optimiser.steps, specs[0].evaluation
    points = path_steps(n_steps, scoring.path_points, scoring.path_spacing)
    progress = _start(specs, ensemble, len(points))
    file = None if checkpoints is None else checkpoints / f"{group_key(specs)}.npz"
    if file is not None:
        progress = restore(file, specs, ensemble) or progress
        started -= progress.seconds
        watch(progress.steps, len(specs))
    for step in range(progress.steps, n_steps):
        loss_E = ensemble.train_step(step)
        if step + 1 in points:
            point = points.index(step + 1)
            progress.paths[:, :, point] = _point(ensemble, specs, loss_E)
            if progress.weights is not None:
                progress.weights[:, point] = ensemble.weights_EP.cpu().numpy()[ensemble.row_of]
        progress.steps = step + 1
        now = time.monotonic()
        # what follows the last step is short, but the parts to come may not be
        due = step + 1 < n_steps or not is_last
        if file is not None and due and now - saved >= CHECKPOINT_SECONDS:
            progress.seconds = now - started
            save(file, specs, ensemble, progress)
            saved = time.monotonic()
        watch(step + 1, len(specs))
    scores = [scoring_set(spec).score(_laws(ensemble, i, spec)) for i, spec in enumerate(specs)]
    seconds = (time.monotonic() - started) / len(specs)
    return [_member(ensemble, i, spec, points, progress, scores[i], seconds) for i, spec in enumerate(specs)]


def _start(specs: list[TrainingSpec], ensemble: Ensemble, n_points: int) -> Progress:
    """Nothing done yet."""
    paths = np.full((len(specs), 3, n_points), np.nan)
    if not specs[0].evaluation.keep_weights:
        return Progress(0, paths)
    row_length = ensemble.weights_EP.shape[1]
    return Progress(0, paths, weights=np.zeros((len(specs), n_points, row_length), dtype=np.float32))


def _point(ensemble: Ensemble, specs: list[TrainingSpec], loss_E: torch.Tensor) -> np.ndarray:
    """(E, 3) training loss, excess and held-out loss of the caller's members now."""
    found = np.empty((len(specs), 3))
    found[:, 0] = loss_E.double().cpu().numpy()[ensemble.row_of]
    for member, spec in enumerate(specs):
        target = scoring_set(spec)
        log_q = _laws(ensemble, member, spec)
        found[member, 1:] = target.excess(log_q), target.heldout_loss(log_q)
    return found


def scoring_set(spec: TrainingSpec) -> EvaluationSet | SequenceSet:
    """On what a member is scored: windows, or whole sequences, or the tokens hidden in them."""
    if spec.data.batch == "masked":
        return masked_set(spec)
    return sequence_set(spec) if spec.data.batch == "sequences" else evaluation_set(spec)


def _laws(ensemble: Ensemble, member: int, spec: TrainingSpec) -> np.ndarray:
    target = scoring_set(spec)
    if isinstance(target, MaskedSet):
        return ensemble.masked_laws(member, target.tokens, target.judged)
    if isinstance(target, SequenceSet):
        return ensemble.sequence_laws(member, target.tokens, target.judged)
    return ensemble.laws(member, target.contexts)


def _member(
    ensemble: Ensemble,
    index: int,
    spec: TrainingSpec,
    points: list[int],
    progress: Progress,
    scores: Scores,
    seconds: float,
) -> TrainedMember:
    fate, path = ensemble.divergence(index), progress.paths[index]
    return TrainedMember(
        spec=spec,
        status="done" if fate is None else "diverged",
        weights=ensemble.weights_EP[int(ensemble.row_of[index])].cpu().numpy().copy(),
        path={
            "step": np.array(points, dtype=np.float64),
            "train_loss": path[0].copy(),
            "excess": path[1].copy(),
            "heldout": path[2].copy(),
        },
        scores=vars(scores).copy(),
        exact_evaluation=scoring_set(spec).exact,
        diverged_at=None if fate is None else fate.step,
        last_finite_loss=None if fate is None else fate.last_finite_loss,
        seconds=seconds,
        path_weights=None if progress.weights is None else progress.weights[index].copy(),
    )
