"""Rate of the Markov sampler on one thread, beside what numpy can do and beside its own random generator.

    python -m benchmarks.sampler [--write] [--rounds 9]

Bars: at least 7x a vectorised numpy alias sampler and 12x numpy's inverse CDF for tables up to 256 KiB; at least 28 %
of the rate of the Philox generator alone for tables up to 128 KiB, 22 % up to 256 KiB. --write puts the table into
benchmarks/README.md.

Against numpy stands `ChainSampler.sample`: all three make a new array a call. Against Philox, whose words stay in the
cache, stands the kernel with an output buffer that is used again, so that the operating system's page faults count on
neither side.
"""

import argparse
from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import conditions, interleaved, markdown_table, write_section
from testbed.sources._kernels.chain import sample_chain
from testbed.sources._kernels.philox import fill_random_words
from testbed.sources.dyadic import quantise, quantise64
from testbed.sources.sampling import ChainSampler

N_SEQUENCES, LENGTH = 4096, 1024
POWERS_OF_TWO = [(2, 1), (2, 3), (2, 8), (4, 1), (4, 3), (4, 8), (32, 1), (32, 2), (32, 3), (256, 1), (256, 2)]
OTHERS = [(3, 1), (3, 3), (3, 7), (5, 1), (5, 3), (17, 1), (17, 2)]
KIB = 1024


