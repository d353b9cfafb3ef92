"""The claims: inequalities of couplings, what maps and merges keep, and what directed information tells apart.

The bounds on couplings are quoted from their papers. Of 2410.21666 and 2511.01202 the abstracts were at hand; what
bears their numbers is our reading. What no paper says bears none: it is this project's own, and often made to be
refuted, as what a reader might take from the papers and should not. What is a theorem is a check of the run as well,
with no share allowed.
"""

import math
from typing import TYPE_CHECKING

from testbed.measures.couplings.coupling import GREEDY_OVER_LEAST
from testbed.studies.couplings.chain_claims import chain_claims
from testbed.studies.couplings.statements import BOTTLENECK, GREEDY, MEET, stated
from testbed.studies.judge import OWN, Claim, Region

if TYPE_CHECKING:
    from testbed.studies.couplings.study import Couplings


def claims(study: "Couplings") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    b = study.bounds
    bit = round(GREEDY_OVER_LEAST / math.log(2.0), 4)
    none, searched = Region(upper=b.few), Region(upper=b.few_searches)
    of_pairs = f"random pairs of laws of {study.pairs.least} to {study.pairs.most} symbols"
    of_searches = (
        f"searches over two laws of {study.searches.sizes[0]} symbols, and of {study.searches.sizes[0]} and"
        f" {study.searches.sizes[1]}"
    )
    of_maps = f"random laws of {study.maps.n_symbols} symbols, R uniform in 0 .. H(X)"
    pairs_out, searches_out, laws_out = ("share of pairs", "share of searches", "share of laws and rates")
    return (
        stated(
            study,
            "order",
            "max(H(p), H(q)) <= H(p ^ q) <= least <= greedy for the entropies of two laws, of their meet, and of their"
            " least and greedy couplings.",
            MEET,
            "introduction, from the order of majorisation",
            of_pairs,
            none,
            b.few,
            f"{pairs_out} that break it",
            "that the greedy one is the least, in this run",
            "quoted",
        ),
        stated(
            study,
            "greedy_is_least",
            "The greedy coupling is the least one.",
            OWN,
            "what using the greedy algorithm for the least coupling would rest on (2410.21666, decoder)",
            of_pairs,
            none,
            b.few,
            f"{pairs_out} where it is not",
        ),
        stated(
            study,
            "half_bit",
            f"The greedy coupling exceeds the least one by at most log2(e) / e = {bit} bit.",
            GREEDY,
            "abstract: two distributions",
            of_searches,
            searched,
            b.few_searches,
            f"{searches_out} that end beyond",
            "the tightened bound, in this run",
            "quoted",
        ),
        stated(
            study,
            "tightened",
            f"By at most {b.tightened:g} of that, {b.tightened * bit:.3f} bit.",
            OWN,
            "a control: the constant of 2302.11838 made smaller",
            of_searches,
            searched,
            b.few_searches,
            f"{searches_out} that end beyond",
            "log2(e) / e bit, in this run",
        ),
        stated(
            study,
            "from_meet",
            f"The greedy coupling exceeds the meet by at most {bit} bit: the bound counted from H(p ^ q).",
            OWN,
            "the bound of 2302.11838, which counts from the least coupling, misread as counted from the meet",
            of_searches,
            searched,
            b.few_searches,
            f"{searches_out} that end beyond",
            "counted from the least coupling, in this run",
        ),
        stated(
            study,
            "least_from_meet",
            f"So does some coupling: the least one exceeds the meet by at most {bit} bit.",
            OWN,
            "the bound of 2302.11838, which counts from the least coupling, misread as counted from the meet",
            of_searches,
            searched,
            b.few_searches,
            f"{searches_out} that end beyond",
            "1 bit, in this run",
        ),
        stated(
            study,
            "one_bit",
            "The least coupling exceeds the meet by at most 1 bit.",
            MEET,
            "abstract and theorem on two laws",
            of_searches,
            searched,
            b.few_searches,
            f"{searches_out} that end beyond",
            f"{bit} bit, in this run",
            "quoted",
        ),
        stated(
            study,
            "merging_guarantee",
            "Adding symbols to the commonest until H(T) <= R leaves I(X; T) within h(p_2) of R, p_2 the second largest"
            " probability.",
            OWN,
            "a guarantee of the kind that 2410.21666 gives for its greedy algorithm; order, bound and proof are ours",
            of_maps,
            none,
            b.few,
            f"{laws_out} that break it",
            "merging the two rarest cells, in this run",
        ),
        stated(
            study,
            "rarest_guarantee",
            "Merging the two rarest cells until H(T) <= R keeps that bound too.",
            OWN,
            "the same bound for another order of merging",
            of_maps,
            none,
            b.few,
            f"{laws_out} that break it",
            "adding to the commonest, in this run",
        ),
        stated(
            study,
            "close",
            f"The greedy map with the guarantee tells R but for {b.close:.0%} of it, on average.",
            OWN,
            "whether a guarantee is closeness; the algorithm and the bound are ours",
            of_maps,
            Region(upper=b.close),
            b.close,
            "share of R",
        ),
        stated(
            study,
            "random_maps",
            f"The best T is not always a map: on more than {b.few_searches:.0%} of laws a random T with H(T) <= R tells"
            f" {b.gain:g} nats more of X than the best T = g(X).",
            BOTTLENECK,
            "abstract: the optimal solution near functional mappings, read as near and not at them",
            "random laws of three symbols, R midway between two values of H(g(X))",
            Region(lower=b.few_searches),
            b.few_searches,
            "share of laws where one does",
            "at R = H(g(X)) none can: a check of this run",
        ),
        *chain_claims(study),
    )
