"""What each claim says, where it comes from, on which tasks it is judged, and the region in which it holds."""

from typing import TYPE_CHECKING

from testbed.studies.judge import Region
from testbed.studies.length_extrapolation.config import READ
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
            "Where attention should average, multiplying logits by a function of length alone changes nothing.",
            "ours (P5 for T7): the Bayes logits are constant there, so every multiplier is an exact no-op on them",
            ("averaging",),
            f"no positions; {_named(study, 'length')}",
            "spread_logits: the trained logits spread, and scaling sharpens them",
            below,
            margin,
        ),
        Told(
            "no_op_read",
            "Where attention should average, multipliers that are read off the logits of a head or a row change"
            " nothing.",
            "ours (P5 for T7); the head-wise one has a floor on the spread of logits, which sets how large it is where"
            " they are almost constant",
            ("averaging",),
            f"no positions; {_named(study, *READ)}",
            "read_logits: these multipliers alone sharpen the spread that training left",
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
            ("local", "averaging"),
            "all positions, methods that are not clamped; on the local source the trained models are insensitive to"
            " softening, and on the averaging source exact attention is",
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
    return (
        Told(
            "best",
            "CosScale with InfoScale is best at the longest length, or within the margin of it.",
            "claim C5, the paper's headline",
            ("recall",),
            "",
            "beaten: another method is far better",
            below,
            margin,
            normed=True,
        ),
        Told(
            "added_infoscale",
            "InfoScale can be added to every method of positions or masks that does better than no context: it raises"
            " the KL of none at the longest length.",
            "claim C6, for InfoScale",
            ("recall",),
            "rotary positions; methods whose mean KL is below that of the best law without context (what is left out"
            " stands in the notes); behind masks InfoScale counts the tokens of the window, as a query's own keys are"
            " never more than m",
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
            "rotary positions",
            "harmful_norm: added to one method it does harm",
            below,
            margin,
            normed=True,
        ),
        Told(
            "only_rope",
            "CosScale alone lowers the KL at the longest length with rotary positions, and does not without positions.",
            "claim C9, from the repository's README",
            ("recall",),
            "",
            "cosscale_idle (no gain with rotary positions) and cosscale_anywhere (a gain without)",
            above,
            margin,
            normed=True,
        ),
        Told(
            "boundary",
            "InfoScale adds nothing to CosScale where heads are away from the frozen boundary, and lowers the KL where"
            f" they are near it, with {study.in_range}.",
            "ours (P9, its first half)",
            ("recall",),
            f"near: arms whose retrieving head has sigma / sqrt(2 ln m) from {1 / study.boundary:.2f} to"
            f" {study.boundary:g} at n = m; both kinds of arms are needed",
            "gain_anywhere (it lowers the KL of every arm) and gain_nowhere (of none)",
            below,
            margin,
        ),
    )


def _windows(study: "LengthExtrapolation") -> tuple[Told, ...]:
    margin = study.margin
    return (
        Told(
            "reach_bound",
            "No row behind a mask does better than the exact law given the tokens that all layers reach.",
            "ours (for P8): a lower bound whatever the model, so that a failure would be a leak; it does not say that"
            " reach is what costs, as any damage done by a mask is above it",
            ("lag",),
            f"rotary positions, masks that lose more than the margin in the exact law, trained with or put on"
            f" afterwards; {_lags(study)}",
            "leak: a mask costs less than the bound",
            Region(lower=-margin),
            margin,
        ),
        Told(
            "within_reach",
            "A model trained with a mask whose reach in one layer holds the token to be copied loses nothing at the"
            " longest length.",
            "ours (P8); masks put on models trained without them do damage of another kind, and are told beside",
            ("lag",),
            f"rotary positions, models trained with their masks; {_lags(study)}",
            "blocked: such a model loses something",
            Region(upper=margin),
            margin,
        ),
        Told(
            "reach_cost",
            "What a mask costs a model trained with it at the longest length is what the exact law loses that is given"
            " the reached tokens: no more, no less.",
            "ours (P8: windows fail where the source is out of their reach, and by how much)",
            ("lag",),
            f"rotary positions, models trained with masks that do not reach the token; {_lags(study)}",
            "wasteful: such a model loses more",
            Region(upper=margin),
            margin,
        ),
    )


def _named(study: "LengthExtrapolation", *kinds: str) -> str:
    """The changes of these kinds by name."""
    return "; ".join(one.name for one in study.changes if one.kind in kinds)


def _head_dims(study: "LengthExtrapolation") -> str:
    return " and ".join(str(size) for size in sorted({study.head_dim(one) for one in study.tasks if one.arms}))


def _lags(study: "LengthExtrapolation") -> str:
    lags = [str(task.source.lag) for task in study.tasks if task.role == "lag"]  # type: ignore[attr-defined]
    return f"lag {' and '.join(lags)}" if lags else "no lag"
