"""`Config`: frozen values that check themselves, name the wrong key, and have a content key.

The class that reads a config is the class that acts on it. A config may be built from keyword arguments, from a TOML
table or from a stored record; all three pass the same check.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError
from pydantic_core import ErrorDetails

from testbed.core.errors import ConfigError, TestbedError, did_you_mean

INLINE_ARRAY_LIMIT = 4096
"""Arrays of at most this many entries are written out in a resolved config; larger ones by their content hash."""


class Config(BaseModel):
    """Base of every config: immutable, unknown keys refused, compared and hashed by content."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        validate_default=True,
        protected_namespaces=(),
        ignored_types=(),
        allow_inf_nan=False,  # JSON, hence a key, has none; a parameter that may be infinite is None there
    )

    remarks: ClassVar[frozenset[str]] = frozenset()
    """Fields that are said for the reader and change nothing: no part of the content key."""

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise config_error(error, type(self)) from None

    def resolved(self) -> dict[str, Any]:
        """Every key with its value, as JSON-able objects: what lies beside a result."""
        return self.model_dump(mode="json", by_alias=True)

    def identity(self) -> dict[str, Any]:
        """The keys that differ from their defaults, arrays and files replaced by their content hash."""
        kept = {}
        for name, field in type(self).model_fields.items():
            if name in self.remarks:
                continue
            value = _identify(getattr(self, name))
            if field.is_required() or value != _identify(field.get_default(call_default_factory=True)):
                kept[field.alias or name] = value
        return kept

    @property
    def content_key(self) -> str:
        """SHA-256 of `identity` in canonical JSON; equal for configs that mean the same."""
        cached: str | None = self.__dict__.get("_content_key")
        if cached is None:
            cached = sha256_of(self.identity())
            self.__dict__["_content_key"] = cached
        return cached

    def replace(self, **changes: Any) -> Self:
        """A copy with these fields (by name or by key) changed, checked like any other."""
        keys = {name: field.alias or name for name, field in type(self).model_fields.items()}
        kept = {keys[name]: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**kept | {keys.get(name, name): value for name, value in changes.items()})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """`replace`: what a copy has computed is its own."""
        return self.replace(**(update or {}))

    def __copy__(self) -> Self:
        return self.replace()

    def __getstate__(self) -> dict[Any, Any]:
        """What is pickled: the fields, without what was computed from them."""
        state = super().__getstate__()
        fields = type(self).model_fields
        return {**state, "__dict__": {name: one for name, one in state["__dict__"].items() if name in fields}}

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.content_key == other.content_key

    def __hash__(self) -> int:
        return hash((type(self), self.content_key))


def _identify(value: Any) -> Any:
    """A field's value as JSON-able objects in which equal content is equal."""
    if isinstance(value, Config):
        return value.identity()
    if isinstance(value, np.ndarray):
        return {"sha256": array_sha256(value)}
    if isinstance(value, tuple | list):
        return [_identify(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _identify(one) for key, one in value.items()}
    return value


def sha256_of(value: Any) -> str:
    """SHA-256 of a JSON-able value in canonical form: sorted keys, no spaces, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def array_sha256(array: np.ndarray) -> str:
    """SHA-256 of an array's type, shape and little-endian bytes."""
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    head = f"{little.dtype.str}{little.shape}".encode()
    return hashlib.sha256(head + little.tobytes()).hexdigest()


def load_array(given: Any) -> np.ndarray | None:
    """A float64 array from an array, nested lists, or the name of a `.npy` or `.csv` file (never a pickle)."""
    if given is None:
        return None
    if isinstance(given, str | Path):
        given = _read_array_file(_located(Path(given)))
    try:
        array = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("an array of numbers (all rows of one length) is needed, or a .npy or .csv file") from None
    array.flags.writeable = False
    return array


_ARRAY_FOLDER: ContextVar[Path | None] = ContextVar("array folder", default=None)


@contextmanager
def array_files_beside(folder: Path) -> Iterator[None]:
    """Within this, the name of an array file means one in `folder`, or else one in the current folder."""
    token = _ARRAY_FOLDER.set(folder)
    try:
        yield
    finally:
        _ARRAY_FOLDER.reset(token)


def _located(path: Path) -> Path:
    folder = _ARRAY_FOLDER.get()
    return folder / path if folder is not None and (folder / path).is_file() else path


def _read_array_file(path: Path) -> np.ndarray:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        if path.suffix == ".csv":
            return np.loadtxt(path, delimiter=",", ndmin=2)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} cannot be read as an array of numbers: {error}") from None
    raise ValueError(f"{path} is neither a .npy nor a .csv file")


