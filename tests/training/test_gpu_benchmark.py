"""The benchmark for GPUs: its arithmetic, and that it runs where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest
from tiny import environment

CHECKOUT = Path(__file__).parent.parent.parent


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=CHECKOUT, env=environment(), capture_output=True, text=True, timeout=300
    )


def test_operations_and_bytes_by_hand():
    """Width 64, 2 blocks, 128 positions, 4 tokens: 12 weights a width squared and block, 6 operations a weight."""
    script = (
        "from benchmarks._roofline import *; size = Size()\n"
        "print(flops_a_position(64, 2, 128), bytes_a_step(1, (64, 2), size), bytes_a_step(9, (64, 2), size))"
    )
    done = call("-c", script)
    assert done.returncode == 0, done.stderr
    flops, one, nine = map(float, done.stdout.split())
    products = 6 * (2 * 12 * 64**2 + 64 * 4)
    attention = 3 * 2 * (2 * 128 * 64)  # scores and their sum of values, over half of the keys each
    assert flops == products + attention
    n_weights = 2 * 12 * 64**2 + (4 + 1 + 4 + 128) * 64
    assert one == 4096 * 3 * 34 * 64 * 2 * 2 + n_weights * (6 * 4 + 4 * 2)
    assert nine == 9 * one


@pytest.mark.slow
def test_it_rehearses_where_there_is_no_gpu():
    done = call("-m", "benchmarks.gpu", "--rehearse")
    assert done.returncode == 0, done.stderr
    assert "REHEARSAL ON A CPU: these numbers mean nothing" in done.stdout
    assert "graph, float32" in done.stdout
    refused = call("-m", "benchmarks.gpu", "--rehearse", "--write")
    assert refused.returncode == 1
    assert "--write: a rehearsal measures nothing" in refused.stderr
