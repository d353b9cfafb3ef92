"""Training that goes on from given weights, and training of some weights alone.

Both are said of an ensemble that is built already, before its first step:

    ensemble = Ensemble(specs)                 # the new task: another source, another rate
    start_from(ensemble, state_of(earlier))    # weights and, for a stream of tasks, the optimiser's memory
    hold(ensemble, held_EP)                    # these weights stay as they are, to the last bit
    for step in range(n_steps): ensemble.train_step(step)

An ensemble that is told neither trains as ever. Members stand in the order of the specs, as the caller gave them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from testbed.core import ConfigError
from testbed.models.flat import Layout
from testbed.training.ensemble import Ensemble
from testbed.training.projection import Projection


@dataclass(frozen=True)
class State:
    """What a training leaves to the next.

    weights_EP             (E, P) float32, one row a member
    mean_EP, square_EP     Adam's moments; None: they start at zero
    norms_KE               norms that a projection brings matrices back to; None: those of `weights_EP`
    """

    weights_EP: Tensor
    mean_EP: Tensor | None = None
    square_EP: Tensor | None = None
    norms_KE: Tensor | None = None


@dataclass(frozen=True)
class Part:
    """A weight by its name in the layout, or its columns (axis -1) or rows (axis -2) from `first` to before `last`,
    such as the keys' in "0.qkv"."""

    name: str
    first: int = 0
    last: int | None = None
    axis: int = -1


def state_of(ensemble: Ensemble) -> State:
    """A copy of what an ensemble has now."""
    rows = torch.from_numpy(ensemble.row_of).to(ensemble.device)
    norms = None if ensemble.projection is None else ensemble.projection.norms_KE[:, rows].clone()
    optimiser = ensemble.optimiser
    return State(ensemble.weights_EP[rows], optimiser.mean[rows], optimiser.square[rows], norms)


def start_from(ensemble: Ensemble, state: State) -> None:
    """Put weights, and moments where there are any, in place of the fresh ones.

    Adam's corrections go by the number of the step: whoever hands moments on goes on counting steps as well, and those
    who start with moments of zero begin at step 0.

    Raises ConfigError where the shapes differ, where one only of the two moments is given, and after the first step.
    """
    _refuse_begun(ensemble, "start_from")
    given, needed = tuple(state.weights_EP.shape), tuple(ensemble.weights_EP.shape)
    if given != needed:
        raise ConfigError(f"weights_EP: given {given}, this ensemble has {needed}")
    if (state.mean_EP is None) != (state.square_EP is None):
        raise ConfigError("mean_EP, square_EP: give both of Adam's moments or neither")
    rows = torch.from_numpy(ensemble.row_of).to(ensemble.device)
    pairs = (
        (ensemble.weights_EP, state.weights_EP),
        (ensemble.optimiser.mean, state.mean_EP),
        (ensemble.optimiser.square, state.square_EP),
    )
    for own, given_EP in pairs:
        if given_EP is None:
            own.zero_()
        else:
            own[rows] = given_EP.to(own)
    ensemble.refresh()
    if ensemble.projection is not None:
        ensemble.projection = Projection(ensemble.model.layout, ensemble.weights_EP)
        if state.norms_KE is not None:
            ensemble.projection.norms_KE[:, rows] = state.norms_KE.to(ensemble.device)


def hold(ensemble: Ensemble, held_EP: Tensor) -> None:
    """Leave the weights marked in `held_EP` (E, P) bool as they are: their gradient is zero and they do not decay.

    Clipping then goes by the gradient of the others. What a norm keeps of past windows has no gradient and is not held.

    Raises ConfigError where the shapes differ, where norms are projected, which would move what is held, and after the
    first step, which may be compiled or recorded without it.
    """
    _refuse_begun(ensemble, "hold")
    given, needed = tuple(held_EP.shape), tuple(ensemble.weights_EP.shape)
    if given != needed:
        raise ConfigError(f"held_EP: given {given}, this ensemble has {needed}")
    if ensemble.projection is not None:
        raise ConfigError("held_EP: optimiser.project = true rescales whole matrices; take false")
    held = torch.zeros(needed, dtype=torch.bool, device=ensemble.device)
    held[torch.from_numpy(ensemble.row_of).to(ensemble.device)] = held_EP.to(ensemble.device)
    ensemble.held_EP = held
    optimiser = ensemble.optimiser
    for moment in (optimiser.mean, optimiser.square):
        moment.masked_fill_(held, 0.0)
    if optimiser.decay_EP is not None:
        optimiser.decay_EP = optimiser.decay_EP.masked_fill(held, 0.0)


def _refuse_begun(ensemble: Ensemble, name: str) -> None:
    if ensemble.begun:
        raise ConfigError(f"{name}: given an ensemble that has made a step; must be one before its first step")


def all_but(layout: Layout, trained: Iterable[Part]) -> Tensor:
    """(P,) True where a weight is held, False in the parts that are trained.

    Raises ConfigError for a name that the layout does not have.
    """
    held_P = torch.ones(layout.row_length, dtype=torch.bool)
    views = layout.views(held_P[None])
    for part in trained:
        if part.name not in views:
            raise ConfigError(f"trained: {part.name} is none of this model's weights, {', '.join(views)}")
        view = views[part.name][0]
        last = view.shape[part.axis] if part.last is None else part.last
        view.narrow(part.axis, part.first, last - part.first).fill_(False)
    return held_P
