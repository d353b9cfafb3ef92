"""A training's state in a file, so that a long training that was stopped goes on, bit for bit on the same machine.

Every draw is a function of the step, so that the state is: weights, optimiser, which members live, the path so far, and
the number of finished steps. The file is an .npz without pickle, written whole or not at all; one that another version
wrote, that belongs to another training or whose content does not match its checksum is refused by name.
"""

import json
import os
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import testbed
from testbed.core import StoreError, array_sha256, sha256_of
from testbed.training.ensemble import Ensemble
from testbed.training.spec import TrainingSpec

FORMAT = 1
"""Raised when the same state would be written otherwise."""


def group_key(specs: list[TrainingSpec]) -> str:
    """Of the members that train together, in this order."""
    return sha256_of([spec.training_key for spec in specs])


@dataclass
class Progress:
    """How far a training is.

    steps     finished
    paths     (E, 3, points) training loss, excess, held-out loss of the caller's members; NaN where still to come
    seconds   spent so far
    weights   (E, points, P) of the same members at these points, where they are kept
    """

    steps: int
    paths: NDArray[np.float64]
    seconds: float = field(default=0.0)
    weights: NDArray[np.float32] | None = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """By the names they have in a file."""
        return {"paths": self.paths} | ({} if self.weights is None else {"path_weights": self.weights})


def save(file: Path, specs: list[TrainingSpec], ensemble: Ensemble, progress: Progress) -> bool:
    """Write the state in place of an older one. Where that fails (a full disk), it is said and the training goes on."""
    arrays = {name: tensor.cpu().numpy() for name, tensor in _tensors(ensemble).items()} | progress.arrays()
    return write_state(file, group_key(specs), {"steps": progress.steps, "seconds": progress.seconds}, arrays)


def restore(file: Path, specs: list[TrainingSpec], ensemble: Ensemble) -> Progress | None:
    """Put a state back; None where there is no file. StoreError, with the file's name, where it cannot be trusted."""
    state = _tensors(ensemble)
    along = {"paths"} | ({"path_weights"} if specs[0].evaluation.keep_weights else set())
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()} | dict.fromkeys(along)
    read = read_state(file, group_key(specs), shapes)
    if read is None:
        return None
    head, arrays = read
    for name, tensor in state.items():
        tensor.copy_(torch.from_numpy(arrays[name]))
    ensemble.refresh()
    return Progress(head["steps"], arrays["paths"], head["seconds"], arrays.get("path_weights"))


def write_state(file: Path, training: str, numbers: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bool:
    """Numbers and arrays of a training, whole or not at all, in place of older ones; whether that succeeded."""
    head = _versions() | {"training": training} | numbers
    head["checksum"] = _checksum(head, arrays)
    arrays = arrays | {"head": np.frombuffer(json.dumps(head, sort_keys=True).encode(), dtype=np.uint8)}
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for abandoned in file.parent.glob(f".{file.name}.*"):  # by a process that was killed
            abandoned.unlink(missing_ok=True)
        with partial.open("wb") as opened:
            np.savez(opened, **arrays)  # type: ignore[arg-type]
            opened.flush()
            os.fsync(opened.fileno())
        partial.replace(file)
    except OSError as error:
        reason = error.strerror or error
        warnings.warn(f"no checkpoint at {file}: {reason}; the training goes on without", stacklevel=3)
        return False
    finally:
        partial.unlink(missing_ok=True)
    return True


def read_state(
    file: Path, training: str, shapes: dict[str, tuple[int, ...] | None]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """What `write_state` wrote; None where there is no file.

    shapes   of every array that must be there; None where it is not known

    Raises StoreError, with the file's name, where the file is damaged, of another version or of another training.
    """
    if not file.is_file():
        return None
    remedy = "delete it, and the training starts afresh"
    if not zipfile.is_zipfile(file):
        raise StoreError(f"{file} cannot be read: it is no .npz file; {remedy}")
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        head: dict[str, Any] = json.loads(arrays.pop("head").tobytes())
        checksum = head.pop("checksum")
        versions = {name: head.get(name) for name in _versions()}
    except Exception as error:  # a damaged file can make zipfile, numpy and json raise anything
        raise StoreError(f"{file} cannot be read: {error}; {remedy}") from None
    if versions != _versions():
        raise StoreError(f"{file} was written by {_words(versions)}, this is {_words(_versions())}; {remedy}")
    if checksum != _checksum(head, arrays):
        raise StoreError(f"{file} does not match its checksum; {remedy}")
    fits = head["training"] == training and arrays.keys() == shapes.keys()
    if not fits or any(shape is not None and arrays[name].shape != shape for name, shape in shapes.items()):
        raise StoreError(f"{file} belongs to another training; {remedy}")
    return head, arrays


def _tensors(ensemble: Ensemble) -> dict[str, torch.Tensor]:
    """What a step leaves for the next one."""
    return {
        "weights": ensemble.weights_EP,
        "mean": ensemble.optimiser.mean,
        "square": ensemble.optimiser.square,
        "alive": ensemble.alive_E,
        "last_finite": ensemble.last_finite_E,
        "diverged_at": ensemble.diverged_at_E,
    }


def _versions() -> dict[str, Any]:
    return {"format": FORMAT, "testbed": testbed.__version__, "torch": torch.__version__}


def _words(versions: dict[str, Any]) -> str:
    return f"testbed {versions['testbed']} with torch {versions['torch']} in format {versions['format']}"


def _checksum(head: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    return sha256_of({"head": head, "arrays": {name: array_sha256(array) for name, array in arrays.items()}})
