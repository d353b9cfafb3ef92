"""The step as something that can be recorded: nothing in it depends on Python's idea of the step or waits for a device.

No GPU is needed: what a graph would hold is the sequence of operations with their numbers, and that is compared.
"""

import gc
import warnings
import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from testbed.methods import methods
from testbed.models import ModelConfig, gau, transformer
from testbed.sources import MarkovSource, build
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec
from testbed.training.batches import _groups
from testbed.training.ensemble import Ensemble, batch_loss
from testbed.training.stepping import Borrowed, StepRunner

SOURCE = MarkovSource.random(vocab_size=3, order=2, concentration=0.5, seed=1)
RECALL = build({"type": "key_value_recall"})
POSE = ("rope", {"type": "pose", "target_length": 30})
BOTH_WAYS = {"causal": False, "mask_symbol": True}
CASES = {
    "windows": {},
    "all positions": {"loss": "all", "precision": "bfloat16"},
    "stream": {"n_targets": None},
    "distinct": {"batch": "distinct"},
    "drawn positions": {"methods": POSE},
    "sequences": {"batch": "sequences", "length": 9, "source": RECALL},
    "masked": {"batch": "masked", "model": BOTH_WAYS},
}


def spec(
    seed=0,
    batch="sampled",
    n_targets=40,
    methods=("rope",),
    model=None,
    source=SOURCE,
    length=5,
    precision="float32",
    **others,
):
    return TrainingSpec(
        source=source,
        context_length=length,
        data=DataConfig(n_targets=n_targets, max_context=length, batch=batch, targets_per_step=6, seed=seed),
        model=ModelConfig(width=16, depth=2, heads=2, methods=methods, **(model or {})),
        optimiser=OptimiserConfig(steps=500, warmup_steps=3, weight_decay=0.1, precision=precision),
        evaluation=EvaluationConfig(n_contexts=40, n_heldout=40, path_points=2),
        initial_seed=seed,
        **others,
    )


