"""The claims of the study and the numbers they are about.

With theta_l(D) the mean loss at context length l and dataset size D, over kernels, data draws and initialisations, and
S_m(D) = min_{l <= m} theta_l - min_{l > m} theta_l (`Ranking.shortfall`), so that l*_delta(D) <= m iff S_m(D) <= delta:

    interior    max_D min( regret of l = 0,  regret of the longest l )                  > delta
    grows       max_m min( delta - S_m(D_min),  S_m(D_max) - delta )                    > 0
    no_fall     min_{D < D', m} max( delta - S_m(D),  S_m(D') - delta )                 > -delta / 2
    reaches_k   min( delta - S_k(D_max),  S_{k-1}(D_max) - delta )                      > 0
    control     max_D S_0(D)  on the source without memory                              <= delta

A fall of l*_delta from above m to at most m needs S_m(D) > delta and S_m(D') <= delta; `no_fall` allows for half a
delta on either side, the smallest fall of interest.
"""

import itertools
from collections.abc import Sequence

from testbed.studies.judge import Claim, Evidence, Max, Min, Ranking, Region

PAPER = "2502.01481"
DESIGNED, CONTROL = "designed", "control"


def claims(delta: float, decided_at: str = "laptop") -> tuple[Claim, ...]:
    """The five claims, at the tolerance delta (nats)."""

    def claim(
        name: str, statement: str, place: str, reading: str, control: str, region: Region, margin: float
    ) -> Claim:
        return Claim(
            id=f"optimal_context.{name}",
            statement=statement,
            paper=PAPER,
            place=place,
            reading=reading,  # type: ignore[arg-type]
            scope="this study's family of order-k Markov sources, lags carrying ever less; windows of l tokens",
            control=control,
            region=region,
            margin=margin,
            decided_at=decided_at,  # type: ignore[arg-type]
        )

    above_zero = Region(lower=0.0)
    return (
        claim(
            "interior",
            "At some dataset size an interior context length is best: both shorter and longer contexts cost more.",
            "Section 3, Eq. 5",
            "quoted",
            "world no_optimum: a negligible excess at every l, so the longest context is never worse",
            Region(lower=delta),
            delta,
        ),
        claim(
            "grows",
            "The optimal context length grows with the dataset size, from the smallest to the largest.",
            "Section 3, Eq. 5 (a)",
            "quoted",
            "world no_optimum: every dataset size prefers the same context",
            above_zero,
            delta,
        ),
        claim(
            "no_fall",
            "The optimal context length never falls as the dataset grows (by more than half of delta on either side).",
            "Section 3, Eq. 5 (a)",
            "quoted",
            "world reversed: more data make long contexts worse",
            Region(lower=-delta / 2),
            delta / 2,
        ),
        claim(
            "reaches_k",
            "With the largest dataset the optimal context length is the order k of the source.",
            "Section 3, with R_Bayes(l) = h_l constant beyond k",
            "inferred",
            "world capped: contexts of k tokens and more never pay",
            above_zero,
            delta,
        ),
        claim(
            "control",
            "On a source without memory the optimal context length is zero at every dataset size.",
            "Section 3, with R_Bayes constant",
            "inferred",
            "world spurious: on the memoryless source a network without context is handicapped",
            Region(upper=delta),
            delta,
        ),
    )


def evidence(delta: float, order: int, designed: Sequence[Ranking], control: Sequence[Ranking]) -> dict[str, Evidence]:
    """The claims' numbers, from rankings of the context lengths at each dataset size, rising in D."""
    longest = designed[0].n_options - 1
    shortfall = [[one.shortfall(m) for m in range(longest)] for one in designed]
    first, last = shortfall[0], shortfall[-1]
    pairs = itertools.combinations(shortfall, 2)
    return {
        "optimal_context.interior": Max([Min([one.regret(0), one.regret(longest)]) for one in designed]),
        "optimal_context.grows": Max([Min([-first[m] + delta, last[m] - delta]) for m in range(longest)]),
        "optimal_context.no_fall": Min(
            [Max([-small[m] + delta, large[m] - delta]) for small, large in pairs for m in range(longest)]
        ),
        "optimal_context.reaches_k": Min([-last[order] + delta, last[order - 1] - delta]),
        "optimal_context.control": Max([one.shortfall(0) for one in control]),
    }
