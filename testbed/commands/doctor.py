"""`testbed doctor`: is everything there that a run needs, and how is it cured if not?"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from testbed.commands.results import print_table

BENCHMARK_SECONDS = 1.0


def examine(results: Path) -> int:
    """Print what was found, then what is wrong with its cure; 1 if anything is."""
    rows: list[tuple[str, str]] = [("python", f"{platform.python_version()} at {sys.executable}")]
    wrong: list[str] = []
    _packages(rows, wrong)
    _torch(rows, wrong)
    _results_folder(rows, wrong, results)
    print_table(rows)
    for complaint in wrong:
        print(f"wrong: {complaint}")
    if not wrong:
        print("all is well")
    return 1 if wrong else 0


def _packages(rows: list[tuple[str, str]], wrong: list[str]) -> None:
    try:
        needed = [one for one in requires("testbed") or [] if "extra ==" not in one]
    except PackageNotFoundError:
        rows.append(("testbed", "not installed, run from its folder"))
        needed = ["jinja2", "matplotlib", "numba", "numpy", "pydantic", "scipy", "torch", "tqdm", "typer"]
    for one in needed:
        name, _, least = one.partition(">=")
        try:
            found = version(name)
        except PackageNotFoundError:
            found = ""
        rows.append((name, found or "missing"))
        if not found or _numbers(found) < _numbers(least):
            given = f"{name} {found}" if found else f"{name} is missing"
            wrong.append(f"{given}, {one} is needed; ./run installs it, or: python -m pip install '{one}'")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split("+")[0].split(".") if part.isdigit()]


def _torch(rows: list[tuple[str, str]], wrong: list[str]) -> None:
    driver = _driver()
    rows.append(("NVIDIA driver", driver or "none"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    rows.append(("cores", f"{cores} of {os.cpu_count()} may be used"))
    try:
        import torch
    except ImportError as error:
        wrong.append(f"torch cannot be imported: {error}; delete .venv and run again")
        return
    rows.append(("torch build", f"CUDA {torch.version.cuda}" if torch.version.cuda else "processor only"))
    rows.append(("torch threads", f"{torch.get_num_threads()}, runs on the processor use 1"))
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(index).total_memory / 2**30
            rows.append((f"GPU {index}", f"{torch.cuda.get_device_name(index)}, {memory:.0f} GiB"))
    elif driver and not torch.version.cuda:
        wrong.append("there is an NVIDIA driver, but torch is the processor's build; delete .venv and run again")
    elif driver:
        wrong.append(
            f"torch for CUDA {torch.version.cuda} finds no GPU; is the driver new enough for it? see nvidia-smi"
        )
    torch.set_num_threads(1)
    rows.append(("speed, one core", f"{_speed('cpu'):.1f} GFLOP/s (float32 products of 256 x 256 matrices)"))
    if torch.cuda.is_available():
        rows.append(("speed, GPU", f"{_speed('cuda'):.0f} GFLOP/s (the same)"))


def _driver() -> str:
    """The driver's version, "" without a driver."""
    if shutil.which("nvidia-smi") is None:
        return "there" if Path("/proc/driver/nvidia/version").exists() else ""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "there, but nvidia-smi does not answer"
    return asked.stdout.split("\n")[0] if asked.returncode == 0 else "there, but nvidia-smi fails"


def _speed(device: str) -> float:
    """GFLOP/s of small batched products, of the kind that training does, measured for about a second."""
    import torch

    a_EDD = torch.randn(8, 256, 256, device=device)
    product, done, started = a_EDD @ a_EDD, 0, time.perf_counter()
    while time.perf_counter() - started < BENCHMARK_SECONDS:
        for _ in range(20):
            torch.matmul(a_EDD, a_EDD, out=product)
        if device == "cuda":
            torch.cuda.synchronize()
        done += 20
    return done * 8 * 2 * 256**3 / (time.perf_counter() - started) / 1e9


def _results_folder(rows: list[tuple[str, str]], wrong: list[str], results: Path) -> None:
    folder = next(one for one in (results.absolute(), *results.absolute().parents) if one.is_dir())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        wrong.append(f"nothing can be written to {folder}: {error.strerror}; give another --results")
    free = shutil.disk_usage(folder).free / 2**30
    rows.append(("results", f"{results}, {free:.1f} GiB free"))
    if free < 1:
        wrong.append(f"only {free:.2f} GiB are free at {folder}")
