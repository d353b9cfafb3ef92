"""The claims: what is said of trained models, where it comes from, and where its number must lie.

The numbers stand in `evidence.py`. C3, C4, C8 and C9 are the paper's; P7 to P9 are predictions of the specification.
The paper's body was not at hand: what theorem 3.5 says is inferred, and so is that trained models are meant.
"""

from typing import TYPE_CHECKING, Literal

from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

PAPER = "2501.08570"
PREFIX = "cosscale."
CLAIMED, TILTING, UNWINDOWED, USELESS = "as claimed", "tilting alone", "no window", "no gain"
"""The planted worlds: all claims hold; training leaves the cosines to softmax; no window forms; CosScale gains nothing
and NoPE gains as much."""
ABOVE_ZERO = Region(lower=0.0)


def claims(study: "CosScaleStudy") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    return (*_of_cosines(study), *_of_windows(study), *_of_gau(study), *_of_training(study))


def _stated(
    study: "CosScaleStudy",
    name: str,
    statement: str,
    *,
    place: str,
    scope: str,
    control: str,
    region: Region,
    margin: float,
    unit: str = "",
    reading: Literal["quoted", "inferred"] = "inferred",
    gated: bool = False,
) -> Claim:
    depth, head_dim = study.model.depth, study.head_dim
    block = "standard block"
    if gated:
        depth, head_dim, block = study.gau.depth, study.gated.head_dim, "gated attention unit"
    return Claim(
        id=PREFIX + name,
        statement=statement,
        paper=PAPER,
        place=place,
        reading=reading,
        scope=f"{scope}; {depth} {block}{'s' if depth > 1 else ''}, head dimension {head_dim}, m ="
        f" {study.train_length}",
        control=control,
        region=region,
        margin=margin,
        decided_at=study.decided_at,
        unit=unit,
    )


BOTH = "local (T5) and far (T6) source, RoPE"


def _of_cosines(study: "CosScaleStudy") -> tuple[Claim, ...]:
    b = study.bounds
    return (
        _stated(
            study,
            "c3_rises",
            f"The peak eta_1* of the attended cosine before RoPE grows with alpha in trained models: by {b.peak_step:g}"
            " at least from each alpha to the next.",
            place="theorem 3.4 and figure 4 (C3)",
            scope=BOTH,
            control=f"world '{TILTING}'; untrained weights of this run, whose keys are random, must not pass",
            region=Region(lower=b.peak_step),
            margin=b.peak_step,
        ),
        _stated(
            study,
            "c3_follows",
            f"In trained models eta_1* follows eq. 18 within {b.cosine:g} at every alpha.",
            place="figure 4, theory against experiment (C3)",
            scope=BOTH,
            control=f"world '{TILTING}', in which it saturates",
            region=Region(upper=b.cosine),
            margin=b.cosine,
        ),
        _stated(
            study,
            "c3_learnt",
            f"For alpha >= {b.large_from:g} training, not softmax alone, moves eta_1*: it exceeds that of the first"
            f" weights under the same alpha by {b.learnt:g}.",
            place="our prediction (specification, 3.3)",
            scope=BOTH,
            control=f"world '{TILTING}', in which training changes no cosine",
            region=Region(lower=b.learnt),
            margin=b.learnt,
        ),
    )


def _of_windows(study: "CosScaleStudy") -> tuple[Claim, ...]:
    b, reach = study.bounds, study.reach
    return (
        _stated(
            study,
            "c4_window",
            f"A much larger alpha ({b.main_alpha:g}) makes attention windowed: {b.window:.0%} of it on the {reach}"
            " nearest keys, whatever the source.",
            place="theorem 3.5 (C4), as far as known",
            scope=BOTH,
            control=f"world '{UNWINDOWED}'; plain softmax on the far source must not pass",
            region=Region(lower=b.window),
            margin=0.0,
        ),
        _stated(
            study,
            "c4_alike",
            f"From alpha = {b.windowed_from:g} on its rows are nearer to those of a model trained with a window of"
            f" {reach} keys than plain softmax's rows are, by the Jensen-Shannon divergence.",
            place="theorem 3.5 (C4), as far as known",
            scope="local source (T5), RoPE; the same sequences, queries and seeds",
            control=f"world '{UNWINDOWED}'",
            region=Region(lower=b.rows),
            margin=b.rows,
            unit="nats",
        ),
        _stated(
            study,
            "p7_aligned",
            f"The attention on the {reach} nearest keys is that of aligned q and k under RoPE, within"
            f" {b.window_error:g}, at every alpha.",
            place="our prediction P7, for trained models",
            scope="local source (T5), RoPE",
            control=f"world '{UNWINDOWED}'",
            region=Region(upper=b.window_error),
            margin=b.window_error,
        ),
        _stated(
            study,
            "p8_local",
            f"For alpha >= {b.large_from:g} the excess is within {b.excess:g} of that of windowed attention at the"
            " matched window (the trained one that w_eff(alpha) of aligned keys fits in).",
            place="our prediction P8",
            scope="local source (T5), RoPE, n = m",
            control=f"world '{UNWINDOWED}'",
            region=Region(upper=b.excess),
            margin=b.excess,
            unit="nats",
        ),
        _stated(
            study,
            "p8_far",
            f"For alpha >= {b.large_from:g} the far source is failed as windowed attention fails it: at least"
            f" {b.failed:.0%} of the excess of the best law within the window.",
            place="our prediction P8",
            scope=f"far source (T6), RoPE, n = m, source beyond {study.model.depth} x {reach - 1} tokens",
            control=f"world '{UNWINDOWED}'; the windowed arm itself stays at its floor or above (a check)",
            region=ABOVE_ZERO,
            margin=0.0,
            unit="nats",
        ),
        _stated(
            study,
            "p9_sharp",
            f"At alpha = {b.main_alpha:g} attention has less than {b.entropy:g} nat of entropy, at m and at"
            f" {study.ratio} m.",
            place="our prediction P9",
            scope=BOTH,
            control=f"world '{UNWINDOWED}'",
            region=Region(upper=b.entropy),
            margin=0.0,
            unit="nats",
        ),
        _stated(
            study,
            "p9_small",
            f"At alpha = {b.main_alpha:g} adding InfoScale moves the excess at {study.ratio} m by at most"
            f" {b.excess:g}.",
            place="our prediction P9",
            scope=BOTH,
            control=f"world '{UNWINDOWED}'",
            region=Region(upper=b.excess),
            margin=b.excess,
            unit="nats",
        ),
    )


