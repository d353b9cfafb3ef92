"""Damage is found and named, and what can be read is saved: any byte of any file, rows, files that are gone."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from tiny import write_config

from testbed.cli import call
from testbed.core import StoreError, array_sha256
from testbed.runs import Record, Store
from testbed.runs.database import SCHEMA_VERSION, WITHOUT_ROW_CHECKSUMS
from testbed.runs.verify import repair, verify

LARGE = np.random.default_rng(0).normal(size=(400, 400))


def fill(folder: Path, n: int = 30) -> None:
    """Records on several pages, one with an array in a file of its own, and a run whose config names an array."""
    with Store(folder, writable=True) as store:
        with store.transaction():
            for i in range(n):
                arrays = {"a": LARGE} if i == 3 else {"a": np.arange(100.0) + i}
                store.save_records([Record(f"key-{i}", "tiny", {"probe": {"l": i}}, "done", {"x": i}, arrays)])
        digest = {"sha256": array_sha256(LARGE[:2])}
        store.save_run("config", "tiny", "smoke", {"kernel": digest}, [LARGE[:2]])


def everything(folder: Path) -> dict[str, object]:
    """All that a reader can get out of a folder."""
    with Store(folder) as store:
        found: dict[str, object] = {key: record.checksum() for key, record in store.records().items()}
        found["runs"] = [(run, str(store.with_arrays(run["config"]))) for run in store.runs()]
        found["counts"] = store.status_counts()
        found["finished"] = store.finished_keys()
    return found


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "results"
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with trained members."""
    folder = tmp_path_factory.mktemp("trained")
    write_config(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert call(["run", "tiny.toml", "--scale", "smoke"]) == 0
    return folder / "results"


def copy_of(folder: Path, where: Path) -> Path:
    return Path(shutil.copytree(folder, where / "copy"))


def flip(path: Path, position: int, bits: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ bits]))


# ---- finding ----


def test_sound_folders_have_no_problem(sound, trained) -> None:
    assert verify(sound) == []
    assert verify(trained) == []


def test_any_flipped_byte_is_harmless_or_found(sound, tmp_path) -> None:
    """160 bytes of the database, the first 100 among them, and 10 of each file beside it."""
    folder, whole = copy_of(sound, tmp_path), everything(sound)
    database = folder / "records.sqlite"
    generator = np.random.default_rng(1)
    places = [(database, p) for p in range(100)]
    places += [(database, int(p)) for p in generator.integers(100, database.stat().st_size, 60)]
    for file in sorted((folder / "arrays").iterdir()):
        places += [(file, int(p)) for p in generator.integers(0, file.stat().st_size, 10)]
    found = 0
    for path, position in places:
        before = path.read_bytes()
        flip(path, position, int(generator.integers(1, 256)))
        problems = verify(folder)
        if problems:
            found += 1
            assert all(str(folder) in str(problem) for problem in problems)
        else:
            assert everything(folder) == whole, f"byte {position} of {path.name}, unnoticed"
        path.write_bytes(before)
        for left in folder.glob("records.sqlite-*"):  # a flip can make a database claim another kind of journal
            left.unlink()
    assert verify(folder) == []
    assert found > 60  # most bytes mean something


def test_every_byte_of_a_member_row_is_covered(trained, tmp_path) -> None:
    folder = copy_of(trained, tmp_path)
    for column, value in (("summary", "replace(summary, 'done', 'gone')"), ("row", "row + 1"), ("file", "'x.npz'")):
        db = sqlite3.connect(folder / "records.sqlite")
        db.execute(f"UPDATE members SET {column} = {value} WHERE rowid = 2")
        db.commit()
        db.close()
        (problem,) = verify(folder)
        assert (problem.table, problem.rowid) == ("members", 2)
        assert "x.npz, which is gone" in str(problem) if column == "file" else "checksum" in str(problem)
        shutil.copy(trained / "records.sqlite", folder / "records.sqlite")


