"""Networks fitted to a smooth law: an ensemble of small multilayer perceptrons, one for each replicate and size.

Axes   E member   B batch   I inputs   H hidden   C labels
A coordinate lives on a circle, so a network reads cos pi u and sin pi u. Of a member's D samples a fifth is held out:
the path point of least held-out loss is the one that is scored, in both arms alike (with noisy labels a network that is
trained to the end has learnt the noise). D counts all samples, the held-out ones too.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from testbed.studies.approximation_law.config import NetworkConfig

Floats = NDArray[np.float64]

HELD_OUT = 5  # one sample in so many
MOST_HELD_OUT = 512  # more say no more about when to stop


@dataclass(frozen=True)
class Task:
    """What one member is given.

    inputs (D, I) and laws (D, C): what it learns from, labels as one-hot laws; test_inputs (N, I), test_laws (N, C)
    """

    inputs: Floats
    laws: Floats
    test_inputs: Floats
    test_laws: Floats
    seed: int


def circle_inputs(coordinates: Floats) -> Floats:
    """(N, 2 l): cos and sin of pi u, from u (N, l)."""
    return np.concatenate([np.cos(np.pi * coordinates), np.sin(np.pi * coordinates)], axis=1)


def network_excess(tasks: list[Task], config: NetworkConfig, learning_rate: float) -> Floats:
    """(E,) exact mean KL on the test points at the path point of least held-out loss."""
    with torch.random.fork_rng(devices=[]):
        return _trained(tasks, config, learning_rate)


def _trained(tasks: list[Task], config: NetworkConfig, learning_rate: float) -> Floats:
    n_inputs, n_labels = tasks[0].inputs.shape[1], tasks[0].laws.shape[1]
    weights = _initial(tasks, (n_inputs, *(config.width,) * config.depth, n_labels))
    optimiser = torch.optim.AdamW(weights, lr=learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay)
    warm = config.warmup_steps
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda t: min((t + 1) / warm, 0.5 * (1 + np.cos(np.pi * max(0, t - warm) / max(1, config.steps - warm)))),
    )
    splits = [_split(task) for task in tasks]
    inputs, laws = [
        _stacked([getattr(t, n)[:s] for t, s in zip(tasks, splits, strict=True)]) for n in ("inputs", "laws")
    ]
    held = [_stacked([getattr(t, n)[s:] for t, s in zip(tasks, splits, strict=True)]) for n in ("inputs", "laws")]
    n_held = torch.tensor([len(task.inputs) - s for task, s in zip(tasks, splits, strict=True)])
    counted = (torch.arange(held[0].shape[1])[None] < n_held[:, None]).float()
    test = [_stacked([getattr(task, f"test_{n}") for task in tasks]) for n in ("inputs", "laws")]
    generator = np.random.default_rng([task.seed for task in tasks])
    rows = torch.arange(len(tasks))[:, None]
    best, score = np.full(len(tasks), np.inf), np.full(len(tasks), np.nan)
    points = set(np.linspace(1, config.steps, config.path_points + 1).round().astype(int).tolist()[1:])
    for step in range(1, config.steps + 1):
        drawn = generator.random((len(tasks), config.batch)) * np.array(splits)[:, None]
        chosen = torch.from_numpy(drawn.astype(np.int64))
        loss = -(laws[rows, chosen] * _log_laws(weights, inputs[rows, chosen])).sum(-1).mean(-1).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if step in points:
            with torch.no_grad():
                surprise = -(held[1] * _log_laws(weights, held[0])).sum(-1)
                heldout = ((surprise * counted).sum(-1) / n_held).double().numpy()
                excess = _divergence(test[1], _log_laws(weights, test[0]))
            better = heldout < best
            best[better], score[better] = heldout[better], excess[better]
    return score


def _split(task: Task) -> int:
    """Samples that are learnt from; the rest are held out."""
    return len(task.inputs) - min(max(1, len(task.inputs) // HELD_OUT), MOST_HELD_OUT)


def _initial(tasks: list[Task], widths: tuple[int, ...]) -> list[Tensor]:
    """Matrices (E, in, out) of variance 2 / in, the last near zero, and offsets (E, 1, out); by each member's seed."""
    weights: list[Tensor] = []
    generators = [np.random.default_rng([task.seed, 1]) for task in tasks]
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        last = layer == len(widths) - 2
        std = 0.02 if last else np.sqrt(2.0 / fan_in)
        matrix = np.stack([std * one.standard_normal((fan_in, fan_out)) for one in generators])
        weights.append(torch.from_numpy(matrix.astype(np.float32)).requires_grad_())
        weights.append(torch.zeros(len(tasks), 1, fan_out).requires_grad_())
    return weights


def _log_laws(weights: list[Tensor], inputs: Tensor) -> Tensor:
    """(E, B, C) ln q."""
    x = inputs
    for matrix, offset in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = F.gelu(torch.baddbmm(offset, x, matrix))
    return F.log_softmax(torch.baddbmm(weights[-1], x, weights[-2]), dim=-1)


def _divergence(laws: Tensor, log_laws: Tensor) -> Floats:
    """(E,) mean KL(p || q); laws are positive."""
    p = laws.double()
    return np.asarray((p * (p.log() - log_laws.double())).sum(-1).mean(-1).numpy())


def _stacked(arrays: list[Floats]) -> Tensor:
    """(E, longest, .) float32, zeros after a member's own rows."""
    longest = max(len(one) for one in arrays)
    padded = np.zeros((len(arrays), longest, arrays[0].shape[1]), dtype=np.float32)
    for place, one in enumerate(arrays):
        padded[place, : len(one)] = one
    return torch.from_numpy(padded)
