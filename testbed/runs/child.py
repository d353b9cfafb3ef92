"""A process of its own for the work: what kills it kills nothing else, and its exit code is known.

Parent and child speak in pickles with a length before each, over pipes that only they hold. Neither outlives the
other's end: a child whose pipe is closed leaves at once, also in the middle of a training.
"""

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from typing import IO, Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


class ChildDied(Exception):
    """The process ended in the middle of its work."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code

    def __str__(self) -> str:
        how = f"was killed by signal {-self.exit_code}" if self.exit_code < 0 else f"left with code {self.exit_code}"
        return f"the worker process {how}"


class Child:
    """A process that executes units; started when it is first needed, and again after it died.

    plugins       files whose classes the work may need
    environment   variables it has in addition; numerical libraries get one thread
    """

    def __init__(self, plugins: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        self.plugins = tuple(plugins)
        self.environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, task: bytes) -> bytes:
        """Send a pickled (study, unit, device, Shared or None), wait for the pickled Done. ChildDied with its code."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            _send(process.stdin, task)
            answer = _receive(process.stdout)
        except BrokenPipeError:
            answer = None
        if answer is None:
            code = process.wait()
            self.close()
            raise ChildDied(code)
        return answer

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "testbed.runs.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={
                    **os.environ,
                    **ONE_THREAD,
                    **self.environment,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                },
            )
            assert self._process.stdin is not None
            _send(self._process.stdin, pickle.dumps(self.plugins))
        return self._process


def serve() -> None:
    """Execute what comes on the standard input until it is closed; the answers go to the standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the driver decides what ends
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the work prints goes to stderr
    tasks: queue.Queue[bytes] = queue.Queue()

    def listen() -> None:
        while (task := _receive(sys.stdin.buffer)) is not None:
            tasks.put(task)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    from testbed.core import load_plugin

    for plugin in pickle.loads(tasks.get()):
        load_plugin(plugin)
    import torch

    from testbed.runs.work import execute

    torch.set_num_threads(1)
    while True:
        study, unit, device, shared = pickle.loads(tasks.get())
        checkpoints = shared.checkpoints if shared is not None and shared.is_seen() else None
        done = execute(study, unit, device, checkpoints=checkpoints)
        _send(answers, pickle.dumps(done))


def _send(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(len(message).to_bytes(8, "big"))
    pipe.write(message)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> bytes | None:
    """The next message, None at the pipe's end."""
    head = pipe.read(8)
    if len(head) < 8:
        return None
    message = pipe.read(size := int.from_bytes(head, "big"))
    return message if len(message) == size else None


def run_here(task: bytes, plugins: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """`Child.call` with a child that this thread keeps for the next task."""
    child: Any = getattr(_kept, "child", None)
    if child is None or (child.plugins, child.environment) != (tuple(plugins), dict(environment)):
        if child is not None:
            child.close()
        child = _kept.child = Child(plugins, environment)
    return bytes(child.call(task))


_kept = threading.local()

if __name__ == "__main__":
    try:
        serve()
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # at once: the listening thread would be in the way of an orderly end
