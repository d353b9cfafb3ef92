"""`testbed show` and `testbed compare`: one record in full, two records or two folders side by side."""

from pathlib import Path
from typing import Any

import numpy as np

from testbed.commands.results import print_table
from testbed.core import ConfigError
from testbed.runs import Record
from testbed.runs.results import flattened, load

DIFFERENT = 1
"""Exit code of `compare` where something differs."""
MOST = 40


def show_record(results: Path, key: str) -> int:
    """Settings, metrics, arrays and provenance of the record whose key begins with `key`."""
    record = find(results, key)
    print(f"record      {record.key}")
    print(f"study       {record.study}")
    print(f"status      {record.status}")
    for title, rows in (
        ("settings", _texts(dict(flattened(record.cell)))),
        ("metrics, nats where they are entropies or losses", _texts(record.metrics)),
        ("arrays", {name: _summary(array) for name, array in record.arrays.items()}),
        ("provenance", _texts(dict(flattened(record.provenance)))),
    ):
        if rows:
            print(f"\n{title}")
            print_table([(f"  {name}", text) for name, text in rows.items()])
    return 0


def compare(results: Path, first: str, second: str) -> int:
    """Two results folders, or two records by the beginnings of their keys. 0 if nothing differs but provenance."""
    if Path(first).is_dir() and Path(second).is_dir():
        return _compare_folders(Path(first), Path(second))
    one, other = find(results, first), find(results, second)
    rows = [
        *_differences(dict(flattened(one.cell)), dict(flattened(other.cell))),
        *_differences(_outcome(one), _outcome(other)),
        *_array_differences(one, other),
    ]
    if not rows:
        print(f"records {one.key[:12]} and {other.key[:12]} are equal but for their provenance")
        return 0
    print_table([("", one.key[:12], other.key[:12], "difference"), *rows])
    return DIFFERENT


def find(results: Path, key: str) -> Record:
    """The record whose key begins so. ConfigError where there is none or more than one."""
    found = [record for record in load(results) if record.key.startswith(key)] if key else []
    if len(found) != 1:
        said = f"{len(found)} records" if found else "no record"
        some = "".join(f"\n  {record.key[:16]}  {record.study}" for record in found[:5])
        raise ConfigError(f"{said} of {results} has a key that begins with {key!r}{some}")
    return found[0]


def _compare_folders(first: Path, second: Path) -> int:
    """Records by key: those of one folder alone, and those of both whose content differs."""
    one, other = ({record.key: record for record in load(folder)} for folder in (first, second))
    common = [key for key in one if key in other]
    differ = [key for key in common if one[key].content() != other[key].content()]
    only = {first: [key for key in one if key not in other], second: [key for key in other if key not in one]}
    print(f"{len(common) - len(differ)} records are equal, {len(differ)} differ")
    for folder, keys in only.items():
        print(f"{len(keys)} are in {folder} alone")
    rows: list[tuple[str, ...]] = []
    for key in differ[:MOST]:
        changed = [
            *_differences(_outcome(one[key]), _outcome(other[key])),
            *_array_differences(one[key], other[key]),
        ]
        rows += [(key[:12], one[key].study, *row) for row in changed]
    if rows:
        print_table([("record", "study", "", str(first), str(second), "difference"), *rows])
    return DIFFERENT if differ or any(only.values()) else 0


def _outcome(record: Record) -> dict[str, Any]:
    return {"status": record.status, **record.metrics}


def _differences(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name in dict.fromkeys([*one, *other]):
        left, right = one.get(name), other.get(name)
        if name in one and name in other and _same(left, right):
            continue
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (left, right))
        change = f"{float(right) - float(left):+.6g}" if numbers else ""  # type: ignore[arg-type]
        rows.append((name, _text(left) if name in one else "", _text(right) if name in other else "", change))
    return rows


def _array_differences(one: Record, other: Record) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name in sorted({*one.arrays, *other.arrays}):
        left, right = one.arrays.get(name), other.arrays.get(name)
        if left is not None and right is not None and left.shape == right.shape:
            if np.array_equal(left, right, equal_nan=True):
                continue
            largest = np.nanmax(np.abs(left.astype(np.float64) - right.astype(np.float64)), initial=0.0)
            rows.append((name, _summary(left), _summary(right), f"largest {largest:.6g}"))
        else:
            texts = ("" if array is None else _summary(array) for array in (left, right))
            rows.append((name, *texts, ""))
    return rows


def _same(left: Any, right: Any) -> bool:
    return bool(left == right or (left != left and right != right))  # NaN is like NaN


def _texts(values: dict[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    return "none" if value is None else repr(value) if isinstance(value, float) else str(value)


def _summary(array: Any) -> str:
    """Shape, type, and range of what is finite."""
    text = f"{'x'.join(map(str, array.shape)) or 'scalar'} {array.dtype}"
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    return f"{text}, {finite.min():.6g} to {finite.max():.6g}" if finite.size else text
