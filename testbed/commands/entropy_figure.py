"""The figure of `testbed entropy --figure`: h_k by every estimator, with the numbers in a .csv beside it."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from testbed.core import ConfigError, StoreError, Truth
from testbed.measures.entropy.profile import EntropyProfile
from testbed.report.render import csv_text
from testbed.report.style import COLOURS, DASHES, DPI, MARKERS, PDF_METADATA, PNG_METADATA, figure_style

SUFFIXES = (".pdf", ".png")
HEADER = "estimator,k,value_nats,lower_nats,upper_nats,standard_error_nats,coverage_deficit,within_trust_limit"


def check_figure_path(path: Path) -> None:
    """Refuse what cannot be written, and a .csv beside it that would replace a file that is none of ours."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"--figure: given {path}; the name must end in {' or '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise ConfigError(f"--figure: there is no folder {path.parent}")
    table = path.with_suffix(".csv")
    if table.exists() and table.read_bytes().split(b"\n")[0].decode(errors="replace") != HEADER:
        raise ConfigError(f"--figure: {table}, where its numbers go, is there already and holds something else")


def write_figure(
    profiles: list[EntropyProfile],
    truth: dict[str, Truth] | None,
    title: str,
    interval: str,
    n_blocks: int,
    path: Path,
) -> list[Path]:
    """Draw the figure and write it with its numbers; the paths written."""
    import matplotlib.pyplot as plt

    table = path.with_suffix(".csv")
    with figure_style():
        figure, axes = plt.subplots(figsize=(7.0, 3.6))
        try:
            draw_profiles(axes, profiles, truth)
            bars = "no intervals" if interval == "none" else f"bars: 95 % intervals, {interval}, {n_blocks} blocks"
            axes.set_title(f"{title}: {profiles[0].n_tokens} tokens, V = {profiles[0].vocab_size}  ({bars})")
            meta: dict[str, Any] = PDF_METADATA if path.suffix == ".pdf" else PNG_METADATA
            figure.savefig(path, dpi=DPI, metadata=meta)
            table.write_bytes(csv_text(_rows(profiles, truth)).encode())
        except OSError as error:
            raise StoreError(f"--figure: {path} cannot be written: {error.strerror}") from None
        finally:
            plt.close(figure)
    return [path, table]


def draw_profiles(axes: Any, profiles: list[EntropyProfile], truth: dict[str, Truth] | None) -> None:
    """h_k against k, one line an estimator, side by side at each k so that their bars can be told apart."""
    orders = np.arange(len(profiles[0]))
    limit = profiles[0].trust_limit
    n = len(profiles)
    for i, profile in enumerate(profiles):
        bars = None if np.isnan(profile.lower).all() else profile.upper - profile.values
        axes.errorbar(
            orders + 0.6 * (i - (n - 1) / 2) / n,
            profile.values,
            yerr=bars,
            color=COLOURS[i % len(COLOURS)],
            marker=MARKERS[(i + i // len(COLOURS)) % len(MARKERS)],
            linestyle=DASHES[(i + 2 * (i // len(COLOURS))) % len(DASHES)],
            linewidth=0.8,
            markersize=3,
            elinewidth=0.7,
            capsize=1.2,
            label=profile.estimator,
        )
    top = math.log(profiles[0].vocab_size)
    lowest = min(float(profile.values[: limit + 2].min()) for profile in profiles)
    if truth is not None:
        lowest = min(lowest, _draw_truth(axes, truth))
    if limit < len(orders) - 1:
        axes.axvspan(
            limit + 0.5, len(orders) - 0.5, color="#bbbbbb", alpha=0.35, linewidth=0, label="not to be trusted"
        )
    axes.set_xlim(-0.5, len(orders) - 0.5)
    axes.set_ylim(0.0 if lowest < 0.5 * top else lowest - 0.08 * (top - lowest) - 1e-3, top + 0.05 * top + 1e-3)
    axes.set_xlabel("context length $k$ (tokens)")
    axes.set_ylabel("conditional entropy $h_k$ (nats)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def _draw_truth(axes: Any, truth: dict[str, Truth]) -> float:
    """Thick grey steps behind the estimates, and the entropy rate; the least of them."""
    least = math.inf
    h = truth.get("conditional_entropies")
    if h is not None:
        value = np.asarray(h.value)
        axes.hlines(value, np.arange(len(value)) - 0.42, np.arange(len(value)) + 0.42, color="#888888", linewidth=2.5)
        axes.plot([], [], color="#888888", linewidth=2.5, marker="", linestyle="-", label=f"truth ({h.kind})")
        least = float(value.min())
    rate = truth.get("entropy_rate")
    if rate is not None and math.isfinite(float(rate.value)):
        axes.axhline(float(rate.value), color="#888888", linestyle=(0, (1, 2)), linewidth=0.9, label="entropy rate")
        least = min(least, float(rate.value))
    return least


def _rows(profiles: list[EntropyProfile], truth: dict[str, Truth] | None) -> list[dict[str, Any]]:
    names = HEADER.split(",")
    rows = []
    for one in profiles:
        for k in range(len(one)):
            numbers = (one.values[k], one.lower[k], one.upper[k], one.standard_error[k], one.coverage_deficit[k])
            cells = (one.estimator, k, *(float(x) for x in numbers), int(k <= one.trust_limit))
            rows.append(dict(zip(names, cells, strict=True)))
    for name, known in (truth or {}).items():
        for place in range(len(known)) if known.shape else (None,):
            each = known if place is None else known[place]
            bounds = (float(each.value), float(each.lower), float(each.upper), float(each.standard_error))
            rows.append(dict(zip(names, (f"truth:{name}", place, *bounds, None, None), strict=True)))
    return rows
