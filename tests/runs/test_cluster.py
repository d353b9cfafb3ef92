"""Work in other processes: the same records, a dead process costs one retry, and none is left behind."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tiny import PLUGIN, command, environment, interruptible, tiny, write_config

from testbed.core import ConfigError
from testbed.runs import Record, Store, run
from testbed.runs.child import Child, ChildDied
from testbed.runs.cluster import ClusterExecutor
from testbed.runs.shared import Shared
from testbed.runs.work import Unit, all_failed, execute


@pytest.fixture(scope="module")
def cluster():
    with ClusterExecutor(workers=2, plugins=[str(PLUGIN)]) as executor:
        yield executor


def records_of(folder: Path, executor: object = None, **settings: object) -> dict[str, Record]:
    with Store(folder, writable=True) as store:
        run(tiny(**settings), store, executor=executor)  # type: ignore[arg-type]
        return store.records()


def contents(records: dict[str, Record]) -> dict[str, object]:
    return {key: record.content() for key, record in records.items()}


SPREAD = {"positions_per_ensemble": 1, "seeds": 3}
"""Every training an ensemble of its own: 6 units and one without training."""


# ---- the process of its own ----


def unit_of(study, n: int = 1) -> Unit:
    return Unit(tuple(cell for cell in study.cells({}) if cell.training is None)[:n])


def test_a_child_does_the_work_and_outlives_an_error() -> None:
    study, child = tiny(), Child([str(PLUGIN)])
    try:
        for _ in range(2):
            done = pickle.loads(child.call(pickle.dumps((study, unit_of(study), "cpu", None))))
            expected = execute(study, unit_of(study), "cpu")
            assert [r.content() for r in done.records] == [r.content() for r in expected.records]
    finally:
        child.close()


@pytest.mark.slow
def test_a_child_that_dies_says_how_and_a_new_one_starts() -> None:
    child = Child()
    try:
        with pytest.raises(ChildDied, match="left with code 1"):
            child.call(b"this is no pickle")
        with pytest.raises(ChildDied, match="left with code 1"):
            child.call(b"nor this")
    finally:
        child.close()


def test_a_child_leaves_with_its_parent() -> None:
    script = (
        "import os, pickle, signal\n"
        "from testbed.runs.child import Child\n"
        "child = Child(); print(child._started().pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    parent = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
    assert parent.returncode == -signal.SIGKILL
    assert gone([int(parent.stdout)], within=10)


def gone(pids: list[int], within: float) -> bool:
    """No such process is left, but for those that nobody has waited for."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# ---- the cluster ----


def test_the_records_are_those_of_one_process(tmp_path, cluster) -> None:
    here = records_of(tmp_path / "here", second_stage=True, **SPREAD)
    there = records_of(tmp_path / "there", cluster, second_stage=True, **SPREAD)
    assert contents(there) == contents(here)
    assert all({"seconds", "threads", "versions"} <= record.provenance.keys() for record in there.values())


def test_a_dead_process_costs_one_retry(tmp_path, cluster) -> None:
    mark = tmp_path / "killed"
    here = records_of(tmp_path / "here", **SPREAD)
    there = records_of(tmp_path / "there", cluster, kill_seed=1, kill_once=str(mark), **SPREAD)
    assert mark.exists()
    assert contents(there) == contents(here)


COUNT_AND_KILL = """
import os, signal
from pathlib import Path
from testbed.training import trainer
from testbed.training.ensemble import Ensemble
trainer.CHECKPOINT_SECONDS = 0.0
FOLDER, real = Path({folder!r}), Ensemble.train_step

def train_step(self, step):
    with (FOLDER / "steps").open("a") as file:
        print(step, file=file)
    if step == {kill_at} and not (FOLDER / "killed").exists():
        (FOLDER / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, step)

Ensemble.train_step = train_step
"""


@pytest.mark.slow
def test_a_long_training_goes_on_in_the_next_process(tmp_path) -> None:
    settings = {"steps": 12, "seeds": 1, "lengths": (1,)}
    here = records_of(tmp_path / "here", **settings)
    plugin = tmp_path / "count_and_kill.py"
    plugin.write_text(COUNT_AND_KILL.format(folder=str(tmp_path), kill_at=7))
    with ClusterExecutor(workers=1, plugins=[str(PLUGIN), str(plugin)]) as executor:
        there = records_of(tmp_path / "there", executor, **settings)
    assert contents(there) == contents(here)
    assert [int(line) for line in (tmp_path / "steps").read_text().split()] == [*range(8), *range(7, 12)]
    assert not list((tmp_path / "there").glob("checkpoints/*"))


