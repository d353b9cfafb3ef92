"""What a reader should know beside the verdicts: who learnt what, at which rate, and what else was seen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.cosscale.arms import PLAIN, arms_of, scaled
from testbed.studies.cosscale.evidence import (
    MATCHES,
    TASKS,
    far_reference,
    gain,
    gain_cases,
    gained,
    matched_reach,
    transfer_cases,
)
from testbed.studies.cosscale.floors import lag_floors
from testbed.studies.cosscale.results import Case, Floats, Measured

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy


def notes(study: "CosScaleStudy", data: Measured, records: Sequence[Record]) -> tuple[str, ...]:
    """One paragraph each."""
    return (
        f"{study.n_seeds} seeds; within one, all arms see the same tokens and, where shapes agree, start from the same"
        " weights. Excess: mean exact KL(P* || model) over judged places of the second half of fresh sequences. A"
        f" replicate has learnt if its excess at n = m is below {study.bounds.gate:.0%} of that of the best law without"
        " context; a number rests on the replicates in which all arms that it compares have learnt, and on none if they"
        " are fewer than five: the arm is then *not learnt* (hollow markers in the figures).",
        *_excess_notes(study, data),
        _cosine_note(study, data),
        _scale_note(study, data),
        _born_note(study, data),
        _row_note(study, data),
        _match_note(study, data),
        _reference_note(data, study),
        _infoscale_note(study, data),
        _position_note(study, data),
        _tuning_note(study, data, records),
    )


def learnt_words(data: Measured, case: Case) -> str:
    """How many replicates learnt."""
    kept = data.learnt(case)
    return f"{int(kept.sum())} of {len(kept)}" + ("" if data.usable(case) else ", not learnt")


def _excess_notes(study: "CosScaleStudy", data: Measured) -> list[str]:
    said = []
    for task in study.tasks:
        role, names = task.role, [arm.name for arm in arms_of(study, task.role)]
        parts = [
            f"{name} {data.average(role, name, 'excess'):.3f} ({learnt_words(data, (role, name))})" for name in names
        ]
        floor = data.average(role, names[0], "floor")
        beyond = "" if floor != floor else f"; best law within the window {floor:.3f}"
        said.append(
            f"Excess on the {role} source at n = m, nats (replicates that learnt): {', '.join(parts)}. Without context"
            f" {data.average(role, names[0], 'no_context'):.3f}{beyond}."
        )
    return said


def _cosine_note(study: "CosScaleStudy", data: Measured) -> str:
    parts = []
    for family in study.families:
        for alpha in family.alphas:
            arm = family.scaled(alpha)
            both = [
                f"{data.average(t, arm, 'eta'):.3f} ({data.average(t, arm, 'eta_mean'):.3f})"
                + ("" if data.usable((t, arm)) else " not learnt")
                for t in TASKS
            ]
            parts.append(f"{arm}: {' and '.join(both)}")
    return f"eta_1*, in brackets the mean attended cosine, before RoPE, local and far: {'; '.join(parts)}."


def _scale_note(study: "CosScaleStudy", data: Measured) -> str:
    parts = [f"{task} {data.average(task, PLAIN, 'scale'):.1f}" for task in TASKS]
    near = [f"{data.average(task, PLAIN, 'within'):.2f}" for task in TASKS]
    return (
        f"Plain softmax trains |q| |k| / sqrt d, the alpha that it has in effect, to: {', '.join(parts)}, beside arms"
        f" with alpha = {study.alphas[0]:g} to {study.alphas[-1]:g}. It has {' and '.join(near)} of its attention on"
        f" the {study.reach} nearest keys; where that is near 1 C4 says little."
    )


def _born_note(study: "CosScaleStudy", data: Measured) -> str:
    """What first weights look at, which no gate concerns."""
    cases = [
        (study.standard, study.standard.plain, f"in the {study.standard.title}"),
        (study.gated, study.gated.plain, "in gated attention units whose scales start apart"),
        (study.gated, study.gated.ones, "in those that start from ones"),
    ]
    parts = []
    for family, arm, where in cases:
        at = f"{family.main:g}"
        near, others = (
            np.mean([_mean(data.at(t, arm, f"untrained-{name}-{at}")) for t in TASKS]) for name in ("within", "others")
        )
        wanted = _mean(data.at("far", arm, f"untrained-wanted-{at}"))
        parts.append(f"{where} at alpha = {at} {near:.3f} ({others:.3f}) and {wanted:.1e}")
    return (
        f"Before training the {study.reach} nearest keys get, in brackets the share of what is not on the query's own"
        f" key, and the key to be copied on the far source gets: {'; '.join(parts)}. From ones q and k are one vector,"
        " so that equal tokens have cosines near 1 and the own key takes all."
    )


def _mean(values: Floats) -> float:
    """Of the members that did not diverge."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _row_note(study: "CosScaleStudy", data: Measured) -> str:
    family = study.standard
    arms = [family.plain, *(family.scaled(alpha) for alpha in family.alphas)]
    parts = [f"{arm} {data.average('local', arm, 'row_js'):.3f}" for arm in arms]
    return f"Jensen-Shannon divergence of rows from those of {family.window()}, local source, nats: {', '.join(parts)}."


