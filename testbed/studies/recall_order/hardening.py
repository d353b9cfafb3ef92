"""A trained network trained on with its memory bounded, so that it is not told of the bound only when it is judged.

At every step a number of states is drawn, or none, each as likely: the states that are left at the cuts are then
replaced by the nearest of a book of so many, and the gradient passes as if they were not (straight through). Books are
made anew every so many steps, of fresh sequences.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbed.sources.recall.set_disjointness import SetDisjointness
from testbed.studies.recall_order.config import Memory
from testbed.training.member import TrainedMember
from testbed.training.sequences import draw_sequences

if TYPE_CHECKING:
    from torch import Tensor

    from testbed.models.bounded_memory import BoundedMemory
    from testbed.models.segments import SegmentedTransformer

SEED_OFFSET = 2_000_000
"""Of sequences that are seen with the bound on alone."""


@dataclass(frozen=True, eq=False)
class Hardened:
    """A network that reads in parts and its weights, (1, ...) by name: at three quarters of these steps, at the end."""

    model: "SegmentedTransformer"
    early: Mapping[str, "Tensor"]
    weights: Mapping[str, "Tensor"]


def cuts(member: TrainedMember) -> tuple[int, ...]:
    """Places of the window, the begin symbol at 0, after which memory is bounded: each separator, and the first
    question where another presentation follows."""
    source, length = member.spec.source, member.spec.context_length
    assert isinstance(source, SetDisjointness)
    first, second = source.sizes(length + 1)
    shown = first + second + 2
    places = [shown * i + at for i in range(source.repeats) for at in (first + 1, shown)]
    return tuple(one for one in places if one < length)


def hardened(member: TrainedMember, memory: Memory, device: str) -> Hardened:
    """The network after `memory.steps` more steps, from its last weights and moments of zero."""
    import torch

    from testbed.models.segments import SegmentedTransformer
    from testbed.training.continuing import State, start_from
    from testbed.training.ensemble import Ensemble
    from testbed.training.stepping import StepRunner

    spec = member.spec
    peak = spec.optimiser.learning_rate * memory.rate
    optimiser = spec.optimiser.replace(steps=memory.steps, learning_rate=peak, warmup_steps=memory.steps // 10)
    seed = spec.data.seed + SEED_OFFSET
    ensemble = Ensemble([spec.replace(optimiser=optimiser, data=spec.data.replace(seed=seed))], device)
    start_from(ensemble, State(torch.from_numpy(member.weights.copy())[None]))
    model = SegmentedTransformer(ensemble.model, cuts(member))
    ensemble.model = model
    ensemble.run_step = StepRunner(torch.device("cpu"), compiled=False)  # never recorded: books change
    drawn, early, memories = np.random.default_rng(seed), ensemble.weights_EP, []

    def views(rows: "Tensor") -> Mapping[str, "Tensor"]:
        return model.layout.views(rows.clone())

    for step in range(memory.steps):
        if step % memory.refit == 0:
            shown, _ = windows(member, seed, memory.n_refit, device, first_row=step * memory.n_refit)
            levels = tuple(one for one in memory.states[1:] if one <= memory.n_refit)
            memories = fit_memories(model, views(ensemble.weights_EP), shown, levels, seed)
        which = int(drawn.integers(len(memories) + 1))
        model.hand = None if which == len(memories) else memories[which].through
        ensemble.train_step(step)
        if step + 1 == 3 * memory.steps // 4:
            early = ensemble.weights_EP.clone()
    model.hand = None
    return Hardened(model, views(early), views(ensemble.weights_EP))


def fit_memories(
    model: "SegmentedTransformer", weights: Mapping[str, "Tensor"], tokens: "Tensor", levels: tuple[int, ...], seed: int
) -> "list[BoundedMemory]":
    """The books of every number of states, off windows (n, l + 1)."""
    import torch

    from testbed.models.bounded_memory import BoundedMemory, Sketched

    found = [BoundedMemory(one, seed) for one in levels]
    with torch.no_grad():
        first = Sketched.of(model.part(weights, tokens[None], 0, [])[1])  # alike for all of them
        for one in found:
            states = one.fit(0, first)
            for number in range(1, len(model.cuts)):
                states = one.fit(number, model.part(weights, tokens[None], number, states)[1])
    return found


def windows(
    member: TrainedMember, seed: int, n: int, device: str, stream: str = "heldout", first_row: int = 0
) -> "tuple[Tensor, np.ndarray]":
    """(n, l + 1) windows behind a begin symbol, and whether the sets of each share an element."""
    import torch

    source, length = member.spec.source, member.spec.context_length
    assert isinstance(source, SetDisjointness)
    drawn = draw_sequences(source, stream, seed, n, length + 1, first_row)  # type: ignore[arg-type]
    tokens = drawn.tokens.astype(np.int64)
    shown = np.concatenate([np.full((n, 1), source.vocab_size), tokens[:, :-1]], axis=1)
    return torch.from_numpy(shown).to(device), tokens[:, -1] == source.n_elements + 3
