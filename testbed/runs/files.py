"""Arrays in files named by their content, written whole or not at all, read back without pickle."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import StoreError, array_sha256, sha256_of


def write_arrays(folder: Path, arrays: dict[str, NDArray[Any]]) -> str:
    """Write an .npz named by the SHA-256 of its arrays; an existing one is kept. Returns the file's name."""
    name = sha256_of({key: array_sha256(array) for key, array in arrays.items()}) + ".npz"
    path = folder / name
    if path.exists():
        return name
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{name}.{os.getpid()}"
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return name


def read_arrays(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    """Read a file back and check its content against its name."""
    path = folder / name
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise StoreError(f"{path} cannot be read: {error}") from None
    if sha256_of({key: array_sha256(array) for key, array in arrays.items()}) + ".npz" != name:
        raise StoreError(f"{path} does not hold what its name says; delete it, and the cells that need it run again")
    return arrays
