"""How many members train together on a GPU: as many as its free memory holds, by a measurement on one and on two.

A member's result does not depend on its company, so an ensemble may be trained in parts. What a member needs is what
stays (weights, gradients, optimiser state, its data unless it shares them) and what a pass over its segment takes for a
moment; a segment holds a bounded number of positions, hence of members at a time.
"""

import gc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import torch

from testbed.core import ResourceError
from testbed.training.batches import POSITIONS_PER_CALL
from testbed.training.ensemble import Ensemble
from testbed.training.samplers import STREAM_STEPS, dataset_key
from testbed.training.spec import TrainingSpec

SHARE = 0.85
"""Share of the free memory that is planned with: blocks of odd sizes leave gaps, and scoring needs some."""
GIB = 2**30


class Memory(Protocol):
    """A device's memory, in bytes."""

    def free(self) -> int:
        """What could be taken now."""
        ...

    def taken(self, work: Callable[[], object]) -> tuple[int, int]:
        """What the result of `work` holds, and the most that was held meanwhile, beyond what was held before."""
        ...


class GPUMemory:
    """That of a CUDA device."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)

    def free(self) -> int:
        release()
        return int(torch.cuda.mem_get_info(self.device)[0])

    def taken(self, work: Callable[[], object]) -> tuple[int, int]:
        release()
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        result = work()
        held = torch.cuda.memory_allocated(self.device) - before
        peak = torch.cuda.max_memory_allocated(self.device) - before
        del result
        return held, peak


def release() -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    torch.cuda.empty_cache()


@dataclass(frozen=True)
class Need:
    """Bytes that an ensemble needs: a + members * staying + (members in one pass) * passing."""

    fixed: int
    staying: int
    passing: int
    members_in_a_pass: int

    def of(self, n_members: int) -> int:
        """For so many members."""
        return self.fixed + n_members * self.staying + min(n_members, self.members_in_a_pass) * self.passing

    def most(self, limit: int, n_members: int) -> int:
        """How many of `n_members` fit into `limit` bytes at a time."""
        return max((n for n in range(1, n_members + 1) if self.of(n) <= limit), default=0)


def data_bytes(spec: TrainingSpec) -> int:
    """What a member's tokens take on the device; 0 for distinct windows, of which every member has its own."""
    data = spec.data
    if data.batch == "distinct":
        return 0
    token = 1 if spec.source.vocab_size <= 256 else 4
    n = STREAM_STEPS * data.targets_per_step if data.n_targets is None else data.n_targets
    if data.batch in ("sequences", "masked"):
        return n * spec.sequence_length * (token + 1)
    return -(-n // data.targets_per_sequence) * (data.max_context + data.targets_per_sequence) * token


def _further_data(specs: list[TrainingSpec], measured_one: TrainingSpec) -> int:
    """Bytes a member of the datasets that the measurement did not see: members of one dataset share it."""
    sizes = {dataset_key(spec): data_bytes(spec) for spec in specs}
    sizes.pop(dataset_key(measured_one))
    return -(-sum(sizes.values()) // len(specs))


def measured(specs: list[TrainingSpec], device: str, memory: Memory) -> Need:
    """What members like the largest of these need: one step of one and of two of them is taken and forgotten."""
    largest = max(specs, key=lambda spec: (spec.context_length, spec.data.n_targets or 0))
    positions = 1

    def step_of(n_members: int) -> Ensemble:
        nonlocal positions
        ensemble = Ensemble([largest] * n_members, device)
        ensemble.train_step(0)
        positions = ensemble.segments[0].batch(ensemble.clock_1).tokens_EBT[0].numel()
        return ensemble

    (held1, peak1), (held2, peak2) = memory.taken(lambda: step_of(1)), memory.taken(lambda: step_of(2))
    alike = max(held2 - held1, 0)
    passing = max((peak2 - held2) - (peak1 - held1), 0)
    fixed = max(peak1 - alike - passing, 0)
    staying = alike + _further_data(specs, largest)
    return Need(fixed, staying, passing, max(1, POSITIONS_PER_CALL["cuda"] // positions))


def parts_that_fit(specs: list[TrainingSpec], device: str, memory: Memory | None = None) -> list[list[TrainingSpec]]:
    """The ensemble in as few equal parts as the device's free memory holds one by one, down to single members; on a
    CPU it is not parted."""
    if memory is None:
        if torch.device(device).type != "cuda" or len(specs) == 1:
            return [specs]
        memory = GPUMemory(device)
    limit = int(SHARE * memory.free())
    most = 1  # where not even two can be measured
    with suppress(torch.OutOfMemoryError):
        most = max(1, measured(specs, device, memory).most(limit, len(specs)))
    n_parts = -(-len(specs) // most)
    size = -(-len(specs) // n_parts)
    return [specs[first : first + size] for first in range(0, len(specs), size)]


def too_large(specs: list[TrainingSpec], device: str) -> ResourceError:
    """The error that says what did not fit, and what would."""
    spec, model = specs[0], specs[0].model
    free = "" if torch.device(device).type != "cuda" else f" ({GPUMemory(device).free() / GIB:.1f} GiB)"
    return ResourceError(
        f"device {device}: {len(specs)} member{'s' * (len(specs) > 1)} of width {model.width}, depth {model.depth},"
        f" {spec.context_length + 1} positions and {spec.data.targets_per_step} targets a step need more memory than is"
        f" free{free}; take fewer targets_per_step, a smaller model, or optimiser.precision = bfloat16"
    )
