"""A trained member: weights, the path that led there, and its scores."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.training.spec import TrainingSpec

if TYPE_CHECKING:
    from torch import Tensor

    from testbed.models.transformer import Transformer


@dataclass(frozen=True)
class TrainedMember:
    """What training one spec gave.

    status    done, or diverged: the loss stopped being finite at `diverged_at`, and `weights` are the last finite ones
    weights   (P,) float32, a row of the model's layout
    path      along training, at `step` finished steps: train_loss, excess, heldout
    scores    at the end of the schedule: see `testbed.training.evaluation.Scores`
    path_weights   (points, P) float32, the weights at each point of the path, where `keep_weights` asks for them
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
    path_weights: NDArray[np.float32] | None = field(default=None, compare=False)

    def opened(
        self, device: str = "cpu", point: int | None = None, methods: Iterable[Any] | None = None
    ) -> "tuple[Transformer, dict[str, Tensor]]":
        """The model and its named weights (1, ...) on a device: at the end, or at a point of the path.

        methods   in place of those trained with, as values, names or tables; they must learn the same parameters

        Raises ValueError where a point is asked for and no weights were kept along training, and ConfigError where the
        methods do not fit.
        """
        import torch

        from testbed.models.transformer import Transformer

        if point is not None and self.path_weights is None:
            raise ValueError("point: no weights were kept along training; train with evaluation.keep_weights = true")
        row = self.weights if point is None or self.path_weights is None else self.path_weights[point]
        spec = self.spec
        model = Transformer(spec.model, spec.source.vocab_size, spec.data.max_context + 1)
        weights = model.layout.views(torch.from_numpy(np.array(row))[None].to(device))
        return model if methods is None else model.with_methods(methods), weights

    def log_laws(self, contexts: NDArray[Any], device: str = "cpu", point: int | None = None) -> NDArray[np.float64]:
        """(n, V) ln q(x | context), nats, for contexts (n, l): at the end, or at a point of the path."""
        import torch

        from testbed.training.ensemble import log_laws

        model, weights = self.opened(device, point)
        with torch.no_grad():
            return log_laws(model, weights, contexts, torch.device(device), chunk=65_536)

    def sequence_log_laws(
        self, tokens: NDArray[Any], device: str = "cpu", point: int | None = None
    ) -> NDArray[np.float64]:
        """(N, L, V) ln q(x | tokens before), nats, at all positions of sequences (N, L) that start with the source."""
        import torch

        from testbed.training.ensemble import log_sequence_laws

        model, weights = self.opened(device, point)
        everywhere = np.ones(tokens.shape, dtype=np.bool_)
        with torch.no_grad():
            laws = log_sequence_laws(model, weights, tokens, everywhere, torch.device(device))
        return laws.reshape(*tokens.shape, -1)

    @property
    def oracle_excess(self) -> float:
        """Least excess on the path: an early stop that uses the truth."""
        finite = self.path["excess"][np.isfinite(self.path["excess"])]
        return float(finite.min()) if len(finite) else float("nan")
