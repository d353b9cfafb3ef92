"""`testbed source`: a card of one source, with its entropies in a table, as a plot of letters, and as a figure."""

import inspect
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from testbed.commands.describe import _headline
from testbed.commands.results import print_table
from testbed.commands.source_plot import Series, series_of, text_plot, written
from testbed.commands.sources import Known, known_truths, near_length, source_of
from testbed.core import NATS_PER_BIT, Tagged, Truth
from testbed.sources import Source

LAGS = (1, 2, 3, 4, 5, 6, 7, 8, 16, 32)


def show_source(
    given: str,
    overrides: Sequence[str],
    max_context: int = 12,
    figure: Path | None = None,
    table: str | None = None,
    plugins: Sequence[Path] = (),
) -> int:
    """Print the card, and draw the figure if asked."""
    from testbed.commands.source_figure import check_figure_path, write_figure

    if figure is not None:
        check_figure_path(figure)
    source = source_of(given, overrides, plugins, table)
    known = known_truths(source, max_context, near_length(source))
    if hasattr(source, "statistical_complexity"):
        known.ask("statistical_complexity", source.statistical_complexity)
    series = series_of(source, known, near_length(source))
    print(f"{source.type_name}: {_headline(type(source))}")
    print("\nparameters")
    print_table([(f"  {name}", value) for name, value in _parameters(source)] or [("  none",)])
    print("\nlaw")
    print_table([(f"  {name}", value) for name, value in _law(source)])
    print("\nentropies")
    _print_entropies(known, series)
    _print_correlations(source, max_context)
    if series is not None:
        print()
        for line in text_plot(series, known.truths.get("entropy_rate")):
            print(f"  {line}")
    if figure is not None:
        for path in write_figure(source, series, known, figure):
            print(f"written       {path}")
    return 0


# ------------------------------------------------------------------------------------------------ parameters, law
def _parameters(source: Source) -> Iterator[tuple[str, str]]:
    for name, field in type(source).model_fields.items():
        yield field.alias or name, _value(getattr(source, name))


def _value(value: Any) -> str:
    """A parameter's value; long arrays by their shape."""
    if isinstance(value, np.ndarray):
        return str(value.tolist()) if value.size <= 16 else f"array of shape {value.shape}"
    if isinstance(value, Tagged):
        inner = ", ".join(f"{key} = {_value(getattr(value, key))}" for key in type(value).model_fields)
        return f"{value.type_name}({inner})"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_value(one) for one in value)}]"
    return "-" if value is None else str(value)


def _law(source: Source) -> Iterator[tuple[str, str]]:
    yield "symbols V", str(source.vocab_size)
    yield "stationary", "yes" if source.stationary else "no"
    yield "ergodic", "yes" if source.ergodic else "no"
    yield "context unit", source.context_unit
    yield "lengths", _lengths(source)
    yield "judged positions", _judged(source)
    if source.takes_inputs:
        yield "inputs", "real-valued features beside the tokens"
    yield "fingerprint", source.fingerprint


def _lengths(source: Source, up_to: int = 64) -> str:
    found = source.lengths(up_to)
    if not found:
        return f"none up to {up_to}"
    if found == list(range(found[0], up_to + 1)):
        return f"from {found[0]} on"
    return ", ".join(map(str, found[:6])) + (", ..." if len(found) > 6 else "")


def _judged(source: Source) -> str:
    length = near_length(source)
    if source.judges_all or length is None:
        return "all" if source.judges_all else "some"
    judged = np.flatnonzero(source.batch(1, length).judged[0])
    return f"some; of the first sequence of length {length}: {', '.join(map(str, judged)) or 'none'}"


# ------------------------------------------------------------------------------------------------ truths
def _print_entropies(known: Known, series: Series | None) -> None:
    rows: list[tuple[str, ...]] = [("  ", "nats", "bits", "kind")]
    if series is not None:
        rows += [(f"  {series.name(at)}", *_cells(series.truth[i])) for i, at in enumerate(series.places)]
    for name in ("entropy_rate", "excess_entropy", "statistical_complexity"):
        if name in known.truths:
            rows.append((f"  {name.replace('_', ' ')}", *_cells(known.truths[name])))
    print_table(rows)
    h = known.truths.get("conditional_entropies")
    names = {"conditional_entropies": "h_l" if h is None else f"h_l beyond l = {len(h) - 1}"}
    _print_refused({names.get(name, name.replace("_", " ")): reason for name, reason in known.refused.items()})


def _cells(truth: Truth) -> tuple[str, str, str]:
    """Value in nats, in bits, and how it is known."""
    return written(truth), written(truth, NATS_PER_BIT), truth.kind


def _print_refused(refused: dict[str, str]) -> None:
    for reason, names in groupby(refused, key=lambda name: refused[name]):
        print(f"  {', '.join(names)}: refused: {reason}")


def _print_correlations(source: Any, max_context: int) -> None:
    """Correlations, pure numbers, of the sources that know them."""
    known = Known({}, {})
    if hasattr(source, "two_point"):
        for lag in LAGS:
            if not known.ask(f"two-point correlation, lag {lag}", partial(source.two_point, lag)):
                break
    if hasattr(source, "correlation_certificate"):
        horizon = inspect.signature(source.correlation_certificate).parameters.get("horizon")
        own = horizon is not None and horizon.default is not inspect.Parameter.empty
        known.ask(
            f"largest two-point correlation up to {'its horizon' if own else f'lag {max_context}'}",
            lambda: source.correlation_certificate() if own else source.correlation_certificate(max_context),
        )
    print_table([(f"  {name}", written(truth), truth.kind) for name, truth in known.truths.items()])
    _print_refused(known.refused)
