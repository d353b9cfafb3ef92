"""The number of each claim, from labelled arrays. X is the loss in nats per new token behind a true prefix.

Theorems speak of every law: their number is the worst over all laws drawn, exact for these. The others are means over
draws of the random laws; a maximum or minimum is of true means (see `judge.extremes`).
"""

import itertools
from collections.abc import Iterable

import numpy as np

from testbed.studies.judge import Evidence, Exact, Max, Min
from testbed.studies.mep_extension import schemes
from testbed.studies.mep_extension.closed import slopes
from testbed.studies.mep_extension.config import Bounds
from testbed.studies.mep_extension.counts import crossing_size
from testbed.studies.mep_extension.data import Data
from testbed.studies.mep_extension.laws import Floats
from testbed.studies.tables import Table

PAIRWISE = ("markov_1", "logit_2", "potts", "copy")
"""Sources whose law is a Potts law: all pairs are exact."""
SKIP_WINS = ("potts", "copy")
WINDOW_WINS = ("markov_2", "markov_3", "parity_run")
LOW_ORDER = ("logit_2", "logit_3", "parity_run")
"""Chains of order at most 3, besides those called so."""
SMEP = ("triangle", "split_both")
"""Readings of SMEP among the families that are counted."""
STUDY = "mep_extension"


def evidence(bounds: Bounds, data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    numbers = _windows(data) | _pairs(data) | _groups(data) | _sizes(data) | _estimation(data) | _counts(bounds, data)
    numbers["c19_small_n"] = growth(bounds, data)
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}


def worst(arrays: Iterable[Floats]) -> Exact:
    """The largest number of all arrays."""
    return Exact(max(float(np.max(one)) for one in arrays))


def by_order(data: Data) -> dict[str, int]:
    """The chains of exact order k, by name."""
    return {s: int(s.rpartition("_")[2]) for s in sources(data) if s.startswith("markov_")}


def sources(data: Data) -> tuple[str, ...]:
    return tuple(data.arms["exact"]["divergence"].axes["source"])


def options(data: Data) -> tuple[str, ...]:
    return tuple(data.arms["exact"]["divergence"].axes["scheme"])


def short_reach(data: Data) -> list[str]:
    """The schemes of R1 but for the window itself."""
    return [one for one in options(data) if schemes.is_short_reach(one) and one != data.window]


def _windows(data: Data) -> dict[str, Evidence]:
    t, mean, chains = data.context_length, data.mean, by_order(data)
    low = [s for s, k in chains.items() if k < t] + list(LOW_ORDER)
    divergence = data.arms["exact"]["divergence"]
    window = {s: divergence.at(source=s, scheme=data.window)[:, t:] for s in sources(data)}
    behind = [window[s] - divergence.at(source=s, scheme=o)[:, t:] for s in sources(data) for o in short_reach(data)]
    gains = [data.loss(s, data.window) - data.loss(s, o) for s in sources(data) for o in short_reach(data)]
    too_long = [(s, overlap) for s, k in chains.items() for overlap in range(t) if k > overlap]
    return {
        "c1_faithful": worst(data.loss(s, data.window) for s in low),
        "c1_threshold": Min(mean(data.loss(s, schemes.window(overlap))) for s, overlap in too_long),
        "c1_any_source": Max(mean(data.loss(s, data.window)) for s in sources(data)),
        "c2_beats_truncation": worst(gains),
        "c2_separation": worst(behind),
        "c12_windows": worst([data.arms["exact"]["shortened"].at(scheme="windows")]),
    }


def _pairs(data: Data) -> dict[str, Evidence]:
    mean, shortened = data.mean, data.arms["exact"]["shortened"]
    others = [s for s in sources(data) if s not in PAIRWISE]
    generic = [s for s in ("markov_2", "markov_3", "dirichlet") if s in sources(data)]
    gains = {s: data.loss(s, data.window) - data.loss(s, "pairs_all") for s in (*SKIP_WINS, *WINDOW_WINS)}
    return {
        "c2_skip": Min(mean(gains[s]) for s in SKIP_WINS),
        "c2_incomparable": Min(mean(-gains[s]) for s in WINDOW_WINS),
        "c5_pairwise": worst(data.loss(s, "pairs_all") for s in PAIRWISE),
        "c5_captures": Max(mean(data.loss(s, "pairs_all")) for s in others),
        "c12_pairs": Max(mean(shortened.at(source=s, scheme="pairs_all")) for s in generic),
    }


def _groups(data: Data) -> dict[str, Evidence]:
    arm, mean = data.arms["groups"], data.mean
    triangle = arm["triangle"]
    solved = triangle.at(law="dirichlet", option="triangle")
    worth = [triangle.at(law="dirichlet", option=o) - solved for o in ("neighbour", "skip", "star")]
    smep, laws = arm["smep"], arm["smep"].axes["law"]
    ladder = (("no_third",), ("split_both",), ("split_left", "split_right"), ("both_ways",))
    steps = [
        smep.at(reading=finer) - smep.at(reading=coarser)
        for coarse, fine in itertools.pairwise(ladder)
        for coarser in coarse
        for finer in fine
    ]
    halves = [(o, s) for o in ("split_both", "split_left", "split_right") for s in laws]
    lost = [smep.at(law=s, reading=o) - smep.at(law=s, reading="both_ways") for o, s in halves]
    one_way = arm["one_way"]
    return {
        "c4_skip_table": Min(mean(one) for one in worth),
        "c13_order": worst(steps),
        "c13_split": Max(mean(one) for one in lost),
        "c13_both_ways": worst(one_way.at(case=f"both ways, {law}") for law in ("dirichlet", "chain")),
        "c13_one_way": mean(one_way.at(case="one way, chain")),
    }


