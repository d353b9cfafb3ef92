"""What each claim says, where it comes from, on which tasks it is judged, and the region in which it holds."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Region
from testbed.studies.length_extrapolation.head_statements import head_statements
from testbed.studies.length_extrapolation.told import Told

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation


def statements(study: "LengthExtrapolation") -> tuple[Told, ...]:
    """All claims, in the order in which a reader should meet them."""
    return (*_controls(study), *_positions(study), *_of_the_paper(study), *_windows(study), *head_statements(study))


def _controls(study: "LengthExtrapolation") -> tuple[Told, ...]:
    margin, above, below = study.margin, Region(lower=study.margin), Region(upper=study.margin)
    return (
        Told(
            "no_op",
            "Where attention should average, multiplying logits by a function of length changes nothing.",
            "ours (P5 for T7): the Bayes logits are constant there, so every multiplier is an exact no-op on them",
            ("averaging",),
            "no positions; every multiplier, the YaRN temperature and the head-wise one among them",
            "spread_logits: the trained logits spread, and scaling sharpens them",
            below,
            margin,
        ),
        Told(
            "control",
            "Where the best weights keep one ratio at every length, every method that sharpens with length is worse"
            " than none at the longest length.",
            "ours (P5 for T7b), against claim C1, that attention entropy should not grow with length",
            ("classes", "evidence"),
            "no positions",
            "harmless: sharpening costs nothing",
            above,
            margin,
        ),
        Told(
            "order",
            "Where the best temperature does not depend on length, none is better than InfoScale and InfoScale better"
            f" than {study.log_law}.",
            "ours (P4)",
            ("classes", "evidence"),
            "no positions",
            "strong_is_cheap: all others cost half of what InfoScale does",
            above,
            margin,
        ),
        Told(
            "sphere",
            "At small head dimension sphere-exact InfoScale and InfoScale differ clearly: the former costs more.",
            "ours (P11)",
            ("classes",),
            f"no positions, head dimension {_head_dims(study)}",
            "strong_is_cheap: all others cost half of what InfoScale does",
            above,
            margin,
        ),
        Told(
            "tax",
            "Every multiplier that is below one for queries with fewer than m keys costs excess already at n = m.",
            "ours, after Su (2023): any change at test time taxes short inputs",
            ("local",),
            "all positions, methods that are not clamped",
            "no_tax: softening costs nothing",
            above,
            margin,
        ),
    )


def _positions(study: "LengthExtrapolation") -> tuple[Told, ...]:
    margin, above, base = study.margin, Region(lower=study.margin), study.in_range
    return (
        Told(
            "positions",
            "With rotary positions out of range no multiplier of the logits, learnt or not, reaches the KL that"
            f" {base} reaches without one.",
            "ours (P10), against claim C7, that dilution is the main obstacle",
            ("local", "recall"),
            "rotary positions",
            "scaling_repairs: one multiplier does better than positions in range",
            above,
            margin,
        ),
        Told(
            "gain_in_range",
            f"With rotary positions kept in range ({base}) some multiplier of the logits, learnt or not, lowers the KL"
            " further.",
            "claims C1 and C2 for positions in range; ours (P10)",
            ("recall",),
            f"{base}",
            "no_gain: with positions in range every multiplier harms",
            above,
            margin,
        ),
        Told(
            "gain_drawn",
            "With rotary positions drawn in training from the longest length some multiplier of the logits lowers the"
            " KL further.",
            "claims C1 and C2 for positions in range; ours (P10)",
            ("recall", "argmax"),
            f"arm {study.drawn_arm}",
            "no_gain: with positions in range every multiplier harms",
            above,
            margin,
        ),
        Told(
            "gain_hidden",
            "Without positions, and with the begin symbol hidden, some multiplier of the logits lowers the KL further.",
            "claims C1 and C2 without positions; ours (P10)",
            ("recall", "argmax"),
            f"arm {study.hidden_arm}",
            "no_gain: with positions in range every multiplier harms",
            above,
            margin,
        ),
    )


def _of_the_paper(study: "LengthExtrapolation") -> tuple[Told, ...]:
    margin, above, below = study.margin, Region(lower=study.margin), Region(upper=study.margin)
    alphas = f"the better of {', '.join(arm for arm, _ in study.normed_arms)}"
    return (
        Told(
            "best",
            "CosScale with InfoScale is best at the longest length, or within the margin of it.",
            "claim C5, the paper's headline",
            ("recall",),
            alphas,
            "beaten: another method is far better",
            below,
            margin,
        ),
        Told(
            "added_infoscale",
            "InfoScale can be added to every method of positions or masks: it raises the KL of none at the longest"
            " length.",
            "claim C6, for InfoScale",
            ("recall",),
            "rotary positions",
            "harmful: added to one method it does harm",
            below,
            margin,
        ),
        Told(
            "added_cosscale",
            "CosScale can be added to every method of positions or masks: it raises the KL of none at the longest"
            " length.",
            "claim C6, for CosScale",
            ("recall",),
            f"rotary positions, {alphas}",
            "harmful_norm: added to one method it does harm",
            below,
            margin,
        ),
        Told(
            "only_rope",
            "CosScale alone lowers the KL at the longest length with rotary positions, and does not without positions.",
            "claim C9, from the repository's README",
            ("recall",),
            alphas,
            "cosscale_idle (no gain with rotary positions) and cosscale_anywhere (a gain without)",
            above,
            margin,
        ),
        Told(
            "boundary",
            f"InfoScale adds nothing to CosScale where heads are away from the frozen boundary, with {study.in_range}.",
            "ours (P9, its first half)",
            ("recall",),
            f"arms whose retrieving head has sigma / sqrt(2 ln m) below {1 / study.boundary:.2f} or above"
            f" {study.boundary:g} at n = m",
            "gain_anywhere: it lowers the KL of every arm",
            below,
            margin,
        ),
    )


def _windows(study: "LengthExtrapolation") -> tuple[Told, ...]:
    margin = study.margin
    return (
        Told(
            "beyond_reach",
            "A mask whose reach over all layers ends before the token to be copied costs at least what the exact law"
            " loses that is given the tokens reached.",
            "ours (P8), against windowed baselines; a bound, so that a failure would be a leak",
            ("lag",),
            f"rotary positions, masks that lose more than the margin in the exact law; {_lags(study)}",
            "leak: a mask costs less than the bound",
            Region(lower=-margin),
            margin,
        ),
        Told(
            "within_reach",
            "A mask whose reach in one layer holds the token to be copied costs nothing at the longest length.",
            "ours (P8), the control of the claim above",
            ("lag",),
            f"rotary positions; {_lags(study)}",
            "blocked: such a mask costs something",
            Region(upper=margin),
            margin,
        ),
    )


def _head_dims(study: "LengthExtrapolation") -> str:
    return " and ".join(str(size) for size in sorted({study.head_dim(one) for one in study.tasks if one.arms}))


def _lags(study: "LengthExtrapolation") -> str:
    lags = [str(task.source.lag) for task in study.tasks if task.role == "lag"]  # type: ignore[attr-defined]
    return f"lag {' and '.join(lags)}" if lags else "no lag"
