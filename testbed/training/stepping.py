"""One training step, called directly on a CPU, recorded once and played again as one CUDA graph on a GPU.

A step of small models is hundreds of kernels that each last microseconds, and launching them one by one is most of the
time. A graph launches them all at once. What is recorded must not depend on Python: step number, schedule and draws are
read from tensors that stay where they are (`step_table`).
"""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

WARM_UP_STEPS = 3
"""Steps that are called directly before one is recorded, so that libraries and caches are set up."""
STEPS_IN_FLIGHT = 16
"""How far the host may run ahead of a GPU, at most twice: an interrupted run is not to wait long for what it asked."""


class StepRunner:
    """Calls a step, a function of the device's memory alone; on a GPU it is a graph after some steps.

    It is given the step at every call, and holds no reference to it, so that an ensemble that has a runner is freed as
    soon as it is dropped. `version` says which step: where it is another than was recorded, the step is recorded anew.

    compiled   whether the step went through torch's compiler, whose code makes its tables itself, since the compiler
               looks through caches; it would run uncompiled for good under a watch for what it borrows from them
    """

    def __init__(self, device: torch.device, compiled: bool = False) -> None:
        self.device, self.compiled = device, compiled
        self.version: Any = None
        self.called = 0
        self.recordable = True
        self.graph: Any = None
        self.kept: list[Tensor] = []
        if device.type == "cuda":
            self.stream = torch.cuda.Stream(device)
            self.mark = torch.cuda.Event()

    def __call__(self, step: Callable[[], None], version: Any = None) -> None:
        """One step."""
        if self.device.type != "cuda":
            step()
            return
        if version != self.version:
            self.version, self.graph, self.called, self.kept = version, None, 0, []
        if self.graph is None and self.called >= WARM_UP_STEPS and self.recordable:
            self._record(step)
        if self.graph is None:
            self._directly(step)
        else:
            self.graph.replay()
        self.called += 1
        if self.called % STEPS_IN_FLIGHT == 0:
            self.mark.synchronize()  # of the last time round
            self.mark.record()

    def _directly(self, step: Callable[[], None]) -> None:
        """On the stream on which it will be recorded."""
        here = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(here)
        with torch.cuda.stream(self.stream):
            step()
        here.wait_stream(self.stream)

    def _record(self, step: Callable[[], None]) -> None:
        """Nothing is computed here. A step that cannot be recorded is called directly from now on, and it is said."""
        graph, watch = torch.cuda.CUDAGraph(), Borrowed()
        try:
            with torch.cuda.graph(graph, stream=self.stream), nullcontext() if self.compiled else watch:
                step()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # a method that waits for the device, say
            self.recordable = False
            warnings.warn(f"the step runs without a CUDA graph, more slowly: {error}", stacklevel=2)
            return
        self.graph, self.kept = graph, watch.tensors


class Borrowed(TorchDispatchMode):
    """Holds every tensor that is read but was not made while this is on.

    A graph reads memory by its address. Some of it belongs to caches (rotary tables, say) that may drop an entry when
    other windows are looked at: held here, it stays.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made: set[int] = set()
        self._borrowed: dict[int, Tensor] = {}

    @property
    def tensors(self) -> list[Tensor]:
        return list(self._borrowed.values())

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for tensor in _tensors((args, kwargs)):
            place = tensor.untyped_storage().data_ptr()
            if place not in self._made:
                self._borrowed.setdefault(place, tensor)
        made = function(*args, **kwargs)
        for tensor in _tensors(made):
            place = tensor.untyped_storage().data_ptr()
            if place not in self._borrowed:
                self._made.add(place)
        return made


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for one in value for tensor in _tensors(one)]
