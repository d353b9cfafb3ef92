"""What a reader should know beside the verdicts: what was dropped, what cannot answer, what another study finds."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.length_extrapolation.claim_evidence import masked_rows, undamaged, worse_than_no_context
from testbed.studies.length_extrapolation.config import FAR, LEAST_JUDGED, NONE
from testbed.studies.length_extrapolation.drawing import interval
from testbed.studies.length_extrapolation.head_evidence import FROZEN
from testbed.studies.length_extrapolation.loss_evidence import tasks_of, with_added
from testbed.studies.length_extrapolation.results import Measured, Row

if TYPE_CHECKING:
    from testbed.studies.judge import Evidence
    from testbed.studies.length_extrapolation.study import LengthExtrapolation


def remarks(study: "LengthExtrapolation", data: Measured) -> tuple[str, ...]:
    """One sentence or two each."""
    return (
        f"Beyond {FAR} m every replicate has at least {LEAST_JUDGED} judged places in the second halves.",
        *_dropped(study, data),
        *_taxed(study, data),
        *_masks(study, data),
        *_frozen(study, data),
        *_begin(study, data),
    )


def _number(one: "Evidence") -> str:
    mean, low, high = interval(one)
    return f"{mean:.4f} [{low:.4f}, {high:.4f}]"


def _dropped(study: "LengthExtrapolation", data: Measured) -> list[str]:
    arm, said = study.rope_arm, []
    for task in tasks_of(study, data, arm, "recall"):
        rows = []
        for base in worse_than_no_context(study, data, task):
            both = with_added(study, base, study.scaling)
            assert both is not None
            harm = data.difference(task.name, study.largest(task), Row(arm, both), Row(arm, base))
            rows.append(f"{base}, {_number(harm)} nats with InfoScale")
        if rows:
            said.append(
                f"added_infoscale, {task.name}: left out, as their KL is above that of the best law without context:"
                f" {'; '.join(rows)}. A number above {study.margin:g} is harm done to what is of no use already."
            )
    return said


def _taxed(study: "LengthExtrapolation", data: Measured) -> list[str]:
    """The least and the largest tax on each source: one with none at all cannot tell a tax from its absence."""
    said = []
    softening = [one.name for one in study.changes if one.kind in ("length", "head") and not one.no_op]
    for arm in (study.nope_arm, study.rope_arm):
        for task in tasks_of(study, data, arm, "local", "averaging"):
            found = {
                name: data.difference(task.name, 1, Row(arm, name), Row(arm), everywhere=True)
                for name in softening
                if (task.name, Row(arm, name), 1) in data.everywhere
            }
            if found:
                low, high = (pick(found, key=lambda name: found[name].estimate) for pick in (min, max))
                ends = f"from {_number(found[low])} ({low}) to {_number(found[high])} ({high})"
                said.append(
                    f"tax, {task.name}, {arm}: {ends} nats"
                    + ("; insensitive to softening." if found[high].estimate < study.margin else ".")
                )
    return said


def _masks(study: "LengthExtrapolation", data: Measured) -> list[str]:
    said = []
    for task, row, _ in masked_rows(study, data):
        if row.change != NONE and not undamaged(study, data, task, row):
            excess = _number(data.excess(task.name, 1, row))
            said.append(f"{row.change}, {excess} nats at n = m already")
    if not said:
        return []
    return [
        "Masks that damage a model trained without them, whatever they reach: "
        + "; ".join(said)
        + ". What reach alone costs is told by models trained with their masks: within_reach and reach_cost."
    ]


def _frozen(study: "LengthExtrapolation", data: Measured) -> list[str]:
    asked = {task.name for task in study.tasks if task.role in ("classes", "recall")}
    arms = (study.rope_arm, *(normed for normed, _ in study.normed_arms))
    spreads = [
        float(np.nanmax(one["logit_std"][data.learnt[task, row.arm]]))
        for (task, row, ratio), one in data.heads.items()
        if task in asked and row in {Row(arm) for arm in arms} and ratio == 1 and data.learnt[task, row.arm].any()
    ]
    if not spreads:
        return []
    return [
        f"frozen: the largest spread of logits of any head of the arms {', '.join(arms)} at n = m, in any replicate"
        f" that learnt, is {max(spreads):.2f} on these tasks; the claim is on heads above {FROZEN:g}. On planted logits"
        " attention_theory decides it."
    ]


def _begin(study: "LengthExtrapolation", data: Measured) -> list[str]:
    """Without positions, with and without the begin symbol; `dilution_or_position` has a claim on it."""
    arms = (study.nope_arm, study.hidden_arm)
    said = []
    for task in (one for one in study.tasks if one.role == "recall"):
        if all(data.usable(task.name, arm) for arm in arms):
            numbers = [_number(data.excess(task.name, study.largest(task), Row(arm))) for arm in arms]
            rates = [f"{data.rates[task.name, arm]:g}" if (task.name, arm) in data.rates else "none" for arm in arms]
            said.append(
                f"Begin symbol, {task.name} at {study.largest(task)} m: excess {numbers[0]} nats with it ({arms[0]},"
                f" rate {rates[0]}) and {numbers[1]} with it hidden ({arms[1]}, rate {rates[1]}), each over its own"
                " replicates that learnt. dilution_or_position asks the same on a longer recall source, with rates"
                " chosen by the same rule on the same grid (its claim `begin`); whether positions are read off the"
                " symbol is settled by neither."
            )
    return said
