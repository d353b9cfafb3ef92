"""What is measured at each cell: Hessians by automatic differentiation, or where a run has ended."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.markov_landscape.config import Exact, Probe, side
from testbed.theory import chain_entropy, marginal_entropy, second_eigenvalue, unigram_hessian
from testbed.training.member import TrainedMember
from testbed.training.windows import TargetSet

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]
N_WINDOWS = 64
"""Fresh windows on which a run is held against the unigrams."""


def point_record(cell: Cell) -> Record:
    """Arrays (n, n) over p and q, nan where p + q = 1: `curvature`, the least eigenvalue of the Hessian over embedding,
    read-out and bias in units of |lambda| pi_0 pi_1; `loss_off` of H(pi), `gradient`, `hessian_off` of the closed
    form, other entries included: largest absolute values, nats."""
    probe = cell.probe
    assert isinstance(probe, Probe)
    assert probe.exact is not None
    n = len(probe.values)
    names = ("curvature", "loss_off", "gradient", "hessian_off")
    arrays = {name: np.full((n, n), np.nan) for name in names}
    for i, p in enumerate(probe.values):
        for j, q in enumerate(probe.values):
            if side(p, q):
                for name, value in zip(names, at_point(p, q, probe.panel, probe.exact), strict=True):
                    arrays[name][i, j] = value
    return Record(cell.key, cell.study, cell.resolved(), "done", {}, arrays)


def at_point(p: float, q: float, network: str, exact: Exact) -> tuple[float, float, float, float]:
    """Curvature, and how far loss, gradient and Hessian are off, at one chain's unigram point."""
    import torch

    from testbed.studies.markov_landscape.network import population_loss, shapes, unigram_point

    depth, tied = 2 if network.startswith("two") else 1, not network.endswith("untied")
    shape = shapes(exact.width, exact.hidden, exact.length, depth, tied)
    point = unigram_point(p, q, shape, exact.seed)

    def loss(flat: "torch.Tensor") -> "torch.Tensor":
        return population_loss(flat, p, q, shape, depth)

    # not torch.func, which loads a compiler first
    found = torch.autograd.functional.hessian(loss, point).numpy()
    gradient = torch.autograd.functional.jacobian(loss, point).numpy()
    expected = np.zeros_like(found)
    closed = unigram_hessian(p, q, exact.width, tied)
    expected[: len(closed), : len(closed)] = closed
    unit = abs(second_eigenvalue(p, q)) * p * q / (p + q) ** 2
    least = float(np.linalg.eigvalsh(found[: len(closed), : len(closed)])[0])
    off = abs(float(loss(point)) - marginal_entropy(p, q))
    return least / unit, off, float(np.abs(gradient).max()), float(np.abs(found - expected).max())


def run_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """`units` = excess after T tokens / (H(pi) - h); `from_pi`, how far the run is from unigrams, in the same units;
    `rate_off` and `marginal_off`: how far the closed forms are off the source's."""
    probe = cell.probe
    assert isinstance(probe, Probe)
    metrics: dict[str, Metric] = {
        name: member.scores[name] for name in ("excess", "excess_error", "paired", "paired_error")
    }
    source, room = member.spec.source, marginal_entropy(probe.p, probe.q) - chain_entropy(probe.p, probe.q)
    levels = np.asarray(source.conditional_entropies(1).value)
    metrics["marginal_off"] = abs(float(levels[0]) - marginal_entropy(probe.p, probe.q))
    metrics["rate_off"] = abs(float(levels[1]) - chain_entropy(probe.p, probe.q))
    if member.status == "done":
        metrics["units"] = float(member.scores["excess"]) / room
        metrics["from_pi"] = from_pi(member, probe, device) / room
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)


def from_pi(member: TrainedMember, probe: Probe, device: str) -> float:
    """Mean KL from what the model says to the unigrams' law, KL(pi || q), nats: 0 where it says pi whatever it sees."""
    spec, pi = member.spec, np.array([probe.q, probe.p]) / (probe.p + probe.q)
    length = spec.context_length
    windows = TargetSet.draw(spec.source, "probe", spec.data.seed, N_WINDOWS, length)
    log_q = member.log_laws(windows.windows(length)[0], device)
    return float((pi * (np.log(pi) - log_q)).sum(axis=1).mean())
