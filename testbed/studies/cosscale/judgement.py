"""From records to verdicts: evidence, checks, and what a reader should know beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.cosscale.arms import PLAIN, arms_of, scaled
from testbed.studies.cosscale.claims import claims
from testbed.studies.cosscale.evidence import TASKS, evidence, matched_reach
from testbed.studies.cosscale.results import Measured, gather, random_cosine
from testbed.studies.judge import judge
from testbed.studies.judge.evidence import student_tail
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

FALSE_ALARM = 1e-6
"""Probability that a sound study fails one of its statistical checks."""
NEVER = 6.0
"""Standard errors by which no sound member undercuts its floor."""


def judgement(study: "CosScaleStudy", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims, voided by a failed check; none where records are missing or a judged member diverged."""
    data = gather(study, records)
    if data is None:
        return Judgement((), (Check("complete", False, "records of some members are missing"),))
    whole = Check("no judged member diverged", data.n_diverged == 0, f"{data.n_diverged} diverged")
    if not whole.passed:
        return Judgement((), (whole,))
    numbers = evidence(study, data)
    found = (whole, *checks(study, data))
    failed = next((check for check in found if not check.passed), None)
    void = None if failed is None else f"{failed.name} ({failed.detail})"
    verdicts = judge([(claim, numbers[claim.id]) for claim in claims(study)], study.alpha, void=void)
    return Judgement(tuple(verdicts), found, notes(study, data, records))


def checks(study: "CosScaleStudy", data: Measured) -> tuple[Check, ...]:
    """What must be true whatever the claims: an identity, the rail, and controls that each number must see."""
    return (_paired(study, data), _rail(study, data), *_controls(study, data))


def _paired(study: "CosScaleStudy", data: Measured) -> Check:
    p = [
        _two_sided(record, name, study.task(task).n_sequences)
        for (task, _), mine in data.records.items()
        for record in mine
        for name in ("", "_long")
    ]
    return Check(
        "-ln q + ln p = KL in the mean, on fresh tokens",
        min(p) > FALSE_ALARM / len(p),
        f"smallest p {min(p):.1e} of {len(p)}; bound {FALSE_ALARM / len(p):.0e}",
    )


def _two_sided(record: Record, suffix: str, n_sequences: int) -> float:
    """p-value of the paired difference, Student's t over sequences."""
    difference, error = (float(record.metrics[f"{name}{suffix}"]) for name in ("paired", "paired_error"))  # type: ignore[arg-type]
    if error < 1e-12:
        return 1.0 if abs(difference) < 1e-9 else 0.0
    return 2 * student_tail(abs(difference) / error, n_sequences - 1)


def _rail(study: "CosScaleStudy", data: Measured) -> Check:
    excess, error, floor = (
        np.concatenate([data.at("far", family.window(), name) for family in study.families])
        for name in ("excess", "excess_error", "floor")
    )
    least = float(np.min((excess - floor) / np.maximum(error, 1e-12)))
    return Check(
        "on the far source the windowed arms stay at the floor of their window, or above",
        least > -NEVER,
        f"least distance {least:.1f} standard errors; excess {excess.mean():.3f}, floor {floor.mean():.3f} nats",
    )


def _controls(study: "CosScaleStudy", data: Measured) -> tuple[Check, ...]:
    b = study.bounds
    untrained = [np.mean([data.at(t, PLAIN, f"untrained-{a:g}") for t in TASKS]) for a in study.alphas]
    keys = random_cosine(data, "standard", 0).mean(axis=0)
    plain = float(data.at("far", PLAIN, "within").mean())
    return (
        Check(
            "C3's number sees a peak that has stopped",
            float(np.diff(untrained).min()) < b.peak_step and float(np.diff(keys).min()) < b.peak_step,
            f"least rise of the attended cosine: {np.diff(untrained).min():.4f} before training,"
            f" {np.diff(keys).min():.4f} among {study.key_lengths[0]} random keys",
        ),
        Check(
            "C4's number sees attention without a window",
            plain < b.window,
            f"plain softmax has {plain:.3f} of its attention on the {study.reach} nearest keys on the far source",
        ),
    )


def notes(study: "CosScaleStudy", data: Measured, records: Sequence[Record]) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    said = [
        f"{study.n_seeds} seeds; within one, all arms see the same tokens and, where shapes agree, start from the same"
        " weights. Excess: mean exact KL(P* || model) over judged places of the second half of fresh sequences."
    ]
    for task in study.tasks:
        names = [arm.name for arm in arms_of(study, task.role)]
        parts = [f"{name} {data.at(task.role, name, 'excess').mean():.3f}" for name in names]
        floor = data.at(task.role, names[0], "floor").mean()
        beyond = "" if np.isnan(floor) else f", best law within the window {floor:.3f}"
        no_context = data.at(task.role, names[0], "no_context").mean()
        said.append(
            f"Excess on the {task.role} source at n = m, nats: {', '.join(parts)} (without context"
            f" {no_context:.3f}{beyond})."
        )
    said += [
        _gate_note(study, data),
        _scale_note(data),
        _gau_note(study, data),
        _row_note(study, data),
        _infoscale_note(study, data),
        _match_note(study),
    ]
    said.append(_tuning_note(study, data, records))
    return tuple(said)