def _match_note(study: "CosScaleStudy", data: Measured) -> str:
    family, parts = study.standard, []
    for alpha in family.alphas:
        arm = scaled(alpha)
        found = [matched_reach(data, arm, family, by) for by in MATCHES]
        width, keys = (data.average("local", arm, by) for by in MATCHES)
        words = " and ".join("none" if one is None else f"window-{one}" for one in found)
        parts.append(f"{alpha:g}: {width:.2f}, {keys:.2f}, {words}")
    windows = [
        f"{reach}: {data.average('local', family.window(reach), MATCHES[0]):.2f},"
        f" {data.average('local', family.window(reach), MATCHES[1]):.2f}"
        for reach in family.reaches
    ]
    floors = lag_floors(study.local, study.train_length)
    exact = ", ".join(f"{width}: {floor:.3f}" for width, floor in enumerate(floors) if width)
    return (
        f"w_90, e^H and the windows matched by each, local source, by alpha: {'; '.join(parts)}. The windowed arms' own"
        f" w_90 and e^H: {'; '.join(windows)}. Exact floors of windows by width, nats: {exact}."
    )


def _reference_note(data: Measured, study: "CosScaleStudy") -> str:
    arm = far_reference(data, study.gated)
    kept = data.learnt(("far", arm), partly=[("local", study.gated.scaled())])
    return (
        f"p8_gau, and c4_gau on the far source, are judged against {arm}; replicates in which it learnt far and"
        f" {study.gated.scaled()} reads the local source: {int(kept.sum())} of {len(data.seeds)}."
    )


def _infoscale_note(study: "CosScaleStudy", data: Measured) -> str:
    parts = []
    for alpha in study.alphas:
        arm = scaled(alpha)
        moved = [data.average(t, arm, "excess_long_infoscale") - data.average(t, arm, "excess_long") for t in TASKS]
        parts.append(f"{alpha:g}: " + " and ".join(f"{one:+.3f}" for one in moved))
    ranged = [
        f"{task} {data.average(task, arm, 'ranged'):.3f} to {data.average(task, arm, 'ranged_infoscale'):.3f}"
        for task, arm in transfer_cases()
    ]
    return (
        f"What InfoScale adds to the excess at {study.ratio} m, local and far, by alpha: {'; '.join(parts)} nats. With"
        f" positions in range, plain softmax: {'; '.join(ranged)} nats."
    )


def _position_note(study: "CosScaleStudy", data: Measured) -> str:
    parts = []
    for base in (PLAIN, *(one.name for one in study.baselines)):
        for alpha in study.position_alphas:
            number = gained(data, base, alpha)
            words = "not learnt" if number is None else f"{number.estimate:+.4f}"
            parts.append(f"{'rope' if base == PLAIN else base} at {alpha:g} {words}")
    elsewhere = []
    for task in TASKS:
        for alpha in study.alphas:
            number = data.mean(gain(data, PLAIN, task, alpha), *gain_cases(PLAIN, task, alpha))
            elsewhere.append(f"{task} at {alpha:g} {'not learnt' if number is None else f'{number.estimate:+.4f}'}")
    return (
        f"What CosScale gains at {study.ratio} m, nats, recall source: {', '.join(parts)}. With RoPE elsewhere, where"
        f" no other positions learn in one block: {', '.join(elsewhere)}."
    )


def _tuning_note(study: "CosScaleStudy", data: Measured, records: Sequence[Record]) -> str:
    rates = study.tuning.learning_rates
    by_rate: dict[float, list[str]] = {}
    for (task, arm), mine in data.records.items():
        by_rate.setdefault(float(mine[0].probe["learning_rate"]), []).append(f"{task}/{arm}")
    n_tuning = sum(record.probe["kind"] == "tuning" for record in records)
    counts = [f"{rate:g} by {len(by_rate.get(rate, []))}" for rate in rates]
    edges = [
        f"at the {word} edge, {rate:g}: {', '.join(by_rate.get(rate, ['none']))}"
        for word, rate in (("lower", rates[0]), ("upper", rates[-1]))
    ]
    return (
        f"Learning rates chosen on {n_tuning} members of other seeds, {study.tuning.n_seeds} a rate: of those at"
        " which most learnt the least held-out cross-entropy, ties within one standard error to the smaller where all"
        f" learnt: {', '.join(counts)} arms; {'; '.join(edges)}."
    )
