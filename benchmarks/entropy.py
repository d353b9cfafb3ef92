"""Counts of k-grams, estimators of entropy and their intervals, on one thread, beside what numpy can do.

    python -m benchmarks.entropy [--write] [--tokens 1e8] [--rounds 3] [--draws 100]

Bars: the counts of all orders k <= K against numpy's rolling codes and bincount of one order, 8x up to 2^16 bins V^K
and 2.3x at 2^24; all orders from 60-bit codes faster than one np.unique of them, with counts; all estimators over all
orders in half the time of counting 1e7 tokens, V = 4, K = 12. Counts are asserted to agree. How often the intervals
hold the truth is measured, there is no bar for it. --write puts the tables into benchmarks/README.md.
"""

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import conditions, interleaved, markdown_table, write_section
from testbed.measures.entropy import ESTIMATORS, Fingerprint, GramCounts, count_grams, gram_tables
from testbed.measures.entropy.bayesian import nsb_entropy
from testbed.measures.entropy.interval_coverage import measure_coverage
from testbed.measures.entropy.profile import differences
from testbed.sources import MarkovSource
from testbed.sources.hidden import GoldenMean

TABLES = [(2, 12, 8.0), (4, 6, 8.0), (3, 10, 8.0), (256, 2, 8.0), (4, 12, 2.3), (256, 3, 2.3)]
"""Symbols, K, bar."""
CODED = (32, 12)
ESTIMATED = (4, 12, 10_000_000)
SHARE_BAR = 0.5
PUBLISHED = [
    (
        "README since 1.8, k = 100",
        [4, 12, 4, 5, 3, 1, 5, 1, 2, 2, 2, 2, 11, 3, 4, 12, 12, 1, 2],
        100,
        2.8060922529931225,
    ),
    ("1.6.1, k = 100", [12, 4, 12, 4, 5, 3, 1, 5, 1, 2, 2, 2, 2, 11, 3, 4, 12, 12, 1, 2], 100, 2.840012048914245),
    ("1.4.1, 20 bins", [7, 3, 5, 8, 9, 1, 3, 3, 1, 0, 2, 5, 2, 11, 4, 23, 5, 0, 8, 0], 20, 2.623634344888532),
]
MIB = 2**20


def verdict(ratio: float, bar: float) -> str:
    return f"{ratio:.1f}x ({'pass' if ratio >= bar else 'MISS'}: {bar:g}x)"


# ---- counts ----------------------------------------------------------------------------------------------------------


def codes_as_written(tokens: NDArray[np.uint8], vocab_size: int, order: int) -> NDArray:
    """The number of every window in base V, as one writes it."""
    codes = np.zeros(len(tokens) - order + 1, dtype=np.int64)
    for j in range(order):
        codes = codes * vocab_size + tokens[j : len(tokens) - order + 1 + j]
    return codes


def codes_numpy(tokens: NDArray[np.uint8], vocab_size: int, order: int, dtype: type) -> NDArray:
    """The same without temporary arrays, one multiplication and one addition for each token of a window."""
    n = len(tokens) - order + 1
    codes = tokens[:n].astype(dtype)
    for j in range(1, order):
        codes *= dtype(vocab_size)
        codes += tokens[j : n + j]
    return codes


