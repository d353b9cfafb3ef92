"""A pretended GPU: the code for CUDA devices runs on the CPU, and what a GPU would refuse is refused here too.

A tensor "on the GPU" holds one of the CPU and says that it is on cuda:0. Whatever is called with it is called with the
one that it holds, unless tensors of both devices meet, or numpy asks for it. A recorded graph is the list of operations
that reached the memory while it was recorded, undone at the end; playing it runs them again on the same memory, without
Python. While one is recorded, whatever would wait for the device or read pageable memory is refused.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

GPU = torch.device("cuda", 0)
FREE_BYTES = 80 * 2**30
Tensor = torch.Tensor


class OnGPU(Tensor):
    """A tensor that says it is on the GPU; `held`, in its dictionary, has its numbers."""

    @staticmethod
    def __new__(cls, inner: Tensor) -> "OnGPU":
        with torch._C.DisableTorchFunction():
            shell = torch.Tensor._make_subclass(cls, torch.empty(0))
        shell.__dict__["held"] = inner
        return shell

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return call(function, args, kwargs or {})


class Factories(TorchFunctionMode):
    """What is made on the GPU, or asked to go there."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return call(function, args, kwargs or {})


STATE = {"recording": False}
WAITS = "item tolist __bool__ __int__ __float__ __index__ __contains__ equal allclose nonzero unique masked_select"
"""What waits for the GPU, because Python wants a number, or because the answer's shape depends on the numbers."""
COPIES = ("tensor", "as_tensor", "asarray", "new_tensor")
"""What makes a tensor of Python's numbers, by a copy that is waited for."""
CARRIES = ("copy_", "__getitem__", "__setitem__", "index", "index_put_", "index_put", "grad")
"""What takes tensors of both devices."""


def call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name = getattr(function, "__name__", str(function))
    if name == "__get__":
        return of(getattr(function.__self__, "__name__", ""), args[0])
    if name == "__hash__":
        return id(args[0])
    tensors = list(found((args, kwargs)))
    there = [one for one in tensors if isinstance(one, OnGPU)]
    here = [one for one in tensors if not isinstance(one, OnGPU)]
    if there and name in ("numpy", "__array__", "__dlpack__"):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")
    where = goal(name, args, kwargs)
    if name == "pin_memory":
        return args[0]
    if there and (name in WAITS.split() or by_mask(name, args)):
        wait(name)
    with torch._C.DisableTorchFunctionSubclass():
        if name == "to" or name == "cpu" or (name == "type" and where):
            return carried(function, name, args, kwargs, where)
        mixed = there and any(one.dim() > 0 for one in here)
        if mixed and (name not in CARRIES or not isinstance(args[0], OnGPU) or name in ("index_put_", "index_put")):
            raise RuntimeError(f"{name}: expected all tensors on the same device, but found cuda:0 and cpu")
        if mixed:
            wait(f"{name} with a tensor of the CPU")
        if name in COPIES and (where.type == "cuda" if where else name == "new_tensor" and there):
            wait(f"{name} on the GPU")
        generator = kwargs.get("generator")
        device = where or (GPU if there else torch.device("cpu"))
        if generator is not None and device.type != generator.device.type:
            raise RuntimeError(f"Expected a generator of the device, found one of {generator.device}")
        kept = plain_device(kwargs)
        result = function(*inner(args), **inner(kept))
    if args and isinstance(args[0], Tensor) and result is inner(args[0]):
        return args[0]
    to_gpu = there if where is None else where.type == "cuda"
    return lifted(result) if to_gpu else result


REAL_APPLY = torch.autograd.Function.__dict__["apply"]


def applied(cls: type, *args: Any) -> Any:
    """A function with a derivative of its own: torch asks no subclass before it calls one."""
    result = REAL_APPLY.__get__(None, cls)(*inner(args))
    return lifted(result) if any(isinstance(one, OnGPU) for one in found(args)) else result


def of(name: str, tensor: Tensor) -> Any:
    """An attribute of a tensor."""
    if not isinstance(tensor, OnGPU):
        with torch._C.DisableTorchFunctionSubclass():
            return getattr(tensor, name)
    if name == "device":
        return GPU
    if name in ("is_cuda", "is_cpu"):
        return name == "is_cuda"
    found = getattr(inner(tensor), name)
    return OnGPU(found) if isinstance(found, Tensor) else found


def goal(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.device | None:
    """The device that a call names."""
    if name == "cpu":
        return torch.device("cpu")
    named = kwargs.get("device")
    if named is None and name == "to":
        named = next((one for one in args[1:] if isinstance(one, str | torch.device)), None)
        other = args[1] if len(args) > 1 and isinstance(args[1], Tensor) else None
        if other is not None:
            named = other.device
    return None if named is None else torch.device(named)


def carried(function: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], where: torch.device | None) -> Any:
    """A tensor on another device, or of another type on its own."""
    tensor = args[0]
    from_gpu = isinstance(tensor, OnGPU)
    to_gpu = from_gpu if where is None else where.type == "cuda"
    if to_gpu != from_gpu and not kwargs.get("non_blocking"):
        wait(f"a copy {'to' if to_gpu else 'from'} the GPU")
    rest = [one for one in args[1:] if not isinstance(one, str | torch.device)]
    if where is not None and rest and not isinstance(rest[0], torch.dtype | Tensor):  # (device, dtype or None, ...)
        rest = [one for one in rest[:1] if one is not None]
    if rest and isinstance(rest[0], Tensor):
        rest[0] = rest[0].dtype
    kept = {key: value for key, value in kwargs.items() if key != "device"}
    source = inner(tensor)
    result = source if name == "cpu" or not (rest or kept) else function(source, *rest, **kept)
    if to_gpu == from_gpu:
        return tensor if result is source else lifted(result) if to_gpu else result
    copy = result.clone() if result is source else result
    return OnGPU(copy) if to_gpu else copy


