"""The claims of the study, with regions and margins from its config, and the numbers that they are about.

`loss_evidence` and `head_evidence` say how each number is made of excesses and of heads. R is a task's largest ratio
n / m, s runs over the methods that multiply logits by a function of length (or of that and the head), b over the
changes of position and mask, +s is a row with s added.

    no_op            max over s, 1 < r <= R of |KL(nope + s, r) - KL(nope, r)|     <= no_op_margin   averaging
    control          min over s of KL(nope + s, R) - KL(nope, R)                   >= margin         classes, evidence
    order            min of KL(+infoscale) - KL(none), KL(+log n) - KL(+infoscale) >= margin         classes, evidence
    sphere           KL(nope + sphere infoscale, R) - KL(nope + infoscale, R)      >= margin         classes
    positions        min over tasks, s of KL(rope + s, R) - KL(rerope, R)          >= margin         local, recall
    gain_in_range    max over s of KL(rerope, R) - KL(rerope + s, R)               >= margin         recall
    gain_nope        max over s of KL(nope, R) - KL(nope + s, R)                   >= margin         recall, argmax
    best             KL(claimed, R) - min over the other rows of KL(., R)          <= margin         recall
    added            max over b of KL(b + infoscale) - KL(b), KL(cosscale + b) - KL(b)  <= margin    recall
    only_rope        min of KL(rope) - KL(cosscale), 2 margin - KL(nope) + KL(cosscale_nope)  >= margin   recall
    tax              min over unclamped s of KL(arm + s, 1) - KL(arm, 1)           >= margin         local, recall

    flat             max of |slope of H on ln n| under infoscale                   <= flat_slope     classes, recall
    relative         max of |(H_n / ln n) / (H_m / ln m) - 1| under it, broad heads   <= relative    classes, recall
    frozen           max of |H_n / H_m - 1| under it, heads with sigma > 5.5       <= 0.25           classes, recall
    focus            min of F_n / F_m under it                                     >= focus          recall
    mass             min of F_m - F_n under it, F_n - F_m + 2 mass_margin under log n   >= mass_margin   recall
    not_best         min of rho(recall), -rho(classes)                             >= 0              recall, classes

A replicate counts where every arm of a difference has learnt its task (excess at n = m below `gate` times the KL of the
best law without context); an arm with fewer than five such replicates isn't judged. `tax` is over all positions, the
others over the second half of a sequence.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Evidence, Region, Student
from testbed.studies.length_extrapolation.head_evidence import FROZEN, FROZEN_CHANGE, head_evidence
from testbed.studies.length_extrapolation.loss_evidence import loss_evidence
from testbed.studies.length_extrapolation.results import Measured

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

PAPER = "2501.08570"
PREFIX = "length_extrapolation."

NOTHING = Student(0.0, 0.0, 1)
"""Stands where there is no evidence: one replicate decides nothing."""


def evidence(study: "LengthExtrapolation", data: Measured) -> dict[str, Evidence | str]:
    """The claims' numbers by claim id; in place of evidence, why there is none."""
    found: Mapping[str, Evidence | str] = loss_evidence(study, data) | head_evidence(study, data)
    return {PREFIX + name: one for name, one in found.items()}


def claims(study: "LengthExtrapolation") -> tuple[Claim, ...]:
    """All claims, in the order in which a reader should meet them."""
    return tuple(_claim(study, *one) for one in (*_controls(study), *_losses(study), *_heads(study)))


Told = tuple[str, str, str, str, str, Region, float, str]
"""Name, statement, place, scope, control, region, margin, unit."""


def _claim(
    study: "LengthExtrapolation",
    name: str,
    statement: str,
    place: str,
    scope: str,
    control: str,
    region: Region,
    margin: float,
    unit: str,
) -> Claim:
    longest = max(study.largest(task) for task in study.tasks)
    return Claim(
        id=PREFIX + name,
        statement=statement,
        paper=PAPER,
        place=place,
        reading="inferred",
        scope=f"{scope}; small transformers, n up to {longest} m; replicates that learnt the task",
        control=control,
        region=region,
        margin=margin,
        decided_at="gpu" if name == "only_rope" and study.decided_at == "laptop" else study.decided_at,
        unit=unit,
    )


def _controls(study: "LengthExtrapolation") -> tuple[Told, ...]:
    margin, above = study.margin, Region(lower=study.margin)
    return (
        (
            "no_op",
            "Where attention should average, multiplying logits by a function of length changes nothing.",
            "ours (P5 for T7): the Bayes logits are constant there, so every multiplier is an exact no-op on them",
            "averaging source (T7), no positions",
            "world spread_logits: the trained logits spread, and scaling sharpens them",
            Region(upper=study.no_op_margin),
            study.no_op_margin,
            "nats",
        ),
        (
            "control",
            "Where the best weights keep one ratio at every length, every method that sharpens with length is worse"
            " than none at the longest length.",
            "ours (P5 for T7b), against claim C1, that attention entropy should not grow with length",
            "reliability classes (T7b) and evidence (T1), no positions",
            "world harmless: sharpening costs nothing",
            above,
            margin,
            "nats",
        ),
        (
            "order",
            "Where the best temperature does not depend on length, none is better than InfoScale and InfoScale better"
            f" than {study.log_law}.",
            "ours (P4)",
            "reliability classes (T7b) and evidence (T1), no positions",
            "world one_cost: all multipliers cost the same",
            above,
            margin,
            "nats",
        ),
        (
            "sphere",
            "At small head dimension sphere-exact InfoScale and InfoScale differ clearly: the former costs more.",
            "ours (P11)",
            "reliability classes (T7b), no positions, head dimension of the config",
            "world one_cost: all multipliers cost the same",
            above,
            margin,
            "nats",
        ),
    )


