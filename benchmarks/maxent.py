"""Speed and memory of maximum entropy solvers, beside numpy's einsum and two public packages.

    python -m benchmarks.maxent [--write] [--rounds 5]

Bars: proportional fitting at V = 4, n = 10, all pairs, in at most twice the time of the same sweeps written with einsum
over the dense array, and under 4 dense arrays of memory; the banded solver linear in n (slope of log time over
n = 16 .. 128 in 0.8 .. 1.2); on V = 3, n = 4, all pairs, at least 20 times as fast as dit's ipf and 5 times as ipfn,
all three agreeing to 1e-8. Where dit or ipfn (the extra `oracles`) is not installed its row is left out. --write puts
the tables into benchmarks/README.md.
"""

import argparse
import importlib.util
import itertools
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import conditions, interleaved, markdown_table, write_section
from testbed.maxent import Constraint, ConstraintSet, Law, Pairs, WindowMarginals, marginal_of

Floats = NDArray[np.float64]

EINSUM_BAR, MEMORY_BAR, SLOPE_BAR = 2.0, 4.0, (0.8, 1.2)
DIT_BAR, IPFN_BAR = 20.0, 5.0
CALLS = 10
"""Calls of a small problem in a turn."""
LENGTHS = (16, 24, 32, 48, 64, 96, 128)


def pair_constraints(law: Floats) -> ConstraintSet:
    pairs = itertools.combinations(range(law.ndim), 2)
    return ConstraintSet(law.shape[0], law.ndim, [Constraint(pair, marginal_of(law, pair)) for pair in pairs])


def random_law(vocab_size: int, length: int, concentration: float = 1.0, seed: int = 0) -> Floats:
    cells = np.random.default_rng(seed).dirichlet(np.full(vocab_size**length, concentration))
    return cells.reshape((vocab_size,) * length)


def tilted_law(vocab_size: int, length: int, seed: int = 0) -> Floats:
    """Random pair interactions with a little noise: fitting its pairs takes more than a few sweeps."""
    rng = np.random.default_rng(seed)
    logs = 0.3 * rng.normal(size=(vocab_size,) * length)
    for pair in itertools.combinations(range(length), 2):
        shape = [vocab_size if position in pair else 1 for position in range(length)]
        logs += 0.4 * rng.normal(size=shape)
    law = np.exp(logs)
    return law / law.sum()


def einsum_sweeps(constraints: ConstraintSet, sweeps: int) -> Floats:
    """The same sweeps, each marginal an einsum over the dense array, each factor broadcast in place."""
    length, vocab_size = constraints.length, constraints.vocab_size
    law = np.full((vocab_size,) * length, float(vocab_size) ** -length)
    axes = list(range(length))
    for _ in range(sweeps):
        for one in constraints.constraints:
            found = np.einsum(law, axes, list(one.positions))  # type: ignore[arg-type]
            law *= (one.table / found).reshape([vocab_size if p in one.positions else 1 for p in axes])
    return law


def sum_sweeps(constraints: ConstraintSet, sweeps: int) -> Floats:
    """The same with `sum` over axes, which numpy reduces one block after the other."""
    length, vocab_size = constraints.length, constraints.vocab_size
    law = np.full((vocab_size,) * length, float(vocab_size) ** -length)
    for _ in range(sweeps):
        for one in constraints.constraints:
            others = tuple(p for p in range(length) if p not in one.positions)
            found = law.sum(axis=others, keepdims=True)
            law *= one.table.reshape(found.shape) / found
    return law


def solved(constraints: ConstraintSet) -> tuple[Law, float]:
    """The fitted law, and the peak of memory allocated on the way in dense arrays, the law's own included."""
    constraints.solve("ipf", max_iterations=1, on_failure="return")  # compiled, and the layout laid out
    tracemalloc.start()
    law = constraints.solve("ipf")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return law, peak / (8 * constraints.vocab_size**constraints.length)


def dense_rows(rounds: int) -> list[list[str]]:
    rows = []
    for vocab_size, length in ((2, 12), (3, 8), (4, 8), (4, 10), (2, 20)):
        cells = vocab_size**length
        constraints = pair_constraints(tilted_law(vocab_size, length))
        solution, memory = solved(constraints)
        sweeps = solution.iterations
        timed = min(sweeps, 3)  # einsum's sweeps all cost the same
        ways = {
            "testbed": lambda c=constraints, n=timed: c.solve("ipf", max_iterations=n, on_failure="return"),
            "einsum": lambda c=constraints, n=timed: einsum_sweeps(c, n),
            "sum": lambda c=constraints, n=timed: sum_sweeps(c, n),
        }
        np.testing.assert_allclose(ways["testbed"]().probabilities, ways["einsum"](), rtol=1e-10)
        np.testing.assert_allclose(ways["einsum"](), ways["sum"](), rtol=1e-10)
        seconds = interleaved(ways, rounds)
        ratio = seconds["testbed"] / seconds["einsum"]
        held = cells >= 2**20
        rows.append(
            [
                f"{vocab_size}, {length}",
                str(len(constraints.constraints)),
                str(constraints.rank),
                str(sweeps),
                f"{solution.residual:.0e}",
                *(f"{1e3 * seconds[name] / timed:.3g}" for name in ("testbed", "einsum", "sum")),
                f"{ratio:.2f}" + (f" ({'pass' if ratio <= EINSUM_BAR else 'MISS'}: {EINSUM_BAR:g})" if held else ""),
                f"{memory:.1f}" + (f" ({'pass' if memory < MEMORY_BAR else 'MISS'}: {MEMORY_BAR:g})" if held else ""),
            ]
        )
        print(", ".join(rows[-1]), flush=True)
    return rows