def _sizes(data: Data) -> dict[str, Evidence]:
    closed = data.closed
    tables, equations = closed["tables"], closed["equations"]
    table_slopes = dict(zip(tables.axes["family"], slopes(tables.values, tables.axes["T"]), strict=True))
    equation_slopes = dict(zip(equations.axes["family"], slopes(equations.values, equations.axes["T"]), strict=True))
    copies = closed["copies"]
    blind = [
        copies.at(size=size, scheme=scheme) - np.log(size[0])
        for size in copies.axes["size"]
        for scheme in ("windows", "pairs_near")
    ]
    return {
        "c3_three": Exact(float(closed["coverage"].values.max())),
        "c3_four": Min([Exact(float(n)) for n in closed["blocks"].at(number="reach")]),
        "c6_parity": worst([closed["parity"].values]),
        "c7_copies": worst([*(np.abs(one) for one in blind), np.abs(copies.at(scheme="pairs_all"))]),
        "c8_tables": Exact(max(float(one) for f, one in table_slopes.items() if f not in SMEP)),
        "c8_equations": Exact(min(float(one) for one in equation_slopes.values())),
        "c14_tables": Exact(max(float(table_slopes[f]) for f in SMEP)),
        "c14_equations": Exact(min(float(equation_slopes[f]) for f in SMEP)),
    }


def well_specified(source: str, scheme: str) -> bool:
    """Whether r / 2N needs no correction: closed forms always, pairs where the source is a law of pairs in reach."""
    if scheme.startswith("windows") or scheme == "chain":
        return True
    return source in ("markov_1", "logit_2") or (source == "potts" and scheme == "pairs_all")


def rate_errors(data: Data, expected: str, everywhere: bool) -> list[Evidence]:
    """+-(2N E KL(q* || qhat) / expected - 1) at the largest N, for the sources and schemes of the arm `counts`."""
    arm = data.arms["counts"]
    estimation: Table = arm["estimation"]
    most = estimation.axes["size"][-1]
    parts: list[Evidence] = []
    for source in estimation.axes["source"]:
        for scheme in estimation.axes["scheme"]:
            if not (everywhere or well_specified(source, scheme)):
                continue
            found = 2 * most * estimation.at(source=source, scheme=scheme, size=most)
            off = found / arm[expected].at(source=source, scheme=scheme) - 1.0
            parts += [data.mean(off), data.mean(-off)]
    return parts


def _estimation(data: Data) -> dict[str, Evidence]:
    """Where p is not in the family, what r misses is known without sampling: tr(F^-1 S) / r - 1, law by law."""
    arm = data.arms["counts"]
    off = [
        np.abs(arm["sandwich"].at(source=s, scheme=o) / arm["rank"].at(source=s, scheme=o) - 1.0)
        for s in arm["rank"].axes["source"]
        for o in arm["rank"].axes["scheme"]
        if not well_specified(s, o)
    ]
    return {
        "c18_rank": Max(rate_errors(data, "rank", everywhere=False)),
        "c18_misspecified": Max(data.mean(one) for one in off),
        "c18_sandwich": Max(rate_errors(data, "sandwich", everywhere=True)),
    }


def _counts(b: Bounds, data: Data) -> dict[str, Evidence]:
    mean, wide, narrow = data.mean, data.arms["counts_wide"]["loss"], data.arms["counts"]["loss"]
    window = data.window

    def wins(table: Table, source: str, better: str, worse: str) -> Evidence:
        here = {"source": source, "size": b.few}
        return mean(table.at(scheme=worse, **here) - table.at(scheme=better, **here))

    every = wide.axes["source"]
    small = [wins(t, "markov_1", "chain", worse) for t in (wide, narrow) for worse in (window, "window_kt")]
    pairwise = [wins(narrow, s, "pairs_all", "back_off") for s in ("logit_2", "potts")]
    log_ratio = np.log(crossings(data))
    return {
        "counts_smaller": Min(small),
        "counts_order": wins(wide, "markov_3", "window_kt", "chain"),
        "counts_back_off": Min([wins(wide, s, o, window) for s in every for o in ("back_off", "back_off_dirichlet")]),
        "counts_back_off_kt": Min([wins(wide, s, "back_off_dirichlet", "window_kt") for s in every]),
        "counts_gmep_pairwise": Min(pairwise),
        "counts_gmep_chains": Min(
            [wins(narrow, s, "pairs_all", "back_off") for s in narrow.axes["source"] if s not in PAIRWISE]
        ),
        "counts_crossing": Max([mean(log_ratio), mean(-log_ratio)]),
    }


def crossings(data: Data) -> Floats:
    """(n_replicates,): measured over predicted N of the crossing; where none is seen, the end of the sizes counts."""
    arm = data.arms["crossing"]
    sizes = np.array(arm["difference"].axes["size"], dtype=np.float64)
    found = np.array([crossing_size(sizes, one) for one in arm["difference"].values])
    ends = np.where(arm["difference"].values[:, -1] < 0, sizes[-1], sizes[0])
    return np.asarray(np.where(np.isnan(found), ends, found) / arm["predicted"].values)


def growth(b: Bounds, data: Data) -> Evidence:
    """Largest over orders of KL / n at the longest n less `growth` times that at the shortest."""
    table = data.arms["groups"]["growth"]
    n = table.axes["n"]
    parts = [table.at(order=order, n=n[-1]) - b.growth * table.at(order=order, n=n[0]) for order in table.axes["order"]]
    return Max(data.mean(one) for one in parts)
