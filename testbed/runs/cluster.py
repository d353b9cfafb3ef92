"""Units of work on a Dask cluster: local processes, or whatever cluster an address leads to.

Each Dask worker hands its work to a process of its own (`child`), so that an ensemble that kills its process, by memory
or a fault in a library, costs one retry and is then recorded with the exit code. Dask moves the messages and replaces
machines that are lost; the driver alone writes the store.
"""

import os
import pickle
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from testbed.core import ConfigError, TestbedError
from testbed.runs.child import ChildDied, run_here
from testbed.runs.runner import RunnableStudy
from testbed.runs.shared import Shared
from testbed.runs.work import Done, Observer, Unit, all_failed

ATTEMPTS = 2
"""A unit whose process died is tried this many times in all."""


class ClusterExecutor:
    """Units on the workers of a Dask cluster, as many in flight as there are threads in it.

    workers   so many single-threaded processes on this machine; on a GPU one a GPU
    address   an existing scheduler's, such as tcp://host:8786, instead; its workers need this package
    plugins   files of the config's plugins, which every worker must find under the same path
    """

    def __init__(
        self, workers: int | None = None, address: str | None = None, plugins: Sequence[str] = (), device: str = "cpu"
    ) -> None:
        if (workers is None) == (address is None):
            raise ConfigError("--workers and --dask: give one of them")
        if workers is not None and workers < 1:
            raise ConfigError(f"--workers: given {workers}, must be at least 1")
        distributed = _distributed()
        self.plugins = tuple(plugins)
        self.cluster = None if workers is None else _local_cluster(distributed, workers)
        self.gpus = _visible_gpus(workers) if workers is not None and device == "cuda" else ()
        try:
            self.client = distributed.Client(self.cluster or address, timeout="20s", set_as_default=False)
        except OSError as error:
            raise ConfigError(f"--dask: no scheduler answers at {address}: {error}") from None
        except ValueError as error:
            raise ConfigError(f"--dask: {address} is no address such as tcp://host:8786: {error}") from None

    @property
    def capacity(self) -> int:
        """Units in flight: the threads of the workers that are there now, at least one."""
        return max(1, sum(self.client.nthreads().values()))

    def run(
        self, study: RunnableStudy, units: Iterator[Unit], device: str, observe: Observer, checkpoints: Path
    ) -> Iterator[tuple[Unit, Done]]:
        """What each unit gave, as it comes in. Workers that see the driver's results folder leave checkpoints there."""
        distributed = _distributed()
        shared = Shared.of(checkpoints)
        self._say_who_leaves_no_checkpoints(shared)
        flying: dict[Any, tuple[Unit, int]] = {}
        landed = distributed.as_completed([], loop=self.client.loop)
        waiting = iter(units)

        def launch(unit: Unit, attempt: int) -> None:
            task = pickle.dumps((study, unit, device, shared))
            environment = {"CUDA_VISIBLE_DEVICES": ",".join(self.gpus)} if self.gpus else {}
            future = self.client.submit(_work, task, self.plugins, environment, pure=False)
            flying[future] = unit, attempt
            landed.add(future)

        def fill() -> None:
            while len(flying) < self.capacity and (unit := next(waiting, None)) is not None:
                launch(unit, 1)

        try:
            fill()
            while flying:
                future = next(landed)
                unit, attempt = flying.pop(future)
                error = future.exception()
                if error is None:
                    done: Done = pickle.loads(future.result())
                elif not _died(error):
                    raise TestbedError(f"the cluster could not run an ensemble: {type(error).__name__}: {error}")
                elif attempt < ATTEMPTS:
                    launch(unit, attempt + 1)
                    continue
                else:
                    done = all_failed(study, unit, f"{error}, {ATTEMPTS} times", device)
                future.release()
                fill()
                observe(unit.positions)
                yield unit, done
        finally:
            for future in flying:
                future.cancel()

    def _say_who_leaves_no_checkpoints(self, shared: Shared) -> None:
        if self.cluster is not None:
            return  # this machine's own processes
        seen = self.client.run(shared.is_seen, on_error="return")
        if blind := sum(answer is not True for answer in seen.values()):
            warnings.warn(
                f"{blind} of {len(seen)} workers do not see {shared.checkpoints.parent} and leave no checkpoints there:"
                " what is stopped on them begins anew; --results on a file system that all share mends it",
                stacklevel=2,
            )

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        self.client.close()
        if self.cluster is not None:
            self.cluster.close()

    def __enter__(self) -> "ClusterExecutor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _work(task: bytes, plugins: Sequence[str], environment: dict[str, str]) -> bytes:
    """On a worker. A local worker on a GPU takes the one of its number."""
    gpus = environment.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if gpus != [""]:
        from distributed import get_worker

        name = get_worker().name
        environment = {**environment, "CUDA_VISIBLE_DEVICES": gpus[int(name) % len(gpus)]}
    return run_here(task, plugins, environment)


def _died(error: BaseException) -> bool:
    """The work's process, or the worker itself, is gone: the work may not be at fault."""
    return isinstance(error, ChildDied) or type(error).__name__ == "KilledWorker"


def _local_cluster(distributed: Any, workers: int) -> Any:
    import dask

    quiet = {
        "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
        "distributed.worker.memory.target": False,  # ensembles are as large as they are: no spilling, no pausing
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": False,
    }
    with dask.config.set(quiet):
        return distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            silence_logs="CRITICAL",
        )


def _visible_gpus(workers: int) -> tuple[str, ...]:
    """Names of the GPUs for these workers, one each. ConfigError where there are fewer."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    there = named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]
    if workers > len(there):
        raise ConfigError(f"--workers: given {workers}; with --device cuda at most one a GPU, here {len(there)}")
    return tuple(there[:workers])


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise ConfigError("--workers and --dask need the package distributed: pip install 'testbed[cluster]'") from None
    return distributed
