"""Long trainings in a results folder: killed and run again, their state removed once stored, and ignored elsewhere."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import command, environment, interruptible, tiny, write_config

from testbed.runs import Store, run
from testbed.runs.bundle import read_bundle, write_bundle
from testbed.runs.packing import pack
from testbed.runs.runner import CHECKPOINTS
from testbed.runs.verify import verify
from testbed.runs.work import Unit, execute
from testbed.training import trainer
from testbed.training.ensemble import Ensemble

STEPS = 12
HERE = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def every_step(monkeypatch):
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)


@pytest.fixture
def steps(monkeypatch):
    """The number of every step that is taken."""
    taken: list[int] = []
    real = Ensemble.train_step
    monkeypatch.setattr(Ensemble, "train_step", lambda self, step: taken.append(step) or real(self, step))
    return taken


def contents(folder: Path, **settings: object) -> dict[str, object]:
    with Store(folder, writable=True) as store:
        run(tiny(steps=STEPS, **settings), store)
        return {key: record.content() for key, record in store.records().items()}


def state_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{CHECKPOINTS}/*/*.npz"))


KILLED_AT = 7
KILL = f"""
import os, signal, sys
sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
import torch
torch.set_num_threads(1)
from tiny import tiny
from testbed.runs import Store, run
from testbed.training import trainer
from testbed.training.ensemble import Ensemble
trainer.CHECKPOINT_SECONDS = 0.0
real = Ensemble.train_step
def train_step(self, step):
    if step == {KILLED_AT}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, step)
Ensemble.train_step = train_step
with Store(Path(sys.argv[1]), writable=True) as store:
    run(tiny(steps={STEPS}), store)
"""


def test_killed_in_mid_training_and_run_again(tmp_path, steps):
    expected = contents(tmp_path / "whole")
    folder = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", KILL, folder], env=environment(), capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(state_files(folder)) == 1
    assert verify(folder) == []
    steps.clear()
    assert contents(folder) == expected
    assert steps == list(range(KILLED_AT, STEPS))
    assert not list(folder.glob(f"{CHECKPOINTS}/*"))


def test_the_state_is_gone_once_the_ensemble_is_stored(tmp_path):
    contents(tmp_path, positions_per_ensemble=1)
    assert not list(tmp_path.glob(f"{CHECKPOINTS}/*"))


def interrupted(folder: Path, monkeypatch) -> None:
    """A run that Ctrl-C stops in mid training."""
    real = Ensemble.train_step

    def train_step(self, step):
        if step == KILLED_AT:
            raise KeyboardInterrupt
        return real(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(Ensemble, "train_step", train_step)
        with pytest.raises(KeyboardInterrupt):
            contents(folder)
    assert state_files(folder)


def test_what_a_kill_after_the_transaction_left_is_removed_by_the_next_run(tmp_path, monkeypatch):
    interrupted(tmp_path, monkeypatch)
    (file,) = state_files(tmp_path)
    left = file.read_bytes()
    contents(tmp_path)
    file.parent.mkdir()
    file.write_bytes(left)
    contents(tmp_path)
    assert not file.exists()


def test_a_state_that_is_refused_fails_its_ensemble_alone_and_names_the_file(tmp_path, monkeypatch):
    interrupted(tmp_path, monkeypatch)
    (file,) = state_files(tmp_path)
    file.write_bytes(b"damaged")
    with Store(tmp_path, writable=True) as store:
        outcome = run(tiny(steps=STEPS), store)
        assert (outcome.ran, outcome.skipped, len(outcome.failed)) == (0, 2, 4)  # two cells need no training
        assert all(f"StoreError: {file} cannot be read" in one for one in outcome.failed)
    assert file.exists()
    file.unlink()
    with Store(tmp_path, writable=True) as store:
        assert run(tiny(steps=STEPS), store).ran == 4


def test_verifying_and_packing_pass_by_what_is_under_way(tmp_path, monkeypatch):
    folder = tmp_path / "results"
    interrupted(folder, monkeypatch)
    (file,) = state_files(folder)
    assert verify(folder) == []
    n_files = write_bundle(folder, tmp_path / "bundle.tar.gz")
    assert read_bundle(tmp_path / "bundle.tar.gz", tmp_path / "copy") == n_files
    assert not (tmp_path / "copy" / CHECKPOINTS).exists()
    file.write_bytes(b"damaged")
    assert verify(folder) == []


def test_work_without_a_folder_leaves_none(tmp_path, monkeypatch, steps):
    monkeypatch.chdir(tmp_path)
    study = tiny(steps=STEPS)
    cells = [cell for cell in study.cells({}) if cell.training is not None]
    (plan,) = pack(cells, study.positions_per_ensemble)
    assert execute(study, Unit(tuple(cells), plan), "cpu").failed == []
    assert steps == list(range(STEPS))
    assert not list(tmp_path.iterdir())


COMMAND = """
import sys
from testbed.training import trainer
from testbed.cli import main
trainer.CHECKPOINT_SECONDS = 0.0
main()
"""


@pytest.mark.slow
def test_the_command_leaves_a_state_too(tmp_path):
    """What `testbed run` starts goes on where it was: the folder reaches the training whatever executes it."""
    write_config(tmp_path)
    given = [sys.executable, "-c", COMMAND, "run", "tiny.toml", "steps=1000000", "--results", "r"]
    with subprocess.Popen(given, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not state_files(tmp_path / "r") and process.poll() is None:
            time.sleep(0.05)
        process.kill()
    assert state_files(tmp_path / "r"), process.stderr


@pytest.mark.slow
def test_ctrl_c_stops_a_training_at_once(tmp_path):
    write_config(tmp_path)
    process = subprocess.Popen(
        command("run", "tiny.toml", "steps=10000000"),
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (tmp_path / "results" / "records.sqlite").exists():
        time.sleep(0.1)
    time.sleep(5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == "testbed: interrupted; the same command goes on from here"
