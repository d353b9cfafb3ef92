"""`--device cuda` where there is no GPU: what one would refuse, a pretended one refuses (see pretend_gpu.py)."""

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from pretend_gpu import gpu  # noqa: F401
from tiny import tiny

from testbed.commands.configs import asked_for
from testbed.measures import attention_entropy
from testbed.methods import methods
from testbed.models import ModelConfig
from testbed.runs import Store, run
from testbed.sources import MarkovSource, build
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec, stepping, trainer
from testbed.training.ensemble import Ensemble
from testbed.training.stepping import WARM_UP_STEPS, StepRunner

pytestmark = pytest.mark.usefixtures("gpu")

SOURCE = MarkovSource.random(vocab_size=3, order=2, concentration=0.5, seed=1)
RECALL = build({"type": "key_value_recall"})
STEPS = WARM_UP_STEPS + 2
CASES = {
    "windows": {},
    "all positions": {"loss": "all", "precision": "bfloat16"},
    "stream": {"n_targets": None},
    "distinct": {"batch": "distinct"},
    "drawn positions": {"methods": ("rope", {"type": "pose", "target_length": 30})},
    "sequences": {"batch": "sequences", "length": 9, "source": RECALL},
    "masked": {"batch": "masked", "model": {"causal": False, "mask_symbol": True}},
    "gated": {"model": {"block": "gau"}, "loss": "all"},
    "one position": {"loss": "one"},
    "running statistics": {"model": {"norm": "power", "activation": "crrelu"}, "loss": "all"},
    "batch statistics": {"model": {"norm": "batch", "activation": "normalised"}, "loss": "all"},
}


def spec(
    seed, batch="sampled", n_targets=40, methods=("rope",), length=5, source=SOURCE, precision="float32", **others
):
    model = {"width": 16, "depth": 2, "heads": 2} | others.pop("model", {})
    return TrainingSpec(
        source=source,
        context_length=length,
        data=DataConfig(n_targets=n_targets, max_context=length, batch=batch, targets_per_step=6, seed=seed),
        model=ModelConfig(methods=methods, **model),
        optimiser=OptimiserConfig(steps=STEPS, warmup_steps=3, weight_decay=0.1, precision=precision),
        evaluation=EvaluationConfig(n_contexts=40, n_heldout=40, path_points=1),
        initial_seed=seed,
        **others,
    )


