"""Train one ensemble from start to end."""

import time
from collections.abc import Callable

import numpy as np

from testbed.training.ensemble import Ensemble
from testbed.training.evaluation import EvaluationSet, Scores, evaluation_set, path_steps
from testbed.training.masking import MaskedSet, masked_set
from testbed.training.member import TrainedMember
from testbed.training.sequences import SequenceSet, sequence_set
from testbed.training.spec import TrainingSpec

Observer = Callable[[int], None]
"""Called after every step with the number of steps finished."""


def train(specs: list[TrainingSpec], device: str = "cpu", observe: Observer | None = None) -> list[TrainedMember]:
    """Train specs of one shape together; the result is in the caller's order.

    A member's result does not depend on the others, except for rounding.
    """
    started = time.perf_counter()
    ensemble = Ensemble(specs, device)
    n_steps, n_points = specs[0].optimiser.steps, specs[0].evaluation.path_points
    points = path_steps(n_steps, n_points)
    paths = np.full((len(specs), 3, len(points)), np.nan)  # training loss, excess, held-out loss
    for step in range(n_steps):
        loss_E = ensemble.train_step(step)
        if step + 1 in points:
            at = points.index(step + 1)
            paths[:, 0, at] = loss_E.double().cpu().numpy()[ensemble.row_of]
            for member, spec in enumerate(specs):
                target = scoring_set(spec)
                log_q = _laws(ensemble, member, spec)
                paths[member, 1:, at] = target.excess(log_q), target.heldout_loss(log_q)
        if observe is not None:
            observe(step + 1)
    scores = [scoring_set(spec).score(_laws(ensemble, i, spec)) for i, spec in enumerate(specs)]
    seconds = (time.perf_counter() - started) / len(specs)
    return [_member(ensemble, i, spec, points, paths[i], scores[i], seconds) for i, spec in enumerate(specs)]


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
    path: np.ndarray,
    scores: Scores,
    seconds: float,
) -> TrainedMember:
    fate = ensemble.divergence(index)
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
    )
