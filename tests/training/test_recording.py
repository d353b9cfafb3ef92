"""When a step is called directly, recorded and played again: on a pretended GPU, whose graphs remember what to call."""

from collections.abc import Callable
from contextlib import contextmanager

import pytest
import torch

from testbed.training.stepping import WARM_UP_STEPS, StepRunner


class PretendedGPU:
    """`events` says what was done: "step" for a direct call, "record", "play"."""

    def __init__(self, monkeypatch) -> None:
        self.events: list[str] = []
        self.recording = False
        self.fault: Exception | None = None
        gpu = self

        class Anything:
            def __init__(self, *_: object) -> None:
                pass

            def wait_stream(self, _: object) -> None:
                pass

            def synchronize(self) -> None:
                pass

            def record(self) -> None:
                pass

            def replay(self) -> None:
                gpu.events.append("play")

        @contextmanager
        def graph(_: object, stream: object):
            gpu.recording = True
            yield
            gpu.recording = False

        @contextmanager
        def stream(_: object):
            yield

        for name in ("Stream", "Event", "CUDAGraph", "current_stream"):
            monkeypatch.setattr(torch.cuda, name, Anything)
        monkeypatch.setattr(torch.cuda, "graph", graph)
        monkeypatch.setattr(torch.cuda, "stream", stream)

    def step(self) -> None:
        if self.recording and self.fault is not None:
            self.recording = False
            raise self.fault
        self.events.append("record" if self.recording else "step")


@pytest.fixture
def gpu(monkeypatch) -> PretendedGPU:
    return PretendedGPU(monkeypatch)


def ten_times(runner: StepRunner, step: Callable[[], None]) -> None:
    for _ in range(10):
        runner(step)


def test_a_step_is_recorded_once_after_the_first_and_then_played(gpu):
    runner = StepRunner(torch.device("cuda"))
    for _ in range(WARM_UP_STEPS + 40):
        runner(gpu.step)
    # recording computes nothing, so that the recorded step is played as well
    assert gpu.events == ["step"] * WARM_UP_STEPS + ["record"] + ["play"] * 40


def test_another_version_is_recorded_anew(gpu):
    runner = StepRunner(torch.device("cuda"))
    for version in [[True]] * 5 + [[False]] * 5:
        runner(gpu.step, version)
    once = ["step"] * WARM_UP_STEPS + ["record", "play", "play"]
    assert gpu.events == once + once


def test_what_cannot_be_recorded_is_called_directly_and_that_is_said(gpu):
    gpu.fault = RuntimeError("operation not permitted when stream is capturing")
    runner = StepRunner(torch.device("cuda"))
    with pytest.warns(UserWarning, match="without a CUDA graph, more slowly: operation not permitted"):
        ten_times(runner, gpu.step)
    assert gpu.events == ["step"] * 10


def test_memory_that_runs_out_is_no_such_thing(gpu):
    gpu.fault = torch.OutOfMemoryError("CUDA out of memory")
    runner = StepRunner(torch.device("cuda"))
    with pytest.raises(torch.OutOfMemoryError):
        ten_times(runner, gpu.step)
