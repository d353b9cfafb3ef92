"""Nothing that was finished is lost or done twice: kills at any moment, full disks, two drivers at once."""

import json
import random
import resource
import subprocess
import time
from pathlib import Path

import pytest
from tiny import command, environment, tiny, write_config

from testbed.core import StoreError
from testbed.runs import Store, run
from testbed.runs.verify import verify

SLOW = ("run", "tiny.toml", "wait=0.05", "seeds=6", "positions_per_ensemble=1")
N_CELLS = 14


def contents(folder: Path) -> dict[str, str]:
    with Store(folder) as store:
        return {key: json.dumps(one.content(), sort_keys=True) for key, one in store.records().items()}


def driver(folder: Path, **options: object) -> subprocess.Popen:
    return subprocess.Popen(
        command(*SLOW),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path) -> None:
    write_config(tmp_path)
    (tmp_path / "whole").mkdir()
    write_config(tmp_path / "whole")
    whole = driver(tmp_path / "whole")
    began = time.monotonic()
    assert whole.communicate(timeout=300) is not None
    duration = time.monotonic() - began
    expected = contents(tmp_path / "whole" / "results")
    assert len(expected) == N_CELLS
    rng, before = random.Random(0), dict[str, str]()
    for _ in range(20):
        process = driver(tmp_path)
        time.sleep(rng.uniform(0.2, 1.1) * duration)
        process.kill()
        process.communicate()
        if not (tmp_path / "results" / "records.sqlite").is_file() or not n_bytes(tmp_path):
            continue
        assert verify(tmp_path / "results") == []
        now = contents(tmp_path / "results")
        assert now.items() >= before.items()  # what was finished stays as it was
        before = now
    done = driver(tmp_path)
    out, err = done.communicate(timeout=300)
    assert done.returncode == 0, err
    assert f"{N_CELLS - len(before)} cells run, {len(before)} done before" in out
    assert contents(tmp_path / "results") == expected


def n_bytes(folder: Path) -> int:
    return (folder / "results" / "records.sqlite").stat().st_size


@pytest.mark.slow
def test_two_drivers_at_once(tmp_path) -> None:
    """One of them leaves with the other's host and process id; nothing is doubled."""
    write_config(tmp_path)
    drivers = [driver(tmp_path), driver(tmp_path)]
    said = [process.communicate(timeout=300) for process in drivers]
    statuses = sorted(process.returncode for process in drivers)
    assert statuses == [0, 2]
    ((_, complaint),) = [one for one, process in zip(said, drivers, strict=True) if process.returncode == 2]
    (winner,) = [process for process in drivers if process.returncode == 0]
    assert f"is in use by process {winner.pid} on " in complaint
    assert len(contents(tmp_path / "results")) == N_CELLS
    assert verify(tmp_path / "results") == []


@pytest.mark.slow
def test_a_limit_on_the_size_of_files(tmp_path) -> None:
    """The run says so and stops; what is stored is whole, and without the limit the rest is done."""
    write_config(tmp_path)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (48 * 1024, 48 * 1024))

    process = driver(tmp_path, preexec_fn=limited)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2, err
    assert "Traceback" not in err
    assert str(tmp_path / "results").rsplit("/", 1)[1] in err
    problems = verify(tmp_path / "results")
    assert problems == []
    before = contents(tmp_path / "results")
    assert 0 < len(before) < N_CELLS
    done = driver(tmp_path)
    out, err = done.communicate(timeout=300)
    assert done.returncode == 0, err
    assert f"{N_CELLS - len(before)} cells run, {len(before)} done before" in out


def test_a_full_disk(tmp_path) -> None:
    """SQLite's own answer to it, provoked by a limit on its pages."""
    with Store(tmp_path, writable=True) as store:
        store._db.execute("PRAGMA max_page_count = 12")
        with pytest.raises(StoreError, match="records.sqlite cannot be used: database or disk is full"):
            run(tiny(seeds=6, positions_per_ensemble=1), store)
    assert verify(tmp_path) == []
    before = contents(tmp_path)
    assert 0 < len(before) < N_CELLS
    with Store(tmp_path, writable=True) as store:
        outcome = run(tiny(seeds=6, positions_per_ensemble=1), store)
    assert (outcome.ran, outcome.skipped) == (N_CELLS - len(before), len(before))
    assert contents(tmp_path).items() >= before.items()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_too_full_for_the_lock(tmp_path) -> None:
    (tmp_path / "lock").symlink_to("/dev/full")
    with pytest.raises(StoreError, match=f"{tmp_path} cannot be written to: "):
        Store(tmp_path, writable=True)


def test_a_full_disk_while_a_file_is_written(tmp_path, monkeypatch) -> None:
    """Files of arrays and members come first: no record without its file, no half file."""
    import numpy as np

    from testbed.runs import files

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with Store(tmp_path, writable=True) as store:
        monkeypatch.setattr(files.np, "savez", full)
        with pytest.raises(StoreError, match="members.*No space left on device"):
            run(tiny(), store)
        monkeypatch.undo()
        assert list((tmp_path / "members").iterdir()) == []
        assert run(tiny(), store).failed == []
    assert verify(tmp_path) == []
    assert np.all([path.suffix == ".npz" for path in (tmp_path / "members").iterdir()])
