"""Arrays in files named by their content, written whole or not at all, read back without pickle."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import StoreError, array_sha256, sha256_of


def write_arrays(folder: Path, arrays: dict[str, NDArray[Any]]) -> str:
    """Write an .npz named by the SHA-256 of its arrays; an existing one is kept. Returns the file's name.

    StoreError where it cannot be written; no half file is left.
    """
    name = sha256_of({key: array_sha256(array) for key, array in arrays.items()}) + ".npz"
    path = folder / name
    if path.exists():
        return name
    partial = folder / f".{name}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for abandoned in folder.glob(f".{name}.*"):  # by a process that was killed
            abandoned.unlink(missing_ok=True)
        with partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(folder)
    except OSError as error:  # a full disk, a limit on the size of files
        raise StoreError(
            f"{folder} cannot be written to: {error.strerror}; the same command goes on from here"
        ) from None
    finally:
        partial.unlink(missing_ok=True)
    return name


def _sync_folder(folder: Path) -> None:
    """Make the new name last, so that no record outlives the file it needs, even over a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def array_file_name(sha256: str) -> str:
    """The file that `write_arrays` makes of `{"array": array}`, for an array of this hash."""
    return sha256_of({"array": sha256}) + ".npz"


def read_arrays(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    """Read a file back and check its content against its name."""
    path = folder / name
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except Exception as error:  # a damaged file can make zipfile and numpy raise anything
        raise StoreError(f"{path} cannot be read: {error}") from None
    if sha256_of({key: array_sha256(array) for key, array in arrays.items()}) + ".npz" != name:
        raise StoreError(f"{path} does not hold what its name says; delete it, and the cells that need it run again")
    return arrays
