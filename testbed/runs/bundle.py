"""A results folder as one file, for moving between machines, and back.

The file is a gzipped tar of regular files alone, with the names the store uses. Unpacking takes nothing else from it,
writes nowhere else, runs nothing, and checks every row and file before the folder takes its place.
"""

import io
import json
import os
import re
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePath

from testbed.core import StoreError
from testbed.runs.database import ROW_COLUMNS, lock, open_database, row_checksum, transaction
from testbed.runs.verify import DATABASE, verify

KNOWN = re.compile(rf"{re.escape(DATABASE)}|(arrays|members)/[0-9a-f]{{64}}\.npz|calibration/[0-9a-f]{{32}}\.json")
"""What a folder needs; figures and report are made of it again."""


def write_bundle(folder: Path, file: Path) -> int:
    """Write the records, members and arrays of a folder into `file`; returns how many files went in.

    StoreError where the folder is damaged or in use, or the file is there or cannot be written.
    """
    if file.exists():
        raise StoreError(f"{file} is there already; give another name")
    if not (folder / DATABASE).is_file():
        raise StoreError(f"{folder} holds no results: there is no {DATABASE} in it")
    holder = lock(folder)  # nobody writes meanwhile
    try:
        if problems := verify(folder):
            raise StoreError(f"{problems[0]}; see testbed verify --results {folder}, which can also repair it")
        names = sorted(
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and not path.is_symlink() and KNOWN.fullmatch(path.relative_to(folder).as_posix())
        )
        partial = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            with tarfile.open(partial, "w:gz", compresslevel=6) as bundle:
                for name in names:
                    bundle.add(folder / name, arcname=name, recursive=False, filter=_anonymous)
            partial.replace(file)
        except OSError as error:
            raise StoreError(f"{file} cannot be written: {error.strerror or error}") from None
        finally:
            partial.unlink(missing_ok=True)
    finally:
        holder.close()
    return len(names)


def read_bundle(file: Path, folder: Path) -> int:
    """Put the files of a bundle into a new folder; returns how many. StoreError where it holds anything else."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is there and not empty; give another --results")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror or error}") from None
    try:
        n_files = _extract(file, partial)
        if problems := verify(partial):
            text = str(problems[0]).replace(str(partial), str(file))
            raise StoreError(f"{text}; nothing was unpacked")
        _name_plugins_alone(partial)
        partial.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return n_files


def _extract(file: Path, folder: Path) -> int:
    count = 0
    try:
        with tarfile.open(file, "r:gz") as bundle:
            for member in bundle:
                if not member.isfile() or not KNOWN.fullmatch(member.name):
                    raise StoreError(f"{file} holds {member.name!r}, which no results folder has; nothing was unpacked")
                target = folder / member.name
                target.parent.mkdir(exist_ok=True)
                content = bundle.extractfile(member)
                assert isinstance(content, io.BufferedReader)
                with target.open("xb") as out:
                    shutil.copyfileobj(content, out)
                count += 1
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise StoreError(f"{file} cannot be unpacked: {error}") from None
    if not (folder / DATABASE).is_file():
        raise StoreError(f"{file} holds no {DATABASE}; nothing was unpacked")
    return count


def _name_plugins_alone(folder: Path) -> None:
    """Leave of the paths of the runs' plugins the names: no file of this machine is run because a bundle says so."""
    db, _ = open_database(folder / DATABASE, writable=True)
    try:
        with transaction(db):
            for rowid, *row in db.execute(f"SELECT rowid, {', '.join(ROW_COLUMNS['runs'])} FROM runs").fetchall():
                details = json.loads(row[4])
                details["plugins"] = [PurePath(plugin).name for plugin in details.get("plugins", [])]
                row[4] = json.dumps(details, sort_keys=True, separators=(",", ":"))
                changed = (row[4], row_checksum(row), rowid)
                db.execute("UPDATE runs SET details = ?, checksum = ? WHERE rowid = ?", changed)
    finally:
        db.close()


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """No user's name or id travels along."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
