"""The claims of the study and the numbers they are about.

With theta the mean loss and S_m(w, D) the shortfall of contexts up to m (`Ranking.shortfall`), so that the best context
of width w within delta is at most m iff S_m(w, D) <= delta:

    grows        max_{m < k} min( delta - S_m(narrowest, D_max),  S_m(widest, D_max) - delta )            > 0
    never_falls  min_{D, m < k} max( delta - S_m(narrowest, D),  S_m(widest, D) - delta )                 > -delta / 2
    better       min_D ( theta of the narrowest at its best context - theta of the widest at its own )    > -delta / 2

k is the order of the source, beyond which no context adds anything. A fall of l*_delta from the narrowest to the widest
needs S_m(narrowest, D) > delta and S_m(widest, D) <= delta; half a delta on either side is allowed for, as in
`optimal_context`. The best context of `better` is that of the other replicates.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from testbed.studies.judge import Claim, Evidence, Max, Mean, Min, Ranking, Region
from testbed.studies.optimal_context.config import EXTRA_CONTEXT

PAPER = "2502.01481"
STUDY = "context_and_width"
PLACE = "Section 3, Eq. 5, theta_m (C10)"


def claims(widths: Sequence[int], delta: float, decided_at: str = "laptop") -> tuple[Claim, ...]:
    """The three claims, at the tolerance delta (nats)."""
    how = f"transformers of width {', '.join(map(str, widths))} on this study's sources and dataset sizes"

    def claim(name: str, statement: str, reading: str, control: str, region: Region, margin: float) -> Claim:
        return Claim(
            id=f"{STUDY}.{name}",
            statement=statement,
            paper=PAPER,
            place=PLACE,
            reading=reading,  # type: ignore[arg-type]
            scope=how,
            control=control,
            region=region,
            margin=margin,
            decided_at=decided_at,  # type: ignore[arg-type]
        )

    return (
        claim(
            "grows",
            "At the largest dataset size the widest network has a longer best context than the narrowest.",
            "quoted",
            "world 'width changes nothing'",
            Region(lower=0.0),
            delta,
        ),
        claim(
            "never_falls",
            "At no dataset size is the best context of the widest network shorter than that of the narrowest (by more"
            " than half of delta on either side).",
            "quoted",
            "world 'the wide overfit'",
            Region(lower=-delta / 2),
            delta / 2,
        ),
        claim(
            "better",
            "The wider network is the better model: at every dataset size its loss at its best context is no higher, by"
            " half of delta.",
            "inferred",
            "world 'the wide overfit'",
            Region(lower=-delta / 2),
            delta / 2,
        ),
    )


def evidence(delta: float, rankings: Mapping[int, Sequence[Ranking]]) -> dict[str, Evidence]:
    """The claims' numbers from {width: rankings of the contexts at each dataset size}, the same replicates in all."""
    widths = sorted(rankings)
    narrow, wide = widths[0], widths[-1]
    n_sizes = len(rankings[narrow])
    order = rankings[narrow][0].n_options - 1 - EXTRA_CONTEXT
    shortfall = {(w, d): [rankings[w][d].shortfall(m) for m in range(order)] for w in widths for d in range(n_sizes)}
    last = zip(shortfall[narrow, n_sizes - 1], shortfall[wide, n_sizes - 1], strict=True)
    grows: list[Evidence] = [Min([-a + delta, b + -delta]) for a, b in last]
    falls: list[Evidence] = [
        Max([-a + delta, b + -delta])
        for d in range(n_sizes)
        for a, b in zip(shortfall[narrow, d], shortfall[wide, d], strict=True)
    ]
    better: list[Evidence] = [
        Mean(at_best(rankings[narrow][d]) - at_best(rankings[wide][d]), rankings[narrow][d].design)
        for d in range(n_sizes)
    ]
    return {f"{STUDY}.grows": Max(grows), f"{STUDY}.never_falls": Min(falls), f"{STUDY}.better": Min(better)}


def at_best(ranking: Ranking) -> np.ndarray:
    """(rows,) each replicate's loss at the context that is best for the others."""
    others = (ranking.losses.sum(axis=0) - ranking.losses) / max(len(ranking.losses) - 1, 1)
    chosen = others.argmin(axis=1)[:, None]
    return np.asarray(np.take_along_axis(ranking.losses, chosen, axis=1)[:, 0])