def _of_gau(study: "CosScaleStudy") -> tuple[Claim, ...]:
    b, reach = study.bounds, study.reach
    return (
        _stated(
            study,
            "c3_gau",
            f"In the paper's own block eta_1* grows with alpha: by {b.peak_step:g} at least from each alpha to the next"
            f" of {', '.join(f'{alpha:g}' for alpha in study.gau_alphas)}.",
            place="theorem 3.4 and figure 4 (C3)",
            scope=BOTH,
            control=f"world '{TILTING}'",
            region=Region(lower=b.peak_step),
            margin=b.peak_step,
            gated=True,
        ),
        _stated(
            study,
            "c4_gau",
            f"In the paper's own block alpha = {b.main_alpha:g} makes attention windowed: {b.window:.0%} of it on the"
            f" {reach} nearest keys, whatever the source.",
            place="theorem 3.5 (C4), as far as known",
            scope=BOTH,
            control=f"world '{UNWINDOWED}'; the standard block beside it, whose q and k do not share a projection",
            region=Region(lower=b.window),
            margin=0.0,
            gated=True,
        ),
        _stated(
            study,
            "c4_born",
            f"That window is there before training: q and k share a projection, and {b.window:.0%} of the attention of"
            f" the first weights under alpha = {b.main_alpha:g} is on the {reach} nearest keys.",
            place="our prediction, from the paper's released code",
            scope=BOTH,
            control=f"world '{UNWINDOWED}'",
            region=Region(lower=b.window),
            margin=0.0,
            gated=True,
        ),
        _stated(
            study,
            "p8_gau",
            f"In the paper's own block alpha = {b.main_alpha:g} fails the far source as windowed attention does: at"
            f" least {b.failed:.0%} of the excess of the best law within the window.",
            place="our prediction P8",
            scope=f"far source (T6), RoPE, n = m, source beyond {study.gau.depth} x {reach - 1} tokens",
            control=f"world '{UNWINDOWED}'; the windowed arm itself stays at its floor or above (a check)",
            region=ABOVE_ZERO,
            margin=0.0,
            unit="nats",
            gated=True,
        ),
    )


def _of_training(study: "CosScaleStudy") -> tuple[Claim, ...]:
    b = study.bounds
    return (
        _stated(
            study,
            "curves",
            f"With CosScale (alpha = {b.main_alpha:g}) the excess along training is lower than without it, by"
            f" {b.excess:g} in the mean over log-spaced steps.",
            place="figures 2 and 3, as far as their captions tell",
            scope=f"{BOTH}; equal steps, learning rate of each arm tuned alike",
            control=f"world '{USELESS}'",
            region=Region(lower=b.excess),
            margin=b.excess,
            unit="nats",
        ),
        _stated(
            study,
            "c8_angles",
            f"Unit-norm q and k have their angles trained more (alpha = {b.main_alpha:g}): attended keys stand out in"
            f" cosine by {b.angle:g} more than under plain softmax.",
            place="KeyNorm's argument (C8)",
            scope=f"{BOTH}; cosines after rotation",
            control=f"world '{USELESS}'",
            region=Region(lower=b.angle),
            margin=b.angle,
        ),
        _stated(
            study,
            "c9_rope_only",
            f"CosScale gains only with RoPE: at {study.ratio} m some alpha gains {b.excess:g} with RoPE, and none does"
            " without positions, on the one source that both are trained on.",
            place="repository's README (C9)",
            scope="reliability classes (T7b), where positions tell nothing",
            control=f"world '{USELESS}'",
            region=ABOVE_ZERO,
            margin=b.excess,
            unit="nats",
        ),
    )
