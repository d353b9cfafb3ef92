"""What is measured: the rivals' excess over context-tree weighting, and where a model lies among them.

All numbers are means of exact KL divergences between laws on fresh sequences of random trees, nats, at positions from D
on; the law of the first D tokens is uniform, and every rival knows it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from testbed.predictors.back_off import back_off_law
from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.variable_order.blends import constant_laws, constants
from testbed.studies.variable_order.config import QUARTERS, RIVAL_SEED, Probe, Rivals, Task, quarters
from testbed.studies.variable_order.rivals import (
    Floats,
    Integers,
    adaptivity,
    count_bins,
    divergence,
    interpolation,
    known_tree_laws,
    order_laws,
    tokens_of,
    tree_law,
)
from testbed.training.member import TrainedMember

FULL_SEQUENCES = 64
"""Sequences of full trees on which the highest order is held against context-tree weighting."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Fresh sequences, and the laws that a model is held against on them.

    tokens          (N, L)
    bayes           (N, L - D, V) context-tree weighting
    orders          (D + 1, N, L - D, V)
    interpolation   (N, L - D, V)
    ppm             (N, L - D, V) prediction by partial matching
    """

    tokens: Integers
    bayes: Floats
    orders: Floats
    interpolation: Floats
    ppm: Floats

    @property
    def beside(self) -> Floats:
        """(D + 3, N, L - D, V): all but context-tree weighting, the uniform law first."""
        uniform = np.full_like(self.bayes, 1.0 / self.bayes.shape[-1])
        return np.concatenate([uniform[None], self.orders, self.interpolation[None]])


@lru_cache(maxsize=4)
def reference(task: Task, rivals: Rivals, n: int, seed: int) -> Reference:
    """Those of one replicate."""
    source = task.source
    tokens = tokens_of(source, seed, n, task.length)
    orders = order_laws(tokens, source)
    known = interpolation(source, task.length, rivals.n_fitted, rivals.fit_steps, RIVAL_SEED + 1)
    blended = known.laws(count_bins(tokens, task.depth), orders)
    ppm = back_off_law(tokens, task.vocab_size, task.depth)[:, task.depth :]
    return Reference(tokens, source.predict(tokens)[:, task.depth :], orders, blended, ppm)


def blended(task: Task, rivals: Rivals, known: Reference) -> dict[str, Floats]:
    """(N, L - D, V) laws of both constant blends; their weights are fitted to other sequences."""
    weights = constants(task.source, task.length, rivals.n_fitted, RIVAL_SEED + 1)
    return constant_laws(weights, known.orders)


def blends_record(cell: Cell, task: Task, rivals: Rivals, n: int) -> Record:
    """`gap_NAME` (L - D,): excess of each constant blend on the sequences on which a replicate's models are judged."""
    assert isinstance(cell.probe, Probe)
    known = reference(task, rivals, n, cell.probe.seed)
    arrays = {
        f"gap_{name}": divergence(known.bayes, law).mean(axis=0) for name, law in blended(task, rivals, known).items()
    }
    return Record(cell.key, cell.study, cell.resolved(), "done", {}, arrays)


