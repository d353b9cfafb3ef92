"""Train one ensemble from start to end."""

import time
from collections.abc import Callable

import numpy as np

from testbed.training.ensemble import Ensemble
from testbed.training.evaluation import Scores, evaluation_set, path_steps
from testbed.training.member import TrainedMember
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
    train_losses = np.empty((len(points), len(specs)))
    scores: list[list[Scores]] = []
    for step in range(n_steps):
        loss_E = ensemble.train_step(step)
        if step + 1 in points:
            train_losses[len(scores)] = loss_E.double().cpu().numpy()[ensemble.row_of]
            scores.append([_score(ensemble, member, spec) for member, spec in enumerate(specs)])
        if observe is not None:
            observe(step + 1)
    seconds = (time.perf_counter() - started) / len(specs)
    return [_member(ensemble, i, spec, points, train_losses, scores, seconds) for i, spec in enumerate(specs)]


def _score(ensemble: Ensemble, member: int, spec: TrainingSpec) -> Scores:
    target = evaluation_set(spec)
    return target.score(ensemble.laws(member, target.contexts))


def _member(
    ensemble: Ensemble,
    index: int,
    spec: TrainingSpec,
    points: list[int],
    train_losses: np.ndarray,
    scores: list[list[Scores]],
    seconds: float,
) -> TrainedMember:
    fate = ensemble.divergence(index)
    path = {
        "step": np.array(points, dtype=np.float64),
        "train_loss": train_losses[:, index].copy(),
        "excess": np.array([at[index].excess for at in scores]),
        "heldout": np.array([at[index].heldout for at in scores]),
    }
    return TrainedMember(
        spec=spec,
        status="done" if fate is None else "diverged",
        weights=ensemble.weights_EP[int(ensemble.row_of[index])].cpu().numpy().copy(),
        path=path,
        scores=vars(scores[-1][index]).copy(),
        exact_evaluation=evaluation_set(spec).exact,
        diverged_at=None if fate is None else fate.step,
        last_finite_loss=None if fate is None else fate.last_finite_loss,
        seconds=seconds,
    )
