"""Claims of the window (C4, P7 to P9), and of the paper's own block."""

import math
from typing import TYPE_CHECKING

from testbed.studies.cosscale.stated import (
    ABOVE_ZERO,
    BLIND,
    BOTH,
    TILTING,
    UNWINDOWED,
    stated,
    step_words,
    whatever_source,
)
from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy


def of_windows(study: "CosScaleStudy") -> tuple[Claim, ...]:
    b, reach = study.bounds, study.reach
    return (
        stated(
            study,
            "c4_window",
            f"A much larger alpha ({b.main_alpha:g}) makes attention windowed: {b.window:.0%} of it on the {reach}"
            " nearest keys, the query's own among them, whatever the source.",
            place="theorem 3.5 (C4), as far as known",
            scope=whatever_source("plain softmax"),
            control=f"world '{UNWINDOWED}'; plain softmax on the far source must not pass",
            region=Region(lower=b.window),
            margin=0.0,
        ),
        stated(
            study,
            "c4_others",
            f"So it is of the other keys: of the attention that is not on the query's own key alpha = {b.main_alpha:g}"
            f" has {b.window:.0%} on the {reach - 1} nearest, whatever the source.",
            place="theorem 3.5 (C4), as far as known, without the diagonal",
            scope=whatever_source("plain softmax"),
            control=f"world '{UNWINDOWED}'",
            region=Region(lower=b.window),
            margin=0.0,
        ),
        stated(
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
        stated(
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
        stated(
            study,
            "p8_local",
            f"For alpha >= {b.large_from:g} the excess is within {b.excess:g} of that of windowed attention at the"
            " matched window: the trained one whose measured w_90, and that whose e^H, is nearest.",
            place="our prediction P8",
            scope="local source (T5), RoPE, n = m; the arm reads it, the window stands at its own floor",
            control=f"world '{UNWINDOWED}'",
            region=Region(upper=b.excess),
            margin=b.excess,
            unit="nats",
        ),
        stated(
            study,
            "p8_far",
            f"For alpha >= {b.large_from:g} the far source is failed as windowed attention fails it: the excess passes"
            f" that of plain softmax, which has learnt, by {b.failed:.0%} of that of the best law within the window,"
            f" and {b.window:.0%} of the attention is in the window, with and without the query's own key.",
            place="our prediction P8",
            scope=f"far source (T6), RoPE, n = m, source beyond {study.model.depth} x {reach - 1} tokens; replicates in"
            " which plain softmax has learnt it and the arm reads the local source",
            control=f"world '{UNWINDOWED}'; the windowed arm itself stays at its floor or above (a check)",
            region=ABOVE_ZERO,
            margin=0.0,
        ),
        stated(
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
        stated(
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


def of_gau(study: "CosScaleStudy") -> tuple[Claim, ...]:
    b, reach, main = study.bounds, study.reach, study.gated.main
    return (
        stated(
            study,
            "c3_gau",
            f"In the paper's own block eta_1* grows with alpha: from each of"
            f" {', '.join(f'{alpha:g}' for alpha in study.gau_alphas)} to the next by {step_words(study)}.",
            place="theorem 3.4 and figure 4 (C3)",
            scope=BOTH,
            control=f"world '{TILTING}'",
            region=ABOVE_ZERO,
            margin=b.peak_step,
            gated=True,
        ),
        stated(
            study,
            "c3_gau_mean",
            f"In the paper's own block the mean attended cosine grows with alpha: by {step_words(study, mode=False)}.",
            place="theorem 3.4 (C3), read by the mean",
            scope=BOTH,
            control=f"world '{TILTING}'",
            region=ABOVE_ZERO,
            margin=b.peak_step,
            gated=True,
        ),
        stated(
            study,
            "c4_gau",
            f"In the paper's own block alpha = {main:g} makes attention windowed: {b.window:.0%} of it on the {reach}"
            " nearest keys, the query's own among them, whatever the source.",
            place="theorem 3.5 (C4), as far as known",
            scope=whatever_source("the other arm of P8 in this block"),
            control=f"world '{UNWINDOWED}'; the standard block beside it, whose q and k do not share a projection",
            region=Region(lower=b.window),
            margin=0.0,
            gated=True,
        ),
        stated(
            study,
            "c4_gau_others",
            f"So it is of the other keys in the paper's own block: of the attention that is not on the query's own key"
            f" {b.window:.0%} is on the {reach - 1} nearest, whatever the source.",
            place="theorem 3.5 (C4), as far as known, without the diagonal",
            scope=whatever_source("the other arm of P8 in this block"),
            control=f"world '{UNWINDOWED}'",
            region=Region(lower=b.window),
            margin=0.0,
            gated=True,
        ),
        stated(
            study,
            "c4_born",
            f"With the own key that window is there before training where w_q = w_k = 1, as in the released code: q and"
            f" k are one vector then, and {b.window:.0%} of the attention of the first weights under alpha = {main:g}"
            f" is on the {reach} nearest keys, nearly all of it on the own one; log10 of what is not.",
            place="our prediction, from the paper's released code",
            scope=f"{BOTH}; first weights, which no gate concerns",
            control=f"world '{UNWINDOWED}'",
            region=Region(upper=math.log10(1.0 - b.window)),
            margin=0.0,
            gated=True,
        ),
        stated(
            study,
            "c4_born_others",
            f"So it is without the own key before training: of the attention that is not on the query's own key then"
            f" {b.window:.0%} is on the {reach - 1} nearest; log10 of what is not.",
            place="our prediction, from the paper's released code, without the diagonal",
            scope=f"{BOTH}; first weights, which no gate concerns",
            control=f"world '{UNWINDOWED}'",
            region=Region(upper=math.log10(1.0 - b.window)),
            margin=0.0,
            gated=True,
        ),
        stated(
            study,
            "gau_blind",
            f"From that start no gradient finds a far source: the key that is to be copied gets less than 2^-24 of the"
            f" attention under alpha = {main:g}, what float32 does not resolve beside 1.",
            place="our prediction, from the paper's released code",
            scope=f"far source (T6), RoPE; first weights, which no gate concerns; log10 of the mean weight"
            f" {study.tokens_back} keys back",
            control=f"world '{UNWINDOWED}'; scales that start apart beside it (a note)",
            region=Region(upper=BLIND),
            margin=0.0,
            gated=True,
        ),
        stated(
            study,
            "gau_start",
            f"So it is the start that keeps this block from learning a far source with alpha = {main:g}: from"
            f" w_q = w_k = 1 the excess stays higher than from scales drawn apart by {b.failed:.0%} of that of the best"
            " law without context.",
            place="our prediction, from the paper's released code",
            scope="far source (T6), RoPE; replicates in which scales drawn apart learnt; that those of one do not is"
            " the question",
            control=f"world '{UNWINDOWED}'; the scales that start apart, tuned alike",
            region=ABOVE_ZERO,
            margin=0.0,
            gated=True,
        ),
        stated(
            study,
            "p8_gau",
            f"In the paper's own block alpha = {main:g} fails the far source as windowed attention does: the excess"
            f" passes that of an arm of this block that has learnt by {b.failed:.0%} of that of the best law within the"
            f" window, and {b.window:.0%} of the attention is in the window, with and without the query's own key.",
            place="our prediction P8",
            scope=f"far source (T6), RoPE, n = m, source beyond {study.gau.depth} x {reach - 1} tokens; the other arm"
            " is plain softmax, or if too few replicates of it learnt, the least alpha; replicates in which it has"
            " learnt far and the arm reads the local source",
            control=f"world '{UNWINDOWED}'; the windowed arm itself stays at its floor or above (a check)",
            region=ABOVE_ZERO,
            margin=0.0,
            gated=True,
        ),
    )