def test_files_that_are_gone_are_named(sound, tmp_path) -> None:
    folder = copy_of(sound, tmp_path)
    shutil.rmtree(folder / "arrays")
    problems = sorted(verify(folder), key=str)
    assert [problem.table for problem in problems] == ["records", "runs"]
    assert all("which is gone" in problem.what for problem in problems)


def test_no_database_is_refused(tmp_path) -> None:
    for act in (verify, repair):
        with pytest.raises(StoreError, match=r"holds no results: there is no records.sqlite"):
            act(tmp_path)


# ---- saving ----


def test_repair_keeps_what_is_intact(sound, tmp_path) -> None:
    folder, whole = copy_of(sound, tmp_path), everything(sound)
    db = sqlite3.connect(folder / "records.sqlite")
    db.execute("UPDATE records SET content = replace(content, '\"x\":7', '\"x\":8') WHERE key = 'key-7'")
    db.commit()
    db.close()
    (file,) = [p for p in (folder / "arrays").iterdir() if p.stat().st_size > 10**6]
    flip(file, file.stat().st_size // 2, 1)
    aside, kept, lost = repair(folder)
    assert (kept, lost) == (29, 2)
    assert {path.name for path in aside.iterdir()} == {"records.sqlite", file.name}
    assert verify(folder) == []
    again = everything(folder)
    missing = {"key-7", "key-3"}
    assert {k: v for k, v in again.items() if k.startswith("key")} == {
        k: v for k, v in whole.items() if k.startswith("key") and k not in missing
    }
    assert again["runs"] == whole["runs"]


def test_repair_reads_past_a_broken_page_and_a_broken_head(sound, tmp_path) -> None:
    folder = copy_of(sound, tmp_path)
    database = folder / "records.sqlite"
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(bytes(4096))
    assert verify(folder)
    _, kept, _ = repair(folder)
    assert 0 < kept < 31
    assert verify(folder) == []
    database.write_bytes(b"\0" * 20 + database.read_bytes()[20:])
    assert "file is not a database" in str(verify(folder)[0])
    _, again, lost = repair(folder)
    assert (again, lost) == (kept, 0)
    assert verify(folder) == []


def test_what_was_lost_runs_again(trained, tmp_path, monkeypatch, capsys) -> None:
    folder = copy_of(trained, tmp_path)
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    with Store(folder) as store:
        keys = sorted(store.records())
    db = sqlite3.connect(folder / "records.sqlite")
    db.execute("UPDATE records SET provenance = '{}' WHERE key = ?", [keys[0]])
    db.execute("UPDATE members SET summary = '{}' WHERE rowid = 1")
    db.commit()
    db.close()
    assert call(["verify", "--results", str(folder)]) == 1
    assert call(["verify", "--repair", "--results", str(folder)]) == 0
    capsys.readouterr()
    assert call(["run", "tiny.toml", "--scale", "smoke", "--results", str(folder)]) == 0
    assert "1 cells run, 5 done before" in capsys.readouterr().out
    assert verify(folder) == []


def test_repair_waits_for_no_one(sound, tmp_path) -> None:
    folder = copy_of(sound, tmp_path)
    with Store(folder, writable=True), pytest.raises(StoreError, match="is in use by process"):
        repair(folder)


# ---- the layout before ----


def test_the_layout_without_checksums_is_read_and_brought_up_to_date(trained, tmp_path) -> None:
    folder, whole = copy_of(trained, tmp_path), everything(trained)
    db = sqlite3.connect(folder / "records.sqlite")
    for table in ("members", "runs"):
        db.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
    db.execute(f"PRAGMA user_version = {WITHOUT_ROW_CHECKSUMS}")
    db.commit()
    db.close()
    assert everything(folder) == whole
    assert verify(folder) == []
    Store(folder, writable=True).close()
    assert everything(folder) == whole
    assert verify(folder) == []
    db = sqlite3.connect(folder / "records.sqlite")
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    db.close()
