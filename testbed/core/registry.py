"""Find a source, method or study by the `type` name in a config.

A new one is one new file in its room, or in a folder of a room that has `folders`: the registry imports every public
module once, on first use. Users add their own from installed packages (an entry point in the group `testbed.<room>`) or
from a file named under `plugins` in a config.
"""

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from testbed.core.config import Tagged
from testbed.core.errors import ConfigError, did_you_mean

T = TypeVar("T", bound=Tagged)


class Registry(Generic[T]):
    """The classes of one room by their type names."""

    def __init__(self, room: str, noun: str, *, folders: bool = False) -> None:
        """`folders`: the room's folders hold such files too; else a folder is one of them, found by its `__init__`."""
        self.room, self.noun, self.folders = room, noun, folders
        self._classes: dict[str, type[T]] = {}
        self._searched = False

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator: `@source("markov")`."""

        def add(cls: type[T]) -> type[T]:
            other = self._classes.get(name)
            if other is not None and (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
                raise ConfigError(f"two {self.noun}s are called {name}: {other.__module__} and {cls.__module__}")
            cls.type_name = name
            self._classes[name] = cls
            return cls

        return add

    def _search(self) -> None:
        if self._searched:
            return
        self._searched = True  # set first: what is imported may ask again
        try:
            self._import_all()
        except BaseException:
            self._searched = False
            raise

    def _import_all(self) -> None:
        package = importlib.import_module(f"testbed.{self.room}")
        search = pkgutil.walk_packages if self.folders else pkgutil.iter_modules
        for module in search(package.__path__, f"{package.__name__}."):
            if not any(part.startswith("_") for part in module.name.split(".")):
                importlib.import_module(module.name)
        for point in entry_points(group=f"testbed.{self.room}"):
            point.load()

    def names(self) -> list[str]:
        """Every known type name, sorted."""
        self._search()
        return sorted(self._classes)

    def find(self, name: object) -> type[T]:
        """The class of this type name; an unknown name gets an error with the nearest known ones."""
        self._search()
        if not isinstance(name, str) or name not in self._classes:
            raise ConfigError(f"type: there is no {self.noun} {name!r}; {did_you_mean(str(name), self.names())}")
        return self._classes[name]

    def build(self, config: Any) -> T:
        """An object from `{"type": name, key: value, ...}`, from a bare type name, or passed through if built."""
        if isinstance(config, Tagged):
            return config  # type: ignore[return-value]
        if isinstance(config, str):
            config = {"type": config}
        if not isinstance(config, Mapping):
            raise ConfigError(f"type: a {self.noun} is a table with a type, not {config!r}")
        values = dict(config)
        if "type" not in values:
            raise ConfigError(f"type: a {self.noun} needs a type; known: {', '.join(self.names())}")
        return self.find(values.pop("type"))(**values)


def load_plugin(path: str | Path) -> None:
    """Run a user's own Python file, once, whose decorators register what it defines."""
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise ConfigError(f"plugins: there is no file {path}")
    name = f"testbed_plugin_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"plugins: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"plugins: {path}, line {_line_in(file, error)}: {type(error).__name__}: {error}") from error


def _line_in(file: Path, error: Exception) -> int | str:
    """The last line of this file on the way to the error."""
    if isinstance(error, SyntaxError):
        return error.lineno or "?"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines and lines[-1] is not None else "?"
