"""`testbed show`, `compare`, `export`, `pack`, `unpack` and `verify` on a real results folder."""

import csv
import shutil

import numpy as np
import pytest
from tiny import Answer, write_config

import testbed
from testbed.cli import call


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the results of the tiny study."""
    folder = tmp_path_factory.mktemp("finished")
    write_config(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert call(["run", "tiny.toml", "--scale", "smoke"]) == 0
    return folder


@pytest.fixture
def answer(finished, tmp_path, monkeypatch, capsys):
    """Call the command line in a copy of that folder."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    def ask(*arguments: object) -> Answer:
        status = call([str(one) for one in arguments])
        captured = capsys.readouterr()
        return Answer(status, captured.out, captured.err)

    return ask


def test_show(answer) -> None:
    (trained, *_) = [record for record in testbed.load("results") if record.cell["training"]]
    done = answer("show", trained.key[:10])
    assert done.status == 0
    excess = repr(trained.metrics["excess"])
    for expected in (trained.key, "training.model.width", excess, "path", "source_fingerprint"):
        assert expected in done.out
    for key in ("zz", ""):
        refused = answer("show", key)
        assert refused.status == 2
        assert "no record of results has a key that begins with" in refused.err


def test_compare_records(answer) -> None:
    one, other, *_ = [record.key for record in testbed.load("results") if record.cell["training"]]
    same = answer("compare", one[:12], one)
    assert same.status == 0
    assert "equal but for their provenance" in same.out
    done = answer("compare", one, other)
    assert done.status == 1
    assert "training.initial_seed" in done.out
    assert "excess" in done.out
    assert "largest" in done.out


def test_compare_folders(answer) -> None:
    shutil.copytree("results", "second")
    assert answer("compare", "results", "second").status == 0
    answer("run", "tiny.toml", "--scale", "smoke", "seeds=3", "--results", "second")
    done = answer("compare", "results", "second")
    assert done.status == 1
    assert "6 records are equal, 0 differ" in done.out
    assert "2 are in second alone" in done.out


def test_export_csv(answer, tmp_path) -> None:
    done = answer("export", "--to", "csv", "--out", "out")
    assert done.status == 0
    with (tmp_path / "out" / "records.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    records = {record.key: record for record in testbed.load("results")}
    assert [row["key"] for row in rows] == list(records)
    for row in rows:
        if row["excess"]:
            assert float(row["excess"]) == records[row["key"]].metrics["excess"]
    with (tmp_path / "out" / "array_path.csv").open(newline="") as file:
        elements = list(csv.DictReader(file))
    for key, array in testbed.load("results").array("path").items():
        there = [float(row["value"]) for row in elements if row["key"] == key]
        np.testing.assert_array_equal(there, array)


def test_export_parquet(answer, tmp_path) -> None:
    import pandas

    assert answer("export", "--to", "parquet", "--out", "out", "--study", "tiny").status == 0
    frame = pandas.read_parquet(tmp_path / "out" / "records.parquet").set_index("key")
    expected = testbed.load("results").to_pandas()
    assert frame.index.equals(expected.index)
    np.testing.assert_array_equal(frame["excess"].to_numpy(float), expected["excess"].to_numpy(float))
    assert pandas.read_parquet(tmp_path / "out" / "array_path.parquet")["value"].notna().all()


def test_export_refuses_by_name(answer) -> None:
    assert "--to: given 'xls'; there are csv and parquet" in answer("export", "--to", "xls").err
    assert "no record of 'tyni'; of these there are: tiny" in answer("export", "--study", "tyni").err


def test_pack_and_unpack(answer) -> None:
    assert answer("pack", "moved.tar.gz").status == 0
    assert answer("unpack", "moved.tar.gz", "--results", "elsewhere").status == 0
    assert answer("compare", "results", "elsewhere").status == 0
    again = answer("run", "tiny.toml", "--scale", "smoke", "--results", "elsewhere")
    assert "0 cells run, 6 done before" in again.out
    assert answer("unpack", "moved.tar.gz").status == 2


def test_verify(answer) -> None:
    assert "is sound" in answer("verify").out
