"""What is measured: members trained together, and everything that is read off a member's features at one l."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.measures.features import (
    belief_probe,
    covariance_eigenvalues,
    half_log_determinant,
    intrinsic_dimension,
    kernel_entropy,
    log_spectrum_sum,
    state_information,
)
from testbed.models.mlp import MLP
from testbed.runs import Cell, MeasureContext, Record
from testbed.sources.bits import LN2
from testbed.sources.parity import SparseParitySource
from testbed.studies.parity_features.config import Probe, Reading
from testbed.training.mlp_data import draw_samples, evaluation_samples, task_scores
from testbed.training.mlp_path import MLPMember, member_logits, train_mlps

Floats = NDArray[np.float64]
MOST_ROWS = 1000  # of the probe of each answer: it is fitted by Newton's method


def records_of(cells: list[Cell], context: MeasureContext) -> Iterator[Record]:
    """One record for each cell; members of one shape are trained as one ensemble, and their weights are not kept."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        assert isinstance(cell.probe, Probe)
        groups.setdefault(cell.probe.spec.shape, []).append(cell)
    for mine in groups.values():
        specs = [cell.probe.spec for cell in mine if isinstance(cell.probe, Probe)]
        for cell, member in zip(mine, train_mlps(specs, context.device, checkpoints=context.checkpoints), strict=True):
            yield member_record(cell, member)


def member_record(cell: Cell, member: MLPMember) -> Record:
    """risk R(l), excess (exact mean KL), paired z-score's parts, and the arrays of `features_read`, trained and not."""
    probe = cell.probe
    assert isinstance(probe, Probe)
    spec = probe.spec
    source = spec.source
    assert isinstance(source, SparseParitySource)
    samples = evaluation_samples(source, spec.data_seed, probe.n_contexts, spec.n_bits)
    scores = task_scores(source, samples, spec.context_length, member_logits(member, "end", samples))
    metrics: dict[str, Any] = {
        "risk": float(np.asarray(source.conditional_entropies(spec.context_length).value)[-1]),
        "excess": scores.total,
        "paired": scores.paired[0],
        "paired_error": scores.paired[1],
        "validation": float(member.validation[-1]),
    }
    arrays: dict[str, Floats] = {"task_excess": scores.excess}
    if probe.reading is not None and not member.diverged:
        model = MLP(spec.model, spec.n_bits, len(source.tasks))
        fresh = draw_samples(source, "probe", spec.data_seed, probe.reading.n_samples, spec.n_bits).bits
        rows = {
            "": torch.from_numpy(member.weights["end"]),
            "_untrained": model.initial_row(spec.initial_seed, spec.context_length),
        }
        truth = answers(source, fresh, spec.context_length)
        for suffix, row in rows.items():
            cloud = features_of(model, row, fresh, spec.context_length)
            found = features_read(cloud, truth, probe.reading, spec.data_seed)
            arrays |= {name + suffix: values for name, values in found.items()}
    return Record(cell.key, cell.study, cell.resolved(), "diverged" if member.diverged else "done", metrics, arrays)


@torch.no_grad()
def features_of(model: MLP, row: torch.Tensor, bits: NDArray[np.uint8], context_length: int) -> Floats:
    """(N, bottleneck) features of samples of which the nearest `context_length` bits are seen."""
    seen = torch.from_numpy(bits).float()
    seen[:, context_length:] = 0.0
    return np.asarray(model.features(model.layout.views(row[None]), seen[None])[0].double().numpy())


def answers(source: SparseParitySource, bits: NDArray[np.uint8], context_length: int) -> NDArray[np.int64]:
    """(N, n_solved) the Bayes state before the question: answers of the tasks that the context solves."""
    solved = [task for task in source.tasks if max(task) <= context_length]
    return np.stack([bits[:, [one - 1 for one in task]].sum(axis=1) % 2 for task in solved], axis=1).astype(np.int64)


def features_read(cloud: Floats, truth: NDArray[np.int64], reading: Reading, seed: int) -> dict[str, Floats]:
    """Estimators and probes on features (N, d), the state being truth (N, n); nan where one is not defined.

    spectrum (d,) relative eigenvalues; kde, half_log_det, own_share (); s_n (n_N,); dimension (n_theta,);
    probe (2,) held-out R^2 of the answers +-1 and the mean of its null; information (): sum over answers of what a
    probe finds of each, nats, a lower bound on I(features; state) as the answers are independent
    """
    values = covariance_eigenvalues(cloud)
    found: dict[str, Any] = {
        "spectrum": _padded(values / values[0], cloud.shape[1]),
        "half_log_det": _or_nan(half_log_determinant, values, cloud.shape[1]),
        "s_n": [_or_nan(log_spectrum_sum, values, n) for n in reading.n_terms],
        "dimension": [float(intrinsic_dimension(values, theta)) for theta in reading.thresholds],
    }
    try:
        kernel = kernel_entropy(cloud)
        found |= {"kde": kernel.entropy, "own_share": kernel.own_share}
    except ConfigError:  # a flat cloud has no density
        found |= {"kde": np.nan, "own_share": np.nan}
    probe = belief_probe(cloud, 2.0 * truth - 1.0, n_shuffles=reading.n_shuffles, seed=seed)
    found["probe"] = [probe.r_squared, probe.null.mean()]
    rows = cloud[:MOST_ROWS]
    found["information"] = sum(
        state_information(rows, column, LN2, n_folds=3, penalty=reading.penalty, seed=seed).information
        for column in truth[:MOST_ROWS].T
    )
    return {name: np.asarray(one, dtype=np.float64) for name, one in found.items()}


def _padded(values: Floats, n: int) -> Floats:
    return np.concatenate([values, np.zeros(n - len(values))])


def _or_nan(function: Any, values: Floats, n: int) -> float:
    """A sum over eigenvalues, nan beyond the rank."""
    try:
        return float(function(values, n))
    except ConfigError:
        return np.nan
