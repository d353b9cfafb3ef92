"""Rates of the edge machine, the Bayes filter and one long chain on one thread, beside the best that numpy can do.

    python -m benchmarks.sources [--write] [--rounds 7] [--long 1e8]

Bars: edge machine 5x the best numpy loop (tables up to 256 KiB); filter, against the best numpy filter, 6x at 2 states,
3.5x at 4, 2x at 8, 8x at 32 and 64; one long chain 2x a serial compiled walk, and the same tokens, which is asserted.
All filters are asserted to agree. --write puts the tables into benchmarks/README.md.

The opponents are in benchmarks/_numpy_sources.py.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable

import numba
import numpy as np

from benchmarks._numpy_sources import FILTERS, machine_arrivals, machine_inverse_cdf, machine_resolved
from benchmarks.timing import conditions, interleaved, markdown_table, write_section
from testbed.sources._kernels.chain import draw_starts
from testbed.sources._kernels.long_chain import walk_serial
from testbed.sources.dyadic import quantise, quantise64
from testbed.sources.edges import Edges
from testbed.sources.filtering import MachineFilter
from testbed.sources.machine_sampling import MachineSampler
from testbed.sources.sampling import ChainSampler

KIB = 1024
ONE_THREAD = dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"], "1")

MACHINE_SIZE = (4096, 512)
MACHINES = [(2, 2, 2), (8, 4, 4), (64, 16, 4), (1024, 16, 32), (4096, 16, 32), (100_000, 2, 2), (1_000_000, 2, 2)]
"""States, edges a state, symbols; random symbols, successors and weights."""
MACHINE_BAR, MACHINE_BAR_BYTES = 5.0, 256 * KIB

FILTER_SEQUENCES = 1024
FILTER_CASES = [(2, 2, 256, 6.0), (4, 2, 256, 3.5), (8, 4, 256, 2.0), (32, 4, 128, 8.0), (64, 32, 64, 8.0)]
"""States, symbols, length, bar; dense random tensors."""
STATES_WITHOUT_LOOP = 8  # above, numpy's S^2 vector operations are left out

CHAINS = [(2, 1, None), (2, 8, None), (4, 3, None), (4, 8, None), (32, 2, None), (256, 1, None), (4, 1, 0.999)]
"""Symbols, order, and the probability of staying that is mixed in."""
CHAIN_BAR = 2.0


def verdict(ratio: float, bar: float) -> str:
    return f"{ratio:.1f}x ({'pass' if ratio >= bar else 'MISS'}: {bar:g}x)"


# ---- edge machine ----------------------------------------------------------------------------------------------------


def measure_machines(rounds: int) -> str:
    rows = []
    for n_states, n_edges, vocab_size in MACHINES:
        generator = np.random.default_rng(0)
        shape = (n_states, n_edges)
        edges = Edges(
            generator.integers(0, vocab_size, shape).astype(np.int32),
            generator.integers(0, n_states, shape).astype(np.int32),
            quantise(generator.dirichlet(np.ones(n_edges), n_states)),
        )
        sampler = MachineSampler(edges, quantise64(np.full(n_states, 1 / n_states)), vocab_size)
        candidates: dict[str, Callable[[], object]] = {
            "testbed": lambda s=sampler: s.sample(*MACHINE_SIZE, seed=1),
            "alias": lambda s=sampler: machine_arrivals(s, *MACHINE_SIZE, seed=1),
            "resolved alias": lambda s=sampler: machine_resolved(s, *MACHINE_SIZE, seed=1),
            "inverse CDF": lambda e=edges: machine_inverse_cdf(e, *MACHINE_SIZE, seed=1),
        }
        seconds = interleaved(candidates, rounds)
        rates = {name: math.prod(MACHINE_SIZE) / spent / 1e6 for name, spent in seconds.items()}
        table_bytes = sampler._tables.table.nbytes
        ratio = rates["testbed"] / max(rate for name, rate in rates.items() if name != "testbed")
        last = verdict(ratio, MACHINE_BAR) if table_bytes <= MACHINE_BAR_BYTES else f"{ratio:.1f}x"
        numbers = [f"{rate:.0f}" for rate in rates.values()]
        rows.append([f"{n_states}, {n_edges}, {vocab_size}", f"{table_bytes / KIB:.4g} KiB", *numbers, last])
        print("machine", *rows[-1], flush=True)
    header = ["S, M, V", "table", "testbed", "alias", "resolved alias", "inverse CDF", "testbed / best (bar)"]
    text = (
        f"Edge machine, {MACHINE_SIZE[0]} sequences of {MACHINE_SIZE[1]} tokens; S states of M edges, V symbols, random"
        " successors:\nmillions of tokens a second, beside three numpy samplers. Bar for tables up to 256 KiB."
    )
    return text + "\n\n" + markdown_table(header, rows)


# ---- filter ----------------------------------------------------------------------------------------------------------


def measure_filters(rounds: int) -> str:
    rows = []
    for n_states, vocab_size, length, bar in FILTER_CASES:
        generator = np.random.default_rng(0)
        joint = generator.dirichlet(np.full(n_states * vocab_size, 0.5), n_states)
        edges = Edges.from_tensor(joint.reshape(n_states, vocab_size, n_states).transpose(1, 0, 2))
        initial = np.full(n_states, 1 / n_states)
        tokens = MachineSampler(edges, quantise64(initial), vocab_size).sample(FILTER_SEQUENCES, length, seed=1)
        machine_filter, transitions = MachineFilter(edges, vocab_size), edges.tensor(vocab_size)
        buffer = np.empty(tokens.shape[::-1])
        kernel = (initial[None], tokens, buffer, np.empty((1, 0, 0)))
        plain = (transitions, initial, tokens, buffer)
        candidates: dict[str, Callable[[], object]] = {
            "testbed": lambda f=machine_filter, i=initial, x=tokens: f.log_probs(i, x),
            "kernel": lambda f=machine_filter, arguments=kernel: f._fill(*arguments),
        }
        for name, run in FILTERS.items():
            if name != "by state" or n_states <= STATES_WITHOUT_LOOP:
                candidates[name] = lambda run=run, arguments=plain: run(*arguments)
                expected = machine_filter.log_probs(initial, tokens)
                np.testing.assert_allclose(run(*plain).T, expected, rtol=1e-9, atol=1e-12)
        seconds = interleaved(candidates, rounds)
        rates = {name: tokens.size / spent / 1e6 for name, spent in seconds.items()}
        best = max(rates[name] for name in FILTERS if name in rates)
        unsorted = max(rates[name] for name in FILTERS if name in rates and name != "by symbol")
        numbers = [f"{rates[name]:.3g}" if name in rates else "" for name in ("testbed", "kernel", *FILTERS)]
        ratios = [
            verdict(rates["kernel"] / best, bar),
            f"{rates['testbed'] / best:.1f}x",
            f"{rates['kernel'] / unsorted:.1f}x",
        ]
        flops = 2 * n_states**2 * rates["kernel"] / 1e3
        rows.append([f"{n_states}, {vocab_size}", *numbers, *ratios, f"{flops:.0f}"])
        print("filter", *rows[-1], flush=True)
    header = [
        "S, V",
        "testbed",
        "kernel",
        *FILTERS,
        "kernel / best (bar)",
        "testbed / best",
        "kernel / best without sorting",
        "GFLOP/s",
    ]
    text = (
        f"Forward filter, {FILTER_SEQUENCES} sequences, log probabilities in float64: millions of tokens a second.\n"
        "*kernel* and numpy write into one buffer that is used again and check no arguments, so that the operating\n"
        "system's page faults count on neither side; *testbed* is `log_probs` as users call it, with a new array\n"
        "every time: with few states that costs a good part of the time. numpy: a matrix picked for each sequence\n"
        "(*gather*), one product for *all symbols*, sequences sorted *by symbol*, S^2 vector operations\n"
        "(*by state*). Results are asserted to agree. GFLOP/s: 2 S^2 operations a token; numpy's product of two\n"
        f"matrices of 1024 rows has {matrix_product_rate(rounds):.0f}. From 32 states on the work is matrix products,"
        " which sorting by symbol\n"
        "leaves to OpenBLAS: 8 times what numpy then does would be over twice the rate of that large product."
    )
    return text + "\n\n" + markdown_table(header, rows)


def matrix_product_rate(rounds: int) -> float:
    """Of numpy, in 10^9 operations a second."""
    square, result = np.random.default_rng(0).random((1024, 1024)), np.empty((1024, 1024))
    return (
        2 * 1024**3 / interleaved({"product": lambda: np.matmul(square, square, out=result)}, rounds)["product"] / 1e9
    )


# ---- one long chain --------------------------------------------------------------------------------------------------


def measure_chains(length: int, rounds: int) -> str:
    rows = []
    for vocab_size, order, stay in CHAINS:
        laws = np.random.default_rng(0).dirichlet(np.full(vocab_size, 0.7), (vocab_size,) * order)
        if stay is not None:
            laws = (1 - stay) * laws + stay * np.eye(vocab_size)
        n_states = vocab_size**order
        sampler = ChainSampler(quantise(laws), quantise64(np.full(n_states, 1 / n_states)))
        candidates: dict[str, Callable[[], np.ndarray]] = {
            "testbed": lambda s=sampler: s.sample(1, length, seed=1)[0],
            "serial": lambda s=sampler: walk_alone(s, length, seed=1),
        }
        assert (candidates["testbed"]() == candidates["serial"]()).all(), "not the serial chain"
        seconds = interleaved(candidates, rounds)
        rates = {name: length / spent / 1e6 for name, spent in seconds.items()}
        kind = f"{vocab_size}, {order}" + ("" if stay is None else f", stays with {stay:g}")
        numbers = [f"{rate:.0f}" for rate in rates.values()]
        rows.append([kind, *numbers, verdict(rates["testbed"] / rates["serial"], CHAIN_BAR)])
        print("long chain", *rows[-1], flush=True)
    header = ["V, k", "testbed", "serial", "ratio (bar)"]
    text = (
        f"One chain of {length:.3g} tokens: `ChainSampler.sample(1, ...)` beside a compiled walk of one token after\n"
        "the other, whose random words are made in vector registers too; millions of tokens a second. The tokens are\n"
        "asserted to be the same."
    )
    return text + "\n\n" + markdown_table(header, rows)


def walk_alone(sampler: ChainSampler, length: int, seed: int) -> np.ndarray:
    """Sequence 0 of 8-bit tokens, one after the other."""
    tables = sampler._tables
    start = np.empty(1, dtype=np.uint32)
    draw_starts(tables.boundaries, tables.starts, np.uint64(0), np.uint64(seed), start)
    words = np.zeros(-(-length // 4), dtype=np.uint32)
    never = 2**62
    chain = (tables.table, tables.column_bits, tables.compact, tables.row_mask, tables.successor, start[0])
    walk_serial(*chain, 4, never, 0, np.uint64(0), np.uint64(seed), words)
    return words.view(np.uint8)[:length]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--long", type=float, default=1e8, help="tokens of the long chain (default 1e8)")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    arguments = parser.parse_args()
    numba.set_num_threads(1)
    body = "\n\n".join(
        [
            f"`python -m benchmarks.sources`: one thread, CPU time, medians of {arguments.rounds} interleaved rounds\n"
            "(the long chain: 3), on a machine that others were using. Compare along a row only.",
            measure_machines(arguments.rounds),
            measure_filters(arguments.rounds),
            measure_chains(int(arguments.long), 3),
            conditions("numba", "numpy"),
        ]
    )
    print("\n" + body)
    if arguments.write:
        write_section("Sources", body)


if __name__ == "__main__":
    if any(name not in os.environ for name in ONE_THREAD):  # read when numpy is loaded, before this line
        arguments = [sys.executable, "-m", "benchmarks.sources", *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**ONE_THREAD, **os.environ})
    main()
