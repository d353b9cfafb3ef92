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
from testbed.studies.variable_order.blends import (
    UNASKING,
    by_counts,
    confident_laws,
    constant_laws,
    constants,
    counted_laws,
    fit_loglinear,
    loglinear,
)
from testbed.studies.variable_order.cells import cells_of
from testbed.studies.variable_order.config import RIVAL_SEED, Probe, Reading, Rivals, Task
from testbed.studies.variable_order.preference import Scale, leaf_depths, permuted, slope
from testbed.studies.variable_order.rivals import (
    Floats,
    Integers,
    count_bins,
    divergence,
    interpolation,
    known_tree_laws,
    order_laws,
    seen,
    steep_gates,
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
    counts          (D + 1, N, L - D) of their contexts
    unasking        by name in `UNASKING`: (N, L - D, V) laws of learners that ask no evidence, fitted to others
    """

    tokens: Integers
    bayes: Floats
    orders: Floats
    counts: Integers
    unasking: dict[str, Floats]

    @property
    def late(self) -> slice:
        """The second half of the positions, where preferences are read off."""
        return slice(self.bayes.shape[1] // 2, self.bayes.shape[1])


@lru_cache(maxsize=4)
def reference(task: Task, rivals: Rivals, n: int, seed: int) -> Reference:
    """Those of one replicate."""
    source = task.source
    tokens = tokens_of(source, seed, n, task.length)
    orders, counts, bins = order_laws(tokens, source), seen(tokens, task.depth), count_bins(tokens, task.depth)
    fit = (source, task.length, rivals.n_fitted)
    laws = constant_laws(constants(*fit, RIVAL_SEED + 1), orders) | confident_laws(orders)
    laws |= counted_laws(by_counts(*fit, rivals.edges, RIVAL_SEED + 1), orders, cells_of(counts, rivals.edges))
    laws["interpolation"] = interpolation(*fit, rivals.fit_steps, RIVAL_SEED + 1).laws(bins, orders)
    laws["steep"] = steep_gates(task.depth).laws(bins, orders)
    laws["ppm"] = back_off_law(tokens, task.vocab_size, task.depth)[:, task.depth :]
    unasking = {name: laws[name] for name in UNASKING}
    return Reference(tokens, source.predict(tokens)[:, task.depth :], orders, counts, unasking)


@dataclass(frozen=True, eq=False)
class Preferences:
    """How preferences are read off on the sequences of one seed.

    scale   the same for all learners
    bayes   (N,) context-tree weighting's
    depth   (N,) mean true depth of the leaves that the second half visits
    """

    scale: Scale
    bayes: Floats
    depth: Floats


@lru_cache(maxsize=4)
def preferences(task: Task, rivals: Rivals, n: int, seed: int) -> Preferences:
    """Those of one replicate."""
    known = reference(task, rivals, n, seed)
    weights = constants(task.source, task.length, rivals.n_fitted, RIVAL_SEED + 1)
    orders = known.orders[:, :, known.late]
    scale = Scale(orders, known.counts[:, :, known.late], loglinear(weights["loglinear"], orders), rivals.edges)
    depth = leaf_depths(known.tokens, task.source, seed)[:, known.late].mean(axis=1)
    return Preferences(scale, scale.preferences(known.bayes[:, known.late]), depth)


def followed(law: Floats, task: Task, rivals: Rivals, reading: Reading, seed: int) -> tuple[dict[str, float], Floats]:
    """`follows`, `depth` and `chance` of a learner with laws (N, L - D, V) on a replicate's sequences; preferences."""
    known, own = (
        reference(task, rivals, reading.n_sequences, seed),
        preferences(task, rivals, reading.n_sequences, seed),
    )
    found, unit = own.scale.preferences(law[:, known.late]), slope(own.bayes, own.depth)
    chance = permuted(found, own.depth, reading.n_shuffles, seed) / unit
    return {
        "follows": slope(found, own.bayes),
        "depth": slope(found, own.depth) / unit,
        "chance": float(np.quantile(chance, reading.chance)),
    }, found


def blends_record(cell: Cell, task: Task, rivals: Rivals, reading: Reading) -> Record:
    """Learners that ask no evidence, on the sequences on which a replicate's models are judged.

    gap_NAME      (L - D,) excess
    bayes, true   (N,) preference of context-tree weighting, mean true depth
    follows_NAME, depth_NAME    as of a member
    """
    assert isinstance(cell.probe, Probe)
    known = reference(task, rivals, reading.n_sequences, cell.probe.seed)
    arrays = {f"gap_{name}": divergence(known.bayes, law).mean(axis=0) for name, law in known.unasking.items()}
    own = preferences(task, rivals, reading.n_sequences, cell.probe.seed)
    arrays |= {"bayes": own.bayes, "true": own.depth}
    metrics: dict[str, Metric] = {}
    for name, law in known.unasking.items():
        numbers, _ = followed(law, task, rivals, reading, cell.probe.seed)
        metrics |= {f"{what}_{name}": numbers[what] for what in ("follows", "depth")}
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)


