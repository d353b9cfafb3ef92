"""Two single-threaded workers beside one process, on the same study, by the clock on the wall.

    python -m benchmarks.workers [--write] [--rounds 3] [--workers 2]

Bar: 1.7x one process with two workers on two idle cores. Starting a cluster is timed apart: it is paid once a run. Both
sides take turns, each into an empty results folder; their records are asserted to be equal. The load of the machine
before it is printed, since on busy cores the ratio says nothing. --write puts the table into
benchmarks/README.md.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from benchmarks.timing import conditions, markdown_table, write_section
from testbed.commands.configs import asked_for
from testbed.runs import Executor, InProcess, Record, Store, run
from testbed.runs.cluster import ClusterExecutor
from testbed.studies import Study

BAR = 1.7
WORK = ("n_kernels=16", "training.optimiser.steps=300", "positions_per_ensemble=2000000")
"""The study optimal_context at smoke scale, made longer: some dozens of ensembles, under a minute on one core."""
IDLE = 0.3
"""Processes that run beside it, on average over the last minute, up to which the machine counts as idle."""


def timed(study: Study, executor: Executor) -> tuple[float, dict[str, Record]]:
    """Seconds of a whole run, and its records."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder), writable=True) as store:
        start = time.perf_counter()
        outcome = run(study, store, executor=executor)
        seconds = time.perf_counter() - start
        assert not outcome.failed, outcome.failed
        return seconds, store.records()


def contents(records: dict[str, Record]) -> dict[str, object]:
    return {key: record.content() for key, record in records.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    (asked,) = asked_for("optimal_context", WORK, (), "smoke")
    study = asked.study
    study.prepare()
    alone, together, load = list[float](), list[float](), os.getloadavg()[0]
    start = time.perf_counter()
    with ClusterExecutor(workers=arguments.workers) as cluster:
        timed(study, cluster)  # the workers' processes start and import
        warm = time.perf_counter() - start
        for _ in range(arguments.rounds):
            one, records = timed(study, InProcess())
            many, others = timed(study, cluster)
            assert contents(records) == contents(others)
            alone.append(one)
            together.append(many)
            print(f"one process {one:.1f} s, {arguments.workers} workers {many:.1f} s, {one / many:.2f}x", flush=True)
    ratio = median(a / b for a, b in zip(alone, together, strict=True))
    told = f"{ratio:.2f}x" if arguments.workers != 2 else f"{ratio:.2f}x ({'pass' if ratio >= BAR else 'MISS'}: {BAR}x)"
    rows = [[str(arguments.workers), f"{median(alone):.1f}", f"{median(together):.1f}", told]]
    busy = "" if load <= IDLE else " The machine was busy: the ratio says little."
    body = (
        f"`python -m benchmarks.workers`: seconds by the clock of one run of `optimal_context` ({', '.join(WORK)}),\n"
        f"medians of {arguments.rounds} rounds, workers warm: starting them and a first run took {warm:.0f} s. The\n"
        "records are equal.\n\n"
        + markdown_table(["workers", "one process", "workers together", "ratio (bar)"], rows)
        + f"\n\nLoad before it {load:.1f}, on {os.cpu_count()} cores.{busy}\n"
        + conditions("torch", "distributed")
    )
    print(body)
    if arguments.write:
        write_section("Workers", body)


if __name__ == "__main__":
    main()
