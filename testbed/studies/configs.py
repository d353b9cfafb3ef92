"""From a config file, a scale and overrides to studies.

study = "optimal_context"
plugins = ["my_source.py"]          # optional: files that register sources, methods or studies
key = value                         # keys of the study, `testbed keys STUDY` lists them
[scales.smoke]                      # what a scale changes
key = other
"""

import itertools
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.core import ConfigError, array_files_beside, did_you_mean, load_plugin
from testbed.studies.study import SCALES, Study, studies


def load_studies(path: Path, scale: str, overrides: Sequence[str] = (), grids: Sequence[str] = ()) -> list[Study]:
    """The studies that a config file asks for at a scale: one, or one for each point of the grids.

    overrides   "key=value", dotted keys, values as in TOML (a bare word is a string)
    grids       "key=v1,v2,...": every combination with the others, in the order of `grid_points`
    """
    values = read_config(path)
    load_plugins(path, values)
    name = study_name(path, values)
    values = merged({key: values[key] for key in values if key not in _NOT_OF_STUDY}, _of_scale(path, values, scale))
    for override in overrides:
        key, value = split_assignment(override)
        values = merged(values, _nested(key, parse_value(value)))
    built = []
    for point in grid_points(grids):
        chosen = values
        for assignment in point:
            key, value = split_assignment(assignment)
            chosen = merged(chosen, _nested(key, parse_value(value)))
        built.append(_build(path, name, chosen))
    return built


_NOT_OF_STUDY = ("study", "plugins", "scales")


def grid_points(grids: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination of the grids' values, as overrides.

    >>> grid_points(["seed=0,1", "width=8"])
    [('seed=0', 'width=8'), ('seed=1', 'width=8')]
    """
    axes = [[f"{key}={one}" for one in split_list(value)] for key, value in map(split_assignment, grids)]
    return list(itertools.product(*axes))


def study_name(path: Path, values: dict[str, Any]) -> str:
    """The study that a config names; its plugins are loaded by then."""
    name = values.get("study")
    if name is None:
        raise ConfigError(f"{path}: study: this key is needed; known: {', '.join(studies.names())}")
    if name not in studies.names():
        raise ConfigError(f"{path}: study: there is no study {name!r}; {did_you_mean(str(name), studies.names())}")
    return str(name)


def plugin_files(path: Path, values: dict[str, Any]) -> list[Path]:
    """The plugins of a config, which are named from the folder that it lies in."""
    named = values.get("plugins", [])
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise ConfigError(f'{path}: plugins: given {named!r}, must be a list of files such as ["my_source.py"]')
    return [path.parent / one for one in named]


def load_plugins(path: Path, values: dict[str, Any]) -> None:
    """Run the plugins of a config."""
    for plugin in plugin_files(path, values):
        try:
            load_plugin(plugin)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error.__cause__


def _of_scale(path: Path, values: dict[str, Any], scale: str) -> dict[str, Any]:
    """What a config changes at a scale."""
    scales = values.get("scales", {})
    if scale not in SCALES:
        close = did_you_mean(scale, SCALES)
        raise ConfigError(f"scale: there is no scale {scale!r}; {close}")
    if not isinstance(scales, dict):
        raise ConfigError(f"{path}: scales: given {scales!r}, must be tables such as [scales.smoke]")
    for name, changes in scales.items():
        if name not in SCALES:
            raise ConfigError(f"{path}: scales.{name}: unknown scale, {did_you_mean(name, SCALES)}")
        if not isinstance(changes, dict):
            raise ConfigError(f"{path}: scales.{name}: given {changes!r}, must be a table")
    if scales and scale not in scales:
        raise ConfigError(f"{path}: scales: there is no {scale}; given are {', '.join(scales)}")
    chosen: dict[str, Any] = scales.get(scale, {})
    return chosen


def _build(path: Path, name: Any, values: dict[str, Any]) -> Study:
    """The study, with every line of an error naming the file it came from."""
    try:
        with array_files_beside(path.parent):
            return studies.build({"type": name, **values})
    except ConfigError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None


def read_config(path: Path) -> dict[str, Any]:
    """The tables of a config file."""
    if not path.is_file():
        near = sorted(str(one) for one in path.parent.glob("*.toml")) if path.parent.is_dir() else []
        raise ConfigError(f"there is no config file {path}" + (f"; {did_you_mean(str(path), near)}" if near else ""))
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, tables merged key by key; a table of another type replaces the old one."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        same_type = (
            isinstance(old, dict) and isinstance(value, dict) and value.get("type", old.get("type")) == old.get("type")
        )
        result[key] = merged(old, value) if same_type and isinstance(old, dict) else value
    return result


def split_assignment(text: str) -> tuple[str, str]:
    """ "key=value" in two.

    >>> split_assignment("model.width=64")
    ('model.width', '64')
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"given {text!r}; an override reads key=value, such as model.width=64")
    return key.strip(), value.strip()


def parse_value(text: str) -> Any:
    """A TOML value, or the text itself where it is none.

    >>> parse_value("1e-3"), parse_value("[1, 2]"), parse_value("rope")
    (0.001, [1, 2], 'rope')
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def split_list(text: str) -> list[str]:
    """Split at commas that are not inside brackets or quotes.

    >>> split_list("1,[2,3],4")
    ['1', '[2,3]', '4']
    """
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        if letter == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _nested(dotted: str, value: Any) -> dict[str, Any]:
    *outer, last = dotted.split(".")
    result: dict[str, Any] = {last: value}
    for name in reversed(outer):
        result = {name: result}
    return result