def measure_tables(n_tokens: int, rounds: int) -> str:
    rows = []
    for vocab_size, order, bar in TABLES:
        tokens = np.random.default_rng(0).integers(0, vocab_size, n_tokens, dtype=np.uint8)
        n_bins = vocab_size**order
        short = tokens[:100_000]
        expected = np.bincount(codes_numpy(short, vocab_size, order, np.int64), minlength=n_bins)
        assert np.array_equal(gram_tables(short, order, vocab_size)[order], expected), "not numpy's counts"
        candidates: dict[str, Callable[[], object]] = {
            "testbed": lambda x=tokens, v=vocab_size, k=order: count_grams(x, k, v),
            "numpy": lambda x=tokens, v=vocab_size, k=order, b=n_bins: np.bincount(
                codes_as_written(x, v, k), minlength=b
            ),
            "in place": lambda x=tokens, v=vocab_size, k=order, b=n_bins: np.bincount(
                codes_numpy(x, v, k, np.int64), minlength=b
            ),
        }
        seconds = interleaved(candidates, rounds)
        counts: GramCounts = count_grams(short, order, vocab_size)
        rate = [f"{n_tokens / seconds[name] / 1e6:.0f}" for name in candidates]
        ratio = verdict(seconds["numpy"] / seconds["testbed"], bar)
        other = f"{seconds['in place'] / seconds['testbed']:.1f}x"
        rows.append([f"{vocab_size}, {order}", f"{n_bins}", f"{counts.n_bytes / MIB:.3g} MiB", *rate, ratio, other])
        print("tables", *rows[-1], flush=True)
    header = ["V, K", "bins", "memory", "testbed, all orders", "numpy, one order", "in place", "ratio (bar)"]
    return markdown_table([*header, "to in place"], rows)


def measure_codes(n_tokens: int, rounds: int) -> str:
    vocab_size, order = CODED
    tokens = np.random.default_rng(0).integers(0, vocab_size, n_tokens, dtype=np.uint8)
    codes = codes_numpy(tokens, vocab_size, order, np.uint64)

    def sort_and_compare() -> int:
        ordered = np.sort(codes)
        return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + 1

    assert int(count_grams(tokens, order, vocab_size).grams[order].n_seen) == sort_and_compare()
    candidates: dict[str, Callable[[], object]] = {
        "testbed": lambda: count_grams(tokens, order, vocab_size),
        "np.unique": lambda: np.unique(codes, return_counts=True),  # without counts it hashes, and takes far longer
        "sort": sort_and_compare,
    }
    seconds = interleaved(candidates, rounds)
    ratio = verdict(seconds["np.unique"] / seconds["testbed"], 1.0)
    cells = [f"{seconds[name]:.2f}" for name in candidates]
    rows = [[f"{vocab_size}, {order}", *cells, ratio, f"{seconds['sort'] / seconds['testbed']:.2f}x"]]
    print("codes", *rows[0], flush=True)
    header = ["V, K", "testbed, all orders", "np.unique with counts, one", "np.sort and compare, one", "ratio (bar)"]
    return markdown_table([*header, "to np.sort"], rows)


# ---- estimators ------------------------------------------------------------------------------------------------------


def measure_estimators(rounds: int) -> str:
    vocab_size, order, n_tokens = ESTIMATED
    source = MarkovSource.random(vocab_size=vocab_size, order=3, entropy_rate=0.8, seed=0)
    tokens = source.sample(1, n_tokens, seed=1)[0]

    def fresh() -> GramCounts:
        """Without what an earlier estimator left in the caches."""
        return GramCounts(counts.vocab_size, n_tokens, *(tuple(map(anew, part)) for part in parts), counts.n_bytes)

    def anew(one: Fingerprint) -> Fingerprint:
        return Fingerprint(one.counts, one.multiplicities)

    counts = count_grams(tokens, order, vocab_size)
    parts = counts.grams, counts.contexts

    def all_of_them() -> None:
        once = fresh()
        for name in ESTIMATORS:
            differences(once, name)

    candidates: dict[str, Callable[[], object]] = {
        "counting": lambda: count_grams(tokens, order, vocab_size),
        "all": all_of_them,
        **{name: (lambda name=name: differences(fresh(), name)) for name in ESTIMATORS},
    }
    seconds = interleaved(candidates, rounds)
    share = seconds["all"] / seconds["counting"]
    rows = [["counting", f"{1e3 * seconds['counting']:.1f}", ""]]
    rows.append(["all estimators", f"{1e3 * seconds['all']:.1f}", f"{share:.0%} ({_met(share)}: {SHARE_BAR:.0%})"])
    rows += [[name, f"{1e3 * seconds[name]:.1f}", f"{seconds[name] / seconds['counting']:.0%}"] for name in ESTIMATORS]
    print("estimators", *rows[1], flush=True)
    return markdown_table(["", "ms", "share of counting (bar)"], rows)


