"""What an ensemble sees at each step: segments of members whose windows have equal length.

Members of one context length form segments, so that nothing is computed for padding that the causal mask would hide.
Within a segment of distinct windows, members with fewer of them are padded with windows of weight zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from testbed.core import ConfigError
from testbed.sources.source import Source
from testbed.training.masking import draw_sites
from testbed.training.sequences import SequenceBatch, draw_sequences
from testbed.training.spec import TrainingSpec
from testbed.training.windows import TargetSet, WeightedContexts, distinct_windows

POSITIONS_PER_CALL = {"cpu": 4_096, "cuda": 2**18}
"""Positions that one forward pass should hold: on a CPU activations leave the cache beyond it, on a GPU the memory."""
PADDING_LIMIT = 1.25
"""Distinct windows of a segment, padding included, over those without."""
STREAM_STEPS = 32
"""Steps of an endless stream that are drawn at a time."""


@dataclass
class Segment:
    """Members `rows` (a slice of the ensemble), all of one context length.

    fixed     tokens_EBT (begin symbol first) and weights_EBV of distinct windows, the same at every step
    sampler   draws windows and targets, or whole sequences, masked or not, at each step
    """

    rows: slice
    specs: list[TrainingSpec]
    begin: int
    device: torch.device
    fixed: tuple[Tensor, Tensor] | None = None
    sampler: "TargetSampler | SequenceSampler | MaskedSampler | None" = None

    @property
    def context_length(self) -> int:
        return self.specs[0].context_length

    def draw(self, step: int) -> "StepBatch":
        """What the members see at this step."""
        if self.fixed is not None:
            return StepBatch(*self.fixed, read="last", weighted=True)
        if isinstance(self.sampler, MaskedSampler):
            seen_EBT, tokens_EBT, masked_EBT = self.sampler.draw(step)
            target_EBT, judged_EBT = with_begin(tokens_EBT, 0), with_begin(masked_EBT, False)
            return StepBatch(with_begin(seen_EBT, self.begin), target_EBT, read="all", judged=judged_EBT)
        if isinstance(self.sampler, SequenceSampler):
            tokens_EBT, judged_EBT = self.sampler.draw(step)
            seen_EBT = with_begin(tokens_EBT[:, :, :-1], self.begin)
            if not bool(judged_EBT[:, :, :-1].any()):
                return StepBatch(seen_EBT, tokens_EBT[:, :, -1], read="last")
            if not self.specs[0].model.causal:
                raise ConfigError(
                    f"model.causal: {self.specs[0].source.type_name} judges tokens before the last, which a model that"
                    " is not causal sees"
                )
            return StepBatch(seen_EBT, tokens_EBT, read="all", judged=judged_EBT)
        assert self.sampler is not None
        windows_EBT, targets_EB = self.sampler.draw(step, self.context_length)
        tokens_EBT = with_begin(windows_EBT, self.begin)
        if self.specs[0].loss == "last":
            return StepBatch(tokens_EBT, targets_EB, read="last")
        return StepBatch(tokens_EBT, torch.cat([windows_EBT, targets_EB[..., None]], dim=2), read="all")


@dataclass(frozen=True)
class StepBatch:
    """One step's windows (begin symbol first) and what they should predict.

    target   (E, B) or (E, B, T) tokens, as `read` says; weights (E, B, V) of each token where `weighted`
    judged   (E, B, T) the positions that count; all, where None
    """

    tokens_EBT: Tensor
    target: Tensor
    read: Literal["last", "all"]
    weighted: bool = False
    judged: Tensor | None = None


def with_begin(windows_EBT: Tensor, begin: int) -> Tensor:
    """The begin symbol before every window: (E, B, l) -> (E, B, l + 1)."""
    return torch.nn.functional.pad(windows_EBT, (1, 0), value=begin)


def order_and_segment(specs: list[TrainingSpec], device: torch.device) -> tuple[list[int], list[Segment]]:
    """The order in which members lie in the ensemble, and the segments they form: of the specs and device alone."""
    begin = specs[0].source.vocab_size
    if specs[0].data.batch == "distinct":
        data = [_distinct_data(spec) for spec in specs]
        size = [len(one.contexts) for one in data]
    else:
        data, size = [], [spec.data.targets_per_step for spec in specs]
    order = sorted(range(len(specs)), key=lambda i: (specs[i].context_length, size[i], i))
    segments = []
    limit = POSITIONS_PER_CALL["cpu" if device.type == "cpu" else "cuda"]
    for group in _groups([(specs[i].context_length, size[i]) for i in order], limit):
        members = [order[j] for j in range(group.start, group.stop)]
        segment = Segment(group, [specs[i] for i in members], begin, device)
        if data:
            segment.fixed = _stack([data[i] for i in members], begin, device)
        elif specs[0].data.batch == "sequences":
            segment.sampler = SequenceSampler(segment.specs, device)
        elif specs[0].data.batch == "masked":
            segment.sampler = MaskedSampler(segment.specs, device)
        else:
            segment.sampler = TargetSampler(segment.specs, device)
        segments.append(segment)
    return order, segments


def _groups(shapes: list[tuple[int, int]], limit: int) -> Iterator[slice]:
    """Cut (context length, windows), ascending, into runs of one length with little padding and `limit` positions."""
    start = 0
    for stop in range(1, len(shapes) + 1):
        if stop < len(shapes) and shapes[stop][0] == shapes[start][0]:
            length, windows = shapes[stop]
            count = stop + 1 - start
            padded = windows * count
            needed = sum(size for _, size in shapes[start : stop + 1])
            if padded <= PADDING_LIMIT * needed and padded * (length + 1) <= limit:
                continue
        yield slice(start, stop)
        start = stop


def _distinct_data(spec: TrainingSpec) -> WeightedContexts:
    source, data = spec.source, spec.data
    if data.n_targets is None:
        law = source.context_law(spec.context_length)
        return WeightedContexts(law.contexts, law.probabilities[:, None] * law.laws)
    targets = draw_training_targets(source, spec, data.n_targets)
    contexts, following, _ = targets.windows(spec.context_length)
    return distinct_windows(contexts, following, source.vocab_size)


def draw_training_targets(source: Source, spec: TrainingSpec, n_targets: int, first_row: int = 0) -> TargetSet:
    """The member's training targets; a smaller dataset of the same seed is a prefix of a larger one."""
    data = spec.data
    return TargetSet.draw(source, "train", data.seed, n_targets, data.max_context, data.targets_per_sequence, first_row)


