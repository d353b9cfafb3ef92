"""A folder as one file and back: the same records, and nothing that was not the store's own."""

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tiny import PLUGIN, tiny

from testbed.commands.results import rebuild
from testbed.core import ConfigError, StoreError
from testbed.runs import Record, Store
from testbed.runs.bundle import read_bundle, write_bundle
from testbed.runs.verify import verify

LARGE = np.random.default_rng(0).normal(size=(400, 400))


@pytest.fixture
def folder(tmp_path) -> Path:
    with Store(tmp_path / "results", writable=True) as store, store.transaction():
        store.save_records([Record(f"k{i}", "tiny", {}, "done", {"x": i}, {"a": LARGE * i}) for i in range(3)])
    (tmp_path / "results" / "report.html").write_text("made again from the records")
    return tmp_path / "results"


def contents(folder: Path) -> dict[str, str]:
    with Store(folder) as store:
        return {key: record.checksum() for key, record in store.records().items()}


def test_there_and_back(folder, tmp_path) -> None:
    assert write_bundle(folder, tmp_path / "one.tar.gz") == 4
    assert read_bundle(tmp_path / "one.tar.gz", tmp_path / "deep" / "again") == 4
    assert contents(tmp_path / "deep" / "again") == contents(folder)
    assert verify(tmp_path / "deep" / "again") == []
    assert not (tmp_path / "deep" / "again" / "report.html").exists()
    Store(tmp_path / "deep" / "again", writable=True).close()
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


def test_what_is_there_is_kept(folder, tmp_path) -> None:
    write_bundle(folder, tmp_path / "one.tar.gz")
    with pytest.raises(StoreError, match=r"one.tar.gz is there already"):
        write_bundle(folder, tmp_path / "one.tar.gz")
    with pytest.raises(StoreError, match="is there and not empty"):
        read_bundle(tmp_path / "one.tar.gz", folder)
    with pytest.raises(StoreError, match="holds no results"):
        write_bundle(tmp_path, tmp_path / "two.tar.gz")
    with Store(folder, writable=True), pytest.raises(StoreError, match="in use by"):
        write_bundle(folder, tmp_path / "two.tar.gz")


def test_damage_is_not_sent(folder, tmp_path) -> None:
    file = next((folder / "arrays").iterdir())
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(StoreError, match=f"{file.name}.*testbed verify"):
        write_bundle(folder, tmp_path / "one.tar.gz")
    assert not (tmp_path / "one.tar.gz").exists()


def forged(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as bundle:
        for member, content in members:
            member.size = len(content)
            bundle.addfile(member, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "info",
    [
        member("../outside.npz"),
        member("/etc/outside"),
        member("arrays/../../outside.npz"),
        member("plugin.py"),
        member("records.sqlite", tarfile.SYMTYPE, "/etc/passwd"),
        member("arrays", tarfile.DIRTYPE),
        member("arrays/" + "0" * 64 + ".npz", tarfile.LNKTYPE, "records.sqlite"),
    ],
    ids=lambda info: info.name,
)
def test_foreign_files_are_refused(tmp_path, info) -> None:
    before = sorted(tmp_path.parent.iterdir())
    with pytest.raises(StoreError, match="which no results folder has; nothing was unpacked"):
        read_bundle(forged(tmp_path / "bad.tar.gz", [(info, b"x")]), tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.tar.gz"]
    assert sorted(tmp_path.parent.iterdir()) == before


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


def test_a_pickle_in_an_array_file_is_not_run(folder, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    bomb = io.BytesIO()
    np.savez(bomb, array=np.array([Bomb()], dtype=object))
    name = next((folder / "arrays").iterdir()).name
    members = [(member(f"arrays/{name}"), bomb.getvalue())]
    members.append((member("records.sqlite"), (folder / "records.sqlite").read_bytes()))
    with pytest.raises(StoreError, match="cannot be read: Object arrays cannot be loaded"):
        read_bundle(forged(tmp_path / "bomb.tar.gz", members), tmp_path / "new")
    members[0] = (member(f"arrays/{name}"), pickle.dumps(Bomb()))
    with pytest.raises(StoreError, match="cannot be read"):
        read_bundle(forged(tmp_path / "plain.tar.gz", members), tmp_path / "new")
    assert not (tmp_path / "exploded").exists()
    assert not (tmp_path / "new").exists()


def test_a_bundle_names_no_file_that_is_run(folder, tmp_path) -> None:
    """Of a plugin the name is left; whoever has the file, and trusts it, says where it is."""
    study, details = tiny(), {"label": "", "command": "", "plugins": [str(PLUGIN)]}
    with Store(folder, writable=True) as store:
        store.save_run(study.content_key, "tiny", "laptop", study.resolved(), details=details)
    write_bundle(folder, tmp_path / "one.tar.gz")
    read_bundle(tmp_path / "one.tar.gz", tmp_path / "new")
    assert verify(tmp_path / "new") == []
    with Store(tmp_path / "new") as store:
        assert {tuple(run["details"]["plugins"]) for run in store.runs()} == {(PLUGIN.name,)}
        (run,) = store.runs()
        with pytest.raises(ConfigError, match="was on another machine; give the file that you trust by --plugin FILE"):
            rebuild(store, run)
        assert rebuild(store, run, [PLUGIN]).study.type_name == "tiny"


def test_broken_files_are_named(folder, tmp_path) -> None:
    write_bundle(folder, tmp_path / "one.tar.gz")
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "one.tar.gz").read_bytes()[:2000])
    (tmp_path / "text.tar.gz").write_text("no tar at all")
    for name in ("cut.tar.gz", "text.tar.gz", "none.tar.gz"):
        with pytest.raises(StoreError, match=f"{name} cannot be unpacked"):
            read_bundle(tmp_path / name, tmp_path / "new")
    with pytest.raises(StoreError, match="holds no records.sqlite"):
        read_bundle(forged(tmp_path / "empty.tar.gz", []), tmp_path / "new")
