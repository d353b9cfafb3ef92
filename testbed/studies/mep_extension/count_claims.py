"""Claims on counted tables: the error of estimation (C18), and who beats the window from N sequences."""

import math
from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.mep_extension.claims import OURS, stated

if TYPE_CHECKING:
    from testbed.studies.mep_extension.study import MepExtension


def count_claims(study: "MepExtension") -> tuple[Claim, ...]:
    """C18, and the regime of counts."""
    b, narrow, wide = study.bounds, study.counts, study.counts_wide
    few = f"N = {b.few} sequences of 2T"
    thin = f"V = {wide.vocab_size}, T = {wide.context_length}, {few}"
    dense = f"V = {narrow.vocab_size}, T = {narrow.context_length}, {few}"
    rate = Region(upper=b.rate)
    scope = (
        f"V = {narrow.vocab_size}, T = {narrow.context_length}, N = {narrow.sizes[-1]}; {', '.join(narrow.schemes)};"
        " largest |2N KL(q* || qhat) / r - 1| over sources and sets"
    )
    wins = Region(lower=b.gain)
    return (
        stated(
            study,
            "c18_rank",
            f"Estimation from N sequences costs r / 2N nats, to {b.rate:.0%}, r the rank of the constraints.",
            place=f"{OURS} (C18)",
            scope=f"{scope}; sets in closed form, and pairs where the source is a law of pairs in reach",
            control="pairs on other chains: c18_misspecified",
            region=rate,
            margin=b.rate,
            unit="share",
        ),
        stated(
            study,
            "c18_misspecified",
            "The same where the source is not in the family of the set: r is the number for each law.",
            place=f"{OURS} (C18 without its condition)",
            scope="pairs on chains of order 2 and 3, pairs at lags below T on a Potts law; mean over laws of"
            " |tr(F^-1 S) / r - 1|, the largest over sources and sets; from exact covariances, no sampling",
            control="sources in the family: c18_rank",
            region=rate,
            margin=b.rate,
            unit="share",
        ),
        stated(
            study,
            "c18_sandwich",
            f"Everywhere it costs tr(F^-1 S) / 2N, to {b.rate:.0%}, with the covariances of the constrained statistics"
            " under q* (F) and under the source (S).",
            place=f"{OURS} (White 1982, Takeuchi 1976)",
            scope=scope,
            control="r in its place: c18_misspecified",
            region=rate,
            margin=b.rate,
            unit="share",
        ),
        stated(
            study,
            "counts_smaller",
            "From counts a smaller set beats the window: the neighbour-pair chain on first-order chains, also when the"
            " window is smoothed by half a count a cell.",
            place=f"{OURS} (variance r / 2N)",
            scope=f"{thin}; {dense}",
            control="exact tables (c2_separation), chains of order 3 (counts_order)",
            region=wins,
            margin=b.gain,
        ),
        stated(
            study,
            "counts_order",
            "On chains of order 3 it doesn't: the smoothed window beats the chain.",
            place=f"{OURS} (bias)",
            scope=thin,
            control="first-order chains: counts_smaller",
            region=wins,
            margin=b.gain,
        ),
        stated(
            study,
            "counts_back_off",
            "Smoothed back-off over the T - 1 tokens that the window reads beats it, on chains of order 1 to 3.",
            place=f"{OURS} (required baseline)",
            scope=f"{thin}: thin tables; escapes of method C, and Dirichlet strength V",
            control="a window that is smoothed too: counts_back_off_kt",
            region=wins,
            margin=b.gain,
        ),
        stated(
            study,
            "counts_back_off_kt",
            "It also beats the window smoothed by half a count a cell.",
            place=f"{OURS} (is it the back-off or the smoothing?)",
            scope=f"{thin}; Dirichlet strength V; kernels drawn from Dirichlet({wide.alpha:g}), for which half counts"
            " are Bayes' choice when alpha = 0.5",
            control="the plain window: counts_back_off",
            region=wins,
            margin=b.gain,
        ),
        stated(
            study,
            "counts_gmep_pairwise",
            "GMEP from counts beats smoothed back-off on laws of pairs (Potts, additive chains of order 2).",
            place="abstract, scheme 2",
            scope=f"{dense}; back-off over T - 1 tokens by escapes",
            control="chains of higher order: counts_gmep_chains",
            region=wins,
            margin=b.gain,
        ),
        stated(
            study,
            "counts_gmep_chains",
            "GMEP from counts beats smoothed back-off on generic chains of order 2 and 3 too.",
            place="abstract, scheme 2",
            scope=f"{dense}; back-off over T - 1 tokens by escapes",
            control="laws of pairs: counts_gmep_pairwise",
            region=wins,
            margin=b.gain,
        ),
        stated(
            study,
            "counts_crossing",
            "Bias against r / 2N predicts from which N on the window beats the neighbour-pair chain, within a factor of"
            f" {b.crossing:g}.",
            place=f"{OURS} (crossing)",
            scope=f"chains of order 2 with h_1 - h_2 in {study.crossing.bias[0]:g} .. {study.crossing.bias[1]:g} nats,"
            f" V = {study.crossing.vocab_size}, T = {study.crossing.context_length}; |mean log ratio|",
            region=Region(upper=math.log(b.crossing)),
            margin=math.log(b.crossing),
            unit="ln N",
        ),
    )