def _met(share: float) -> str:
    return "pass" if share <= SHARE_BAR else "MISS"


def measure_published() -> str:
    rows = []
    for name, counts, size, published in PUBLISHED:
        value = nsb_entropy(Fingerprint.of(counts), size)[0]
        off = abs(value - published)
        rows.append(
            [name, f"{published:.10f}", f"{value:.10f}", f"{off:.1e} ({'pass' if off < 1e-5 else 'MISS'}: 1e-5)"]
        )
    return markdown_table(["NSB, ndd's", "published", "here", "difference (bar)"], rows)


# ---- intervals -------------------------------------------------------------------------------------------------------


def measure_intervals(n_draws: int) -> str:
    sources = [
        ("golden mean", GoldenMean(), 10_000, 17),
        ("order 2, V = 4", MarkovSource.random(vocab_size=4, order=2, entropy_rate=1.0, seed=0), 10_000, 7),
    ]
    rows = []
    for name, source, length, max_order in sources:
        for found in measure_coverage(source, length, max_order, list(ESTIMATORS), n_draws):
            orders = [0, 2, found.trust_limit, min(found.trust_limit + 1, max_order)]
            held = [f"{found.held[k]:.2f} [{found.held_lower[k]:.2f}, {found.held_upper[k]:.2f}]" for k in orders]
            ratios = [f"{found.claimed[k] / found.spread[k]:.2f}" for k in orders[:3]]
            limit = f"{found.bias[found.trust_limit] / found.spread[found.trust_limit]:+.1f}"
            rows.append(
                [
                    f"{name}, {length}",
                    found.estimator,
                    *held[:2],
                    f"{found.trust_limit}",
                    *held[2:],
                    " ".join(ratios),
                    limit,
                ]
            )
            print("intervals", *rows[-1], flush=True)
    header = ["source, tokens", "estimator", "k = 0", "k = 2", "limit", "at the limit", "one beyond"]
    return markdown_table([*header, "claimed / true error", "bias / error"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=float, default=1e8, help="tokens that are counted (default 1e8)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=100, help="streams on which the intervals are tried")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    arguments = parser.parse_args()
    n = int(arguments.tokens)
    body = "\n\n".join(
        [
            f"`python -m benchmarks.entropy`: one thread, CPU time, medians of {arguments.rounds} interleaved rounds,\n"
            "on a machine that others were using. Compare along a row only.",
            f"Counts of all k-grams, k <= K, of {n:.3g} tokens, beside numpy's codes and bincount for K alone:\n"
            "millions of tokens a second. *numpy* as one writes it, and *in place*, without temporary arrays;\n"
            "*memory* is what counting takes beside the tokens.",
            measure_tables(n, arguments.rounds),
            f"All orders from sorted 64-bit codes, {n:.3g} tokens, beside numpy on codes that are there\n"
            "already: seconds.",
            measure_codes(n, arguments.rounds),
            "Conditional entropies at all orders from the counts of {2:.3g} tokens, V = {0}, K = {1}.".format(
                *ESTIMATED
            ),
            measure_estimators(max(arguments.rounds, 5)),
            measure_published(),
            f"How often 95 % intervals (jackknife, 20 blocks) held the exact h_k in {arguments.draws} draws, with\n"
            "exact 99 % bounds; the ratio of the standard error claimed to the deviation over draws at k = 0, 2 and\n"
            "the trust limit; and the bias at the trust limit in such deviations, which no interval has in it.",
            measure_intervals(arguments.draws),
            conditions("numba", "numpy", "scipy"),
        ]
    )
    print("\n" + body)
    if arguments.write:
        write_section("Entropy", body)


if __name__ == "__main__":
    main()
