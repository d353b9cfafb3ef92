"""The store: one SQLite file a results folder, written by the driving process alone.

Rollback journal, `synchronous=FULL`, one transaction per finished ensemble: a kill leaves whole ensembles. Arrays above
1 MiB and trained members lie beside it in files named by their content, written before what needs them.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from testbed.core import StoreError
from testbed.runs.database import ROW_COLUMNS, lock, named, open_database, row_checksum, transaction
from testbed.runs.files import array_file_name, read_arrays, write_arrays
from testbed.runs.record import FINISHED, Record, decode_array, decode_number, encode_array
from testbed.training import TrainingSpec
from testbed.training.member import TrainedMember

INLINE_BYTES = 2**20
WEIGHTS_ALONG = "weights_along_path"


class Store:
    """Records, trained members and the configs that asked for them, in one folder."""

    def __init__(self, folder: Path, *, writable: bool = False) -> None:
        self.folder = folder
        self.writable = writable
        self.path = path = folder / "records.sqlite"
        none_yet = StoreError(f"{folder} holds no results; testbed run CONFIG --results {folder} makes some")
        if not writable and not path.is_file():
            raise none_yet
        self._lock_file = lock(folder) if writable else None
        try:
            self._db, version = open_database(path, writable=writable)
        except BaseException:
            if self._lock_file is not None:
                self._lock_file.close()
            raise
        if version == 0 and not writable:
            self._db.close()
            raise none_yet

    def close(self) -> None:
        self._db.close()
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        with named(self.path), transaction(self._db):
            yield

    def _save_row(self, table: str, row: tuple[Any, ...]) -> None:
        marks = ", ".join("?" * (len(row) + 1))
        self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", (*row, row_checksum(row)))

    # -- records
    def save_records(self, records: Iterable[Record]) -> None:
        """Inside a transaction; a failed record is overwritten by its rerun."""
        for record in records:
            content = record.content()
            content["arrays"] = {name: self._store_array(array) for name, array in record.arrays.items()}
            self._db.execute(
                "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?)",
                (
                    record.key,
                    record.study,
                    record.status,
                    _dump(content),
                    _dump(record.provenance),
                    record.checksum(),
                ),
            )

    def _store_array(self, array: np.ndarray) -> dict[str, Any]:
        if array.nbytes <= INLINE_BYTES:
            return encode_array(array)
        return {"file": write_arrays(self.folder / "arrays", {"array": array})}

    def finished_keys(self) -> set[str]:
        """Keys of the cells that need not run again."""
        marks = ",".join("?" * len(FINISHED))
        rows = self._rows(f"SELECT key FROM records WHERE status IN ({marks})", sorted(FINISHED))
        return {key for (key,) in rows}

    def _rows(self, query: str, values: Iterable[Any] = ()) -> list[Any]:
        with named(self.path):
            return self._db.execute(query, tuple(values)).fetchall()

    def records(self, keys: Iterable[str] | None = None) -> dict[str, Record]:
        """Records by key: these, or all. Each is checked against its checksum."""
        wanted = None if keys is None else set(keys)
        found = {}
        for (key,) in self._rows("SELECT key FROM records ORDER BY rowid"):
            if wanted is None or key in wanted:
                found[key] = self._record(key)
        return found

    def _record(self, key: str) -> Record:
        """Read one record and check it."""
        query = "SELECT content, provenance, checksum FROM records WHERE key = ?"
        ((content, provenance, checksum),) = self._rows(query, [key])
        try:
            record = decode_record(json.loads(content), json.loads(provenance), self.folder / "arrays")
            intact = record.checksum() == checksum and record.key == key
        except (ValueError, KeyError, TypeError, AttributeError):
            intact = False
        if not intact:
            raise StoreError(
                f"{self.path}: record {key[:12]} does not match its checksum, the file was damaged or changed; "
                "bring back a copy of it, or run again into another --results folder"
            )
        return record

    def status_counts(self) -> dict[str, dict[str, int]]:
        """study -> status -> number of records."""
        counts: dict[str, dict[str, int]] = {}
        for study, status, n in self._rows("SELECT study, status, COUNT(*) FROM records GROUP BY study, status"):
            counts.setdefault(study, {})[status] = n
        return counts

    def failures(self) -> list[tuple[str, str, str]]:
        """Key, study and error of every failed cell."""
        rows = self._rows("SELECT key, study FROM records WHERE status = 'failed' ORDER BY rowid")
        return [(key, study, str(self._record(key).metrics.get("error", "unknown"))) for key, study in rows]

    # -- trained members
    def save_members(self, members: list[TrainedMember]) -> None:
        """Inside a transaction: one file for the ensemble, one row a member."""
        arrays = {"weights": np.stack([member.weights for member in members])}
        for name in members[0].path:
            arrays[f"path_{name}"] = np.stack([member.path[name] for member in members])
        along = [member.path_weights for member in members if member.path_weights is not None]
        if along:
            arrays[WEIGHTS_ALONG] = np.stack(along)
        file = write_arrays(self.folder / "members", arrays)
        for row, member in enumerate(members):
            summary = {
                "status": member.status,
                "scores": {name: repr(float(value)) for name, value in member.scores.items()},
                "exact_evaluation": member.exact_evaluation,
                "diverged_at": member.diverged_at,
                "last_finite_loss": None if member.last_finite_loss is None else repr(member.last_finite_loss),
                "seconds": member.seconds,
            }
            self._save_row("members", (member.spec.training_key, file, row, _dump(summary)))

    def load_members(self, specs: Iterable[TrainingSpec]) -> dict[str, TrainedMember]:
        """The trained members among these specs, by training key; those not trained yet are left out."""
        files: dict[str, dict[str, np.ndarray]] = {}
        found = {}
        for spec in specs:
            query = "SELECT file, row, summary FROM members WHERE training_key = ?"
            stored = self._rows(query, [spec.training_key])
            if not stored or not (self.folder / "members" / stored[0][0]).is_file():
                continue
            file, row, summary = stored[0][0], stored[0][1], json.loads(stored[0][2])
            if file not in files:
                files[file] = read_arrays(self.folder / "members", file)
            found[spec.training_key] = _member(spec, files[file], row, summary)
        return found

    # -- runs
    def save_run(
        self,
        config_key: str,
        study: str,
        scale: str,
        config: dict[str, Any],
        arrays: Iterable[np.ndarray] = (),
        details: dict[str, Any] | None = None,
    ) -> None:
        """The resolved config lies beside its results, with the arrays that it names by content hash alone.

        details   what else it takes to come back to it: label, command, plugins
        """
        for array in arrays:
            write_arrays(self.folder / "arrays", {"array": array})
        with self.transaction():
            started = datetime.now(UTC).isoformat()
            self._save_row("runs", (config_key, study, scale, _dump(config), _dump(details or {}), started))

    def runs(self) -> list[dict[str, Any]]:
        """Every run of this folder, oldest first: study, scale, resolved config, details, when it was last started."""
        names = ROW_COLUMNS["runs"]
        runs = [
            dict(zip(names, row, strict=True))
            for row in self._rows(f"SELECT {', '.join(names)} FROM runs ORDER BY started")
        ]
        return [run | {name: json.loads(run[name]) for name in ("config", "details")} for run in runs]

    def with_arrays(self, config: Any) -> Any:
        """A stored config with its arrays read back in, ready to be built again."""
        if isinstance(config, dict):
            if config.keys() == {"sha256"}:
                return read_arrays(self.folder / "arrays", array_file_name(config["sha256"]))["array"]
            return {key: self.with_arrays(value) for key, value in config.items()}
        return [self.with_arrays(one) for one in config] if isinstance(config, list) else config


def decode_record(content: dict[str, Any], provenance: dict[str, Any], arrays: Path) -> Record:
    """A record from its stored form; large arrays are read from the folder `arrays`."""

    def array_of(value: dict[str, Any]) -> np.ndarray:
        return read_arrays(arrays, value["file"])["array"] if "file" in value else decode_array(value)

    return Record(
        key=content["key"],
        study=content["study"],
        cell=content["cell"],
        status=content["status"],
        metrics={name: decode_number(value) for name, value in content["metrics"].items()},
        arrays={name: array_of(value) for name, value in content["arrays"].items()},
        provenance=provenance,
    )


def _member(spec: TrainingSpec, arrays: dict[str, np.ndarray], row: int, summary: dict[str, Any]) -> TrainedMember:
    last = summary["last_finite_loss"]
    return TrainedMember(
        spec=spec,
        status=summary["status"],
        weights=arrays["weights"][row],
        path={name[5:]: array[row] for name, array in arrays.items() if name.startswith("path_")},
        scores={name: float(value) for name, value in summary["scores"].items()},
        exact_evaluation=summary["exact_evaluation"],
        diverged_at=summary["diverged_at"],
        last_finite_loss=None if last is None else float(last),
        seconds=summary["seconds"],
        path_weights=arrays[WEIGHTS_ALONG][row] if WEIGHTS_ALONG in arrays else None,
    )


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