class Operations(TorchDispatchMode):
    """Every operation with its numbers and the shapes of its tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen.append(f"{function} {plain(args)} {plain(kwargs or {})}")
        return function(*args, **(kwargs or {}))


def plain(value):
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("case", CASES)
def test_every_step_is_the_same_operations_on_the_same_memory(case):
    settings = CASES[case]
    ensemble = Ensemble([spec(seed, **settings) for seed in (1, 2)])
    ensemble.optimiser.on_cpu = False  # as on a GPU: no look at the numbers in between
    recorded, borrowed = [], []
    for step in (0, 1, 2, 37, 300):
        ensemble.prepare(step)
        with Operations() as operations, Borrowed() as watch:
            ensemble._step()
        recorded.append(operations.seen)
        borrowed.append({tensor.untyped_storage().data_ptr() for tensor in watch.tensors})
    assert all(operations == recorded[1] for operations in recorded[2:])  # the first filled caches
    waits = ("_local_scalar_dense", "nonzero", "lift_fresh", "is_nonzero", "equal.default")
    assert not [one for one in recorded[1] if any(name in one.split()[0] for name in waits)]
    lasting = {ensemble.weights_EP, ensemble.working_EP, ensemble.gradients_EP, ensemble.clock_1, ensemble.alive_E}
    for places in borrowed:
        assert {tensor.data_ptr() for tensor in lasting} <= places


def test_what_a_step_borrows_from_caches_is_held():
    ensemble = Ensemble([spec()])
    ensemble.train_step(0)
    ensemble.prepare(1)
    with Borrowed() as watch:
        ensemble._step()
    tables = [one for one in watch.tensors if one.dtype == torch.complex64]
    shapes = {tuple(one.shape) for one in tables}  # exp(i t f) of six positions, which other windows may evict
    assert (6, 4) in shapes


def test_a_step_is_called_directly_where_there_is_no_gpu():
    calls = []
    runner = StepRunner(torch.device("cpu"))
    for _ in range(5):
        runner(lambda: calls.append(1))
    assert len(calls) == 5
    assert runner.graph is None


def test_an_ensemble_is_freed_as_soon_as_it_is_dropped():
    """No cycle keeps its memory until the garbage collector comes by."""
    ensemble = Ensemble([spec()])
    ensemble.train_step(0)
    gone = weakref.ref(ensemble)
    gc.disable()
    try:
        del ensemble
        assert gone() is None
    finally:
        gc.enable()


def test_steps_in_any_order_are_those_of_a_fresh_ensemble():
    """The clock alone says which step it is: losses and gradients of a step do not depend on the steps before."""
    for settings in CASES.values():
        one = [spec(seed, **settings) for seed in (1, 2)]
        walked = Ensemble(one)
        for step in (0, 70, 3):
            loss, gradients = walked.losses_and_gradients(step), walked.gradients_EP
            fresh = Ensemble(one)
            assert torch.equal(fresh.losses_and_gradients(step), loss)
            assert torch.equal(fresh.gradients_EP, gradients)


# ---- the compiler
TRAINABLE = [name for name in methods.names() if not methods.find(name).overrides("calibrate")]


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINABLE)
def test_the_compiler_sees_every_method_whole(name, monkeypatch):
    """No piece runs as Python in between, nor reads a table from a cache, which a recorded graph would have to hold."""
    for module in (transformer, gau):  # the norm that a GPU has
        monkeypatch.setattr(module, "rms_norm", lambda x: torch.rms_norm(x, (x.shape[-1],), eps=1e-5))
    needs = {"target_length": 16} if "target_length" in methods.find(name).model_fields else {}
    one = methods.build({"type": name, **needs})
    chosen = (one,) if "position" in one.slots else ("rope", one)
    compiled, plain = (Ensemble([spec(1, methods=chosen, loss="all")]) for _ in range(2))
    torch._dynamo.reset()
    compiled._batch_loss = torch.compile(batch_loss, backend="eager", fullgraph=True, dynamic=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        losses = [ensemble.losses_and_gradients(0) for ensemble in (compiled, plain)]
    torch.testing.assert_close(*losses, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_a_compiled_step_would_run_uncompiled_under_a_watch():
    """Why `StepRunner` records it without one."""
    runs = []

    def backend(graph, inputs):
        return lambda *given: runs.append(1) or graph(*given)

    torch._dynamo.reset()
    double = torch.compile(lambda x: (2 * x).sum(), backend=backend, dynamic=False)
    double(torch.ones(3))
    assert runs == [1]
    with Borrowed():
        double(torch.ones(3))
    assert runs == [1]


# ---- the attention kernel's limit
def test_segments_keep_within_both_limits():
    shapes = [(1, 30)] * 7 + [(2, 30)] * 3
    assert [(s.start, s.stop) for s in _groups(shapes, 10**6, 90)] == [(0, 3), (3, 6), (6, 7), (7, 10)]
    assert [(s.start, s.stop) for s in _groups(shapes, 120, 10**6)] == [
        (0, 2),
        (2, 4),
        (4, 6),
        (6, 7),
        (7, 8),
        (8, 9),
        (9, 10),
    ]
    assert [(s.start, s.stop) for s in _groups([(1, 200)], 10, 90)] == [(0, 1)]


@pytest.mark.parametrize("case", CASES)
def test_a_batch_beyond_the_limit_is_computed_in_parts(case):
    """Losses and gradients equal to 1e-5 of their size, whatever the parts."""
    settings = CASES[case] | {"precision": "float32"}
    whole, parted = (Ensemble([spec(seed, **settings) for seed in (1, 2)]) for _ in range(2))
    parted.most_windows = 5
    assert len(list(parted.segments[0].draw(3).parts(5))) > 1
    torch.testing.assert_close(parted.losses_and_gradients(3), whole.losses_and_gradients(3), rtol=1e-5, atol=1e-6)
    error = (parted.gradients_EP - whole.gradients_EP).norm()
    assert error <= 1e-5 * whole.gradients_EP.norm()
