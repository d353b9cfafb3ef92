"""Records as columns, arrays by name, data frames and data sets: what goes in comes out."""

import json
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import testbed
from testbed.core import ConfigError, StoreError
from testbed.runs import Record, Store
from testbed.runs.results import Results, flattened

RECORDS = (
    Record(
        "a" * 64,
        "one",
        {"probe": {"length": 1, "methods": ["rope"]}, "training": None},
        "done",
        {"excess": 0.5, "endless": math.inf, "seconds": 2},
        {"path": np.arange(3.0), "counts": np.array([1, 2])},
        {"seconds": 1.5, "device": "x", "versions": {"numpy": "2"}},
    ),
    Record("b" * 64, "one", {"probe": {"length": 2}}, "diverged", {"excess": None}, {"path": np.arange(2.0)}),
    Record("c" * 64, "two", {"probe": {"kind": "k"}}, "done", {"good": True}, {"path": np.zeros((2, 2))}),
)


@pytest.fixture
def folder(tmp_path):
    with Store(tmp_path / "results", writable=True) as store, store.transaction():
        store.save_records(RECORDS)
    return tmp_path / "results"


def test_load_gives_every_record_in_order(folder) -> None:
    found = testbed.load(folder)
    assert [record.key for record in found] == [record.key for record in RECORDS]
    assert [record.content() for record in found] == [record.content() for record in RECORDS]
    assert len(found.of(study="one")) == 2
    assert len(found.of(study="one", status="diverged")) == 1
    assert len(found.of(study="none")) == 0


def test_load_refuses_what_holds_nothing(tmp_path) -> None:
    with pytest.raises(StoreError, match="holds no results"):
        testbed.load(tmp_path)
    with pytest.raises(AttributeError, match="has no attribute 'loads'"):
        testbed.loads  # noqa: B018


def test_columns(folder) -> None:
    columns = testbed.load(str(folder)).columns()
    assert columns["key"] == [record.key for record in RECORDS]
    assert columns["probe.length"] == [1, 2, None]
    assert columns["probe.methods"] == ['["rope"]', None, None]
    assert columns["excess"] == [0.5, None, None]
    assert columns["endless"] == [math.inf, None, None]
    assert columns["metric.seconds"] == [2, None, None]
    assert columns["seconds"] == [1.5, None, None]
    assert columns["good"] == [None, None, True]
    assert {len(column) for column in columns.values()} == {3}
    assert testbed.load(folder).of(study="none").columns() == {}


def test_arrays_by_name(folder) -> None:
    found = testbed.load(folder)
    assert found.array_names == ("counts", "path")
    assert set(found.array("counts")) == {"a" * 64}
    np.testing.assert_array_equal(found.array("path")["b" * 64], [0.0, 1.0])
    with pytest.raises(ConfigError, match="no record holds 'paths'; there are: counts, path"):
        found.array("paths")


def test_to_pandas(folder) -> None:
    frame = testbed.load(folder).to_pandas()
    assert frame.index.tolist() == [record.key for record in RECORDS]
    assert frame.loc["a" * 64, "excess"] == 0.5
    assert frame.groupby("study").size().to_dict() == {"one": 2, "two": 1}


def test_to_xarray_fills_what_is_shorter(folder) -> None:
    found = testbed.load(folder)
    with pytest.raises(ConfigError, match="array path: its records differ in dimensions"):
        found.to_xarray()
    data = found.of(study="one").to_xarray()
    assert data["path"].dims == ("key", "path_0")
    np.testing.assert_array_equal(data["path"].sel(key="b" * 64), [0.0, 1.0, np.nan])
    assert data["counts"].shape == (2, 2)
    assert np.isnan(data["counts"].sel(key="b" * 64)).all()
    assert data["probe.length"].values.tolist() == [1, 2]
    assert data["endless"].values[0] == math.inf


@pytest.mark.parametrize("package, method", [("pandas", "to_pandas"), ("xarray", "to_xarray")])
def test_what_is_not_installed_is_named(folder, monkeypatch, package, method) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(StoreError, match=f"{package} is not installed"):
        getattr(testbed.load(folder), method)()


LEAVES = st.none() | st.booleans() | st.integers() | st.text("xyz") | st.lists(st.integers(), max_size=3)
NAMES = st.text("abc", min_size=1, max_size=3)


TREES = st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=4), max_leaves=12)


@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_flattening_keeps_every_leaf(settings) -> None:
    rebuilt: dict = {}
    for name, value in flattened(settings):
        *path, last = name.split(".")
        place = rebuilt
        for part in path:
            place = place.setdefault(part, {})
        place[last] = json.loads(value) if isinstance(value, str) and value.startswith("[") else value
    assert rebuilt == settings


def test_no_records_at_all() -> None:
    assert Results(()).columns() == {}
    assert Results(()).array_names == ()
