"""Which source a command line means, and what is known of it: shared by `testbed source` and `testbed sample`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from testbed.commands.configs import find_config, shipped_configs
from testbed.core import (
    ConfigError,
    ResourceError,
    Truth,
    UndefinedError,
    array_files_beside,
    did_you_mean,
    load_plugin,
)
from testbed.sources import Source
from testbed.sources.source import sources
from testbed.studies.configs import load_plugins, merged, parse_value, read_config, split_assignment


# ------------------------------------------------------------------------------------------------ which source
def source_of(given: str, overrides: Sequence[str], plugins: Sequence[Path], table: str | None = None) -> Source:
    """The source of a type name, or of a config file's table, with `key=value` overrides laid over it.

    The table is the whole file where it has a `type`, else its `source`, or the one at the dotted place `table`.
    """
    for plugin in plugins:
        load_plugin(plugin)
    if given in sources.names():
        if table is not None:
            raise ConfigError(f"--table: given {table}, but {given} is a type and has no tables; give a config file")
        return _named(given, lambda: sources.build(_overridden({"type": given}, overrides)))
    path = _config_file(given)
    values = read_config(path)
    load_plugins(path, values)
    with array_files_beside(path.parent):
        return _named(str(path), lambda: sources.build(_overridden(_source_table(values, table), overrides)))


def _named(name: str, build: Callable[[], Source]) -> Source:
    """What is built, with the name before every line of an error."""
    try:
        return build()
    except ConfigError as error:
        raise ConfigError("\n".join(f"{name}: {line}" for line in str(error).splitlines())) from None


def _config_file(given: str) -> Path:
    if given.endswith(".toml") or Path(given).is_file() or given in [path.stem for path in shipped_configs()]:
        return find_config(given)
    raise ConfigError(f"there is no source or config {given!r}; {did_you_mean(given, sources.names())}")


def _source_table(values: dict[str, Any], table: str | None) -> dict[str, Any]:
    if table is None and "type" in values:
        return {key: value for key, value in values.items() if key != "plugins"}
    place = table or "source"
    known = dict(_source_tables(values))
    if place not in known:
        raise ConfigError(
            f"{'--table' if table else 'source'}: the file has no table of a source at {place!r}; "
            + (f"say one by --table: {', '.join(known)}" if known else "a source is a table with a type")
        )
    return known[place]


def _source_tables(values: Any, place: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every table whose type is a known source's, with its dotted place."""
    if isinstance(values, Mapping):
        found = [(place, dict(values))] if values.get("type") in sources.names() else []
        inner = values.items()
    elif isinstance(values, list):
        found, inner = [], dict(enumerate(values)).items()
    else:
        return []
    for key, value in inner:
        found += _source_tables(value, f"{place}.{key}" if place else str(key))
    return found


def _overridden(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    for override in overrides:
        key, value = split_assignment(override)
        values = assigned(values, key.split("."), parse_value(value))
    return values


def assigned(container: Any, keys: Sequence[str], value: Any) -> Any:
    """A copy of nested tables and lists with one entry changed; tables that are not there are made.

    >>> assigned({"components": [{"noise": 0.1}, {}]}, ["components", "0", "noise"], 0.2)
    {'components': [{'noise': 0.2}, {}]}
    """
    if not keys:
        return merged(container, value) if isinstance(container, dict) and isinstance(value, dict) else value
    key, *rest = keys
    if isinstance(container, list):
        if not (key.isdecimal() and int(key) < len(container)):
            raise ConfigError(
                f"given {key!r} for a list of {len(container)}; need a number of 0 .. {len(container) - 1}"
            )
        return [assigned(one, rest, value) if i == int(key) else one for i, one in enumerate(container)]
    if isinstance(container, str):
        container = {"type": container}  # a bare type name stands for its table
    table = container if isinstance(container, dict) else {}
    return {**table, key: assigned(table.get(key, {} if rest else None), rest, value)}


# ------------------------------------------------------------------------------------------------ what is known of it
@dataclass(frozen=True)
class Known:
    """Truths by name, and for those that a source refuses its reason."""

    truths: dict[str, Truth]
    refused: dict[str, str]

    def ask(self, name: str, call: Callable[[], Truth]) -> bool:
        """Keep a truth, or why it is refused; True if it is given."""
        try:
            self.truths[name] = call()
        except (UndefinedError, ResourceError) as refusal:
            self.refused.setdefault(name, str(refusal))
            return False
        return True


def known_truths(source: Source, max_context: int, length: int | None) -> Known:
    """h_0 .. h_max_context (where so many are refused, a half, a quarter ... of them), entropy rate, excess entropy;
    where h_l does not tell it, also the Bayes loss at each position of a sequence of this length."""
    known = Known({}, {})
    longest = max_context
    while not known.ask("conditional_entropies", partial(source.conditional_entropies, longest)) and longest > 0:
        longest //= 2
    known.ask("entropy_rate", source.entropy_rate)
    known.ask("excess_entropy", source.excess_entropy)
    if length and (not source.stationary or "conditional_entropies" not in known.truths):
        known.ask("position_losses", lambda: source.position_losses(length))
    return known


def near_length(source: Source, wanted: int = 12) -> int | None:
    """The length nearest to this one that the source writes; None where there is none near."""
    return min(source.lengths(4 * wanted), key=lambda n: (abs(n - wanted), n), default=None)


def truth_to_json(truth: Truth) -> dict[str, Any]:
    """A truth as JSON-able values, nats; infinities are the strings inf and -inf."""
    fields = {"lower": truth.lower, "upper": truth.upper, "standard_error": truth.standard_error}
    return {"kind": truth.kind, **{name: _finite(array.tolist()) for name, array in fields.items()}}


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return value if abs(value) != float("inf") else str(value)
