"""Training losses, one file each: what a step descends, and where its descent must end on a known law."""

from testbed.training.losses.cross_entropy import CrossEntropy
from testbed.training.losses.loss import AnyLoss, Loss, loss, losses

__all__ = ["AnyLoss", "CrossEntropy", "Loss", "loss", "losses"]
