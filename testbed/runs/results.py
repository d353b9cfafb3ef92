"""Results for a notebook: the records of a folder as tidy columns, their arrays by name.

results = testbed.load("results").of(study="optimal_context")
frame = results.to_pandas()                       # a row a record
paths = results.array("path_excess")              # record key -> array
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, StoreError
from testbed.runs.record import Record
from testbed.runs.store import Store

if TYPE_CHECKING:
    import pandas
    import xarray

Value = float | int | bool | str | None

PROVENANCE = ("seconds", "device", "date", "commit")
"""What of the provenance becomes columns."""


@dataclass(frozen=True)
class Results:
    """Records of one folder, in the order they were written."""

    records: tuple[Record, ...]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def of(self, study: str | None = None, status: str | None = None) -> "Results":
        """Those of one study, of one status (done, diverged, failed), or both."""
        kept = [r for r in self.records if study in (None, r.study) and status in (None, r.status)]
        return Results(tuple(kept))

    def columns(self) -> dict[str, list[Value]]:
        """Tidy columns, a row a record: key, study, status; settings by dotted name (`probe.length`,
        `training.model.width`); metrics by name, entropies and losses in nats; seconds, device, date and commit.

        None where a record lacks the value. A setting that is a list is its JSON text. A metric named like another
        column is `metric.NAME`.
        """
        rows = [_row(record) for record in self.records]
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: [row.get(name) for row in rows] for name in names}

    @property
    def array_names(self) -> tuple[str, ...]:
        """Names of the arrays that any record holds, sorted."""
        return tuple(sorted({name for record in self.records for name in record.arrays}))

    def array(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of this name by record key. ConfigError names those there are."""
        if name not in self.array_names:
            known = ", ".join(self.array_names) or "none"
            raise ConfigError(f"array: no record holds {name!r}; there are: {known}")
        return {record.key: record.arrays[name] for record in self.records if name in record.arrays}

    def to_pandas(self) -> "pandas.DataFrame":
        """`columns` as a data frame, indexed by key. Needs the extra `analysis`."""
        return _needed("pandas").DataFrame(self.columns()).set_index("key")

    def to_xarray(self) -> "xarray.Dataset":
        """`columns` and the arrays over the dimension `key`. Needs the extra `analysis`.

        An array `path` of shape (n, m) lies over (key, path_0, path_1). Shapes that differ between records are filled
        with NaN up to the largest; a name whose arrays differ in their number of dimensions is a ConfigError.
        """
        xarray = _needed("xarray")
        columns = self.columns()
        variables: dict[str, Any] = {name: ("key", _typed(values)) for name, values in columns.items() if name != "key"}
        for name in self.array_names:
            label = name if name not in variables else f"array.{name}"
            stacked = _stacked(name, [record.arrays.get(name) for record in self.records])
            variables[label] = (("key", *(f"{label}_{axis}" for axis in range(stacked.ndim - 1))), stacked)
        return xarray.Dataset(variables, coords={"key": columns.get("key", [])})


def load(folder: str | Path) -> Results:
    """Every record of a results folder, each checked against its checksum. StoreError where there is none."""
    with Store(Path(folder)) as store:
        return Results(tuple(store.records().values()))


def flattened(settings: Any, name: str = "") -> Iterator[tuple[str, Value]]:
    """Nested tables as (dotted name, value); lists as JSON text.

    >>> dict(flattened({"model": {"width": 8, "methods": ["rope"]}}))
    {'model.width': 8, 'model.methods': '["rope"]'}
    """
    if isinstance(settings, dict) and settings.keys() == {"float"}:  # an infinity, as records write it
        yield name, float(settings["float"])
    elif isinstance(settings, dict):
        for key, value in settings.items():
            yield from flattened(value, f"{name}.{key}" if name else key)
    else:
        yield name, json.dumps(settings) if isinstance(settings, list) else settings


def _row(record: Record) -> dict[str, Value]:
    row: dict[str, Value] = {"key": record.key, "study": record.study, "status": record.status}
    row |= dict(flattened(record.cell))
    for name, value in record.metrics.items():
        row[f"metric.{name}" if name in row or name in PROVENANCE else name] = value
    return row | {name: record.provenance.get(name) for name in PROVENANCE}


def _typed(values: Sequence[Value]) -> NDArray[Any]:
    """Numbers as floats with NaN where there is none; whole numbers and truths as such; anything else as objects."""
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and kinds <= {bool, int}:
        return np.array(values)
    if kinds <= {float, int, type(None)}:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array(values, dtype=object)


def _stacked(name: str, arrays: Sequence[NDArray[Any] | None]) -> NDArray[Any]:
    """Arrays along a new first axis, filled with NaN up to the largest shape."""
    there = [array for array in arrays if array is not None]
    if len({array.ndim for array in there}) > 1:
        raise ConfigError(f"array {name}: its records differ in dimensions; choose one study's with of(study=...)")
    shape = tuple(int(max(sizes)) for sizes in zip(*(array.shape for array in there), strict=True))
    if len(there) == len(arrays) and all(array.shape == shape for array in there):
        return np.stack(there)
    stacked = np.full((len(arrays), *shape), np.nan)
    for row, array in zip(stacked, arrays, strict=True):
        if array is not None:
            row[tuple(slice(size) for size in array.shape)] = array
    return stacked


def _needed(package: str) -> Any:
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError:
        raise StoreError(
            f"{package} is not installed; pip install 'testbed[analysis]' has it, columns() does without"
        ) from None