@pytest.mark.slow
def test_what_always_kills_its_process_is_recorded_and_the_others_finish(tmp_path, cluster) -> None:
    settings = {**SPREAD, "lengths": (0,)}
    records = records_of(tmp_path, cluster, kill_seed=1, **settings)
    (failed,) = [record for record in records.values() if record.status == "failed"]
    assert len(records) == 4
    assert failed.metrics["error"] == "the worker process was killed by signal 9, 2 times"
    assert failed.cell["training"]["initial_seed"] == 1
    again = records_of(tmp_path, cluster, **settings)
    assert {record.status for record in again.values()} == {"done"}


@pytest.mark.slow
def test_an_error_is_no_death(tmp_path, cluster) -> None:
    records = records_of(tmp_path, cluster, fail_seed=0, **SPREAD)
    errors = [record.metrics["error"] for record in records.values() if record.status == "failed"]
    assert errors == ["RuntimeError: this seed fails"] * 2


def test_arguments_are_checked() -> None:
    for arguments in ({}, {"workers": 2, "address": "tcp://127.0.0.1:1"}):
        with pytest.raises(ConfigError, match="--workers and --dask: give one of them"):
            ClusterExecutor(**arguments)
    with pytest.raises(ConfigError, match="--workers: given 0"):
        ClusterExecutor(workers=0)
    with pytest.raises(ConfigError, match="nonsense is no address such as"):
        ClusterExecutor(address="nonsense")


def test_without_distributed_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'testbed\[cluster\]'"):
        ClusterExecutor(workers=1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_driver_without_a_gpu_records_what_failed_where_there_is_one() -> None:
    study = tiny()
    (record,) = all_failed(study, unit_of(study), "the worker process left with code 1", "cuda").records
    assert (record.status, record.provenance["device"]) == ("failed", "cuda")


# ---- who leaves checkpoints ----


def test_only_the_drivers_own_folder_is_a_shared_one(tmp_path) -> None:
    """A folder of the same name on another machine is none: nobody would look for a state there."""
    with Store(tmp_path / "results", writable=True) as store:
        shared = Shared.of(store.folder / "checkpoints")
        assert shared.is_seen()
        assert not Shared(tmp_path / "elsewhere" / "checkpoints", shared.holder).is_seen()
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "lock").write_text("process 1 on another")
        assert not Shared(tmp_path / "other" / "checkpoints", shared.holder).is_seen()
    assert not Shared.of(tmp_path / "nowhere" / "checkpoints").is_seen()


@pytest.mark.slow
def test_workers_that_do_not_see_the_folder_work_without_checkpoints_and_it_is_said(tmp_path, cluster) -> None:
    here = records_of(tmp_path / "here", **SPREAD)
    address = cluster.cluster.scheduler_address
    with ClusterExecutor(address=address, plugins=[str(PLUGIN)]) as executor:
        assert contents(records_of(tmp_path / "seen", executor, **SPREAD)) == contents(here)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Shared, "of", lambda checkpoints: Shared(checkpoints, "process 1 on another"))
            with pytest.warns(UserWarning, match="2 of 2 workers do not see .*results on a file system"):
                assert contents(records_of(tmp_path / "unseen", executor, **SPREAD)) == contents(here)


# ---- the command line ----

SLOW = ("run", "tiny.toml", "wait=1", "seeds=6", "positions_per_ensemble=1", "--workers", "2")


def descendants(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()  # a child belongs to the thread that started it
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return children + [one for child in children for one in descendants(child)]


@pytest.fixture
def driver(tmp_path):
    """A slow run on two workers, once something is stored."""
    write_config(tmp_path)
    process = subprocess.Popen(
        command(*SLOW),
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and n_records(tmp_path / "results") < 3:
        assert process.poll() is None
        time.sleep(0.1)
    yield process
    process.kill()
    process.communicate()


def n_records(folder: Path) -> int:
    try:
        with Store(folder) as store:
            return len(store.records())
    except Exception:  # the very first moments: no table yet
        return 0


@pytest.mark.slow
def test_a_killed_driver_leaves_no_process(tmp_path, driver) -> None:
    others = descendants(driver.pid)
    assert len(others) >= 4
    driver.kill()
    driver.wait()
    assert gone(others, within=10), [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in others if alive(pid)]
    before = n_records(tmp_path / "results")
    done = subprocess.run(command(*SLOW[:-2]), cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{14 - before} cells run, {before} done before" in done.stdout


@pytest.mark.slow
def test_ctrl_c_ends_all_of_it(tmp_path, driver) -> None:
    others = descendants(driver.pid)
    os.kill(driver.pid, signal.SIGINT)
    _, said = driver.communicate(timeout=20)
    assert driver.returncode == 130
    assert said.splitlines()[-1] == "testbed: interrupted; the same command goes on from here"
    assert "Traceback" not in said
    assert gone(others, within=10)