def rivals_record(cell: Cell, task: Task, rivals: Rivals) -> Record:
    """For each rival `rows_NAME` (N,), the excess of every sequence, `position_NAME` (L - D,), its mean, and
    `error_NAME` (L - D,), its standard error; for `tree`, which knows the tree, what context-tree weighting loses
    against it. `weights_NAME` (D + 1,): those of the constant blends.

    follows_NAME   slope of the rival's preferences along those of context-tree weighting
    full_gap    largest divergence of the highest order from context-tree weighting on full trees
    full_below  mean divergence there of the order below it, over all positions
    """
    source = task.source
    known = reference(task, rivals, rivals.n_sequences, RIVAL_SEED)
    v, d = source.vocab_size, source.depth
    laws = {f"order_{order}": law for order, law in enumerate(known.orders)}
    laws |= known.unasking
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
    own = preferences(task, rivals, rivals.n_sequences, RIVAL_SEED)
    for name, law in laws.items():
        metrics[f"follows_{name}"] = slope(own.scale.preferences(law[:, known.late]), own.bayes)
    return Record(cell.key, cell.study, cell.resolved(), "done", metrics, arrays)


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """Arrays over the positions from D on.

    excess                  (L - D,) KL(context-tree weighting || model)
    to_orders               (D + 1, L - D) KL(fixed order || model)
    to_counts, to_sure      (L - D,) KL(log-linear blend by counts, by counts and confidence || model)
    gap_orders              (D + 1, L - D) KL(context-tree weighting || fixed order), on the same sequences
    weights                 (D + 1,) of the constant log-linear blend that is nearest to the model, second half
    preference              (N,) in each sequence, beyond any weights by counts: see `preference`
    path_step, path_excess  along training, all positions, on the arm's own source

    own         excess on the arm's own source, all positions
    follows     slope of the preferences along those of context-tree weighting: 1 for the latter
    depth       slope along the true depth of the sequence's tree, in units of that of context-tree weighting
    chance      what `depth` stays below in a stated share of permutations of the depths
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
    task, n = probe.task, probe.reading.n_sequences
    known = reference(task, probe.rivals, n, probe.seed)
    law = np.exp(member.sequence_log_laws(known.tokens, device)[:, task.depth :])
    law /= law.sum(axis=-1, keepdims=True)
    numbers, preference = followed(law, task, probe.rivals, probe.reading, probe.seed)
    arrays = {
        "excess": divergence(known.bayes, law).mean(axis=0),
        "to_orders": np.stack([divergence(one, law).mean(axis=0) for one in known.orders]),
        "to_counts": divergence(known.unasking["counts"], law).mean(axis=0),
        "to_sure": divergence(known.unasking["sure"], law).mean(axis=0),
        "gap_orders": np.stack([divergence(known.bayes, one).mean(axis=0) for one in known.orders]),
        "weights": fit_loglinear(
            known.orders[:, :, known.late].reshape(task.depth + 1, -1, task.vocab_size),
            law[:, known.late].reshape(-1, task.vocab_size),
        ),
        "preference": preference,
        "path_step": member.path["step"],
        "path_excess": member.path["excess"],
    }
    return Record(cell.key, cell.study, cell.resolved(), member.status, {**metrics, **numbers}, arrays)
