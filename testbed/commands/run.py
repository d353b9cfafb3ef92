"""`testbed run`: run, judge, and write figures and report."""

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from testbed.cli import RUN_FAILED, say
from testbed.commands.configs import Asked, asked_for
from testbed.core import ConfigError, large_arrays
from testbed.runs import Executor, InProcess, Outcome, Store, TimeLimitReached, run, survey

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def seconds_of(text: str) -> float:
    """Seconds of `90s`, `8m`, `2h`, or a bare number.

    >>> seconds_of("8m"), seconds_of("90")
    (480.0, 90.0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text)
    if match is None or float(match[1]) == 0:
        raise ConfigError(f"--time-limit: given {text!r}, must be a time above 0 such as 90s, 8m or 2h")
    return float(match[1]) * _SECONDS[match[2]]


def prepare_device(device: str, elsewhere: bool = False) -> None:
    """Check that the device is there; the processor works on one thread, so that a rerun gives the same numbers.

    elsewhere   whether other machines do the work: this one then needs no GPU
    """
    if device not in ("cpu", "cuda"):
        raise ConfigError(f"--device: given {device}, must be cpu or cuda")
    import numba
    import torch

    numba.set_num_threads(1)  # compiled samplers wait for their threads at every small batch, longer than they work
    if device == "cpu":
        torch.set_num_threads(1)
    elif not elsewhere and not torch.cuda.is_available():
        build = "" if torch.version.cuda else f" (torch {torch.__version__} is a build without CUDA)"
        raise ConfigError(f"--device: given cuda, but torch finds no GPU{build}; take cpu, or ask testbed doctor")


def run_config(
    config: str,
    overrides: Sequence[str],
    grids: Sequence[str],
    scale: str,
    device: str,
    results: Path,
    time_limit: str | None,
    workers: int | None = None,
    dask: str | None = None,
    calibration_draws: int = 0,
) -> int:
    """Run what a config asks for; returns the exit code.

    calibration_draws   where above 0, a study without a kept calibration is calibrated with this many draws a world
    """
    limit = None if time_limit is None else seconds_of(time_limit)
    deadline = None if limit is None else time.monotonic() + limit
    asked = asked_for(config, overrides, grids, scale)
    prepare_device(device, elsewhere=dask is not None)
    for one in asked:
        one.study.prepare()
    with Store(results, writable=True) as store:
        failed = []
        for one in asked:
            _save(store, one)
        with _executor(asked, workers, dask, device) as executor:
            for one in asked:
                failed += _run_one(store, one, device, deadline, executor).failed
        for reason, count in Counter(failed).items():
            say(f"{count} cell{'s' if count > 1 else ''} failed: {reason}")
        if calibration_draws:
            _calibrate(asked, calibration_draws, results)
        from testbed.commands.results import write_results

        complete = write_results(store, {one.study.content_key for one in asked})
    return RUN_FAILED if failed or not complete else 0


def _calibrate(asked: Sequence[Asked], draws: int, results: Path) -> None:
    from testbed.commands.calibrate import keep_calibration, read_calibration

    for study in (one.study for one in asked):
        if read_calibration(results, study.content_key) is None:
            print(f"{study.type_name}: trying the judge on planted worlds", flush=True)
            keep_calibration(study, draws, results)


def _save(store: Store, one: Asked) -> None:
    study = one.study
    details = {"label": one.label, "command": one.command, "plugins": list(one.plugins)}
    arrays = large_arrays(study).values()
    store.save_run(study.content_key, study.type_name, one.scale, study.resolved(), arrays, details)


@contextmanager
def _executor(asked: Sequence[Asked], workers: int | None, dask: str | None, device: str) -> Iterator[Executor]:
    """This process, or a Dask cluster that is left at the end."""
    if workers is None and dask is None:
        yield InProcess()
        return
    from testbed.runs.cluster import ClusterExecutor

    plugins = list(dict.fromkeys(plugin for one in asked for plugin in one.plugins))
    with ClusterExecutor(workers, dask, plugins, device) as executor:
        yield executor


def _run_one(store: Store, one: Asked, device: str, deadline: float | None, executor: Executor) -> Outcome:
    remaining = None if deadline is None else deadline - time.monotonic()
    name = f"{one.study.type_name} {one.label}".strip()
    try:
        outcome = run(one.study, store, device, remaining, name, executor)
    except TimeLimitReached as reached:
        named, finished, _ = survey(store, one.study)
        raise TimeLimitReached(f"{name}: {len(finished)} of {len(named)} cells done; {reached}") from None
    print(f"{name}: {outcome.ran} cells run, {outcome.skipped} done before, {len(outcome.failed)} failed", flush=True)
    return outcome


def dry_run_config(config: str, overrides: Sequence[str], grids: Sequence[str], scale: str, results: Path) -> int:
    """Say how much there is to do, without doing it."""
    store = Store(results) if (results / "records.sqlite").is_file() else None
    for one in asked_for(config, overrides, grids, scale):
        named, finished, plans = survey(store, one.study)
        trainings = sum(len(plan.specs) for plan in plans)
        positions = sum(plan.positions for plan in plans)
        print(f"{one.study.type_name} {one.label}".strip() + f" at scale {scale}")
        print(f"  cells               {len(named):>14,}   {len(finished):,} of them done in {results}")
        print(f"  distinct trainings  {trainings:>14,}")
        print(f"  ensembles           {len(plans):>14,}")
        print(f"  training positions  {positions:>14,}")
        if len(finished) < len(named):
            print("  further cells may be named by the results of these")
    return 0
