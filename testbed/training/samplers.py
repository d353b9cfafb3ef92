"""Draws the targets or sequences of each step, from datasets that lie on the device as a whole.

`prepare` makes the rows of some steps ready, ahead of time; `read` then takes a step's own by the device's clock and
does nothing that depends on Python. Datasets are shared by the segments of an ensemble; an endless stream is drawn some
steps ahead, into one place.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from testbed.sources.source import Source
from testbed.training.sequences import SequenceBatch, draw_sequences
from testbed.training.spec import TrainingSpec
from testbed.training.step_table import StepTable, clock_at, to_device
from testbed.training.uniforms import uniforms
from testbed.training.windows import TargetSet

STREAM_STEPS = 32
"""Steps of an endless stream that are drawn at a time; part of what the stream is."""
STEPS_AHEAD = {"cpu": 32, "cuda": 256}
"""Steps whose draws are made at a time, at the most; they change no draw."""
NUMBERS_AHEAD = 2**22
"""Draws that are made at a time, at the most."""

Key = tuple[str, str]


def dataset_key(spec: TrainingSpec) -> Key:
    """Members of equal keys read the same tokens."""
    return spec.source.content_key, spec.data.content_key


def draw_training_targets(source: Source, spec: TrainingSpec, n_targets: int, first_row: int = 0) -> TargetSet:
    """The member's training targets; a smaller dataset of the same seed is a prefix of a larger one."""
    data = spec.data
    return TargetSet.draw(source, "train", data.seed, n_targets, data.max_context, data.targets_per_sequence, first_row)


@dataclass(frozen=True)
class Place:
    """Rows first .. first + n - 1 of a buffer."""

    first: int
    n: int


