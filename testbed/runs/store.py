"""The store: one SQLite file a results folder, written by the driving process alone.

Rollback journal, `synchronous=FULL`, one transaction per finished ensemble: a kill leaves whole ensembles. Arrays above
1 MiB and trained members lie beside it in files named by their content, written before what needs them.
"""

import fcntl
import json
import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from testbed.core import StoreError
from testbed.runs.files import array_file_name, read_arrays, write_arrays
from testbed.runs.record import FINISHED, Record, decode_array, decode_number, encode_array
from testbed.training import TrainingSpec
from testbed.training.member import TrainedMember

INLINE_BYTES = 2**20
SCHEMA_VERSION = 2

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    key TEXT PRIMARY KEY, study TEXT NOT NULL, status TEXT NOT NULL, content TEXT NOT NULL, provenance TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS members (
    training_key TEXT PRIMARY KEY, file TEXT NOT NULL, row INTEGER NOT NULL, summary TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS runs (
    config_key TEXT PRIMARY KEY, study TEXT NOT NULL, scale TEXT NOT NULL, config TEXT NOT NULL,
    details TEXT NOT NULL, started TEXT NOT NULL
);
"""


class Store:
    """Records, trained members and the configs that asked for them, in one folder."""

    def __init__(self, folder: Path, *, writable: bool = False) -> None:
        self.folder = folder
        self.writable = writable
        self.path = path = folder / "records.sqlite"
        none_yet = StoreError(f"{folder} holds no results; testbed run CONFIG --results {folder} makes some")
        if not writable and not path.is_file():
            raise none_yet
        self._lock_file = _lock(folder) if writable else None
        with _named(path):
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=DELETE")
            self._db.execute("PRAGMA synchronous=FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, SCHEMA_VERSION):
                raise StoreError(f"{path} was written by another version (layout {version}, not {SCHEMA_VERSION})")
            if writable:
                self._db.executescript(_SCHEMA)
                self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            elif version == 0:
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
        with _named(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have ended it already
                    self._db.execute("ROLLBACK")
                raise

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

    def _load_array(self, value: dict[str, Any]) -> np.ndarray:
        if "file" in value:
            return read_arrays(self.folder / "arrays", value["file"])["array"]
        return decode_array(value)

    def finished_keys(self) -> set[str]:
        """Keys of the cells that need not run again."""
        marks = ",".join("?" * len(FINISHED))
        rows = self._rows(f"SELECT key FROM records WHERE status IN ({marks})", sorted(FINISHED))
        return {key for (key,) in rows}

    def _rows(self, query: str, values: Iterable[Any] = ()) -> list[Any]:
        with _named(self.path):
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
            record = self._decode(json.loads(content), json.loads(provenance))
            intact = record.checksum() == checksum and record.key == key
        except (ValueError, KeyError, TypeError, AttributeError):
            intact = False
        if not intact:
            raise StoreError(
                f"{self.path}: record {key[:12]} does not match its checksum, the file was damaged or changed; "
                "bring back a copy of it, or run again into another --results folder"
            )
        return record

    def _decode(self, content: dict[str, Any], provenance: dict[str, Any]) -> Record:
        return Record(
            key=content["key"],
            study=content["study"],
            cell=content["cell"],
            status=content["status"],
            metrics={name: decode_number(value) for name, value in content["metrics"].items()},
            arrays={name: self._load_array(value) for name, value in content["arrays"].items()},
            provenance=provenance,
        )

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
            self._db.execute(
                "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)",
                (member.spec.training_key, file, row, _dump(summary)),
            )

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
            self._db.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
                (config_key, study, scale, _dump(config), _dump(details or {}), datetime.now(UTC).isoformat()),
            )

    def runs(self) -> list[dict[str, Any]]:
        """Every run of this folder, oldest first: study, scale, resolved config, details, when it was last started."""
        names = ("config_key", "study", "scale", "config", "details", "started")
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
    )


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """An error of SQLite names the file."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} cannot be used: {error}") from None


def _lock(folder: Path) -> Any:
    """One driver a folder: a second one leaves with the first's host and process id."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("a+")
    except OSError as error:
        raise StoreError(f"results cannot be written to {folder}: {error.strerror}; give another --results") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise StoreError(f"{folder} is in use by {holder}; wait for it, or give another --results folder") from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file
