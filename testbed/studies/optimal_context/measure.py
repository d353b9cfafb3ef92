"""What is measured at each cell."""

from functools import lru_cache
from typing import Any

import numpy as np

from testbed.measures import check_source
from testbed.predictors import add_constant_law, finite_mixture_law
from testbed.runs import Cell, Record
from testbed.sources import LagMarkovSource, MarkovSource
from testbed.sources.chain import DyadicChain
from testbed.studies.optimal_context.config import Arm, Training
from testbed.studies.optimal_context.grid import Probe, data_seed
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
    arrays = {"conditional_entropies": check.truth, "sampled": check.sampled, "sampled_error": check.sampled_error}
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)


def reference_record(cell: Cell, arm: Arm, training: Training, probe: Probe) -> Record:
    """Exact excess of the order-l tables (add one half) on the same targets, and of the Bayes mixture at order k."""
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
    counts, _ = _counted(source, targets, arm.order)
    mixture = bayes_mixture(source, counts)
    metrics: dict[str, Any] = {
        "bayes_mixture_excess": None if mixture is None else _divergence(source, arm.order, mixture)
    }
    arrays = {"excess": excess, "expected_excess": expected, "conditional_entropies": truth}
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)


def table_excess(source: DyadicChain, targets: TargetSet, arm: Arm) -> np.ndarray:
    """(n_lengths,): exact excess of the add-one-half table of every order."""
    return np.array([exact_excess(source, *_counted(source, targets, length)) for length in arm.lengths])


def _counted(source: DyadicChain, targets: TargetSet, length: int) -> tuple[np.ndarray, int]:
    """Counts (V^l, V) of the next token after every context, in lexicographic order, and l."""
    contexts, following, _ = targets.windows(length)
    code = np.zeros(len(contexts), dtype=np.int64)
    for column in range(length):
        code = code * source.vocab_size + contexts[:, column]
    flat = np.bincount(code * source.vocab_size + following, minlength=source.vocab_size ** (length + 1))
    return flat.reshape(-1, source.vocab_size), length


def exact_excess(source: DyadicChain, counts: np.ndarray, length: int) -> float:
    """sum_c p(c) KL(p(. | c) || q(. | c)) of the add-one-half table, nats."""
    return _divergence(source, length, add_constant_law(counts))


def _divergence(source: DyadicChain, length: int, law: np.ndarray) -> float:
    exact = source.context_law(length)
    code = np.zeros(len(exact.contexts), dtype=np.int64)
    for column in range(length):
        code = code * source.vocab_size + exact.contexts[:, column]
    p, q = exact.laws, law[code]
    ratio = np.log(np.where(p > 0, p, 1.0)) - np.log(q)
    return float(exact.probabilities @ np.sum(np.where(p > 0, p * ratio, 0.0), axis=1))


def bayes_mixture(source: DyadicChain, counts: np.ndarray) -> np.ndarray | None:
    """The posterior mean law at the true order under the prior that the kernel was drawn from: the floor.

    None for sources whose prior has no closed form.
    """
    if isinstance(source, LagMarkovSource):
        family = _family(source.replace(seed=0))
        return finite_mixture_law(counts, family.reshape(len(family), -1, source.vocab_size))
    if isinstance(source, MarkovSource) and source.given_kernel is None and source.given_weights is None:
        return None if source.entropy_rate_ is not None else add_constant_law(counts, source.concentration)
    return None


@lru_cache(maxsize=4)
def _family(source: LagMarkovSource) -> np.ndarray:
    """The family of a design, computed once a process: it does not depend on the seed."""
    return source.family()
