"""`testbed export`: the records of a folder as files that other programs read."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from testbed.core import ConfigError, StoreError
from testbed.runs.results import Results, load

FORMATS = ("csv", "parquet")


def export_results(results: Path, to: str, out: Path, study: str | None) -> int:
    """Write `records` and, for every array, `array_NAME`, in long form: key, a column for each index, value."""
    if to not in FORMATS:
        raise ConfigError(f"--to: given {to!r}; there are {' and '.join(FORMATS)}")
    found = load(results)
    if study is not None:
        found = _of_study(found, study)
    try:
        out.mkdir(parents=True, exist_ok=True)
        columns = found.columns()
        _write(out / f"records.{to}", columns)
        for name in found.array_names:
            _write(out / f"array_{name.replace('/', '_')}.{to}", _long(found, name))
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror or error}") from None
    print(f"{len(found)} records and {len(found.array_names)} arrays are in {out}")
    return 0


def _of_study(results: Results, study: str) -> Results:
    kept = results.of(study=study)
    if not kept:
        known = ", ".join(sorted({record.study for record in results})) or "none"
        raise ConfigError(f"--study: there is no record of {study!r}; of these there are: {known}")
    return kept


def _long(results: Results, name: str) -> dict[str, Sequence[Any]]:
    """One row an element. Records whose arrays have fewer dimensions leave the last index columns empty."""
    arrays = results.array(name)
    axes = max(array.ndim for array in arrays.values())
    keys: list[str] = []
    values: list[Any] = []
    indices: list[list[int | None]] = [[] for _ in range(axes)]
    for key, array in arrays.items():
        keys += [key] * array.size
        values += array.ravel().tolist()
        for axis, column in enumerate(indices):
            there = axis < array.ndim
            column += np.indices(array.shape)[axis].ravel().tolist() if there else [None] * array.size
    return {"key": keys, **{f"index_{axis}": column for axis, column in enumerate(indices)}, "value": values}


def _write(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(_rows(columns.values()))
        return
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise StoreError("--to parquet needs pyarrow: pip install 'testbed[analysis]'; --to csv does not") from None
    table = {name: _uniform(values) for name, values in columns.items()}
    pyarrow.parquet.write_table(pyarrow.table(table), path)


def _rows(columns: Iterable[Sequence[Any]]) -> Iterable[tuple[Any, ...]]:
    return zip(*columns, strict=True)


def _uniform(values: Sequence[Any]) -> Sequence[Any]:
    """A parquet column has one type: where numbers and words are mixed, all are words."""
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) <= 1:
        return values
    if kinds <= {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value) for value in values]
