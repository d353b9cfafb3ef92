"""Timing on a shared machine: candidates take turns in one process, and CPU time is counted, not the clock on the wall.

Neighbours move any absolute figure by tens of percent from minute to minute, so only ratios between candidates of one
table mean anything. CPU time leaves out the moments when another process held the core; medians leave out the rest.
"""

import platform
import time
from collections.abc import Callable, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

README = Path(__file__).with_name("README.md")


def interleaved(candidates: Mapping[str, Callable[[], object]], rounds: int = 9) -> dict[str, float]:
    """Median CPU seconds of one call of every candidate, called in turn `rounds` times after a warm-up call each."""
    for candidate in candidates.values():
        candidate()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, candidate in candidates.items():
            start = time.process_time()
            candidate()
            seconds[name].append(time.process_time() - start)
    return {name: median(values) for name, values in seconds.items()}


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, padded so that it can be read as plain text too."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    head = "| " + " | ".join(cell.ljust(width) for cell, width in zip(header, widths, strict=True)) + " |"
    return "\n".join([head, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines])


def conditions(*packages: str) -> str:
    """One line: date, processor architecture, Python and package versions."""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return f"Measured {date.today():%Y-%m-%d}, {_processor()}, Python {platform.python_version()}, {versions}."


def _processor() -> str:
    """The processor's name where Linux tells it, else the architecture."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def write_section(heading: str, body: str, path: Path = README) -> None:
    """Put `body` under '## heading' in a Markdown file, in place of what stood there, or at its end."""
    text = path.read_text() if path.exists() else "# Benchmarks\n"
    title = f"## {heading}\n"
    before, found, after = text.partition(f"\n{title}")
    rest = after[after.index("\n## ") :] if "\n## " in after else ""
    path.write_text(f"{before if found else text.rstrip() + chr(10)}\n{title}\n{body.strip()}\n{rest}")