def alias_numpy(table: NDArray[np.uint32], bits: int, order: int, seed: int) -> NDArray[np.uint8]:
    """The same table walked by numpy: all sequences at once, every operation in place, 32 random bits a token."""
    generator = np.random.Generator(np.random.SFC64(seed))
    shift, column_mask = np.uint32(32 - bits), np.uint32((1 << bits) - 1)
    height_mask, height_shift = np.uint32((1 << (32 - bits)) - 1), np.uint32(bits)
    row_mask = np.int64(((1 << (bits * order)) - 1) << bits)
    tokens = np.empty((LENGTH, N_SEQUENCES), dtype=np.uint8)
    rows = np.zeros(N_SEQUENCES, dtype=np.int64)
    entries = np.empty(N_SEQUENCES, dtype=np.uint32)
    for t in range(LENGTH):
        words = generator.integers(0, 2**64, N_SEQUENCES // 2, dtype=np.uint64).view(np.uint32)
        chosen = words >> shift
        table.take(rows + chosen, out=entries, mode="clip")
        words &= height_mask
        np.copyto(chosen, entries & column_mask, where=words >= (entries >> height_shift))
        tokens[t] = chosen
        rows += chosen
        rows <<= bits
        rows &= row_mask
    return np.ascontiguousarray(tokens.T)


def inverse_cdf_numpy(laws: NDArray[np.float64], order: int, seed: int) -> NDArray[np.uint8]:
    """Inverse CDF by one searchsorted a step: row s of the flat table is the CDF of state s, plus s."""
    vocab_size = laws.shape[-1]
    n_states = vocab_size**order
    steps = laws.cumsum(axis=-1) + np.arange(n_states)[:, np.newaxis]
    steps[:, -1] = np.arange(1, n_states + 1)
    flat = steps.ravel()
    generator = np.random.Generator(np.random.SFC64(seed))
    tokens = np.empty((LENGTH, N_SEQUENCES), dtype=np.uint8)
    states = np.zeros(N_SEQUENCES, dtype=np.int64)
    for t in range(LENGTH):
        draws = generator.random(N_SEQUENCES)
        draws += states
        found = flat.searchsorted(draws, side="right")
        tokens[t] = found - states * vocab_size
        # A flat position is state * V + token; its remainder is the next state.
        states = found & (n_states - 1) if n_states & (n_states - 1) == 0 else found % n_states
    return np.ascontiguousarray(tokens.T)


@numba.njit
def philox_only(words: NDArray[np.uint32], n_words: int) -> None:
    """Make n_words random words, tile by tile, as the sampler does, and leave them unread."""
    for tile in range(n_words // words.size):
        fill_random_words(words, tile, numba.uint64(0), numba.uint64(tile), numba.uint64(1))


def measure(vocab_size: int, order: int, rounds: int) -> tuple[int, dict[str, float]]:
    """Size of the table in bytes, and the rate of every candidate in millions of tokens (or words) a second."""
    n_states = vocab_size**order
    laws = np.random.default_rng(0).dirichlet(np.ones(vocab_size), n_states)
    weights = quantise(laws).reshape((vocab_size,) * (order + 1))
    sampler = ChainSampler(weights, quantise64(np.full(n_states, 1 / n_states)))
    tables = sampler._tables
    words = np.empty((32, 128), dtype=np.uint32)  # stays in the first-level cache
    buffer = np.empty((N_SEQUENCES, LENGTH // 4), dtype=np.uint32)
    candidates: dict[str, Callable[[], object]] = {
        "testbed": lambda: sampler.sample(N_SEQUENCES, LENGTH, seed=1),
        "kernel": lambda: sample_chain(*tables, 4, np.uint64(0), np.uint64(1), buffer),
        "numpy alias": lambda: alias_numpy(tables.table, tables.column_bits, order, seed=1),
        "numpy inverse CDF": lambda: inverse_cdf_numpy(laws, order, seed=1),
        "Philox": lambda: philox_only(words, N_SEQUENCES * LENGTH),
    }
    seconds = interleaved(candidates, rounds)
    return tables.table.nbytes, {name: N_SEQUENCES * LENGTH / spent / 1e6 for name, spent in seconds.items()}


def against_bars(table_bytes: int, rates: dict[str, float]) -> list[str]:
    """The three ratios, each with its bar and 'pass' or 'MISS' where the table is small enough for a bar to stand."""
    share_bar = 0.28 if table_bytes <= 128 * KIB else 0.22
    small = table_bytes <= 256 * KIB
    cells = []
    for name, bar in (("numpy alias", 7.0), ("numpy inverse CDF", 12.0)):
        ratio = rates["testbed"] / rates[name]
        cells.append(f"{ratio:.1f}x" + (f" ({_verdict(ratio, bar)})" if small else ""))
    share = rates["kernel"] / rates["Philox"]
    return [*cells, f"{share:.1%}" + (f" ({_verdict(share, share_bar)})" if small else "")]


def _verdict(value: float, bar: float) -> str:
    return "pass" if value >= bar else "MISS"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    arguments = parser.parse_args()
    numba.set_num_threads(1)
    names = ["testbed", "kernel", "numpy alias", "numpy inverse CDF", "Philox"]
    rows = []
    for vocab_size, order in POWERS_OF_TWO + OTHERS:
        table_bytes, rates = measure(vocab_size, order, arguments.rounds)
        size = f"{table_bytes / KIB:.3g} KiB" if table_bytes < KIB * KIB else f"{table_bytes / KIB / KIB:.3g} MiB"
        rows.append(
            [f"{vocab_size}, {order}", size, *(f"{rates[n]:.0f}" for n in names), *against_bars(table_bytes, rates)]
        )
        print(f"V {vocab_size}, k {order}: " + ", ".join(f"{n} {rates[n]:.0f} M/s" for n in names), flush=True)
    header = ["V, k", "table", *names, "testbed / alias", "testbed / CDF", "kernel / Philox"]
    body = "\n\n".join(
        [
            f"`python -m benchmarks.sampler`: {N_SEQUENCES} sequences of {LENGTH} tokens, one thread, millions of\n"
            "tokens a second of CPU time (Philox: of 32-bit words), medians of "
            f"{arguments.rounds} interleaved rounds.\n"
            "*kernel* writes into a buffer that is used again; *testbed* and numpy make a new array a call.",
            "Bars: 7x numpy alias, 12x numpy inverse CDF (tables up to 256 KiB); 28 % of Philox alone (up to\n"
            "128 KiB), 22 % (up to 256 KiB). Compare along a row only.",
            markdown_table(header, rows),
            conditions("numba", "numpy"),
        ]
    )
    print("\n" + body)
    if arguments.write:
        write_section("Sampler", body)


if __name__ == "__main__":
    main()