LEARNT = 0.05
"""Share of the excess without context below which a task counts as learnt, as in the other studies of this paper."""


def _gate_note(study: "CosScaleStudy", data: Measured) -> str:
    """Which arms have not learnt their task: what is said of those is about this much training."""
    far_off = []
    for task in study.tasks:
        for arm in arms_of(study, task.role):
            share = (data.at(task.role, arm.name, "excess") / data.at(task.role, arm.name, "no_context")).mean()
            if share > LEARNT:
                far_off.append(f"{task.role}/{arm.name} {share:.0%}")
    if not far_off:
        return f"Every arm has learnt its task: less than {LEARNT:.0%} of the excess without context is left."
    return (
        f"No arm is withheld, but these have more than {LEARNT:.0%} of the excess without context left: verdicts on"
        f" them are about this much training, not about what could be learnt. {', '.join(far_off)}."
    )


def _scale_note(data: Measured) -> str:
    parts = [f"{task} {data.at(task, PLAIN, 'scale').mean():.1f}" for task in TASKS]
    return f"Plain softmax trains |q| |k| / sqrt d, the alpha that it has in effect, to: {', '.join(parts)}."


def _gau_note(study: "CosScaleStudy", data: Measured) -> str:
    family, parts = study.gated, []
    main = f"{study.bounds.main_alpha:g}"
    born = [
        np.mean([data.at(task, one.plain, f"untrained-within-{main}").mean() for task in TASKS])
        for one in study.families
    ]
    for alpha in family.alphas:
        eta = " and ".join(f"{data.at(task, family.scaled(alpha), 'eta').mean():.3f}" for task in TASKS)
        parts.append(f"{alpha:g}: {eta}")
    return (
        "In the gated attention unit q and k are one vector times a scale a channel, so that equal tokens, of which a"
        f" small vocabulary has many, have cosines near 1: eta_1*, local and far, by alpha: {'; '.join(parts)}. Before"
        f" training alpha = {main} puts {born[1]:.3f} of its attention on the {study.reach} nearest keys, in the"
        f" standard block {born[0]:.3f}."
    )


def _row_note(study: "CosScaleStudy", data: Measured) -> str:
    family = study.standard
    arms = [family.plain, *(family.scaled(alpha) for alpha in family.alphas)]
    parts = [f"{arm} {data.at('local', arm, 'row_js').mean():.3f}" for arm in arms]
    return f"Jensen-Shannon divergence of rows from those of {family.window()}, local source, nats: {', '.join(parts)}."


def _infoscale_note(study: "CosScaleStudy", data: Measured) -> str:
    parts = []
    for alpha in study.alphas:
        arm = scaled(alpha)
        moved = [data.at(t, arm, "excess_long_infoscale") - data.at(t, arm, "excess_long") for t in TASKS]
        parts.append(f"{alpha:g}: " + " and ".join(f"{one.mean():+.3f}" for one in moved))
    return f"What InfoScale adds to the excess at {study.ratio} m, local and far, by alpha: {'; '.join(parts)} nats."


def _match_note(study: "CosScaleStudy") -> str:
    parts = [f"{alpha:g}: {matched_reach(study, alpha)}" for alpha in study.alphas]
    return f"Matched windows, keys by alpha: {', '.join(parts)}."


def _tuning_note(study: "CosScaleStudy", data: Measured, records: Sequence[Record]) -> str:
    rates = study.tuning.learning_rates
    by_rate: dict[float, list[str]] = {}
    for (task, arm), mine in data.records.items():
        by_rate.setdefault(float(mine[0].probe["learning_rate"]), []).append(f"{task}/{arm}")
    n_tuning = sum(record.probe["kind"] == "tuning" for record in records)
    counts = [f"{rate:g} by {len(by_rate.get(rate, []))}" for rate in rates]
    edge = "; ".join(
        f"{rate:g}, an edge of the grid: {', '.join(by_rate[rate])}"
        for rate in dict.fromkeys((rates[0], rates[-1]))
        if rate in by_rate and len(rates) > 1
    )
    return f"Learning rates chosen on {n_tuning} members of other seeds: {', '.join(counts)} arms. {edge}".rstrip()
