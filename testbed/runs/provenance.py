"""Where a record came from: versions, machine, commit."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import testbed

_PACKAGES = ("numpy", "scipy", "numba", "torch", "pydantic")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of this package, of Python and of what computes."""
    found = {"testbed": testbed.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


@lru_cache(maxsize=1)
def commit() -> str | None:
    """The commit of the checkout this package lies in, with a + where the tree has changes; None elsewhere."""
    root = Path(testbed.__file__).parent.parent
    if not (root / ".git").exists():  # installed elsewhere, perhaps inside a checkout of something else
        return None

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10
        )
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def device_name(device: str) -> str:
    """A name for the device in words: the GPU's, or the processor's."""
    if device != "cpu":
        import torch

        if not torch.cuda.is_available():  # the driver of workers that have them
            return device
        return str(torch.cuda.get_device_name(device))
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def provenance(device: str, seconds: float, source_fingerprint: str | None = None) -> dict[str, Any]:
    """What stands beside every record."""
    import torch

    return {
        "versions": versions(),
        "commit": commit(),
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "seconds": round(seconds, 6),
        "date": datetime.now(UTC).date().isoformat(),
        "source_fingerprint": source_fingerprint,
    }
