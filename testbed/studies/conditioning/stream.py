"""A stream of tasks of equal difficulty: one chain, its symbols renamed at random for each task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.sources import MarkovSource
from testbed.training import TrainingSpec
from testbed.training.continuing import start_from, state_of
from testbed.training.ensemble import Ensemble
from testbed.training.projection import is_projected

Floats = NDArray[np.float64]


LOOKS = 8
"""Steps between looks whether all have learnt."""


@dataclass(frozen=True, eq=False)
class Aged:
    """One member's stream.

    times     (m,) steps until the excess is first at most delta, between steps by a straight line; nan where it is not
    norms     (m,) |w| of the blocks' matrices when the task begins, sqrt of the sum of squares
    diverged  whether its loss stopped being finite
    """

    times: Floats
    norms: Floats
    diverged: bool


def renamed(chain: MarkovSource, number: int, task: int) -> MarkovSource:
    """The chain with its symbols renamed: weights[c] -> weights[pi(c)], to the last bit the same numbers, moved.

    Every pi is drawn anew, uniformly; task 0 is the chain itself.
    """
    if task == 0:
        return MarkovSource(weights=chain.weights)
    names = np.random.default_rng([number, 8, task]).permutation(chain.vocab_size)
    return MarkovSource(weights=chain.weights[np.ix_(*[names] * (chain.order + 1))])


def live(
    chains: Sequence[MarkovSource],
    numbers: Sequence[int],
    spec_of: Callable[[int, int, MarkovSource], TrainingSpec],
    targets: Sequence[float],
    n_tasks: int,
    steps: int,
    fresh: bool,
    device: str,
) -> list[Aged]:
    """Train members of one shape through the stream, each on its own chain.

    spec_of   (member, task, source) -> what is trained at that task: weights and optimiser go on from the last task's,
              unless they are `fresh`, who stop when all have learnt the task: what comes after leaves no trace
    targets   delta of each member, nats
    """
    import torch

    rates = [float(np.asarray(one.entropy_rate().value)) for one in chains]
    times, norms = (np.full((len(chains), n_tasks), np.nan) for _ in range(2))
    floors, goals = np.array(rates), np.array(targets)
    ensemble, diverged = None, np.zeros(len(chains), dtype=bool)
    for task in range(n_tasks):
        specs = [spec_of(i, task, renamed(one, numbers[i], task)) for i, one in enumerate(chains)]
        new = Ensemble(specs, device)
        if ensemble is not None and not fresh:
            start_from(new, state_of(ensemble))
        ensemble, first = new, 0 if fresh else task * steps
        norms[:, task] = _norms(ensemble)
        losses: list[torch.Tensor] = []
        least = np.full(len(chains), np.inf)
        for step in range(first, first + steps):
            losses.append(ensemble.train_step(step).clone())
            if fresh and len(losses) % LOOKS == 0:
                recent = torch.stack(losses[-LOOKS:]).amin(dim=0).double().cpu().numpy()[ensemble.row_of]
                least = np.fmin(least, recent)
                if (least - floors <= goals).all():
                    break
        excess = torch.stack(losses, dim=1).double().cpu().numpy()[ensemble.row_of] - floors[:, None]
        for member, delta in enumerate(targets):
            times[member, task] = reached(excess[member], delta)
        diverged |= [ensemble.divergence(i) is not None for i in range(len(chains))]
    return [Aged(times[i], norms[i], bool(diverged[i])) for i in range(len(chains))]


def reached(excess: Floats, target: float) -> float:
    """Steps until the excess is first at most the target, between steps by a straight line, nan if it never is.

    >>> reached(np.array([1.0, 0.5, 0.0]), 0.25), reached(np.array([1.0, 0.9]), 0.25)
    (1.5, nan)
    """
    below = np.flatnonzero(excess <= target)
    if not len(below):
        return float("nan")
    at = int(below[0])
    if at == 0:
        return 0.0
    return float(at - (target - excess[at]) / (excess[at - 1] - excess[at]))


def _norms(ensemble: Ensemble) -> Floats:
    """(E,) in the caller's order."""
    squares = [
        view.double().square().flatten(1).sum(dim=1)
        for entry, view in zip(
            ensemble.model.layout.entries, ensemble.model.layout.views(ensemble.weights_EP).values(), strict=True
        )
        if is_projected(entry)
    ]
    found: Floats = sum(squares).sqrt().cpu().numpy()[ensemble.row_of]  # type: ignore[union-attr]
    return found