class Resident:
    """The datasets of some members on the device: rows of tokens of one width, and where they are judged.

    Windows are cut out of rows at any offset; whole sequences are rows. Rows of streams are refilled.
    """

    def __init__(self, specs: list[TrainingSpec], device: torch.device) -> None:
        self.device = device
        self.specs = {dataset_key(spec): spec for spec in specs}
        self.judged_earlier: set[Key] = set()  # datasets judged before the last token, in what was drawn so far
        self.chunk = 0
        self.places: dict[Key, Place] = {}
        parts, n_tokens = [], 0
        for key, spec in self.specs.items():
            rows = self._rows(spec, 0)
            self.places[key] = Place(n_tokens, rows.tokens.size)
            n_tokens += rows.tokens.size
            parts.append(rows)
        self.kind = np.uint8 if specs[0].source.vocab_size <= 256 else np.int32
        self.tokens = to_device(np.concatenate([self._flat(part.tokens) for part in parts]), device)
        judged = [part.judged.reshape(-1) for part in parts]
        self.judged = to_device(np.concatenate(judged), device) if self.are_sequences else None

    @property
    def are_sequences(self) -> bool:
        return next(iter(self.specs.values())).data.batch in ("sequences", "masked")

    def _flat(self, tokens: NDArray[np.generic]) -> NDArray[np.generic]:
        return tokens.astype(self.kind).reshape(-1)

    def _rows(self, spec: TrainingSpec, chunk: int) -> SequenceBatch:
        """A dataset, or chunk number `chunk` of a stream."""
        data = spec.data
        n = STREAM_STEPS * data.targets_per_step if data.n_targets is None else data.n_targets
        rows = -(-n // data.targets_per_sequence)
        first = chunk * rows if data.n_targets is None else 0
        if self.are_sequences:
            drawn = draw_sequences(spec.source, "train", data.seed, n, spec.sequence_length, first)
            if drawn.judged[:, :-1].any():
                self.judged_earlier.add(dataset_key(spec))
            return drawn
        return SequenceBatch(draw_training_targets(spec.source, spec, n, first).tokens, np.empty((0,), dtype=np.bool_))

    def prepare(self, step: int) -> None:
        """Fresh rows for every stream, where this step needs them."""
        chunk = step // STREAM_STEPS
        if chunk == self.chunk:
            return
        self.chunk = chunk
        for key, spec in self.specs.items():
            if spec.data.n_targets is None:
                place, rows = self.places[key], self._rows(spec, chunk)
                part = slice(place.first, place.first + place.n)
                self.tokens[part].copy_(to_device(self._flat(rows.tokens), self.device))
                if self.judged is not None:
                    self.judged[part].copy_(to_device(rows.judged.reshape(-1), self.device))


class Draws:
    """Which of their D targets or sequences members take at each step: floor(u D), u of data seed and step alone.

    On an endless stream, the next ones. Members of equal data seeds draw the same u, whatever their context length.
    """

    def __init__(self, specs: list[TrainingSpec], device: torch.device) -> None:
        self.device = device
        self.n_draws = specs[0].data.targets_per_step
        self.seeds = list(dict.fromkeys(spec.data.seed for spec in specs))
        self.seed_of = torch.tensor([self.seeds.index(spec.data.seed) for spec in specs], device=device)
        sizes = [spec.data.n_targets or 0 for spec in specs]
        self.size_E1 = torch.tensor(sizes, dtype=torch.float64, device=device)[:, None]
        self.streams_E1 = None if all(sizes) else (self.size_E1 == 0)
        self.drawn = any(sizes)

    def steps_ahead(self, numbers_a_step: int) -> int:
        """How many steps' rows are made at a time."""
        most = STEPS_AHEAD["cpu" if self.device.type == "cpu" else "cuda"]
        return max(1, min(most, NUMBERS_AHEAD // max(numbers_a_step, 1)))

    def index(self, steps: range) -> Tensor:
        """(steps, E, B) int64."""
        shape = len(steps), len(self.seed_of), self.n_draws
        if self.drawn:
            u_CSB = uniforms(self.seeds, 0, steps, self.n_draws, self.device)
            index_CEB = (u_CSB.index_select(1, self.seed_of) * self.size_E1).long()
        else:
            index_CEB = torch.zeros(shape, dtype=torch.int64, device=self.device)
        if self.streams_E1 is None:
            return index_CEB
        at_C11 = torch.arange(steps.start, steps.stop, device=self.device)[:, None, None] % STREAM_STEPS
        following = at_C11 * self.n_draws + torch.arange(self.n_draws, device=self.device)
        return torch.where(self.streams_E1, following, index_CEB)


class TargetSampler:
    """Draws windows and their targets for a segment of members."""

    def __init__(self, specs: list[TrainingSpec], device: torch.device, resident: Resident | None = None) -> None:
        self.resident = resident or Resident(specs, device)
        self.draws = Draws(specs, device)
        data = [spec.data for spec in specs]
        self.per_E1 = torch.tensor([one.targets_per_sequence for one in data], device=device)[:, None]
        self.before = data[0].max_context
        firsts = [self.resident.places[dataset_key(spec)].first for spec in specs]
        self.first_E1 = torch.tensor(firsts, device=device)[:, None]
        self.targets = StepTable(self._targets, self.draws.steps_ahead(len(specs) * self.draws.n_draws))
        self.offsets = torch.arange(-self.before, 1, device=device)

    def _targets(self, steps: range) -> Tensor:
        """(steps, E, B) where in the buffer the targets stand: `max_context` tokens or more into a row."""
        index_CEB = self.draws.index(steps)
        row = torch.div(index_CEB, self.per_E1, rounding_mode="floor")
        width_E1 = self.before + self.per_E1
        return self.first_E1 + row * width_E1 + self.before + (index_CEB - row * self.per_E1)

    def prepare(self, step: int) -> None:
        """Make a step ready to be read."""
        self.resident.prepare(step)
        self.targets.prepare(step)

    def read(self, clock_1: Tensor, context_length: int) -> Tensor:
        """(E, B, l + 1) windows with their targets behind."""
        at_EB = self.targets.at(clock_1)
        index_EBT = at_EB[..., None] + self.offsets[self.before - context_length :]
        return self.resident.tokens.take(index_EBT).long()

    def draw(self, step: int, context_length: int) -> tuple[Tensor, Tensor]:
        """(E, B, l) windows and (E, B) targets."""
        self.prepare(step)
        windows_EBT = self.read(clock_at(step, self.draws.device), context_length)
        return windows_EBT[..., :-1], windows_EBT[..., -1]


class SequenceSampler:
    """Draws whole sequences for a segment of members, as TargetSampler draws targets."""

    def __init__(self, specs: list[TrainingSpec], device: torch.device, resident: Resident | None = None) -> None:
        self.resident = resident or Resident(specs, device)
        self.draws = Draws(specs, device)
        self.length = specs[0].sequence_length
        self.keys = [dataset_key(spec) for spec in specs]
        firsts = [self.resident.places[key].first // self.length for key in self.keys]
        self.first_E1 = torch.tensor(firsts, device=device)[:, None]
        self.rows = StepTable(self._rows, self.draws.steps_ahead(len(specs) * self.draws.n_draws))

    def _rows(self, steps: range) -> Tensor:
        return self.first_E1 + self.draws.index(steps)

    @property
    def judges_earlier(self) -> bool:
        """Whether any sequence so far is judged before its last token."""
        return not self.resident.judged_earlier.isdisjoint(self.keys)

    def prepare(self, step: int) -> None:
        """Make a step ready to be read."""
        self.resident.prepare(step)
        self.rows.prepare(step)

    def read(self, clock_1: Tensor) -> tuple[Tensor, Tensor]:
        """(E, B, L) tokens and judged positions."""
        rows_EB = self.rows.at(clock_1)
        assert self.resident.judged is not None
        tokens, judged = (
            buffer.view(-1, self.length).index_select(0, rows_EB.flatten()).view(*rows_EB.shape, self.length)
            for buffer in (self.resident.tokens, self.resident.judged)
        )
        return tokens.long(), judged


class MaskedSampler:
    """Draws whole sequences and the tokens that are hidden in each, anew at every step."""

    def __init__(self, specs: list[TrainingSpec], device: torch.device, resident: Resident | None = None) -> None:
        self.sequences = SequenceSampler(specs, device, resident)
        draws, length = self.sequences.draws, self.sequences.length
        self.mask, self.n_masked = specs[0].source.vocab_size + 1, specs[0].data.n_masked
        n = draws.n_draws * length

        def scores(steps: range) -> Tensor:  # the numbers of `masking.draw_sites`
            return uniforms(draws.seeds, 1, steps, n, device).view(len(steps), -1, draws.n_draws, length)

        self.scores = StepTable(scores, draws.steps_ahead(len(draws.seeds) * n))

    def prepare(self, step: int) -> None:
        """Make a step ready to be read."""
        self.sequences.prepare(step)
        self.scores.prepare(step)

    def read(self, clock_1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(E, B, L) tokens with the mask symbol where they are hidden, tokens, and where they are hidden."""
        tokens_EBT, judged_EBT = self.sequences.read(clock_1)
        u_EBT = self.scores.at(clock_1).index_select(0, self.sequences.draws.seed_of)
        # the n least of the judged positions' numbers, as in `masking.draw_sites`
        chosen = torch.where(judged_EBT, u_EBT, 2.0).topk(self.n_masked, dim=-1, largest=False).indices
        hidden_EBT = torch.zeros_like(judged_EBT).scatter_(-1, chosen, True) & judged_EBT
        return torch.where(hidden_EBT, self.mask, tokens_EBT), tokens_EBT, hidden_EBT
