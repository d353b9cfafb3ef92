"""The second task, trained from the first one's weights with all but the chosen matrices held; both KL on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.measures.conditioning import condition_number, flatness
from testbed.sources.chain import DyadicChain
from testbed.studies.conditioning.config import Arm
from testbed.studies.conditioning.frontier import divergence, joint
from testbed.studies.conditioning.selection import chosen, matrices, part, plant
from testbed.training import TrainingSpec
from testbed.training.continuing import State, all_but, hold, start_from, state_of
from testbed.training.ensemble import Ensemble
from testbed.training.member import TrainedMember

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tuned:
    """One member's second task.

    old, new     (points,) KL from the old and from the new law before the first step and along training, nats
    places       the matrices trained
    kappa, flat  (6 L H,) of all matrices when the second task begins
    norm         (6 L H,) |W| of them
    fresh        (6 L H,) kappa of the weights that the first task began with
    moved        largest change of a weight that is held
    changed      largest change of a log-probability by what was planted
    diverged     whether its loss stopped being finite
    """

    old: Floats
    new: Floats
    places: NDArray[np.int64]
    kappa: Floats
    flat: Floats
    norm: Floats
    fresh: Floats
    moved: float
    changed: float
    diverged: bool


def second_task(
    members: Sequence[TrainedMember],
    specs: Sequence[TrainingSpec],
    arms: Sequence[Arm],
    numbers: Sequence[int],
    planted_kappa: float,
    every: int,
    device: str,
) -> list[Tuned]:
    """Train each member on the source of its spec, all of one shape, as one ensemble.

    members, arms, numbers   of each spec: whose weights it starts from, which matrices it trains, its replicate
    every                    steps between points of the path
    """
    import torch

    ensemble = Ensemble(list(specs), device)
    layout, model = ensemble.model.layout, specs[0].model
    tasks = [np.stack([joint(_chain(one)) for one in group]) for group in ([m.spec for m in members], specs)]
    heads = model.heads
    rows_EP = torch.stack([torch.from_numpy(one.weights.copy()) for one in members])
    unchanged = log_laws(ensemble, rows_EP.to(device))
    found, held = [], []
    kappa_of: dict[int, Floats] = {}
    for row, (arm, number) in enumerate(zip(arms, numbers, strict=True)):
        seed = members[row].spec.initial_seed
        if seed not in kappa_of:
            drawn = layout.views(layout.initial_row(seed)[None])
            kappa_of[seed] = condition_number(matrices(drawn, model.depth, model.width, heads))
        views = layout.views(rows_EP[row : row + 1])
        if arm in ("planted_norm", "planted_high"):
            plant(views, model.depth, model.width, heads, planted_kappa, number, arm == "planted_norm")
        given = matrices(views, model.depth, model.width, heads)
        places = chosen(arm, given, number)
        held.append(all_but(layout, [part(int(place), model.width, heads) for place in places]))
        norm = np.linalg.norm(given, axis=(1, 2))
        found.append((places, condition_number(given), flatness(given), norm, kappa_of[seed]))
    held_EP, start = torch.stack(held), rows_EP.to(device)
    start_from(ensemble, State(start))
    hold(ensemble, held_EP)
    first = log_laws(ensemble, start)
    path = [[divergence(one, first) for one in tasks]]
    for step in range(specs[0].optimiser.steps):
        ensemble.train_step(step)
        if (step + 1) % every == 0 or step + 1 == specs[0].optimiser.steps:
            laws = log_laws(ensemble, state_of(ensemble).weights_EP)
            path.append([divergence(one, laws) for one in tasks])
    after = state_of(ensemble).weights_EP
    moved_E = ((after - start).abs() * held_EP.to(device)).amax(dim=1).double().cpu().numpy()
    changed_E = np.abs(first - unchanged).max(axis=(1, 2))
    old, new = np.array(path).transpose(1, 2, 0)  # each (E, points)
    return [
        Tuned(
            old[row],
            new[row],
            *found[row],
            float(moved_E[row]),
            float(changed_E[row]),
            ensemble.divergence(row) is not None,
        )
        for row in range(len(specs))
    ]


def _chain(spec: TrainingSpec) -> DyadicChain:
    assert isinstance(spec.source, DyadicChain)
    return spec.source


def log_laws(ensemble: Ensemble, weights_EP: "torch.Tensor") -> Floats:
    """(E, C, V) ln q after every context, normalised in float64."""
    import torch
    import torch.nn.functional as F

    model, length = ensemble.model, ensemble.specs[0].context_length
    size = model.vocab_size
    contexts = np.stack(np.unravel_index(np.arange(size**length), (size,) * length), axis=1)
    with torch.no_grad():
        tokens = F.pad(torch.from_numpy(contexts).to(weights_EP.device), (1, 0), value=model.begin)
        logits = model.logits(model.layout.views(weights_EP), tokens[None].expand(len(weights_EP), -1, -1))
        found: Floats = F.log_softmax(logits.double(), dim=-1).cpu().numpy()
    return found