@pytest.fixture(autouse=True)
def no_excuse():
    """A step that cannot be recorded is an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*without a CUDA graph")
        yield


def on_cpu(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().cpu()


# ---- what it refuses
def test_the_pretended_gpu_refuses_what_a_gpu_does():
    there, here = torch.arange(3.0, device="cuda"), torch.arange(3.0)
    assert there.device.type == "cuda"
    assert torch.equal(on_cpu(there + there), here + here)
    assert on_cpu(there * torch.tensor(2.0)).tolist() == [0.0, 2.0, 4.0]  # a number of the CPU may come along
    for meet in (lambda: there + here, lambda: here[there.long()], lambda: torch.stack([there, here])):
        with pytest.raises(RuntimeError, match="same device"):
            meet()
    for read in (there.numpy, lambda: np.asarray(there)):
        with pytest.raises(TypeError, match="Use Tensor.cpu"):
            read()
    with pytest.raises(RuntimeError, match="generator"):
        torch.rand(3, device="cuda", generator=torch.Generator())


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).any()),
        lambda x: x[x > 0],
        lambda x: x.cpu(),
        lambda x: x + torch.tensor([1.0, 2.0, 3.0], device="cuda"),
        lambda x: x.nonzero(),
    ],
)
def test_what_waits_for_the_device_is_not_recorded(waits):
    x, graph = torch.arange(3.0, device="cuda"), torch.cuda.CUDAGraph()
    waits(x)
    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"), torch.cuda.graph(graph):
        waits(x)


def test_a_graph_computes_nothing_until_it_is_played():
    x, graph = torch.zeros(2, device="cuda"), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = (x + 1.0) * 2.0
        x += 1.0
    assert on_cpu(x).tolist() == [0.0, 0.0]
    x.fill_(5.0)
    graph.replay()
    assert on_cpu(x).tolist() == [6.0, 6.0]
    assert on_cpu(y).tolist() == [12.0, 12.0]


# ---- the step
SLOW_CASES = ("batch statistics", "distinct", "drawn positions", "sequences", "gated", "one position")


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (case in SLOW_CASES)) for case in CASES]
)
def test_a_recorded_step_is_the_step(case):
    """The same numbers as without a graph; as on a CPU, to the rounding of some steps."""
    specs = [spec(seed, **CASES[case]) for seed in (1, 2)]
    recorded, direct, here = Ensemble(specs, "cuda"), Ensemble(specs, "cuda"), Ensemble(specs)
    direct.run_step.recordable = False
    for step in range(STEPS):
        losses = [ensemble.train_step(step) for ensemble in (recorded, direct, here)]
    assert recorded.run_step.graph.played == STEPS - WARM_UP_STEPS
    assert direct.run_step.graph is None
    assert torch.equal(on_cpu(losses[0]), on_cpu(losses[1]))
    assert torch.equal(on_cpu(recorded.weights_EP), on_cpu(direct.weights_EP))
    rows = torch.from_numpy(recorded.row_of[np.argsort(here.row_of)])
    narrow = specs[0].optimiser.precision == "bfloat16"
    torch.testing.assert_close(on_cpu(losses[0])[rows], losses[2], atol=5e-3 if narrow else 1e-4, rtol=0)


def test_what_the_data_change_is_recorded_anew():
    """A stream that begins to be judged before its end asks for another step."""
    ensemble = Ensemble([spec(1)], "cuda")
    for step in range(STEPS):
        ensemble.train_step(step)
    first = ensemble.run_step.graph
    ensemble.run_step(ensemble._step, version="another")
    assert ensemble.run_step.graph is None
    for step in range(STEPS):
        ensemble.prepare(step)
        ensemble.run_step(ensemble._step, version="another")
    assert ensemble.run_step.graph not in (None, first)


TRAINABLE = [name for name in methods.names() if not methods.find(name).overrides("calibrate")]


@pytest.mark.parametrize("hidden", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", TRAINABLE)
def test_every_method_is_recorded(name, hidden):
    """Also where another one hides keys, which changes what is kept from step to step."""
    needs = {"target_length": 16} if "target_length" in methods.find(name).model_fields else {}
    one = methods.build({"type": name, **needs})
    chosen = ((one,) if "position" in one.slots else ("rope", one)) + (
        ("banded",) if hidden and name != "banded" else ()
    )
    ensemble = Ensemble([spec(1, methods=chosen, loss="all", model={"depth": 1})], "cuda")
    ensemble.train_step(0)
    ensemble.run_step.called = WARM_UP_STEPS
    ensemble.train_step(1)
    assert ensemble.run_step.graph.played == 1


def test_a_step_that_waits_is_called_directly_and_it_is_said(monkeypatch):
    real = Ensemble._losses
    monkeypatch.setattr(Ensemble, "_losses", lambda self: real(self) * float(self.alive_E.any()))
    ensemble, plain = Ensemble([spec(1)], "cuda"), Ensemble([spec(1)], "cuda")
    plain.run_step.recordable = False
    for step in range(STEPS):
        plain.train_step(step)
        if step == WARM_UP_STEPS:
            with pytest.warns(UserWarning, match="without a CUDA graph, more slowly: .*capturing"):
                ensemble.train_step(step)
        else:
            ensemble.train_step(step)
    assert torch.equal(on_cpu(ensemble.weights_EP), on_cpu(plain.weights_EP))


def test_a_compiled_step_is_recorded_without_a_watch(monkeypatch):
    """Under one, torch's compiler would step aside (see test_stepping)."""
    monkeypatch.setattr(stepping.Borrowed, "__enter__", None)
    runner, x = StepRunner(torch.device("cuda"), compiled=True), torch.zeros(1, device="cuda")
    for _ in range(STEPS):
        runner(lambda: x.add_(1.0))
    assert runner.graph.played == STEPS - WARM_UP_STEPS
    assert on_cpu(x).item() == STEPS


