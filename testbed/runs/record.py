"""A record: what was measured at one cell, with where it came from and a checksum."""

import base64
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.core import sha256_of

Status = Literal["done", "diverged", "failed"]
FINISHED: frozenset[Status] = frozenset({"done", "diverged"})
"""Failed cells run again; these do not."""

Metric = float | int | bool | str | None


@dataclass(frozen=True)
class Record:
    """One cell's result. `metrics` and `arrays` are in nats where they are entropies or losses."""

    key: str
    study: str
    cell: dict[str, Any]
    status: Status
    metrics: dict[str, Metric] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse here, where the study is at fault, what could not be stored."""
        for name, value in self.metrics.items():
            if not isinstance(value, bool | int | float | str | np.generic | None):
                raise TypeError(f"metric {name}: a number, a string or None is needed, not {type(value).__name__}")
        for name, array in self.arrays.items():
            if np.asarray(array).dtype.kind not in "biuf":
                raise TypeError(f"array {name}: only numbers are stored, not {np.asarray(array).dtype}")

    @property
    def probe(self) -> dict[str, Any]:
        probe: dict[str, Any] = self.cell["probe"]
        return probe

    def content(self) -> dict[str, Any]:
        """Everything but provenance, as JSON-able objects: equal for equal results."""
        return {
            "key": self.key,
            "study": self.study,
            "cell": self.cell,
            "status": self.status,
            "metrics": {name: encode_number(value) for name, value in self.metrics.items()},
            "arrays": {name: encode_array(array) for name, array in self.arrays.items()},
        }

    def checksum(self) -> str:
        return sha256_of({**self.content(), "provenance": self.provenance})


def encode_number(value: Any) -> Any:
    """JSON has no infinities: they are written as words."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return {"float": repr(value)}
    return value


def decode_number(value: Any) -> Metric:
    return float(value["float"]) if isinstance(value, dict) else value


def encode_array(array: NDArray[Any]) -> dict[str, Any]:
    """An array as type, shape and little-endian bytes; no pickle anywhere."""
    array = np.asarray(array)
    little = array.astype(array.dtype.newbyteorder("<"), order="C")
    return {
        "dtype": little.dtype.str,
        "shape": list(little.shape),
        "base64": base64.b64encode(little.tobytes()).decode("ascii"),
    }


def decode_array(value: dict[str, Any]) -> NDArray[Any]:
    flat = np.frombuffer(base64.b64decode(value["base64"]), dtype=np.dtype(value["dtype"]))
    return flat.reshape(value["shape"]).copy()