def _losses(study: "LengthExtrapolation") -> tuple[Told, ...]:
    margin, above, below = study.margin, Region(lower=study.margin), Region(upper=study.margin)
    base = study.in_range
    return (
        (
            "positions",
            f"With rotary positions out of range no multiplier of the logits reaches the KL that {base} reaches"
            " without one.",
            "ours (P10), against claim C7, that dilution is the main obstacle",
            "local (T5) and recall (T2) sources, rotary positions",
            "world scaling_repairs: one multiplier does better than positions in range",
            above,
            margin,
            "nats",
        ),
        (
            "gain_in_range",
            f"With rotary positions kept in range ({base}) some multiplier of the logits lowers the KL further.",
            "claims C1 and C2 for positions in range; ours (P10)",
            "recall source (T2)",
            "world no_gain: with positions in range every multiplier harms",
            above,
            margin,
            "nats",
        ),
        (
            "gain_nope",
            "Without positions some multiplier of the logits lowers the KL further.",
            "claims C1 and C2 without positions; ours (P10)",
            "recall (T2) and argmax (T3) sources",
            "world no_gain: with positions in range every multiplier harms",
            above,
            margin,
            "nats",
        ),
        (
            "best",
            f"{study.claimed[0]} with {study.claimed[1]} is best at the longest length, or within the margin of it.",
            "claim C5, the paper's headline",
            "recall source (T2)",
            "world beaten: another method is far better",
            below,
            margin,
            "nats",
        ),
        (
            "added",
            f"{study.claimed[1]} and {study.claimed[0]} can be added to every method of positions or masks: neither"
            " raises its KL at the longest length.",
            "claim C6",
            "recall source (T2), rotary positions",
            "world harmful: added to one method it does harm",
            below,
            margin,
            "nats",
        ),
        (
            "only_rope",
            f"{study.claimed[0]} alone lowers the KL at the longest length with rotary positions, and does not without"
            " positions.",
            "claim C9, from the repository's README",
            "recall source (T2)",
            "worlds cosscale_idle and cosscale_anywhere: no gain with rotary positions, or a gain without",
            above,
            margin,
            "nats",
        ),
        (
            "tax",
            "Every multiplier that is below one for queries with fewer than m keys costs excess already at n = m.",
            "ours, after Su (2023): any change at test time taxes short inputs",
            "local (T5) and recall (T2) sources, all positions, methods that are not clamped",
            "world no_tax: softening costs nothing",
            above,
            margin,
            "nats",
        ),
    )


def _heads(study: "LengthExtrapolation") -> tuple[Told, ...]:
    scaling = study.claimed[1]
    diffuse = "reliability classes (T7b) and recall (T2), heads with more than 1 nat of entropy at n = m"
    return (
        (
            "flat",
            f"{scaling} keeps the entropy of attention constant as n grows.",
            "claim C1",
            diffuse,
            "world relative_entropy: H / ln n is what stays",
            Region(upper=study.flat_slope),
            study.flat_slope,
            "nats per ln n",
        ),
        (
            "relative",
            f"{scaling} keeps H / ln n, not H, in heads whose logits spread less than sqrt(2 ln m).",
            "ours (P1)",
            f"{diffuse}, and spread below sqrt(2 ln m)",
            "world as_claimed: H is what stays",
            Region(upper=study.relative_margin),
            study.relative_margin,
            "share",
        ),
        (
            "frozen",
            f"Under {scaling} H stays within {FROZEN_CHANGE:.0%} in heads whose logits spread more than {FROZEN}.",
            "ours (P2)",
            f"reliability classes (T7b) and recall (T2), heads with spread above {FROZEN} at n = m",
            "world frozen_grows: there too entropy grows",
            Region(upper=FROZEN_CHANGE),
            FROZEN_CHANGE,
            "share",
        ),
        (
            "focus",
            f"{scaling} keeps the attention on what is relevant: at least {study.focus:.0%} of its mass at n = m.",
            "claim C2",
            "recall source (T2), the head that attends most to the pair asked for; positions in range",
            "world focus_lost: the mass on the pair falls",
            Region(lower=study.focus),
            1 - study.focus,
            "share",
        ),
        (
            "mass",
            f"The mass on the relevant pair falls under {scaling}; under {study.log_law} and the YaRN temperature it"
            " does not.",
            "ours (P3)",
            "recall source (T2), the head that attends most to the pair asked for; positions in range",
            "world mass_lost: it falls under all of them",
            Region(lower=study.mass_margin),
            study.mass_margin,
            "mass",
        ),
        (
            "not_best",
            "A flatter entropy goes with a lower KL at length on the recall source, and with a higher one where the"
            " best weights keep their ratio.",
            "ours (P12)",
            f"correlation over the multipliers: recall (T2) with {study.in_range}, reliability classes (T7b)",
            "world no_gain: on the recall source sharper attention does harm as well",
            Region(lower=0.0),
            0.0,
            "correlation",
        ),
    )
