"""The claims: what is said of trained models, where it comes from, and where its number must lie.

The numbers stand in `evidence.py`. C3, C4, C8 and C9 are the paper's; P7 to P9 are predictions derived
beforehand.
The paper's body was not at hand: what theorem 3.5 says is inferred, and so is that trained models are meant.
"""

from typing import TYPE_CHECKING

from testbed.studies.cosscale.stated import ABOVE_ZERO, BOTH, TILTING, USELESS, stated, step_words
from testbed.studies.cosscale.window_claims import of_gau, of_windows
from testbed.studies.judge import Claim, Region

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy


def claims(study: "CosScaleStudy") -> tuple[Claim, ...]:
    """All claims, in the order in which they are reported."""
    return (*_of_cosines(study), *of_windows(study), *of_gau(study), *_of_training(study))


def _of_cosines(study: "CosScaleStudy") -> tuple[Claim, ...]:
    b = study.bounds
    return (
        stated(
            study,
            "c3_rises",
            f"The peak eta_1* of the attended cosine before RoPE grows with alpha in trained models: from each alpha to"
            f" the next by {step_words(study)}.",
            place="theorem 3.4 and figure 4 (C3)",
            scope=BOTH,
            control=f"world '{TILTING}'; untrained weights of this run, whose keys are random, must not pass",
            region=ABOVE_ZERO,
            margin=b.peak_step,
        ),
        stated(
            study,
            "c3_mean",
            "The mean attended cosine before RoPE, which jumps less than its peak, grows with alpha: from each to the"
            f" next by {step_words(study, mode=False)}.",
            place="theorem 3.4 (C3), read by the mean",
            scope=BOTH,
            control=f"world '{TILTING}'",
            region=ABOVE_ZERO,
            margin=b.peak_step,
        ),
        stated(
            study,
            "c3_follows",
            f"In trained models eta_1* follows eq. 18 within {b.cosine:g} at every alpha.",
            place="figure 4, theory against experiment (C3)",
            scope=BOTH,
            control=f"world '{TILTING}', in which it saturates",
            region=Region(upper=b.cosine),
            margin=b.cosine,
        ),
        stated(
            study,
            "c3_learnt",
            f"For alpha >= {b.large_from:g} training, not softmax alone, moves eta_1*: it exceeds that of the first"
            f" weights under the same alpha by {b.learnt:g}.",
            place="our prediction, derived beforehand",
            scope=BOTH,
            control=f"world '{TILTING}', in which training changes no cosine",
            region=Region(lower=b.learnt),
            margin=b.learnt,
        ),
    )


def _of_training(study: "CosScaleStudy") -> tuple[Claim, ...]:
    b = study.bounds
    recall = "recall source (T2), which RoPE and no positions learn; the same seeds and tokens"
    return (
        stated(
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
        stated(
            study,
            "c8_angles",
            f"Unit-norm q and k have their angles trained more (alpha = {b.main_alpha:g}): training makes attended keys"
            f" stand out in cosine, beyond what they did under the first weights, by {b.angle:g} more than under plain"
            " softmax.",
            place="KeyNorm's argument (C8)",
            scope=f"{BOTH}; cosines after rotation; each arm less its own first weights",
            control=f"world '{USELESS}'",
            region=Region(lower=b.angle),
            margin=b.angle,
        ),
        stated(
            study,
            "c8_key_norm",
            f"So does KeyNorm, softmax(q k / |k|): by {b.angle:g} more than plain softmax.",
            place="KeyNorm's argument (C8), on KeyNorm itself",
            scope=f"{BOTH}; cosines after rotation; each arm less its own first weights",
            control=f"world '{USELESS}'",
            region=Region(lower=b.angle),
            margin=b.angle,
        ),
        stated(
            study,
            "c9_transfers",
            f"InfoScale does no harm on any source: the excess at {study.ratio} m, positions in range, is higher with"
            f" it than without by {b.excess:g} at most.",
            place="repository's README (C9), first half, which says more: that it gains",
            scope="local (T5) and far (T6) source under ReRoPE, recall (T2) and reliability classes (T7b) without"
            " positions; plain softmax",
            control=f"world '{USELESS}'",
            region=Region(lower=-b.excess),
            margin=b.excess,
            unit="nats",
        ),
        stated(
            study,
            "c9_with_rope",
            f"With RoPE CosScale gains {b.excess:g} at {study.ratio} m at some alpha of {_alphas(study)}, where the"
            " answer stands anywhere.",
            place="repository's README (C9), second half",
            scope=recall,
            control=f"world '{USELESS}'",
            region=Region(lower=b.excess),
            margin=b.excess,
            unit="nats",
        ),
        stated(
            study,
            "c9_without",
            f"Without RoPE it gains no more than {b.excess:g} there at any: with"
            f" {' or '.join(one.name for one in study.baselines if not one.rotary)}.",
            place="repository's README (C9), second half",
            scope=recall,
            control=f"world '{USELESS}'",
            region=Region(upper=b.excess),
            margin=b.excess,
            unit="nats",
        ),
    )


def _alphas(study: "CosScaleStudy") -> str:
    return ", ".join(f"{alpha:g}" for alpha in study.position_alphas)