# ---- trainings and studies
def test_a_training_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(trainer, "parts_that_fit", lambda specs, device: [specs])
    specs = [spec(seed, precision="bfloat16") for seed in (1, 2)]
    whole = trainer.train(specs, "cuda")
    real = Ensemble.train_step

    def stops(self, step):
        if step == STEPS - 1:
            raise KeyboardInterrupt
        return real(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(Ensemble, "train_step", stops)
        with pytest.raises(KeyboardInterrupt):
            trainer.train(specs, "cuda", checkpoints=tmp_path)
    for one, other in zip(trainer.train(specs, "cuda", checkpoints=tmp_path), whole, strict=True):
        assert np.array_equal(one.weights, other.weights)
        assert one.scores == other.scores


def test_a_run_of_the_tiny_study(tmp_path):
    found = []
    for device in ("cuda", "cpu"):
        with Store(tmp_path / device, writable=True) as store:
            assert run(tiny(), store, device=device).failed == []
            found.append(store.records())
    assert {record.provenance["device"] for record in found[0].values()} == {"a pretended GPU"}
    assert found[0].keys() == found[1].keys()
    for key, record in found[0].items():
        if "excess" in record.metrics:
            assert record.metrics["excess"] == pytest.approx(found[1][key].metrics["excess"], abs=1e-5)


def test_the_entropy_of_attention_keeps_within_the_limits_of_the_kernel(monkeypatch):
    """As many heads at a time as it takes, in any order of windows; heads of odd sizes go the explicit way."""
    sizes = []

    def kernel(q, k, causal):
        sizes.append(len(q))
        a = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        a = a.masked_fill(torch.ones(a.shape[-2:], dtype=torch.bool, device=a.device).triu(1), -torch.inf)
        return a.softmax(dim=-1) @ k, a.logsumexp(dim=-1)

    monkeypatch.setattr(attention_entropy, "fused_kernel", lambda device_type: kernel)
    monkeypatch.setattr(attention_entropy, "MOST_HEADS", 4)
    for size, taken in ((8, [4, 2]), (6, [])):
        q, k = torch.randn(2, 2, 3, 5, size, generator=torch.Generator().manual_seed(0))
        found = attention_entropy.attention_entropy(q.to("cuda"), k.to("cuda"))
        torch.testing.assert_close(on_cpu(found), attention_entropy.explicit_entropy(q, k), atol=1e-5, rtol=0)
        assert sizes == taken
        sizes.clear()


CHECKOUT = Path(__file__).parent.parent
CONFIGS = sorted(path.stem for path in (CHECKOUT / "configs").glob("*.toml"))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_every_study_trains_and_measures_there(name, tmp_path, monkeypatch):
    """Smoke scale; of every training the first steps alone, since what follows them is the same graph."""
    real = Ensemble.train_step
    monkeypatch.setattr(Ensemble, "train_step", lambda self, step: real(self, step) if step < STEPS else self.loss_E)
    for number, one in enumerate(asked_for(str(CHECKOUT / f"configs/{name}.toml"), (), (), "smoke")):
        one.study.prepare()
        with Store(tmp_path / str(number), writable=True) as store:
            assert Counter(run(one.study, store, device="cuda").failed) == {}


@pytest.mark.slow
def test_the_benchmark_measures_there(monkeypatch):
    """All of it but the loop of plain modules and the device's limits, which are torch's alone."""
    monkeypatch.syspath_prepend(str(CHECKOUT))
    from benchmarks import _roofline
    from benchmarks import gpu as benchmark

    loop, there, size = benchmark.Loop, torch.device("cuda"), _roofline.REHEARSAL
    monkeypatch.setattr(benchmark, "Loop", lambda specs, device: loop(specs, torch.device("cpu")))
    monkeypatch.setattr(benchmark, "measured_limits", lambda size, device: _roofline.Limits(1e15, 4e12))
    report = benchmark.Report(size, there, float("inf"))
    text = benchmark.body(report, benchmark.measure_speed(report), benchmark.measure_precision(size, there), there)
    assert "a pretended GPU" in text
    assert "graph, rotary positions" in text
    assert "out of memory" not in text