def band_rows(rounds: int) -> list[list[str]]:
    rows = []
    for vocab_size, lag in ((3, 2), (4, 3)):
        block = random_law(vocab_size, lag + 1, 0.5)
        for _ in range(300):  # the law of lag + 1 tokens of a stationary chain
            kernel = random_law(vocab_size, lag + 1, 0.5)
            kernel /= kernel.sum(axis=-1, keepdims=True)
            block = block.sum(axis=0)[..., None] * kernel
        marginals = WindowMarginals(block)
        sets = {n: Pairs(max_lag=lag).constraints(marginals, vocab_size, lag + 1, n) for n in LENGTHS}
        seconds = interleaved({str(n): lambda c=c: c.solve("banded") for n, c in sets.items()}, rounds)
        slope = float(np.polyfit(np.log(LENGTHS), np.log([seconds[str(n)] for n in LENGTHS]), 1)[0])
        low, high = SLOPE_BAR
        sweeps = [sets[n].solve("banded").iterations for n in LENGTHS]
        rows.append(
            [
                f"{vocab_size}, {lag}",
                *(f"{1e3 * seconds[str(n)]:.3g}" for n in LENGTHS),
                f"{min(sweeps)} .. {max(sweeps)}",
                f"{slope:.2f} ({'pass' if low <= slope <= high else 'MISS'}: {low:g} .. {high:g})",
            ]
        )
        print(", ".join(rows[-1]), flush=True)
    return rows


def dit_law(law: Floats) -> Callable[[], Floats]:
    """dit's proportional fitting of all pair marginals."""
    import dit
    from dit.algorithms import maxent_dist

    length, vocab_size = law.ndim, law.shape[0]
    outcomes = ["".join(map(str, x)) for x in itertools.product(range(vocab_size), repeat=length)]
    given = dit.Distribution(outcomes, law.reshape(-1))
    pairs = [list(pair) for pair in itertools.combinations(range(length), 2)]

    def call() -> Floats:
        found = maxent_dist(given, pairs, method="ipf")
        table = np.zeros(law.shape)
        for outcome, probability in found.zipped():
            table[tuple(int(symbol) for symbol in outcome)] = probability
        return table

    return call


def ipfn_law(law: Floats) -> Callable[[], Floats]:
    """ipfn's, with limits tight enough to agree with the others."""
    from ipfn import ipfn

    pairs = [list(pair) for pair in itertools.combinations(range(law.ndim), 2)]
    tables = [marginal_of(law, tuple(pair)) for pair in pairs]

    def call() -> Floats:
        start = np.full(law.shape, 1.0 / law.size)
        fitting = ipfn.ipfn(start, tables, pairs, convergence_rate=1e-13, rate_tolerance=0, max_iteration=500)
        return fitting.iteration()

    return call


def package_rows(rounds: int) -> list[list[str]]:
    law = random_law(3, 4)
    ways: dict[str, Callable[[], Any]] = {"testbed": lambda: pair_constraints(law).solve().probabilities}
    for name, make in (("dit", dit_law), ("ipfn", ipfn_law)):
        if importlib.util.find_spec(name) is not None:
            ways[name] = make(law)
    answers = {name: way() for name, way in ways.items()}
    turns = {name: lambda way=way: [way() for _ in range(CALLS)] for name, way in ways.items()}
    seconds = {name: value / CALLS for name, value in interleaved(turns, rounds).items()}
    rows = []
    for name in ways:
        bar = {"dit": DIT_BAR, "ipfn": IPFN_BAR}.get(name)
        ratio = seconds[name] / seconds["testbed"]
        difference = float(np.abs(answers[name] - answers["testbed"]).max())
        assert difference < 1e-8, f"{name} differs by {difference}"
        verdict = "" if bar is None else f"{ratio:.0f}x ({'pass' if ratio >= bar else 'MISS'}: {bar:g}x)"
        rows.append([name, f"{1e3 * seconds[name]:.3g}", f"{difference:.0e}", verdict])
        print(", ".join(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    arguments = parser.parse_args()
    start = time.perf_counter()
    packages, bands, dense = (
        package_rows(3 * arguments.rounds),
        band_rows(arguments.rounds),
        dense_rows(arguments.rounds),
    )
    body = "\n\n".join(
        [
            f"`python -m benchmarks.maxent`: CPU time on one core, medians of {arguments.rounds} interleaved rounds.\n"
            "Compare along a row only.",
            "Proportional fitting of all pairs over the dense law: milliseconds a sweep, beside the same sweeps with\n"
            "numpy's `einsum` and with its `sum` over axes; sweeps to a residual of 1e-12; peak memory of the whole\n"
            "solution in dense arrays of V^n numbers.",
            markdown_table(
                ["V, n", "pairs", "rank", "sweeps", "residual", "testbed", "einsum", "sum", "/ einsum", "memory"], dense
            ),
            "Banded solver, pairs up to a lag of a stationary chain, to a residual of 1e-12: milliseconds for n\n"
            "tokens, and the slope of log time.",
            markdown_table(["V, lag", *map(str, LENGTHS), "sweeps", "slope"], bands),
            "V = 3, n = 4, all six pairs of a random law, checks of the constraints included: milliseconds a call in\n"
            f"turns of {CALLS}, largest difference of a probability, how many times testbed's time.",
            markdown_table(["package", "ms", "difference", "ratio"], packages),
            conditions("numba", "numpy"),
        ]
    )
    print(f"\n{body}\n\n{time.perf_counter() - start:.0f} s")
    if arguments.write:
        write_section("Maximum entropy", body)


if __name__ == "__main__":
    main()