def _array_to_json(array: np.ndarray | None) -> Any:
    if array is None:
        return None
    if array.size > INLINE_ARRAY_LIMIT:
        return {"sha256": array_sha256(array)}
    return array.tolist()


def large_arrays(value: Any) -> dict[str, np.ndarray]:
    """The arrays in a config that its resolved form names by content hash alone, by that hash."""
    if isinstance(value, np.ndarray):
        return {array_sha256(value): value} if value.size > INLINE_ARRAY_LIMIT else {}
    if isinstance(value, Config):
        value = [getattr(value, name) for name in type(value).model_fields]
    elif isinstance(value, Mapping):
        value = list(value.values())
    found: dict[str, np.ndarray] = {}
    if isinstance(value, tuple | list):
        for one in value:
            found |= large_arrays(one)
    return found


ArrayInput = Annotated[np.ndarray | None, BeforeValidator(load_array), PlainSerializer(_array_to_json)]
"""A field that takes an array, nested lists or a file name, and is identified by its content."""


# ------------------------------------------------------------------------------------------------ tagged configs
class Tagged(Config):
    """A config found by its `type` name in a registry; the name is written back when it is stored.

    A class whose `version` is above 1 has it in its identity, so that old results are not taken for new ones.
    """

    type_name: ClassVar[str] = ""

    def resolved(self) -> dict[str, Any]:
        return {"type": self.type_name, **super().resolved()}

    def identity(self) -> dict[str, Any]:
        version = getattr(type(self), "version", 1)
        name = self.type_name if version == 1 else f"{self.type_name} version {version}"
        return {"type": name, **super().identity()}


def tagged_to_json(value: Any) -> Any:
    """Serialiser of a field that holds a tagged config."""
    return value.resolved() if isinstance(value, Tagged) else value


# ------------------------------------------------------------------------------------------------ errors
def config_error(error: ValidationError, model: type[BaseModel]) -> ConfigError:
    """One line a fault: the dotted key, what was given, and what would be right."""
    return ConfigError("\n".join(_line(detail, model) for detail in error.errors(include_url=False)))


def _line(detail: ErrorDetails, model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in detail["loc"] if not str(part).startswith(("function-", "tagged-")))
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        known = _known_keys(model, detail["loc"][:-1])
        return f"{where}: unknown key, {did_you_mean(str(detail['loc'][-1]), known)}"
    if detail["type"] == "missing":
        return f"{where}: this key is needed"
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, TestbedError):  # a nested config has named its own keys, one a line
        return "\n".join(f"{where}.{line}" if where else line for line in str(cause).splitlines())
    if not where:
        return message
    if detail["type"] == "value_error":
        return f"{where}: {message}"
    if detail["type"] == "literal_error":
        known = re.findall(r"'([^']+)'", str(detail.get("ctx", {}).get("expected")))
        close = f"; {did_you_mean(str(detail['input']), known)}" if len(known) > 2 else ""
        return f"{where}: given {_short(detail['input'])}; {message[0].lower() + message[1:]}{close}"
    return f"{where}: given {_short(detail['input'])}; {message[0].lower() + message[1:]}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that the config at this path takes."""
    here: Any = model
    for part in path:
        fields = getattr(here, "model_fields", {})
        field = fields.get(str(part)) or next((f for f in fields.values() if f.alias == part), None)
        here = getattr(field, "annotation", None)
    return [field.alias or name for name, field in getattr(here, "model_fields", {}).items()]
