"""What is measured at each cell."""

from typing import Any

import numpy as np

from testbed.measures import check_source
from testbed.runs import Cell, Record
from testbed.studies.optimal_context.config import Arm, Training
from testbed.studies.optimal_context.grid import Probe, data_seed
from testbed.studies.optimal_context.mixture import mixture_excess
from testbed.studies.optimal_context.tables import table_excess
from testbed.training.member import TrainedMember
from testbed.training.windows import TargetSet

N_CHECK_SEQUENCES = 100_000
N_EXPECTATION_DRAWS = 8
"""Further datasets of each kernel and size over which the table learner's expected excess is averaged."""


def member_record(cell: Cell, member: TrainedMember) -> Record:
    """The exact split of a trained member's loss, and its path."""
    spec = member.spec
    truth = spec.source.conditional_entropies(spec.context_length)
    risk = float(np.asarray(truth.value)[spec.context_length])
    scores = member.scores
    metrics: dict[str, Any] = {
        "bayes_risk": risk,
        "excess": scores["excess"],
        "excess_error": scores["excess_error"],
        "loss": risk + scores["excess"],
        "oracle_excess": member.oracle_excess,
        "oracle_uses_truth": True,
        "heldout": scores["heldout"],
        "cross_entropy": scores["fresh"],
        "cross_entropy_error": scores["fresh_error"],
        "paired_difference": scores["paired"],
        "paired_error": scores["paired_error"],
        "exact_evaluation": member.exact_evaluation,
        "train_loss": float(member.path["train_loss"][-1]),
    }
    if member.status == "diverged":
        metrics |= {"diverged_at": member.diverged_at, "last_finite_loss": member.last_finite_loss}
    arrays = {f"path_{name}": values for name, values in member.path.items()}
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


def source_record(cell: Cell, arm: Arm, probe: Probe) -> Record:
    """h_l certified by two further routes."""
    source = arm.kernel(probe.kernel)
    check = check_source(source, arm.max_context, N_CHECK_SEQUENCES, data_seed(probe.kernel, 0))
    metrics: dict[str, Any] = {
        "entropy_rate": float(source.entropy_rate().value),
        "excess_entropy": float(source.excess_entropy().value),
        "largest_difference": check.largest_difference,
        "largest_z": check.largest_z,
        "n_means": arm.max_context + 1,
        "fingerprint": source.fingerprint,
    }
    arrays = {"conditional_entropies": check.truth, "enumerated": check.enumerated, "sampled": check.sampled}
    arrays |= {"sampled_error": check.sampled_error}
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)


def reference_record(cell: Cell, arm: Arm, training: Training, probe: Probe) -> Record:
    """Exact excess of the order-l tables on the same targets, in expectation over others, and of the Bayes mixture."""
    source = arm.kernel(probe.kernel)
    assert probe.n_targets is not None
    seed = data_seed(probe.kernel, probe.draw)
    targets = TargetSet.draw(source, "train", seed, probe.n_targets, arm.max_context, training.targets_per_sequence)
    truth = np.asarray(source.conditional_entropies(arm.max_context).value)
    excess = table_excess(source, targets, arm)
    others = [
        TargetSet.draw(source, "probe", seed, probe.n_targets, arm.max_context, training.targets_per_sequence, first)
        for first in range(probe.n_targets, (N_EXPECTATION_DRAWS + 1) * probe.n_targets, probe.n_targets)
    ]
    expected = np.mean([table_excess(source, other, arm) for other in others], axis=0)
    mixture, kind = mixture_excess(source, targets, arm)
    metrics: dict[str, Any] = {"mixture": kind}
    arrays = {
        "excess": excess,
        "expected_excess": expected,
        "mixture_excess": mixture,
        "conditional_entropies": truth,
    }
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)
