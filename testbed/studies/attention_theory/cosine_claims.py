"""Claims on cosine attention: the peak of the attended cosine (C3) and the window (C4)."""

from typing import TYPE_CHECKING

from testbed.studies.attention_theory.claims import CLAIMED, SATURATED, sphere_scope, stated
from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.attention_theory.study import AttentionTheory

WINDOW = 4
"""Distance of the window that C4 and P7 speak of."""


def cosine_claims(study: "AttentionTheory") -> tuple[Claim, ...]:
    """C3, P6, C4, P7."""
    b, sphere, closed, many = study.bounds, sphere_scope(study), study.closed_forms, study.random_keys.lengths[-1]
    lengths = f"{closed.window_lengths[0]} to {closed.window_lengths[-1]}"
    aligned = f"aligned q and k under RoPE (base 10,000), d = {closed.head_dim}, the centre query of n = {lengths} keys"
    return (
        stated(
            study,
            "c3_peak",
            "The peak eta_1* of the attended cosine grows with alpha: from each alpha of figure 4 to the next by"
            f" {b.peak_step:g} at least.",
            place="theorem 3.4 (C3)",
            reading="quoted",
            scope=f"eq. 18 as re-derived, d = {', '.join(map(str, closed.peak_dims))}; a limit of infinitely many keys",
            control=f"world '{SATURATED}'; {many} random keys of this run must not pass",
            region=Region(lower=b.peak_step),
            margin=b.peak_step,
        ),
        stated(
            study,
            "p6_follows",
            f"The mean cosine attended among {many} random keys follows eq. 18 within {b.cosine:g} for alpha <="
            f" {b.follows_to:g}.",
            place="our prediction P6",
            scope=sphere,
            control=f"world '{SATURATED}', in which it is constant",
            region=Region(upper=b.cosine),
            margin=b.cosine,
        ),
        stated(
            study,
            "p6_saturates",
            f"For alpha >= {b.combined_from:g} the mean cosine attended among {many} random keys stays within"
            f" {b.cosine:g} of {b.saturated:g}, far below eq. 18.",
            place="our prediction P6",
            scope=f"{sphere}; {many} keys",
            control=f"world '{CLAIMED}', in which it follows eq. 18 for ever",
            region=Region(upper=b.cosine),
            margin=b.cosine,
        ),
        stated(
            study,
            "c4_window",
            f"A much larger alpha ({b.large_alpha:g}) makes attention approximate windowed attention: {b.window:.0%} of"
            f" it within distance {WINDOW} at every n.",
            place="theorem 3.5 (C4), as far as known",
            scope=aligned,
            control=f"world '{SATURATED}'; alpha = {closed.alphas[0]:g} of this run must not pass",
            region=Region(lower=b.window),
        ),
        stated(
            study,
            "p7_threshold",
            f"The mass within distance {WINDOW} passes {b.window:g} between alpha ="
            f" {max((a for a in closed.alphas if a < b.windowed_from), default=0):g} and {b.windowed_from:g}, at every"
            " n.",
            place="our prediction P7",
            scope=aligned,
            control=f"world '{SATURATED}', in which no alpha is windowed",
        ),
        stated(
            study,
            "p7_length_free",
            f"From alpha = {b.windowed_from:g} on that mass is free of n: over all n it changes by at most"
            f" {b.length_free:g}.",
            place="our prediction P7",
            scope=aligned,
            control=f"world '{SATURATED}', in which it falls with n",
            region=Region(upper=b.length_free),
            margin=b.length_free,
        ),
    )
