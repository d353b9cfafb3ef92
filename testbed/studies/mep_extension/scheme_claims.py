"""Claims on exact tables: windows (C1, C2, C12) and pairs (C2, C5 to C7, C12)."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Region
from testbed.studies.mep_extension.claims import OURS, exact_scope, stated

if TYPE_CHECKING:
    from testbed.studies.mep_extension.study import MepExtension


def window_claims(study: "MepExtension") -> tuple[Claim, ...]:
    """C1, C2, C12 for windows."""
    b, scope, t = study.bounds, exact_scope(study), study.exact.context_length
    return (
        stated(
            study,
            "c1_faithful",
            f"MEP by windows that overlap by T - 1 carries chains of order up to T - 1 = {t - 1} to 2T without loss.",
            place="abstract (C1)",
            scope=f"{scope}; chains, additive chains, the parity of runs",
            control=f"chains of order {t} and {t + 1} must lose",
            region=Region(upper=b.exact),
            margin=b.exact,
        ),
        stated(
            study,
            "c1_threshold",
            f"It does so only there: windows of overlap s lose {b.gain:g} nats or more on every chain of order k > s.",
            place=f"{OURS} (closed form of windows)",
            scope=scope,
            control="orders k <= s lose nothing",
            region=Region(lower=b.gain),
            margin=b.gain,
        ),
        stated(
            study,
            "c1_any_source",
            f"MEP from T tokens extends any source to 2T faithfully, to {b.faithful:g} nats.",
            place="abstract (C1)",
            scope=f"{scope}; windows of overlap T - 1, the best of R1",
            region=Region(upper=b.faithful),
            margin=b.faithful,
        ),
        stated(
            study,
            "c2_beats_truncation",
            f"Some constraint set that a model of T tokens can supply beats a sliding window by {b.gain:g} nats on some"
            " source.",
            place="abstract (C2: MEP is worth its multipliers)",
            scope=f"{scope}; smaller overlaps, two-sided windows, pairs at lags below T, and the baselines of R1",
            control="sets beyond T tokens do beat it: c2_skip",
            region=Region(lower=b.gain),
            margin=b.gain,
        ),
        stated(
            study,
            "c2_separation",
            "At no token t > T, of no source, does any of them lose less than the window (separation: given the last"
            " T - 1 tokens its law of the next forgets all others).",
            place=f"{OURS} (theorem of R1, token by token)",
            scope=f"{scope}; largest gain over all laws, sets and tokens",
            control="all pairs, which reach beyond T, do lose less",
            region=Region(upper=b.exact),
            margin=b.exact,
        ),
        stated(
            study,
            "c12_windows",
            "Windows keep the autoregressive property: the extension to 2T, its last token summed out, is that to"
            " 2T - 1.",
            place="abstract (C12)",
            scope=f"{scope}; largest total variation over all laws",
            control="pairs must break it: c12_pairs",
            region=Region(upper=b.exact),
            margin=b.exact,
            unit="total variation",
        ),
    )


def pair_claims(study: "MepExtension") -> tuple[Claim, ...]:
    """C2 beyond T, C5, C6, C7, C12 for pairs."""
    b, scope = study.bounds, exact_scope(study)
    return (
        stated(
            study,
            "c2_skip",
            f"Pairs beyond T tokens beat the window by {b.gain:g} nats on a Potts law and on copies at lag T.",
            place="abstract (C2, non-contiguous tokens)",
            scope=scope,
            control="chains of order 2 and 3 go the other way: c2_incomparable",
            region=Region(lower=b.gain),
            margin=b.gain,
        ),
        stated(
            study,
            "c2_incomparable",
            f"On chains of order 2 and 3 and the parity of runs the window beats all pairs by {b.gain:g} nats: neither"
            " set is better.",
            place=f"{OURS} (C2, C5: no set is best on all sources)",
            scope=scope,
            control="Potts laws and copies go the other way: c2_skip",
            region=Region(lower=b.gain),
            margin=b.gain,
        ),
        stated(
            study,
            "c5_pairwise",
            "GMEP (all pairs) is exact on first-order chains, additive chains of order 2, Potts laws and copies.",
            place="abstract, scheme 2 (C5)",
            scope=f"{scope}; largest loss over all laws",
            control="generic chains of order 2 must lose",
            region=Region(upper=b.exact),
            margin=b.exact,
        ),
        stated(
            study,
            "c5_captures",
            f"GMEP captures the structure of 2T tokens on any source, to {b.faithful:g} nats.",
            place="abstract, scheme 2 (C5)",
            scope=f"{scope}; sources that are no pair law",
            region=Region(upper=b.faithful),
            margin=b.faithful,
        ),
        stated(
            study,
            "c6_parity",
            "On x_n = sum of the others modulo V, all pairs see nothing: their law is uniform, and KL = ln V.",
            place=f"{OURS} (C6)",
            scope=f"(V, n) = {', '.join(map(str, study.closed_forms.parity_sizes))}; largest deviation",
            region=Region(upper=1e-12),
            margin=1e-12,
            unit="probability, nats",
        ),
        stated(
            study,
            "c7_copies",
            "On noiseless copies at lag T the window and pairs at lags below T lose ln V on every copied token, and all"
            " pairs nothing.",
            place=f"{OURS} (C7)",
            scope=f"(V, T) = {', '.join(map(str, study.closed_forms.copy_sizes))}; largest deviation",
            region=Region(upper=b.exact),
            margin=b.exact,
            unit="nats",
        ),
        stated(
            study,
            "c12_pairs",
            "GMEP keeps the autoregressive property: its law of 2T tokens, the last summed out, is that of 2T - 1, to"
            f" {b.distance:g} of total variation.",
            place="abstract (C12)",
            scope=f"{scope}; chains of order 2 and 3, unstructured laws",
            control="first-order chains and additive ones of order 2 keep it",
            region=Region(upper=b.distance),
            margin=b.distance,
            unit="total variation",
        ),
    )
