"""What the claims about attention say: its entropy, mass on what is asked for, its law among the original tokens."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Region
from testbed.studies.length_extrapolation.config import Role
from testbed.studies.length_extrapolation.head_evidence import FROZEN, FROZEN_CHANGE
from testbed.studies.length_extrapolation.told import Told

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation


def head_statements(study: "LengthExtrapolation") -> tuple[Told, ...]:
    """The claims about attention, in order."""
    in_range = f"rotary positions with {study.in_range}"
    diffuse = f"{in_range}, heads with more than 1 nat of entropy at n = m"
    finder = f"{in_range}, the head that attends most to what is asked for"
    both: tuple[Role, ...] = ("classes", "recall")
    remembered: tuple[Role, ...] = ("recall", "fillers")
    return (
        Told(
            "flat",
            "InfoScale keeps the entropy of attention constant as n grows.",
            "claim C1",
            both,
            diffuse,
            "relative_entropy: H / ln n is what stays",
            Region(upper=study.flat_slope),
            study.flat_slope,
            "nats per ln n",
        ),
        Told(
            "relative",
            "InfoScale keeps H / ln n, not H, in heads whose logits spread less than sqrt(2 ln m).",
            "ours (P1)",
            both,
            f"{diffuse}, and spread below sqrt(2 ln m)",
            "as_claimed: H is what stays",
            Region(upper=study.relative_margin),
            study.relative_margin,
            "share",
        ),
        Told(
            "frozen",
            f"Under InfoScale H stays within {FROZEN_CHANGE:.0%} in heads whose logits spread more than {FROZEN}.",
            "ours (P2)",
            both,
            f"{in_range}, with and without CosScale, heads with spread above {FROZEN} at n = m, if there are any",
            "frozen_grows: there too entropy grows",
            Region(upper=FROZEN_CHANGE),
            FROZEN_CHANGE,
            "share",
        ),
        Told(
            "focus",
            f"InfoScale keeps the attention on what is relevant: at least {study.focus:.0%} of its mass at n = m.",
            "claim C2, its first part: the mass",
            remembered,
            finder,
            "focus_lost: the mass falls",
            Region(lower=study.focus),
            1 - study.focus,
            "share",
        ),
        Told(
            "shape",
            "InfoScale keeps the attention among the original tokens as it was before others were appended.",
            "claim C2, its second part: the law of the attention among them, renormalised",
            ("recall",),
            f"{in_range}, mean over heads; the originals are the last m tokens",
            "reshaped: sharpening moves it towards the largest weights",
            Region(upper=study.shape_margin),
            study.shape_margin,
        ),
        Told(
            "mass",
            f"The mass on what is asked for falls under InfoScale; under {study.log_law} and the YaRN temperature it"
            " does not.",
            "ours (P3, for the mass)",
            remembered,
            finder,
            "mass_lost: it falls under all of them",
            Region(lower=study.mass_margin),
            study.mass_margin,
            "mass",
        ),
        Told(
            "mass_loss",
            f"The KL rises with n under InfoScale; under {study.log_law} and the YaRN temperature it does not.",
            "ours (P3, for the KL)",
            remembered,
            in_range,
            "loss_grows: it rises under all of them",
            Region(lower=study.margin),
            study.margin,
        ),
        Told(
            "not_best",
            "A flatter entropy goes with a lower KL at length on the recall source, and with a higher one where the"
            " best weights keep their ratio.",
            "ours (P12)",
            both,
            f"correlation over the multipliers, with {study.in_range} and over all heads on the one, without positions"
            " and over heads with more than 1 nat of entropy at n = m on the other",
            "no_gain: on the recall source sharper attention does harm as well",
            Region(lower=0.0),
            0.0,
            "correlation",
        ),
    )
