"""`testbed list` and `testbed keys`: what there is, and what can be said about it in a config."""

import inspect
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic.fields import FieldInfo

from testbed.commands.configs import find_config, shipped_configs
from testbed.commands.results import print_table
from testbed.core import Config, ConfigError, Registry, Tagged, did_you_mean
from testbed.methods import methods
from testbed.models.activations import activations
from testbed.models.norms import norms
from testbed.sources.source import sources
from testbed.studies import studies
from testbed.studies.configs import load_plugins, read_config, study_name
from testbed.training.losses import losses

REGISTRIES: dict[str, Registry[Any]] = {
    "studies": studies,
    "sources": sources,
    "methods": methods,
    "norms": norms,
    "activations": activations,
    "training losses": losses,
}
_PLAIN = {bool: "true or false", int: "integer", float: "number", str: "string", np.ndarray: "array or file"}
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def list_everything() -> int:
    """Everything that a config can name, with its first line of description, and the shipped configs."""
    for plural, registry in REGISTRIES.items():
        print(plural)
        print_table([(f"  {name}", _headline(registry.find(name))) for name in registry.names()])
    print("configs")
    rows = []
    for path in shipped_configs():
        values = read_config(path)
        rows.append((f"  {path.stem}", f"study {values.get('study')}, scales {', '.join(values.get('scales', {}))}"))
    print_table(rows)
    return 0


def _headline(cls: type[Tagged]) -> str:
    first = (inspect.cleandoc(cls.__doc__ or "").splitlines() or [""])[0]
    return first.rstrip(".:")


class Key(NamedTuple):
    """One line of `testbed keys`."""

    key: str
    type: str
    default: str
    meaning: str


def list_keys(name: str) -> int:
    """The keys of a study (also by its config), or of anything else that `testbed list` names."""
    if name.endswith(".toml") or Path(name).is_file():
        path = find_config(name)
        values = read_config(path)
        load_plugins(path, values)
        name = study_name(path, values)
    found = [(registry, registry.find(name)) for registry in REGISTRIES.values() if name in registry.names()]
    if not found:
        *others, last = (registry.noun for registry in REGISTRIES.values())
        nouns = ", ".join(others)
        known = [one for registry in REGISTRIES.values() for one in registry.names()]
        raise ConfigError(f"there is no {nouns} or {last} {name!r}; {did_you_mean(name, known)}")
    for registry, cls in found:
        print(f"{registry.noun} {name}: {_headline(cls)}")
        print_table([Key("  key", "type", "default", "meaning"), *(k._replace(key=f"  {k.key}") for k in keys_of(cls))])
    return 0


def keys_of(config: type[Config], prefix: str = "") -> Iterator[Key]:
    """The keys of a config class, those of nested tables dotted; `arms[].name` is a key of every table in a list."""
    for name, field in config.model_fields.items():
        key = prefix + (field.alias or name)
        nested, suffix = _nested(field.annotation)
        if nested is None or issubclass(nested, Tagged):
            yield Key(key, _type_of(field), _default_of(field), field.description or "")
            continue
        if suffix or field.is_required():
            kind = "list of tables" if suffix else "table"
            yield Key(key, kind, _default_of(field) if suffix else "needed", field.description or "")
        yield from keys_of(nested, f"{key}{suffix}.")


def _nested(annotation: Any) -> tuple[type[Config] | None, str]:
    """The config class of a field, and [] where the field takes several."""
    if inspect.isclass(annotation) and issubclass(annotation, Config):
        return annotation, ""
    for argument in typing.get_args(annotation):
        found, suffix = _nested(argument)
        if found is not None:
            many = typing.get_origin(annotation) in (tuple, list)
            return found, "[]" if many else suffix
    return None, ""


def _type_of(field: FieldInfo) -> str:
    """A field's type and bounds in words."""
    bounds: list[str] = []
    for constraint in field.metadata:
        for name, sign in _SIGNS.items():
            if getattr(constraint, name, None) is not None:
                bounds.append(f"{sign} {getattr(constraint, name):g}")
    return f"{_words(field.annotation)} {', '.join(bounds)}".rstrip()


def _words(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _words(arguments[0])
    if origin is typing.Literal:
        return " | ".join(str(one) for one in arguments)
    if origin in (typing.Union, types.UnionType):
        return _words(next(one for one in arguments if one is not type(None)))
    if origin in (tuple, list):
        return f"list of {_words(arguments[0])}"
    if inspect.isclass(annotation) and issubclass(annotation, Tagged):
        return next((registry.noun for registry in REGISTRIES.values() if _in_room(annotation, registry.room)), "table")
    return _PLAIN.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _in_room(cls: type[Tagged], room: str) -> bool:
    """Whether a field of this class is found in a room's registry: testbed.sources.source in sources."""
    return cls.__module__.startswith(f"testbed.{room}.")


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    return _written(field.get_default(call_default_factory=True))


def _written(value: Any) -> str:
    """As in a config file; `-` where the key is left out."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Tagged):
        return value.type_name
    if isinstance(value, tuple | list):
        return f"[{', '.join(_written(one) for one in value)}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
