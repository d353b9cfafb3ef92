"""What is measured at each cell."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.sources.source import Floats, Source, Tokens
from testbed.studies.protocol_bias.config import Probe
from testbed.studies.protocol_bias.exact import table_arrays
from testbed.training.member import TrainedMember
from testbed.training.windows import TargetSet


def tables_record(cell: Cell, probe: Probe) -> Record:
    """The learner without a network."""
    assert probe.tables is not None
    arrays = table_arrays(probe.tables, np.random.default_rng([probe.seed, 6]))
    return Record(cell.key, cell.study, cell.resolved(), "done", {}, arrays)


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """Loss at full context R(l) + excess, and along the path; the loss averaged over the block where that was trained.

    path_excess, path_heldout     at each validation: excess, and the held-out loss that a stop goes by
    by_position                   (l + 1,) R(t) + mean KL at each position t of a block, of models trained on all
    """
    probe, spec = cell.probe, member.spec
    assert isinstance(probe, Probe)
    risks = np.asarray(spec.source.conditional_entropies(spec.context_length).value)
    scores = member.scores
    metrics: dict[str, Metric] = {"risk": float(risks[-1]), "rate": float(spec.source.entropy_rate().value)}
    metrics |= {name: scores[name] for name in ("excess", "heldout", "fresh", "paired", "paired_error")}
    metrics["train_loss"] = float(member.path["train_loss"][-1])
    arrays = {f"path_{name}": member.path[name] for name in ("step", "excess", "heldout")}
    if spec.loss == "all" and probe.kind == "member" and member.status == "done":
        arrays["by_position"] = risks + block_excess(member, device)
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


def block_excess(member: TrainedMember, device: str) -> Floats:
    """(l + 1,) mean exact KL at each position of the evaluation windows, whose last target is that of full context."""
    spec = member.spec
    tokens, laws = _blocks(
        spec.source, spec.data.seed, spec.evaluation.n_contexts, spec.data.max_context, spec.context_length
    )
    return np.asarray(divergences(laws, member.sequence_log_laws(tokens, device)).mean(axis=0))


@lru_cache(maxsize=16)
def _blocks(
    source: Source, seed: int, n_contexts: int, max_context: int, length: int
) -> tuple[Tokens, NDArray[np.float64]]:
    """(N, l + 1) windows with their targets behind, and (N, l + 1, V) the exact law at each place of a block."""
    targets = TargetSet.draw(source, "evaluation", seed, n_contexts, max_context)
    contexts, following, _ = targets.windows(length)
    tokens = np.concatenate([contexts, following[:, None]], axis=1)
    return tokens, source.predict(tokens)


def visible_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """(n_vis,) mean exact KL(P_l || Q) of windows of each visible length, all with the same targets.

    excess    the mean
    risk      h_l, nats
    """
    probe, spec = cell.probe, member.spec
    assert isinstance(probe, Probe)
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "heldout")}
    if probe.visible is None or member.status != "done":
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
    visible = probe.visible
    found = []
    for length in visible.lengths:
        contexts, laws = _windows(spec.source, spec.data.seed, visible.n_contexts, visible.lengths[-1], length)
        found.append(divergences(laws, member.log_laws(contexts, device)).mean())
    risks = np.asarray(spec.source.conditional_entropies(visible.lengths[-1]).value)
    arrays = {"excess": np.array(found), "risk": risks[list(visible.lengths)]}
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


@lru_cache(maxsize=32)
def _windows(
    source: Source, seed: int, n_contexts: int, max_context: int, length: int
) -> tuple[Tokens, NDArray[np.float64]]:
    """(N, l) fresh windows, and (N, V) the exact law of what follows the last l tokens."""
    contexts, _, _ = TargetSet.draw(source, "probe", seed, n_contexts, max_context).windows(length)
    padded = np.concatenate([contexts, np.zeros((len(contexts), 1), dtype=contexts.dtype)], axis=1)
    return contexts, source.predict(padded, context=length, positions=[length])[:, 0]


def divergences(laws: Floats, log_q: Floats) -> Floats:
    """(...) KL(p || q) of laws (..., V), nats."""
    log_p = np.log(laws, out=np.zeros_like(laws), where=laws > 0)
    return np.asarray(np.sum(laws * (log_p - np.where(laws > 0, log_q, 0.0)), axis=-1))