def _stack(data: list[WeightedContexts], begin: int, device: torch.device) -> tuple[Tensor, Tensor]:
    n_windows = max(len(one.contexts) for one in data)
    length, vocab_size = data[0].contexts.shape[1], data[0].weights.shape[1]
    tokens = np.zeros((len(data), n_windows, length), dtype=np.int64)
    weights = np.zeros((len(data), n_windows, vocab_size), dtype=np.float32)
    for member, one in enumerate(data):
        tokens[member, : len(one.contexts)] = one.contexts
        weights[member, : len(one.contexts)] = one.weights
    return with_begin(torch.from_numpy(tokens).to(device), begin), torch.from_numpy(weights).to(device)


class TargetSampler:
    """Draws the targets of each step for a segment of members.

    A step's targets depend on (data seed, step) alone: members with equal data seeds draw the same uniform numbers u
    and take targets floor(u D), whatever their context length. On an endless stream every target is new.
    """

    def __init__(self, specs: list[TrainingSpec], device: torch.device) -> None:
        self.specs, self.device = specs, device
        data = specs[0].data
        self.n_draws = data.targets_per_step
        self.sets: dict[tuple[str, str], TargetSet] = {}
        self.chunk = -1
        for spec in specs:
            if spec.data.n_targets is not None and self._key(spec) not in self.sets:
                self.sets[self._key(spec)] = draw_training_targets(spec.source, spec, spec.data.n_targets)

    @staticmethod
    def _key(spec: TrainingSpec) -> tuple[str, str]:
        return spec.source.content_key, spec.data.content_key

    def _refill(self, step: int) -> None:
        """Fresh targets for the members on an endless stream, a chunk of steps at a time."""
        if step // STREAM_STEPS == self.chunk:
            return
        self.chunk = step // STREAM_STEPS
        fresh: dict[tuple[str, str], TargetSet] = {}
        for spec in self.specs:
            if spec.data.n_targets is None and self._key(spec) not in fresh:
                n_targets = STREAM_STEPS * self.n_draws
                rows = -(-n_targets // spec.data.targets_per_sequence)
                fresh[self._key(spec)] = draw_training_targets(spec.source, spec, n_targets, self.chunk * rows)
        self.sets |= fresh

    def draw(self, step: int, context_length: int) -> tuple[Tensor, Tensor]:
        """(E, B, l) windows and (E, B) targets."""
        self._refill(step)
        drawn = {}
        windows, targets = [], []
        for spec in self.specs:
            key = self._key(spec)
            if key not in drawn:
                contexts, following, _ = self.sets[key].windows(context_length, self._index(spec, step))
                drawn[key] = contexts.astype(np.int64), following.astype(np.int64)
            windows.append(drawn[key][0])
            targets.append(drawn[key][1])
        stacked = torch.from_numpy(np.stack(windows)), torch.from_numpy(np.stack(targets))
        return stacked[0].to(self.device), stacked[1].to(self.device)

    def _index(self, spec: TrainingSpec, step: int) -> np.ndarray:
        if spec.data.n_targets is None:
            return (step % STREAM_STEPS) * self.n_draws + np.arange(self.n_draws)
        return drawn_index(spec, step)


def drawn_index(spec: TrainingSpec, step: int) -> np.ndarray:
    """(targets_per_step,) which of D targets or sequences a step takes: floor(u D), u of data seed and step alone."""
    rng = np.random.Generator(np.random.Philox(key=spec.data.seed, counter=[0, 0, 0, step]))
    return (rng.random(spec.data.targets_per_step) * (spec.data.n_targets or 0)).astype(np.int64)


class SequenceSampler:
    """Draws whole sequences at each step for a segment of members, as TargetSampler draws targets."""

    def __init__(self, specs: list[TrainingSpec], device: torch.device) -> None:
        self.specs, self.device = specs, device
        self.n_draws = specs[0].data.targets_per_step
        self.sets: dict[tuple[str, str], SequenceBatch] = {}
        self.chunk = -1
        for spec in specs:
            key = spec.source.content_key, spec.data.content_key
            if spec.data.n_targets is not None and key not in self.sets:
                self.sets[key] = self._drawn(spec, spec.data.n_targets, 0)

    def _drawn(self, spec: TrainingSpec, n: int, first_row: int) -> SequenceBatch:
        return draw_sequences(spec.source, "train", spec.data.seed, n, spec.sequence_length, first_row)

    def drawn(self, step: int) -> list[SequenceBatch]:
        """The B sequences of every member."""
        if step // STREAM_STEPS != self.chunk:
            self.chunk = step // STREAM_STEPS
            n = STREAM_STEPS * self.n_draws
            streams = {(s.source.content_key, s.data.content_key): s for s in self.specs if s.data.n_targets is None}
            self.sets |= {key: self._drawn(spec, n, self.chunk * n) for key, spec in streams.items()}
        batches = []
        for spec in self.specs:
            data = self.sets[spec.source.content_key, spec.data.content_key]
            if spec.data.n_targets is None:
                index = (step % STREAM_STEPS) * self.n_draws + np.arange(self.n_draws)
            else:
                index = drawn_index(spec, step)
            batches.append(SequenceBatch(data.tokens[index].astype(np.int64), data.judged[index]))
        return batches

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """(E, B, L) tokens and judged positions."""
        batches = self.drawn(step)
        return self.stacked([one.tokens for one in batches]), self.stacked([one.judged for one in batches])

    def stacked(self, arrays: list[np.ndarray]) -> Tensor:
        """(E, ...) on the device."""
        return torch.from_numpy(np.stack(arrays)).to(self.device)


class MaskedSampler:
    """Draws whole sequences and the tokens that are hidden in each, anew at every step."""

    def __init__(self, specs: list[TrainingSpec], device: torch.device) -> None:
        self.sequences, self.specs = SequenceSampler(specs, device), specs
        self.mask = specs[0].source.vocab_size + 1

    def draw(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """(E, B, L) tokens with the mask symbol where they are hidden, tokens, and where they are hidden."""
        seen, tokens, masked = [], [], []
        for spec, batch in zip(self.specs, self.sequences.drawn(step), strict=True):
            hidden = draw_sites(batch.judged, spec.data.n_masked, "train", spec.data.seed, step)
            seen.append(np.where(hidden, self.mask, batch.tokens))
            tokens.append(batch.tokens)
            masked.append(hidden)
        stacked = self.sequences.stacked
        return stacked(seen), stacked(tokens), stacked(masked)
