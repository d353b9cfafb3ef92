"""Whether a results folder holds what was written, and saving what can be read of one that does not.

Every row carries a checksum, every file's name is the hash of its content, and SQLite examines its own pages: a byte
that changed is found by one of the three, or means nothing.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.core import StoreError
from testbed.runs.database import (
    DAMAGE,
    ROW_COLUMNS,
    SCHEMA_VERSION,
    WITHOUT_ROW_CHECKSUMS,
    lock,
    open_database,
    row_checksum,
    transaction,
)
from testbed.runs.files import array_file_name, read_arrays
from testbed.runs.store import decode_record

DATABASE = "records.sqlite"
RECORD_COLUMNS = ("key", "study", "status", "content", "provenance", "checksum")
MANY = 100
"""Complaints of SQLite that are listed at the most."""


@dataclass(frozen=True)
class Problem:
    """What is wrong, and the row's rowid in its table where it is a row that cannot be trusted."""

    where: str
    what: str
    table: str = ""
    rowid: int = 0

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def verify(folder: Path) -> list[Problem]:
    """Everything that is damaged in a results folder: pages, rows, files. Nothing is written.

    StoreError where there is no database at all.
    """
    path = folder / DATABASE
    if not path.is_file():
        raise StoreError(f"{folder} holds no results: there is no {DATABASE} in it")
    try:
        db, version = open_database(path, writable=False)
    except StoreError as error:
        return [Problem(str(path), str(error).removeprefix(f"{path} "))]
    try:
        return [*_pages(path, db), *_rows(path, db, version)]
    finally:
        db.close()


def repair(folder: Path) -> tuple[Path, int, int]:
    """Put every row that can be read and trusted into a new database; what was lost runs again.

    Returns where the damaged one was moved, the rows kept and the rows known to be lost. Files that do not hold what
    their name says are moved beside it, and rows that need them are left out. StoreError while a run uses the folder.
    """
    path = folder / DATABASE
    if not path.is_file():
        raise StoreError(f"{folder} holds no results: there is no {DATABASE} in it")
    holder = lock(folder)
    try:
        kept_aside = _free_name(folder, "damaged")
        kept_aside.mkdir()
        for file in _damaged_files(folder):
            shutil.move(file, kept_aside / file.name)
        fresh = folder / f".{DATABASE}.repaired"
        fresh.unlink(missing_ok=True)
        kept, lost = _salvage(folder, fresh)
        for journal in folder.glob(f"{DATABASE}-*"):
            shutil.move(journal, kept_aside / journal.name)
        shutil.copy2(path, kept_aside / DATABASE)
        fresh.replace(path)
    finally:
        holder.close()
    return kept_aside, kept, lost


# -- examining
def _pages(path: Path, db: sqlite3.Connection) -> Iterator[Problem]:
    try:
        found = [text for (text,) in db.execute(f"PRAGMA integrity_check({MANY})") if text != "ok"]
    except DAMAGE as error:
        found = [str(error)]
    yield from (Problem(str(path), text) for text in found)


def _rows(path: Path, db: sqlite3.Connection, version: int) -> Iterator[Problem]:
    """Rows that do not match their checksum, or whose files are gone or wrong."""
    good_files: dict[Path, str] = {}

    def file_problem(file: Path) -> str:
        if file not in good_files:
            good_files[file] = _file_problem(file)
        return good_files[file]

    for table, columns in _tables(version).items():
        try:
            found = db.execute(f"SELECT rowid, {', '.join(columns)} FROM {table}").fetchall()
        except DAMAGE as error:
            yield Problem(str(path), f"table {table} cannot be read through: {error}")
            continue
        for rowid, *row in found:
            where = f"{path}: {table[:-1]} {str(row[0])[:12]}"
            lacking = [file for file in _files_of(path.parent, table, row) if file_problem(file)]
            for file in lacking:
                yield Problem(where, f"needs {file.parent.name}/{file.name}, {file_problem(file)}", table, rowid)
            if not lacking and not _intact(path.parent, table, row, version):
                yield Problem(where, "does not match its checksum", table, rowid)
    for file in _stored_files(path.parent):
        if file not in good_files and (complaint := file_problem(file)):
            yield Problem(str(file), complaint)


def _tables(version: int) -> dict[str, tuple[str, ...]]:
    checksum = ("checksum",) if version == SCHEMA_VERSION else ()
    return {"records": RECORD_COLUMNS} | {table: columns + checksum for table, columns in ROW_COLUMNS.items()}


