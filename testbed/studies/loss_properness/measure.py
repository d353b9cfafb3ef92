"""What is measured at each cell: the trained law of every context beside the Bayes law and the predicted one."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Cell, Record
from testbed.runs.record import Metric
from testbed.studies.loss_properness.config import Probe
from testbed.training.losses import Loss
from testbed.training.losses.emo import EmbeddingCost, cost_of
from testbed.training.losses.fixed_points import residual
from testbed.training.member import TrainedMember

Floats = NDArray[np.float64]


def member_record(cell: Cell, member: TrainedMember, device: str) -> Record:
    """residual: mean over contexts of the loss's gradient at the trained law, over that at the uniform law.

    weight (n,); bayes, predicted, trained (n, V): of every context of the source; path_step, path_excess (n_points,)
    """
    assert isinstance(cell.probe, Probe)
    spec = member.spec
    metrics: dict[str, Metric] = {name: member.scores[name] for name in ("excess", "paired", "paired_error")}
    if member.status != "done":
        return Record(cell.key, cell.study, cell.resolved(), member.status, metrics)
    law = spec.source.context_law(spec.context_length)
    trained = np.exp(member.log_laws(law.contexts, device))
    cost, uniform = cost_matrix(member), np.full(spec.source.vocab_size, 1.0 / spec.source.vocab_size)
    loss, weight = spec.objective, law.probabilities
    there = weight @ np.array([residual(loss, p, q, cost) for p, q in zip(law.laws, trained, strict=True)])
    first = weight @ np.array([residual(loss, p, uniform, cost) for p in law.laws])
    metrics["residual"] = float(there / first)
    arrays = {"weight": weight, "bayes": law.laws, "trained": trained}
    if cell.probe.kind == "member":
        arrays["predicted"] = fixed_points(loss, law.laws, cost)
        arrays |= {f"path_{name}": member.path[name] for name in ("step", "excess")}
    return Record(cell.key, cell.study, cell.resolved(), member.status, metrics, arrays)


def fixed_points(loss: Loss, laws: Floats, cost: Floats | None) -> Floats:
    """(n, V) the law at which the loss ends in each context; without a cost the tokens' names do not matter."""
    if cost is not None:
        return np.array([_fixed_point(loss, law.tobytes(), cost.tobytes()) for law in laws])
    found, order = np.empty_like(laws), np.argsort(laws, axis=1)
    ordered = np.take_along_axis(laws, order, axis=1)
    np.put_along_axis(found, order, np.array([_fixed_point(loss, law.tobytes(), None) for law in ordered]), axis=1)
    return found


@lru_cache(maxsize=4096)
def _fixed_point(loss: Loss, law: bytes, cost: bytes | None) -> Floats:
    p = np.frombuffer(law)
    return loss.fixed_point(p, None if cost is None else np.frombuffer(cost).reshape(len(p), len(p)))


def cost_matrix(member: TrainedMember) -> Floats | None:
    """(V, V) the embedding cost of a member's loss, of its own read-out as it is in the end where it has that."""
    objective = member.spec.objective
    if not isinstance(objective, EmbeddingCost):
        return None
    rows = objective.rows(member.spec.source.vocab_size)
    return cost_of(own_rows(member) if rows is None else rows)


def own_rows(member: TrainedMember) -> Floats:
    """(V, D) unit vectors of a member's read-out."""
    import torch

    from testbed.models.transformer import Transformer
    from testbed.training.step_loss import read_out_rows

    spec = member.spec
    model = Transformer(spec.model, spec.source.vocab_size, spec.data.max_context + 1)
    leaves = model.layout.views(torch.from_numpy(np.array(member.weights))[None])
    return np.asarray(read_out_rows(model, leaves)[0].double().numpy())
