"""What a step descends: the mean loss of each member's windows, cross-entropy unless the spec says otherwise."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from testbed.core import ConfigError
from testbed.models.transformer import Transformer
from testbed.training.batches import StepBatch
from testbed.training.losses import CrossEntropy, Loss
from testbed.training.spec import TrainingSpec

READ_OUT = ("head", "head_bias")
"""Weights of the read-out."""

BatchLoss = Callable[[Transformer, dict[str, Tensor], StepBatch], Tensor]


def loss_function(spec: TrainingSpec, device: torch.device) -> BatchLoss:
    """`batch_loss`, or that of another training loss, whose fixed embeddings are laid on the device beforehand."""
    objective = spec.objective
    if isinstance(objective, CrossEntropy):
        return batch_loss
    rows_VD = objective.rows(spec.source.vocab_size)
    rows_1VD = None if rows_VD is None else torch.from_numpy(rows_VD).float().to(device)[None]
    if objective.head_loss is not None:
        if spec.model.tied_head:
            raise ConfigError(
                f"model.tied_head: given true, but {objective.type_name} trains the read-out on a loss of its own"
            )
        return split_function(objective, objective.head_loss, rows_1VD)

    def function(model: Transformer, leaves: dict[str, Tensor], batch: StepBatch) -> Tensor:
        return objective_loss(objective, rows_1VD, model, leaves, batch)

    return function


def batch_loss(model: Transformer, leaves: dict[str, Tensor], batch: StepBatch) -> Tensor:
    """(E,) mean cross-entropy of each member's windows, nats per target; float32 whatever the leaves are.

    Products of narrow leaves are narrow, and what a method computes in float32 is made narrow for the next product.
    """
    logits = batch_logits(model, leaves, batch)
    if batch.weighted:
        return -(batch.target * F.log_softmax(logits, dim=-1)).sum(dim=(1, 2))
    flat = F.cross_entropy(logits.flatten(0, -2), batch.target.flatten(), reduction="none")
    return judged_mean(flat.view(len(batch.tokens_EBT), -1), batch)


def batch_logits(model: Transformer, leaves: dict[str, Tensor], batch: StepBatch) -> Tensor:
    """Logits of a batch, float32: (E, B, V) at the last place of each window, or (E, B, T, V)."""
    tokens_EBT = batch.tokens_EBT
    dtype = leaves["embedding"].dtype
    narrow = dtype != torch.float32
    with torch.autocast(tokens_EBT.device.type, dtype, cache_enabled=False) if narrow else nullcontext():
        return model.logits(leaves, tokens_EBT, read=batch.read, positions_T=batch.positions_T, training=True).float()


def judged_mean(losses: Tensor, batch: StepBatch) -> Tensor:
    """(E,) mean of losses (E, n) over the positions that count."""
    if batch.judged is None:
        return losses.mean(dim=1)
    judged = batch.judged.flatten(1)
    return (losses * judged).sum(dim=1) / judged.sum(dim=1).clamp(min=1)


def objective_loss(
    objective: Loss, rows_1VD: Tensor | None, model: Transformer, leaves: dict[str, Tensor], batch: StepBatch
) -> Tensor:
    """(E,) mean of a training loss over each member's windows; float32 whatever the leaves are."""
    logits = batch_logits(model, leaves, batch).flatten(1, -2)
    rows_EVD = read_out_rows(model, leaves) if objective.reads_head else rows_1VD
    if batch.weighted:
        return objective.weighted(logits, batch.target, rows_EVD).sum(dim=1)
    losses = objective.losses(logits, batch.target.flatten(1), rows_EVD)
    return judged_mean(losses, batch)


def split_function(objective: Loss, of_head: Loss, rows_1VD: Tensor | None) -> BatchLoss:
    """`objective_loss` whose gradient in the read-out, its bias too, is that of another loss; its value is its own."""

    def function(model: Transformer, leaves: dict[str, Tensor], batch: StepBatch) -> Tensor:
        body = {name: leaf.detach() if name in READ_OUT else leaf for name, leaf in leaves.items()}
        head = {name: leaf if name in READ_OUT else leaf.detach() for name, leaf in leaves.items()}
        read_out = objective_loss(of_head, rows_1VD, model, head, batch)
        return objective_loss(objective, rows_1VD, model, body, batch) + (read_out - read_out.detach())

    return function


@torch.no_grad()
def read_out_rows(model: Transformer, leaves: dict[str, Tensor]) -> Tensor:
    """(E, V, D) unit vectors: what each token's logit is read out with, the final norm's gain left aside."""
    tied = model.config.tied_head
    rows_EVD = leaves["embedding"][:, : model.vocab_size] if tied else leaves["head"].transpose(1, 2)
    return F.normalize(rows_EVD.detach().float(), dim=-1)
