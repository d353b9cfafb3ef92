"""What an ensemble sees at each step: segments of members whose windows have equal length.

Members of one context length form segments, so that nothing is computed for padding that the causal mask would hide.
Within a segment of distinct windows, members with fewer of them are padded with windows of weight zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from testbed.core import ConfigError
from testbed.training.samplers import MaskedSampler, Resident, SequenceSampler, TargetSampler, draw_training_targets
from testbed.training.spec import TrainingSpec
from testbed.training.step_table import StepTable, clock_at, to_device
from testbed.training.uniforms import uniforms
from testbed.training.windows import WeightedContexts, distinct_windows

POSITIONS_PER_CALL = {"cpu": 4_096, "cuda": 2**18}
"""Positions that one forward pass should hold: on a CPU activations leave the cache beyond it, on a GPU the memory."""
WINDOWS_PER_CALL = {"cpu": 2**62, "cuda": 65_535}
"""Windows of all members in one forward pass: a GPU's attention kernels have one row of their grid for each."""
PADDING_LIMIT = 1.25
"""Distinct windows of a segment, padding included, over those without."""
POSITION_STEPS = 256
"""Steps whose drawn positions lie ready at a time."""
PLACES = 5
"""Purpose of the numbers that draw the position that counts (`streams.step_generator`)."""


@dataclass
class Segment:
    """Members `rows` (a slice of the ensemble), all of one context length.

    fixed       tokens_EBT (begin symbol first) and weights_EBV of distinct windows, the same at every step
    sampler     draws windows and targets, or whole sequences, masked or not, at each step
    positions   (T,) of each step's windows, where a method trains on others than 0, 1, 2, ...
    places      (E, B) the one position of each window that counts, where the loss is that of one
    """

    rows: slice
    specs: list[TrainingSpec]
    begin: int
    device: torch.device
    fixed: tuple[Tensor, Tensor] | None = None
    sampler: "TargetSampler | SequenceSampler | MaskedSampler | None" = None
    positions: StepTable | None = None
    places: StepTable | None = None

    @property
    def context_length(self) -> int:
        return self.specs[0].context_length

    @property
    def reads_last(self) -> bool:
        """Whether only the last position counts; for sequences, of the data that lie on the device so far."""
        if isinstance(self.sampler, SequenceSampler):
            return not self.sampler.judges_earlier
        return not isinstance(self.sampler, MaskedSampler) and self.specs[0].loss == "last"

    def prepare(self, step: int) -> None:
        """Make ready what the step reads from the device."""
        for part in (self.sampler, self.positions, self.places):
            if part is not None:
                part.prepare(step)
        if isinstance(self.sampler, SequenceSampler) and not (self.reads_last or self.specs[0].model.causal):
            raise ConfigError(
                f"model.causal: {self.specs[0].source.type_name} judges tokens before the last, which a model that"
                " is not causal sees"
            )

    def draw(self, step: int) -> "StepBatch":
        """What the members see at this step."""
        self.prepare(step)
        return self.batch(clock_at(step, self.device))

    def batch(self, clock_1: Tensor) -> "StepBatch":
        """What the members see at the step that the clock says, once it is prepared."""
        positions_T = None if self.positions is None else self.positions.at(clock_1)
        return replace(self._batch(clock_1), positions_T=positions_T)

    def _batch(self, clock_1: Tensor) -> "StepBatch":
        if self.fixed is not None:
            return StepBatch(*self.fixed, read="last", weighted=True)
        if isinstance(self.sampler, MaskedSampler):
            seen_EBT, tokens_EBT, masked_EBT = self.sampler.read(clock_1)
            target_EBT, judged_EBT = with_begin(tokens_EBT, 0), with_begin(masked_EBT, False)
            return StepBatch(with_begin(seen_EBT, self.begin), target_EBT, read="all", judged=judged_EBT)
        if isinstance(self.sampler, SequenceSampler):
            tokens_EBT, judged_EBT = self.sampler.read(clock_1)
            seen_EBT = with_begin(tokens_EBT[:, :, :-1], self.begin)
            if self.reads_last:
                return StepBatch(seen_EBT, tokens_EBT[:, :, -1], read="last")
            return StepBatch(seen_EBT, tokens_EBT, read="all", judged=judged_EBT)
        assert self.sampler is not None
        windows_EBT = self.sampler.read(clock_1, self.context_length)
        tokens_EBT = with_begin(windows_EBT[..., :-1], self.begin)
        if self.reads_last:
            return StepBatch(tokens_EBT, windows_EBT[..., -1], read="last")
        if self.places is None:
            return StepBatch(tokens_EBT, windows_EBT, read="all")
        positions_T = torch.arange(windows_EBT.shape[-1], device=self.device)
        one_EBT = self.places.at(clock_1)[..., None] == positions_T
        return StepBatch(tokens_EBT, windows_EBT, read="all", judged=one_EBT)


