"""The claims of the study, with regions and margins from its config, and the numbers that they are about.

`loss_evidence`, `claim_evidence` and `head_evidence` say how each number is made of excesses and of heads. R is a
task's largest ratio n / m, s runs over the methods that multiply logits by a function of length (or of that and the
head), b over the changes of position and mask, a over the values of CosScale's alpha, +s is a row with s added. Judged
with positions in range are rows of the rotary arm with ReRoPE.

    no_op            max over s by length, 1 < r <= R of |KL(nope + s, r) - KL(nope, r)|  <= margin  averaging
    no_op_read       the same, s read off the logits of a head or of a row         <= margin         averaging
    control          min over s of KL(nope + s, R) - KL(nope, R)                   >= margin         classes, evidence
    order            min of KL(+infoscale) - KL(none), KL(+log n) - KL(+infoscale) >= margin         classes, evidence
    sphere           KL(nope + sphere infoscale, R) - KL(nope + infoscale, R)      >= margin         classes
    positions        min over tasks, s of KL(rope + s, R) - KL(rerope, R)          >= margin         local, recall
    gain_in_range    max over s of KL(rerope, R) - KL(rerope + s, R)               >= margin         recall
    gain_drawn       max over s of KL(drawn, R) - KL(drawn + s, R)                 >= margin         recall, argmax
    gain_hidden      the same without positions, the begin symbol hidden           >= margin         recall, argmax
    best             min over a of KL(a + infoscale, R) - min over others of KL    <= margin         recall
    added_infoscale  max over b of KL(b + infoscale, R) - KL(b, R)                 <= margin         recall
                     (b whose KL is below that of the best law without context)
    added_cosscale   min over a of max over b of KL(a + b, R) - KL(b, R)           <= margin         recall
    only_rope        max over a of min of KL(rope) - KL(a), 2 margin - KL(nope) + KL(a, nope)  >= margin   recall
    boundary         max of: over a away from the boundary KL(a + rerope) - KL(a + rerope + infoscale),
                     2 margin less the largest of these over a near it             <= margin         recall
    tax              min over unclamped s of KL(arm + s, 1) - KL(arm, 1)           >= margin         local, averaging
    reach_bound      min over masks of KL(mask, R) - loss of the exact law given what is reached  >= -margin   lag
    within_reach     max over arms trained with a mask that holds the token of KL(arm, R) - KL(arm, 1)  <= margin  lag
    reach_cost       max over arms trained with one that does not of |KL(arm, R) - the exact loss|      <= margin  lag

    flat             max of |slope of H on ln n| under rerope + infoscale          <= flat_slope     classes, recall
    relative         max of |(H_n / ln n) / (H_m / ln m) - 1| under it, broad heads   <= relative    classes, recall
    frozen           max of |H_n / H_m - 1| under it, heads with sigma > 5.5, a too   <= 0.25        classes, recall
    focus            min of F_n / F_m under it                                     >= focus          recall, fillers
    shape            max of KL(p_m || p_n among the originals) under it            <= shape_margin   recall
    mass             min of F_m - F_n under it, 2 mass_margin - (F_m - F_n) under log n, YaRN  >= mass_margin   as above
    mass_loss        min of KL_n - KL_m under it, 2 margin - (KL_n - KL_m) under log n, YaRN   >= margin        as above
    not_best         min of rho(recall), -rho(classes)                             >= 0              recall, classes

One margin stands for all differences of excesses: less than a percent of what context is worth on every source (.3 to
.95 nats), and a fifteenth of what the weakest multiplier costs exact attention on the classes. A replicate counts where
every arm of a difference has learnt its task (excess at n = m below `gate` times the KL of the best law without
context); an arm with fewer than five such replicates isn't judged. `tax` is over all positions, the others over the
second half of a sequence. The scope of a claim names the tasks and lengths that the scale runs, that of a verdict those
that it rests on.
"""

import re
from typing import TYPE_CHECKING

from testbed.studies.judge import Claim, Evidence, Student
from testbed.studies.length_extrapolation.claim_evidence import claim_evidence
from testbed.studies.length_extrapolation.config import Task
from testbed.studies.length_extrapolation.head_evidence import head_evidence
from testbed.studies.length_extrapolation.loss_evidence import loss_evidence
from testbed.studies.length_extrapolation.parts import Parts
from testbed.studies.length_extrapolation.results import Measured
from testbed.studies.length_extrapolation.statements import statements
from testbed.studies.length_extrapolation.told import Told

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

PAPER = "2501.08570"
PREFIX = "length_extrapolation."

NOTHING = Student(0.0, 0.0, 1)
"""Stands where there is no evidence: one replicate decides nothing."""


def parts_of(study: "LengthExtrapolation", data: Measured) -> dict[str, Parts | str]:
    """The claims' numbers by short name, row by row; in place of them, why there are none."""
    return loss_evidence(study, data) | claim_evidence(study, data) | head_evidence(study, data)


def evidence(study: "LengthExtrapolation", data: Measured) -> dict[str, Evidence | str]:
    """The claims' numbers by claim id; in place of evidence, why there is none."""
    return {PREFIX + name: one if isinstance(one, str) else one.evidence for name, one in parts_of(study, data).items()}


def claims(study: "LengthExtrapolation") -> tuple[Claim, ...]:
    """All claims, in the order in which a reader should meet them."""
    return tuple(_claim(study, one) for one in statements(study))


def claims_used(study: "LengthExtrapolation", found: dict[str, Parts | str]) -> tuple[Claim, ...]:
    """The same claims with scopes that name what their numbers rest on, where there are any."""
    return tuple(
        _claim(study, one, parts if isinstance(parts := found[one.name], Parts) else None) for one in statements(study)
    )


def _claim(study: "LengthExtrapolation", told: Told, parts: Parts | None = None) -> Claim:
    return Claim(
        id=PREFIX + told.name,
        statement=told.statement,
        paper=PAPER,
        place=told.place,
        reading="inferred",
        scope=scope(study, told, parts),
        control=f"world {told.world}",
        region=told.region,
        margin=told.margin,
        decided_at=study.decided_at,
        unit=told.unit,
    )


def scope(study: "LengthExtrapolation", told: Told, parts: Parts | None = None) -> str:
    """What the scale runs of what a claim is about, with sizes and lengths; given its rows, what these rest on."""

    def used(task: Task) -> bool:
        return parts is None or any(task.name in re.split(r"[ ,:]+", name) for name in parts.names)

    named = [
        f"{task.name} ({study.depth_of(task)} {'layer' if study.depth_of(task) == 1 else 'layers'},"
        f" m = {task.train_length}, n up to {study.largest(task)} m)"
        for role in told.roles
        for task in study.tasks
        if task.role == role and task.arms and used(task)
    ]
    where = " and ".join(named) if named else "a task that this scale does not run"
    said = (where, told.scope, _normed(study, parts) if told.normed else "", "replicates that learnt the task")
    return "; ".join(one for one in said if one)


def _normed(study: "LengthExtrapolation", parts: Parts | None) -> str:
    """The arms with CosScale of which the better counts: all, or those that there are numbers of."""
    arms = [arm for arm, _ in study.normed_arms]
    used = arms if parts is None else [arm for arm in arms if any(name.split(":")[0] == arm for name in parts.names)]
    left = [arm for arm in arms if arm not in used]
    said = f"the better of {', '.join(used)}" if len(used) > 1 else f"{', '.join(used)} alone"
    return said + (f" ({', '.join(left)} could not be judged)" if left else "")
