"""A trained member: weights, the path that led there, and its scores."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.training.spec import TrainingSpec


@dataclass(frozen=True)
class TrainedMember:
    """What training one spec gave.

    status    done, or diverged: the loss stopped being finite at `diverged_at`, and `weights` are the last finite ones
    weights   (P,) float32, a row of the model's layout
    path      along training, at `step` finished steps: train_loss, excess, heldout
    scores    at the end of the schedule: see `testbed.training.evaluation.Scores`
    """

    spec: TrainingSpec
    status: Literal["done", "diverged"]
    weights: NDArray[np.float32]
    path: dict[str, NDArray[np.float64]]
    scores: dict[str, float]
    exact_evaluation: bool
    diverged_at: int | None = None
    last_finite_loss: float | None = None
    seconds: float = field(default=0.0, compare=False)

    def log_laws(self, contexts: NDArray[Any], device: str = "cpu") -> NDArray[np.float64]:
        """(n, V) ln q(x | context), nats, for contexts (n, l)."""
        import torch

        from testbed.models.transformer import Transformer
        from testbed.training.ensemble import log_laws

        spec = self.spec
        model = Transformer(spec.model, spec.source.vocab_size, spec.data.max_context + 1)
        row = torch.from_numpy(np.array(self.weights))[None].to(device)
        with torch.no_grad():
            return log_laws(model, model.layout.views(row), contexts, torch.device(device), chunk=65_536)

    @property
    def oracle_excess(self) -> float:
        """Least excess on the path: an early stop that uses the truth."""
        finite = self.path["excess"][np.isfinite(self.path["excess"])]
        return float(finite.min()) if len(finite) else float("nan")