def _intact(folder: Path, table: str, row: list[Any], version: int) -> bool:
    """The row is what was written; rows of the layout without checksums are only read as JSON."""
    try:
        if table == "records":
            key, study, status, content, provenance, checksum = row
            record = decode_record(json.loads(content), json.loads(provenance), folder / "arrays")
            return (record.key, record.study, record.status, record.checksum()) == (key, study, status, checksum)
        if version == WITHOUT_ROW_CHECKSUMS:
            return isinstance(json.loads(row[3]), dict)
        return row_checksum(row[:-1]) == row[-1]
    except (ValueError, KeyError, TypeError, AttributeError, StoreError):
        return False


def _files_of(folder: Path, table: str, row: list[Any]) -> list[Path]:
    """The files that a row needs; none where it cannot be read, which its checksum tells."""
    try:
        if table == "members":
            return [folder / "members" / row[1]]
        content = json.loads(row[3])
        if table == "runs":
            return [folder / "arrays" / array_file_name(digest) for digest in _named_arrays(content)]
        return [folder / "arrays" / value["file"] for value in content["arrays"].values() if "file" in value]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _named_arrays(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if config.keys() == {"sha256"}:
            yield config["sha256"]
            return
        config = list(config.values())
    if isinstance(config, list):
        for one in config:
            yield from _named_arrays(one)


def _stored_files(folder: Path) -> list[Path]:
    return [file for name in ("arrays", "members") for file in sorted((folder / name).glob("[!.]*.npz"))]


def _damaged_files(folder: Path) -> list[Path]:
    return [file for file in _stored_files(folder) if _file_problem(file)]


def _file_problem(file: Path) -> str:
    if not file.is_file():
        return "which is gone"
    try:
        read_arrays(file.parent, file.name)
    except StoreError as error:
        return str(error).removeprefix(f"{file} ").split(";")[0]
    return ""


# -- saving what is left
def _salvage(folder: Path, fresh: Path) -> tuple[int, int]:
    """Fill a new database with the rows that are intact and have their files. Rows kept, rows lost that are known."""
    new, _ = open_database(fresh, writable=True)
    kept = lost = 0
    try:
        source, version = _readable(folder)
        with transaction(new):
            for table, columns in _tables(version).items():
                for row in _scan(source, table, columns):
                    trusted = _intact(folder, table, row, version)
                    if not trusted or any(_file_problem(file) for file in _files_of(folder, table, row)):
                        lost += 1
                        continue
                    if table != "records" and version == WITHOUT_ROW_CHECKSUMS:
                        row = [*row, row_checksum(row)]
                    new.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)
                    kept += 1
        source.close()
    finally:
        new.close()
    return kept, lost


def _readable(folder: Path) -> tuple[sqlite3.Connection, int]:
    """The damaged database, or, where its head is what was damaged, a copy in memory under the head of a new one."""
    path = folder / DATABASE
    try:
        return open_database(path, writable=False)
    except StoreError:
        pass
    model = sqlite3.connect(":memory:")
    model.execute("CREATE TABLE any (x)")
    head = bytearray(model.serialize()[:100])
    whole = path.read_bytes()
    head[24:44] = whole[24:44]  # number of pages, list of free ones, schema cookie: this file's own
    head[60:64] = SCHEMA_VERSION.to_bytes(4, "big")
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        db.deserialize(bytes(head) + whole[100:])
        db.execute("SELECT COUNT(*) FROM records").fetchone()
    except DAMAGE:
        db = sqlite3.connect(":memory:", isolation_level=None)  # nothing can be read of it
    return db, SCHEMA_VERSION


def _scan(db: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> Iterator[list[Any]]:
    """Rows from the front up to the first page that cannot be read, then from the back."""
    seen: set[int] = set()
    for order in ("ASC", "DESC"):
        try:
            for rowid, *row in db.execute(f"SELECT rowid, {', '.join(columns)} FROM {table} ORDER BY rowid {order}"):
                if rowid in seen:
                    break
                seen.add(rowid)
                yield row
            else:
                return
        except DAMAGE:
            continue


def _free_name(folder: Path, stem: str) -> Path:
    number = 1
    while (folder / f"{stem}-{number}").exists():
        number += 1
    return folder / f"{stem}-{number}"
