"""What a reader should know beside the verdicts: who learnt what, at which rate, and what else was seen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.runs import Record
from testbed.studies.cosscale.arms import PLAIN, arms_of, scaled
from testbed.studies.cosscale.evidence import (
    MATCHES,
    TASKS,
    far_reference,
    gain,
    gain_cases,
    matched_reach,
    transfer_cases,
)
from testbed.studies.cosscale.results import Case, Measured

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
    parts = []
    for family in study.families:
        at = f"{family.main:g}"
        near, others = (
            sum(data.average(t, family.plain, f"untrained-{name}-{at}") for t in TASKS) / 2
            for name in ("within", "others")
        )
        parts.append(f"in the {family.title} at alpha = {at} {near:.3f} ({others:.3f})")
    return (
        f"Before training the {study.reach} nearest keys get, in brackets the share of what is not on the query's own"
        f" key: {', '.join(parts)}. In the gated attention unit q and k are one vector times a scale a channel, so that"
        " equal tokens have cosines near 1."
    )


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
    learnt = [
        data.average("local", family.window(reach), "excess")
        for reach in family.reaches
        if data.usable(("local", family.window(reach)))
    ]
    alike = ""
    if len(learnt) > 1:
        spread, bound = max(learnt) - min(learnt), study.bounds.excess
        alike = f" The {len(learnt)} windows that learnt differ in excess by {spread:.4f} nats at most"
        alike += (
            f", less than the bound {bound:g}: which of them an arm is matched to says little, and p8_local says only"
            " that it learnt the local source as they did."
            if spread < bound
            else "."
        )
    return (
        f"w_90, e^H and the windows matched by each, local source, by alpha: {'; '.join(parts)}. The windowed arms' own"
        f" w_90 and e^H: {'; '.join(windows)}.{alike}"
    )


def _reference_note(data: Measured, study: "CosScaleStudy") -> str:
    arm = far_reference(data, study.gated)
    both: tuple[Case, Case] = (("far", arm), ("local", study.gated.scaled()))
    return (
        f"p8_gau, and c4_gau on the far source, are judged against {arm}; replicates in which it learnt far and"
        f" {study.gated.scaled()} the local source: {int(data.learnt(*both).sum())} of {len(data.seeds)}."
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
            cases = gain_cases(base, "content", alpha)
            number = data.mean(gain(data, base, "content", alpha), *cases)
            words = "not learnt" if number is None else f"{number.estimate:+.4f}"
            parts.append(f"{'rope' if base == PLAIN else base} at {alpha:g} {words}")
    elsewhere = []
    for task in TASKS:
        for alpha in study.alphas:
            number = data.mean(gain(data, PLAIN, task, alpha), *gain_cases(PLAIN, task, alpha))
            elsewhere.append(f"{task} at {alpha:g} {'not learnt' if number is None else f'{number.estimate:+.4f}'}")
    return (
        f"What CosScale gains at {study.ratio} m, nats, content source: {', '.join(parts)}. With RoPE elsewhere, where"
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
        f"Learning rates chosen on {n_tuning} members of other seeds, {study.tuning.n_seeds} a rate, ties within one"
        f" standard error to the smaller: {', '.join(counts)} arms; {'; '.join(edges)}."
    )