@dataclass(frozen=True)
class StepBatch:
    """One step's windows (begin symbol first) and what they should predict.

    target       (E, B) or (E, B, T) tokens, as `read` says; weights (E, B, V) of each token where `weighted`
    judged       (E, B, T) the positions that count; all, where None
    positions_T  where the windows stand; 0, 1, 2, ... where None
    """

    tokens_EBT: Tensor
    target: Tensor
    read: Literal["last", "all"]
    weighted: bool = False
    judged: Tensor | None = None
    positions_T: Tensor | None = None

    def parts(self, most_windows: int) -> Iterator[tuple["StepBatch", Tensor | float]]:
        """The batch in parts of few enough windows in all, and the share of each in the members' losses: (E,) or 1."""
        n_members, n_windows = self.tokens_EBT.shape[:2]
        n = max(1, most_windows // n_members)
        if n_windows <= n:
            yield self, 1.0
            return
        for first in range(0, n_windows, n):
            part = slice(first, first + n)
            judged = None if self.judged is None else self.judged[:, part]
            share: Tensor | float = 1.0
            if self.judged is not None and judged is not None:
                share = judged.sum(dim=(1, 2)) / self.judged.sum(dim=(1, 2)).clamp(min=1)
            elif not self.weighted:
                share = len(range(n_windows)[part]) / n_windows
            yield replace(self, tokens_EBT=self.tokens_EBT[:, part], target=self.target[:, part], judged=judged), share


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
    resident = None if data else Resident(specs, device)
    segments = []
    kind = "cpu" if device.type == "cpu" else "cuda"
    shapes = [(specs[i].context_length, size[i]) for i in order]
    for group in _groups(shapes, POSITIONS_PER_CALL[kind], WINDOWS_PER_CALL[kind]):
        members = [order[j] for j in range(group.start, group.stop)]
        segment = Segment(group, [specs[i] for i in members], begin, device)
        if data:
            segment.fixed = _stack([data[i] for i in members], begin, device)
        elif specs[0].data.batch == "sequences":
            segment.sampler = SequenceSampler(segment.specs, device, resident)
        elif specs[0].data.batch == "masked":
            segment.sampler = MaskedSampler(segment.specs, device, resident)
        else:
            segment.sampler = TargetSampler(segment.specs, device, resident)
            segment.places = _drawn_places(segment.specs[0], segment.sampler)
        segment.positions = _drawn_positions(segment.specs[0], device)
        segments.append(segment)
    return order, segments


def _drawn_places(spec: TrainingSpec, sampler: TargetSampler) -> StepTable | None:
    """Which position of each step's windows counts, where the loss is that of one: floor(u (l + 1))."""
    if spec.loss != "one":
        return None
    draws, window = sampler.draws, spec.context_length + 1

    def rows(steps: range) -> Tensor:
        u_CSB = uniforms(draws.seeds, PLACES, steps, draws.n_draws, draws.device)
        return (u_CSB.index_select(1, draws.seed_of) * window).long()

    return StepTable(rows, draws.steps_ahead(len(draws.seed_of) * draws.n_draws))


def _drawn_positions(spec: TrainingSpec, device: torch.device) -> StepTable | None:
    """Positions of each step's windows, where a method trains on others than 0, 1, 2, ..."""
    window = spec.context_length + 1
    drawn = [one for one in spec.model.methods if one.training_positions(window, 0) is not None]
    if not drawn:
        return None

    def rows(steps: range) -> Tensor:
        positions = [drawn[0].training_positions(window, step) for step in steps]
        return to_device(np.stack([one for one in positions if one is not None]), device)

    return StepTable(rows, 1 if device.type == "cpu" else POSITION_STEPS)


def _groups(shapes: list[tuple[int, int]], most_positions: int, most_windows: int) -> Iterator[slice]:
    """Cut (context length, windows), ascending, into runs of one length with little padding, within both limits."""
    start = 0
    for stop in range(1, len(shapes) + 1):
        if stop < len(shapes) and shapes[stop][0] == shapes[start][0]:
            length, windows = shapes[stop]
            count = stop + 1 - start
            padded = windows * count
            needed = sum(size for _, size in shapes[start : stop + 1])
            fits = padded <= most_windows and padded * (length + 1) <= most_positions
            if padded <= PADDING_LIMIT * needed and fits:
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


def _stack(data: list[WeightedContexts], begin: int, device: torch.device) -> tuple[Tensor, Tensor]:
    n_windows = max(len(one.contexts) for one in data)
    length, vocab_size = data[0].contexts.shape[1], data[0].weights.shape[1]
    tokens = np.zeros((len(data), n_windows, length), dtype=np.int64)
    weights = np.zeros((len(data), n_windows, vocab_size), dtype=np.float32)
    for member, one in enumerate(data):
        tokens[member, : len(one.contexts)] = one.contexts
        weights[member, : len(one.contexts)] = one.weights
    return with_begin(torch.from_numpy(tokens).to(device), begin), torch.from_numpy(weights).to(device)