def rivals_record(cell: Cell, task: Task, rivals: Rivals) -> Record:
    """For each rival `rows_NAME` (N,), the excess of every sequence, `position_NAME` (L - D,), its mean, and
    `error_NAME` (L - D,), its standard error; for `tree`, which knows the tree, what context-tree weighting loses
    against it. `weights_NAME` (D + 1,): those of the constant blends.

    late_NAME   coefficient of context-tree weighting in the rival's laws, in the second half
    lead_NAME   by how much a constant blend is nearer to context-tree weighting than to the nearest fixed order
    full_gap    largest divergence of the highest order from context-tree weighting on full trees
    full_below  mean divergence there of the order below it, over all positions
    """
    source = task.source
    known = reference(task, rivals, rivals.n_sequences, RIVAL_SEED)
    v, d = source.vocab_size, source.depth
    laws = {f"order_{order}": law for order, law in enumerate(known.orders)}
    mixed = blended(task, rivals, known)
    laws |= {"interpolation": known.interpolation, **mixed, "ppm": known.ppm}
    for place, one in enumerate(rivals.mismatches):
        laws[f"mismatch_{place}"] = tree_law(known.tokens, d, v, one.branching, one.concentration, one.depth)
    excess = {name: divergence(known.bayes, law) for name, law in laws.items()}
    excess["tree"] = divergence(known_tree_laws(known.tokens, source, RIVAL_SEED), known.bayes)
    arrays = {f"rows_{name}": one.mean(axis=1) for name, one in excess.items()}
    arrays |= {f"position_{name}": one.mean(axis=0) for name, one in excess.items()}
    arrays |= {f"error_{name}": one.std(axis=0, ddof=1) / np.sqrt(rivals.n_sequences) for name, one in excess.items()}
    weights = constants(source, task.length, rivals.n_fitted, RIVAL_SEED + 1)
    arrays |= {f"weights_{name}": one for name, one in weights.items()}
    arrays["rows_rate"] = -(known.bayes * np.log(known.bayes)).sum(axis=-1).mean(axis=1)
    full = tokens_of(task.full_source, RIVAL_SEED, FULL_SEQUENCES, task.length)
    *_, below, same = (
        divergence(task.full_source.predict(full)[:, d:], one) for one in order_laws(full, task.full_source)
    )
    metrics: dict[str, Metric] = {
        "full_gap": float(same.max()),
        "full_below": float(below.mean()) * task.scored / task.length,
    }
    half = slice(task.scored // 2, task.scored)
    for name, law in laws.items():
        metrics[f"late_{name}"] = adaptivity(law[:, half], known.bayes[:, half], known.beside[:, :, half])
    for name, law in mixed.items():
        to_orders = min(float(divergence(one, law).mean()) for one in known.orders)
        metrics[f"lead_{name}"] = to_orders - float(excess[name].mean())
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """Arrays over the positions from D on.

    excess                  (L - D,) KL(context-tree weighting || model)
    to_orders               (D + 1, L - D) KL(fixed order || model)
    to_interpolation        (L - D,)
    gap_orders              (D + 1, L - D) KL(context-tree weighting || fixed order), on the same sequences
    gap_interpolation       (L - D,); gap_ppm likewise
    adaptivity              (4,) coefficient of context-tree weighting in each quarter of the positions
    path_step, path_excess  along training, all positions, on the arm's own source

    own         excess on the arm's own source, all positions
    late        coefficient of context-tree weighting in the second half
    """
    probe = cell.probe
    assert isinstance(probe, Probe)
    scores = ("excess", "paired", "paired_error")
    metrics: dict[str, Metric] = {("own" if name == "excess" else name): member.scores[name] for name in scores}
    if probe.kind == "tuning":
        return Record(cell.key, cell.study, cell.resolved(), member.status, {"excess": member.scores["excess"]})
    if member.status != "done":
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
    assert probe.task is not None
    assert probe.rivals is not None
    assert probe.reading is not None
    known = reference(probe.task, probe.rivals, probe.reading.n_sequences, probe.seed)
    law = np.exp(member.sequence_log_laws(known.tokens, device)[:, probe.task.depth :])
    law /= law.sum(axis=-1, keepdims=True)
    beside, scored = known.beside, law.shape[1]

    def coefficient(part: slice) -> float:
        return adaptivity(law[:, part], known.bayes[:, part], beside[:, :, part])

    metrics["late"] = coefficient(slice(scored // 2, scored))
    arrays = {
        "excess": divergence(known.bayes, law).mean(axis=0),
        "to_orders": np.stack([divergence(one, law).mean(axis=0) for one in known.orders]),
        "to_interpolation": divergence(known.interpolation, law).mean(axis=0),
        "gap_orders": np.stack([divergence(known.bayes, one).mean(axis=0) for one in known.orders]),
        "gap_interpolation": divergence(known.bayes, known.interpolation).mean(axis=0),
        "gap_ppm": divergence(known.bayes, known.ppm).mean(axis=0),
        "adaptivity": np.array([coefficient(part) for part in quarters(scored)]),
        "path_step": member.path["step"],
        "path_excess": member.path["excess"],
    }
    assert len(arrays["adaptivity"]) == QUARTERS
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)