def by_mask(name: str, args: tuple[Any, ...]) -> bool:
    """Indexing with booleans asks how many there are; setting one number through them does not."""
    if name != "__getitem__" and not (name == "__setitem__" and isinstance(args[2], Tensor) and args[2].dim() > 0):
        return False
    return any(inner(one).dtype in (torch.bool, torch.uint8) for one in found(args[1]))


def wait(what: str) -> None:
    if STATE["recording"]:
        raise RuntimeError(f"operation not permitted when stream is capturing: {what}")


def plain_device(kwargs: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in kwargs.items() if key != "pin_memory"}
    return kept if kept.get("device") is None else {**kept, "device": torch.device("cpu")}


def found(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from found(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from found(one)


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: mapped(one, change) for key, one in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(one, change) for one in value))
    if isinstance(value, torch.Size):
        return value
    return type(value)(mapped(one, change) for one in value) if isinstance(value, list | tuple) else value


def inner(value: Any) -> Any:
    return mapped(value, lambda one: one.__dict__["held"] if isinstance(one, OnGPU) else one)


def lifted(value: Any) -> Any:
    if type(value).__module__ == "torch.return_types":
        return type(value)([lifted(one) for one in value])
    return mapped(value, lambda one: one if isinstance(one, OnGPU) else OnGPU(one))


# ---- graphs
class Graph:
    """Operations that reached memory, to be run again."""

    def __init__(self) -> None:
        self.operations: list[tuple[Any, Any, Any, Any]] = []
        self.played = 0

    def replay(self) -> None:
        self.played += 1
        with torch.no_grad():
            for function, args, kwargs, made in self.operations:
                again = function(*args, **kwargs)
                read = {one.untyped_storage().data_ptr() for one in found((args, kwargs))}
                for old, new in zip(found(made), found(again), strict=True):
                    if old.untyped_storage().data_ptr() not in read:
                        old.copy_(new)


class Recorder(TorchDispatchMode):
    """Writes into a graph, and undoes at its end what was done to memory from before."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.made: set[int] = set()
        self.before: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = function._schema.arguments
        for place, argument in enumerate(given):
            if argument.alias_info is not None and argument.alias_info.is_write:
                value = args[place] if place < len(args) else kwargs.get(argument.name)
                for one in found(value):
                    self._keep(one)
        read = {one.untyped_storage().data_ptr() for one in found((args, kwargs))}
        result = function(*args, **kwargs)
        self.graph.operations.append((function, args, kwargs, result))
        self.made |= {one.untyped_storage().data_ptr() for one in found(result)} - read
        return result

    def _keep(self, tensor: Tensor) -> None:
        place = tensor.untyped_storage().data_ptr()
        if place not in self.made and place not in self.before:
            whole = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
            self.before[place] = whole, whole.clone()

    def undo(self) -> None:
        with torch.no_grad():
            for whole, copy in self.before.values():
                whole.copy_(copy)


@contextlib.contextmanager
def graph(recorded: Graph, stream: Any = None) -> Iterator[None]:
    STATE["recording"] = True
    recorder = Recorder(recorded)
    try:
        with recorder:
            yield
    finally:
        STATE["recording"] = False
        recorder.undo()


class Stream:
    def __init__(self, *_: Any, **__: Any) -> None: ...

    def wait_stream(self, other: Any) -> None: ...

    synchronize = record = lambda self: None


@contextlib.contextmanager
def nothing(stream: Any) -> Iterator[None]:
    yield


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While a test runs, there is a GPU."""
    real = torch.autocast

    def autocast(device_type: str, *args: Any, **kwargs: Any) -> Any:
        return real("cpu" if device_type == "cuda" else device_type, *args, **kwargs)

    for name, value in {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "get_device_name": lambda device=None: "a pretended GPU",
        "current_stream": lambda device=None: Stream(),
        "synchronize": lambda device=None: None,
        "empty_cache": lambda: None,
        "mem_get_info": lambda device=None: (FREE_BYTES, FREE_BYTES),
        "reset_peak_memory_stats": lambda device=None: None,
        "memory_allocated": lambda device=None: 0,
        "max_memory_allocated": lambda device=None: 0,
        "Stream": Stream,
        "Event": Stream,
        "stream": nothing,
        "CUDAGraph": Graph,
        "graph": graph,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch, "autocast", autocast)
    monkeypatch.setattr(torch.autograd.Function, "apply", classmethod(applied))
    STATE["recording"] = False
    with Factories():
        yield
