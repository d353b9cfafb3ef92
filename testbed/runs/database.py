"""The database file of a results folder: its tables, opening and upgrading it, and the lock of the one who writes."""

import fcntl
import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from testbed.core import StoreError, sha256_of

SCHEMA_VERSION = 3
WITHOUT_ROW_CHECKSUMS = 2
"""The layout before, whose members and runs have no checksums: still read, and brought up to date when written to."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    key TEXT PRIMARY KEY, study TEXT NOT NULL, status TEXT NOT NULL, content TEXT NOT NULL, provenance TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS members (
    training_key TEXT PRIMARY KEY, file TEXT NOT NULL, row INTEGER NOT NULL, summary TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS runs (
    config_key TEXT PRIMARY KEY, study TEXT NOT NULL, scale TEXT NOT NULL, config TEXT NOT NULL,
    details TEXT NOT NULL, started TEXT NOT NULL, checksum TEXT NOT NULL
);
"""
ROW_COLUMNS = {
    "members": ("training_key", "file", "row", "summary"),
    "runs": ("config_key", "study", "scale", "config", "details", "started"),
}
"""What the checksum of a row of these tables covers; a record's covers its content and provenance."""


DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged file raises; the second where the message or a text would quote bytes that are no text."""


def open_database(path: Path, *, writable: bool) -> tuple[sqlite3.Connection, int]:
    """The database and the layout version found in it, 0 for an empty file; made or brought up to date if `writable`.

    StoreError names the file where it is no database, or one of another version.
    """
    with named(path):
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.execute("PRAGMA trusted_schema=OFF")  # a file from elsewhere calls no function
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, WITHOUT_ROW_CHECKSUMS, SCHEMA_VERSION):
                raise StoreError(f"{path} was written by another version (layout {version}, not {SCHEMA_VERSION})")
            if writable:
                db.execute("PRAGMA journal_mode=DELETE")
                db.execute("PRAGMA synchronous=FULL")
                if version == WITHOUT_ROW_CHECKSUMS:
                    _add_row_checksums(db)
                db.executescript(_SCHEMA)
                db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        except BaseException:
            db.close()
            raise
    return db, version


def _add_row_checksums(db: sqlite3.Connection) -> None:
    with transaction(db):
        for table, columns in ROW_COLUMNS.items():
            db.execute(f"ALTER TABLE {table} ADD COLUMN checksum TEXT NOT NULL DEFAULT ''")
            for rowid, *row in db.execute(f"SELECT rowid, {', '.join(columns)} FROM {table}").fetchall():
                db.execute(f"UPDATE {table} SET checksum = ? WHERE rowid = ?", (row_checksum(row), rowid))
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk may have ended it already
            db.execute("ROLLBACK")
        raise


def row_checksum(row: Iterable[Any]) -> str:
    """SHA-256 of a row of `members` or `runs`."""
    return sha256_of(list(row))


@contextmanager
def named(path: Path) -> Iterator[None]:
    """An error of SQLite names the file."""
    try:
        yield
    except DAMAGE as error:
        raise StoreError(f"{path} cannot be used: {error}") from None


def lock(folder: Path) -> Any:
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
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        os.fsync(file.fileno())  # other machines read it too
    except OSError as error:
        with suppress(OSError):  # closing would write it once more
            file.close()
        raise StoreError(f"{folder} cannot be written to: {error.strerror}") from None
    return file


def holder_of(folder: Path) -> str:
    """Process and host of the driver that holds a folder, or held it last; nothing where there is none."""
    try:
        return (folder / "lock").read_text()
    except OSError:
        return ""
