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

from testbed.core import ConfigError, did_you_mean, load_plugin
from testbed.studies.study import SCALES, Study, studies


def load_studies(
    path: Path, scale: str, overrides: Sequence[str] = (), grids: Sequence[str] = ()
) -> list[Study]:
    """The studies that a config file asks for at a scale: one, or one for each point of the grids.

    overrides   "key=value", dotted keys, values as in TOML (a bare word is a string)
    grids       "key=v1,v2,...": every combination with the others
    """
    values = _read(path)
    name = values.pop("study", None)
    if name is None:
        raise ConfigError(f"{path}: study: this key is needed; known: {', '.join(studies.names())}")
    for plugin in values.pop("plugins", []):
        load_plugin(path.parent / plugin)
    scales = values.pop("scales", {})
    if scale not in SCALES:
        raise ConfigError(f"scale: given {scale}, must be one of {', '.join(SCALES)}")
    unknown = [one for one in scales if one not in SCALES]
    if unknown:
        raise ConfigError(f"{path}: scales.{unknown[0]}: unknown scale, {did_you_mean(unknown[0], SCALES)}")
    if scales and scale not in scales:
        raise ConfigError(f"{path}: scales: there is no {scale}; given are {', '.join(scales)}")
    values = merged(values, scales.get(scale, {}))
    for override in overrides:
        key, value = split_assignment(override)
        values = merged(values, _nested(key, parse_value(value)))
    points = [
        [(key, parse_value(one)) for one in split_list(value)] for key, value in (split_assignment(g) for g in grids)
    ]
    built = []
    for point in itertools.product(*points):
        chosen = values
        for key, value in point:
            chosen = merged(chosen, _nested(key, value))
        built.append(_build(path, name, chosen))
    return built


def _build(path: Path, name: Any, values: dict[str, Any]) -> Study:
    """The study, with every line of an error naming the file it came from."""
    try:
        return studies.build({"type": name, **values})
    except ConfigError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        near = sorted(str(one) for one in path.parent.glob("*.toml")) if path.parent.is_dir() else []
        raise ConfigError(f"there is no config file {path}" + (f"; {did_you_mean(str(path), near)}" if near else ""))
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, tables merged key by key; a table of another type replaces the old one."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        same_type = isinstance(old, dict) and isinstance(value, dict) and value.get("type", old.get("type")) == old.get("type")
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
