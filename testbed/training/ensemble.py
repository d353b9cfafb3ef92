"""An ensemble: many members of one shape, trained together, each as if alone."""

import ctypes
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from testbed.core import ConfigError
from testbed.models.transformer import Calibrated, Transformer
from testbed.training.batches import WINDOWS_PER_CALL, Segment, order_and_segment
from testbed.training.optimiser import AdamW
from testbed.training.projection import Projection
from testbed.training.spec import Shape, TrainingSpec
from testbed.training.step_loss import BatchLoss, batch_loss, loss_function
from testbed.training.stepping import StepRunner

# A leaf is a strided view of the flat buffer and so is its gradient; torch would rather have the gradient contiguous.
warnings.filterwarnings("ignore", message="grad and param do not obey the gradient layout contract")


@dataclass(frozen=True)
class Divergence:
    """Where a member's loss stopped being finite."""

    step: int
    last_finite_loss: float


MOST_SHAPES = 256
"""Shapes of segments for which a step is compiled; beyond, it would be called without."""
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Ensemble:
    """Weights (E, P), gradients and optimiser state of E members; `specs` is the caller's order.

    Rows lie in the order of their segments; `row_of[i]` is the row of the caller's member i. Weights and optimiser
    state are float32; with precision = bfloat16, a step computes with a narrower copy of the weights, `working_EP`.
    """

    def __init__(self, specs: list[TrainingSpec], device: str = "cpu") -> None:
        if len({Shape.of(spec) for spec in specs}) != 1:
            raise ValueError("an ensemble needs members of one shape")
        self.device = torch.device(device)
        if self.device.type == "cpu":
            _keep_freed_memory()
        order, self.segments = order_and_segment(specs, self.device)
        self.specs = [specs[i] for i in order]
        self.row_of = np.argsort(order)
        first = self.specs[0]
        self.model = Transformer(first.model, first.source.vocab_size, first.data.max_context + 1)
        layout = self.model.layout
        rows = torch.stack([layout.initial_row(spec.initial_seed) for spec in self.specs])
        self.weights_EP = rows.to(self.device)
        self.working_EP = self.weights_EP.to(PRECISIONS[first.optimiser.precision])  # itself, where that is float32
        self.gradients_EP = torch.zeros_like(self.working_EP)
        self.leaves = [
            layout.leaves(self.working_EP[s.rows], self.gradients_EP[s.rows], self.weights_EP[s.rows])
            for s in self.segments
        ]
        self.optimiser = AdamW(
            self.weights_EP, self.gradients_EP, layout.decay_mask(), [spec.optimiser for spec in self.specs]
        )
        self.projection = Projection(layout, self.weights_EP) if first.optimiser.project else None
        n = len(self.specs)
        self.alive_E = torch.ones(n, dtype=torch.bool, device=self.device)
        self.last_finite_E = torch.full((n,), float("nan"), device=self.device)
        self.diverged_at_E = torch.full((n,), -1, dtype=torch.int64, device=self.device)
        self.loss_E = torch.zeros(n, device=self.device)
        self.held_EP: Tensor | None = None  # weights that stay as they are; see `testbed.training.continuing`
        self.begun = False  # whether a step was made: it may be recorded, with what it reads
        self.clock_1 = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.most_windows = WINDOWS_PER_CALL["cpu" if self.device.type == "cpu" else "cuda"]
        function = loss_function(first, self.device)
        self._batch_loss: BatchLoss = compiled(function) if first.optimiser.compile else function
        self._update = compiled(self.optimiser.update) if first.optimiser.compile else self.optimiser.update
        self.run_step = StepRunner(self.device, compiled=first.optimiser.compile)

    def prepare(self, step: int) -> None:
        """Set the clock, and make ready what the step reads by it."""
        self.clock_1.fill_(step)
        self.optimiser.prepare(step)
        for segment in self.segments:
            segment.prepare(step)

    def losses_and_gradients(self, step: int) -> Tensor:
        """(E,) training losses of this step; gradients are left in `gradients_EP`."""
        self.prepare(step)
        return self._losses()

    def train_step(self, step: int) -> Tensor:
        """One optimiser step of every living member; (E,) losses before the step, to be read before the next."""
        self.prepare(step)
        self.begun = True
        self.run_step(self._step, version=[segment.reads_last for segment in self.segments])
        return self.loss_E

    def refresh(self) -> None:
        """Take over weights that were changed from outside."""
        if self.working_EP is not self.weights_EP:
            self.working_EP.copy_(self.weights_EP)

    def _losses(self) -> Tensor:
        """Losses and gradients of the step that the clock says."""
        self.gradients_EP.zero_()
        losses = []
        for segment, leaves in zip(self.segments, self.leaves, strict=True):
            found: Tensor | None = None
            for part, share in segment.batch(self.clock_1).parts(self.most_windows):
                loss_E = self._batch_loss(self.model, leaves, part)
                if not isinstance(share, float) or share != 1.0:
                    loss_E = loss_E * share
                loss_E.sum().backward()
                found = loss_E.detach() if found is None else found + loss_E.detach()
            assert found is not None
            losses.append(found)
        return torch.cat(losses)

    def _step(self) -> None:
        """The whole step, of what lies on the device alone: a graph can hold it."""
        loss_E = self._losses()
        was_alive = self.alive_E.clone()
        self.alive_E &= loss_E.isfinite()
        if self.held_EP is not None:
            self.gradients_EP.masked_fill_(self.held_EP, 0.0)
        self._update(self.clock_1, self.alive_E)
        if self.projection is not None:
            self.projection(self.weights_EP, self.alive_E)
        self.refresh()
        died = was_alive & ~self.alive_E
        self.last_finite_E.copy_(torch.where(was_alive & loss_E.isfinite(), loss_E, self.last_finite_E))
        self.diverged_at_E.copy_(torch.where(died, self.clock_1, self.diverged_at_E))
        self.loss_E.copy_(loss_E)

    @torch.no_grad()
    def laws(self, member: int, contexts: NDArray[Any], chunk: int = 65_536) -> NDArray[np.float64]:
        """(n, V) float64 log-probabilities ln q(x | context) of the caller's member for contexts (n, l)."""
        row = int(self.row_of[member])
        weights = self.model.layout.views(self.weights_EP[row : row + 1])
        return log_laws(self.model, weights, contexts, self.device, chunk)

    @torch.no_grad()
    def sequence_laws(self, member: int, tokens: NDArray[Any], judged: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(n, V) ln q of the caller's member at the judged positions of sequences (N, L), in np.nonzero's order."""
        row = int(self.row_of[member])
        weights = self.model.layout.views(self.weights_EP[row : row + 1])
        return log_sequence_laws(self.model, weights, tokens, judged, self.device)

    @torch.no_grad()
    def masked_laws(self, member: int, tokens: NDArray[Any], masked: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(n, V) ln q of the caller's member for the tokens hidden in sequences (N, L), in np.nonzero's order."""
        row = int(self.row_of[member])
        weights = self.model.layout.views(self.weights_EP[row : row + 1])
        return log_masked_laws(self.model, weights, tokens, masked, self.device)

    def divergence(self, member: int) -> Divergence | None:
        """The caller's member's fate, if it diverged."""
        row = int(self.row_of[member])
        step = int(self.diverged_at_E[row])
        return None if step < 0 else Divergence(step, float(self.last_finite_E[row]))


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


@lru_cache(maxsize=1)
def _keep_freed_memory() -> None:
    """Let the C library keep the memory that a step frees, for the next step.

    glibc gives large blocks back to the system as soon as they are freed, and every step would fault its pages in
    again: up to a fifth of the time. It is asked not to, mallopt(3); where there is no mallopt, nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(M_MMAP_THRESHOLD, 2**30)


def segment_loss(model: Transformer, leaves: dict[str, Tensor], segment: Segment, step: int) -> Tensor:
    """(E,) mean cross-entropy of a segment's batch, nats per target."""
    return batch_loss(model, leaves, segment.draw(step))


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function through torch's compiler, once for each shape that it is given."""
    import torch._dynamo

    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, MOST_SHAPES)
    warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools.lru_cache`")  # of pure functions
    return torch.compile(function, dynamic=False)


def log_laws(
    model: Transformer, weights: dict[str, Tensor], contexts: NDArray[Any], device: torch.device, chunk: int
) -> NDArray[np.float64]:
    """(n, V) ln q(x | context), the normalisation in float64."""
    _refuse_masked(model)
    n, length = contexts.shape
    rows = max(1, min(chunk // (length + 1), WINDOWS_PER_CALL["cuda"]))
    parts = []
    for start in range(0, n, rows):
        window = torch.from_numpy(contexts[start : start + rows].astype(np.int64)).to(device)
        tokens = F.pad(window, (1, 0), value=model.begin)[None]
        parts.append(F.log_softmax(model.logits(weights, tokens)[0].double(), dim=-1).cpu().numpy())
    return np.concatenate(parts)


def log_sequence_laws(
    model: Transformer,
    weights: dict[str, Tensor],
    tokens: NDArray[Any],
    judged: NDArray[np.bool_],
    device: torch.device,
    chunk: int = 65_536,
    calibrated: Calibrated | None = None,
) -> NDArray[np.float64]:
    """(n, V) ln q at the judged positions of sequences (N, L), in the order of np.nonzero: only these are read out."""
    _refuse_masked(model)
    columns = np.flatnonzero(judged.any(axis=0))
    places = torch.from_numpy(columns).to(device)
    rows = max(1, chunk // tokens.shape[1])
    parts = []
    for start in range(0, len(tokens), rows):
        part = slice(start, start + rows)
        window = torch.from_numpy(tokens[part, :-1].astype(np.int64)).to(device)
        seen = F.pad(window, (1, 0), value=model.begin)[None]
        laws = F.log_softmax(model.logits(weights, seen, places, calibrated=calibrated)[0].double(), dim=-1)
        parts.append(laws.cpu().numpy()[judged[part][:, columns]])
    return np.concatenate(parts)


def log_masked_laws(
    model: Transformer,
    weights: dict[str, Tensor],
    tokens: NDArray[Any],
    masked: NDArray[np.bool_],
    device: torch.device,
    chunk: int = 65_536,
    calibrated: Calibrated | None = None,
) -> NDArray[np.float64]:
    """(n, V) ln q of the tokens hidden in sequences (N, L), in the order of np.nonzero, each read at its own place."""
    if model.mask is None:
        raise ConfigError("model.mask_symbol: this model was not trained on masked tokens and has no symbol for them")
    rows = max(1, chunk // (tokens.shape[1] + 1))
    parts = [np.empty((0, model.vocab_size))]
    for start in range(0, len(tokens), rows):
        hidden = masked[start : start + rows]
        columns = np.flatnonzero(hidden.any(axis=0))
        if not len(columns):
            continue
        seen = np.where(hidden, model.mask, tokens[start : start + rows].astype(np.int64))
        windows = F.pad(torch.from_numpy(seen).to(device), (1, 0), value=model.begin)[None]
        places = torch.from_numpy(columns + 1).to(device)
        laws = F.log_softmax(model.logits(weights, windows, places, calibrated=calibrated)[0].double(), dim=-1)
        parts.append(laws.cpu().numpy()[hidden[:, columns]])
    return np.concatenate(parts)


def _refuse_masked(model: Transformer) -> None:
    """A model of masked tokens never predicts the next one: what it is given it reads, at every place."""
    if model.mask is not None:
        raise ConfigError(
            "model.mask_symbol: a model trained on masked tokens gives no law of the next one; see"
            " testbed.measures.masked"
        )
