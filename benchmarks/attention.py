"""Cost of attention's hooks: a scale folded into q beside plain fused attention, and entropy without a T x T matrix.

    python -m benchmarks.attention [--write] [--rounds 41]

Forward and backward through `attend`, one member: plain; with InfoScale, a factor a query, folded into q; with a hook
that changes nothing on the explicit path, which forms the scores. Entropies of all rows as they are measured and by
forming the weights. Bars: at most 5 % over plain for the folded scale; entropy at T = 512 at least 4x faster than
explicit. Before timing, all ways are checked to agree. --write puts both tables into benchmarks/README.md.
"""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.timing import conditions, interleaved, markdown_table, write_section
from testbed.measures.attention_entropy import attention_entropy, explicit_entropy
from testbed.methods import Geometry, Method
from testbed.methods.infoscale import InfoScale
from testbed.models.attention import Active, attend, placed

SIZES = [(8, 2, 32, 16), (32, 4, 128, 16), (4, 4, 512, 32)]
"""Windows, heads, positions, head dimension."""
ENTROPY_SIZES = [
    (32, 4, 128, 16),
    (1, 2, 512, 16),
    (4, 4, 512, 16),
    (4, 4, 512, 32),
    (2, 2, 512, 64),
    (16, 4, 512, 64),
    (1, 4, 2048, 32),
]
CALLS = 5
"""Calls that are timed as one."""
SCALE_BAR, ENTROPY_BAR, ENTROPY_BAR_FROM = 1.05, 4.0, 512


class Unchanged(Method):
    """A hook on the scores that changes nothing."""

    type_name = "unchanged"

    def logits(self, a_EBHTT, context, parameters):  # type: ignore[no-untyped-def]
        return a_EBHTT


def passes(q: Tensor, k: Tensor, v: Tensor, gradient: Tensor, active: Active) -> Callable[[], Tensor]:
    """One call: attention forward and backward; returns the output."""
    B, H, T, K = q.shape[1:]
    at = placed(T, "all", Geometry(H * K, H, 1, T // 2), torch.device("cpu"))
    x = torch.zeros(1, B, T, H * K)

    def call() -> Tensor:
        for one in (q, k, v):
            one.grad = None
        found = attend(q, k, v, x, at, active, block=0)
        found.backward(gradient)
        return found.detach()

    return call


def repeated(call: Callable[[], object]) -> Callable[[], None]:
    def calls() -> None:
        for _ in range(CALLS):
            call()

    return calls


def measure(B: int, H: int, T: int, K: int, rounds: int) -> list[str]:
    """A row of the first table: milliseconds a call and ratios."""
    q, k, v, gradient = torch.randn(4, 1, B, H, T, K, generator=torch.Generator().manual_seed(0))
    q, k, v = (one.clone().requires_grad_() for one in (q, k, v))
    scaled: Active = [(InfoScale(), {})]
    ways = {
        "plain": passes(q, k, v, gradient, []),
        "scaled": passes(q, k, v, gradient, scaled),
        "explicit": passes(q, k, v, gradient, [(Unchanged(), {})]),
    }
    torch.testing.assert_close(ways["plain"](), ways["explicit"](), rtol=1e-4, atol=1e-5)
    with_scores = passes(q, k, v, gradient, [*scaled, (Unchanged(), {})])
    torch.testing.assert_close(ways["scaled"](), with_scores(), rtol=1e-4, atol=1e-5)
    seconds = interleaved({name: repeated(call) for name, call in ways.items()}, rounds)
    ms = {name: 1e3 * value / CALLS for name, value in seconds.items()}
    over = ms["scaled"] / ms["plain"]
    return [
        f"{B}, {H}, {T}, {K}",
        *(f"{ms[name]:.2f}" for name in ("plain", "scaled", "explicit")),
        f"{over:.3f} ({'pass' if over <= SCALE_BAR else 'MISS'}: {SCALE_BAR:g})",
        f"{ms['explicit'] / ms['plain']:.2f}",
    ]


def measure_entropy(B: int, H: int, T: int, K: int, rounds: int) -> list[str]:
    """A row of the second: milliseconds a call, the ratio, and the largest errors of both against float64."""
    q, k = torch.randn(2, 1, B, H, T, K, generator=torch.Generator().manual_seed(0))
    ways: dict[str, Callable[[], Tensor]] = {
        "measured": lambda: attention_entropy(q, k),
        "explicit": lambda: explicit_entropy(q, k),
    }
    exact = explicit_entropy(q.double(), k.double())
    errors = {name: float((way() - exact).abs().max()) for name, way in ways.items()}
    assert max(errors.values()) < 1e-4, errors
    seconds = interleaved({name: repeated(call) for name, call in ways.items()}, rounds)
    faster = seconds["explicit"] / seconds["measured"]
    verdict = f" ({'pass' if faster >= ENTROPY_BAR else 'MISS'}: {ENTROPY_BAR:g}x)" if T >= ENTROPY_BAR_FROM else ""
    return [
        f"{B}, {H}, {T}, {K}",
        *(f"{1e3 * seconds[name] / CALLS:.2f}" for name in ways),
        f"{faster:.1f}x{verdict}",
        *(f"{error:.0e}" for error in errors.values()),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tables = []
    for size_list, row_of in ((SIZES, measure), (ENTROPY_SIZES, measure_entropy)):
        rows = []
        for size in size_list:
            rows.append(row_of(*size, arguments.rounds))
            print(", ".join(rows[-1]), flush=True)
        tables.append(rows)
    header = ["B, H, T, K", "plain", "scaled", "explicit", "scaled / plain (bar)", "explicit / plain"]
    entropy_header = ["B, H, T, K", "measured", "explicit", "faster (bar)", "error", "explicit error"]
    body = "\n\n".join(
        [
            "`python -m benchmarks.attention`: milliseconds of CPU time a call on one core of a shared machine,\n"
            f"medians of {arguments.rounds} interleaved rounds of {CALLS} calls; B windows, H heads, T positions,\n"
            "head dimension K, causal, float32. Compare along a row only.",
            "*plain*, *scaled*, *explicit*: attention forward and backward by the fused kernel, the same with\n"
            "InfoScale (one factor a query, folded into q), and with a hook that makes it form the scores. Before\n"
            "timing, the ways are checked to agree. Bar: 5 % for the folded scale.",
            markdown_table(header, tables[0]),
            "Entropy of all rows, *measured* over pieces of the scores that stay in the cache, and *explicit* by\n"
            "forming the weights; largest errors against float64, nats. Bar: 4x at T = 512 and above. With wide\n"
            "heads the product of queries and keys is most of the work, of which causality saves half.",
            markdown_table(entropy_header, tables[1]),
            conditions("torch", "numba"),
        ]
    )
    print("\n" + body)
    if arguments.write:
        write_section("Attention", body)


if __name__ == "__main__":
    main()
