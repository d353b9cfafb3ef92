"""From records to verdicts: evidence, checks, and what a reader should know beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.sources.bits import LN2
from testbed.studies.judge import Ranking, judge
from testbed.studies.parity_replication.claims import HOW, REPORTED, claims, evidence
from testbed.studies.parity_replication.config import PAPERS_OWN, PROTOCOLS, ProtocolName
from testbed.studies.parity_replication.exact import RECOVERED_WITHIN, linear_fit, recovery_error
from testbed.studies.parity_replication.results import Measured, Point, design, measured
from testbed.studies.parity_replication.transformer_claims import learns_all
from testbed.studies.study import Check, Judgement, why_void
from testbed.training.mlp_path import RULES

if TYPE_CHECKING:
    from testbed.studies.parity_replication.study import ParityReplication

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""
SAME = 1e-12
PLATEAU = 0.95 * LN2
"""A training loss above this is that of a network that answers no question."""


def judgement(study: "ParityReplication", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims, voided by a failed check; none where records are missing or a judged member diverged."""
    data = measured(study, records)
    if data is None:
        return Judgement.incomplete("records of some members are missing")
    whole = Check("no judged member diverged", data.diverged == 0, f"{data.diverged} diverged")
    if not whole.passed:
        return Judgement((), (whole,))
    found = (whole, *checks(data))
    void = why_void(found)
    numbers = evidence(study, data)
    verdicts = judge([(claim, numbers[claim.id]) for claim in claims(study)], study.alpha, void=void)
    return Judgement(tuple(verdicts), found, notes(study, data))


def checks(data: Measured) -> tuple[Check, ...]:
    """What must be true whatever the claims: identities of the sources, and of cross-entropy and excess."""
    error, control = recovery_error(), linear_fit("A")
    return (
        Check(
            "Table 1: the recovered frequencies give the nine published minima",
            error < RECOVERED_WITHIN,
            f"largest distance {error:.2e} nats, bound {RECOVERED_WITHIN:.2e}",
        ),
        Check(
            "A3 is linear on variant A, by construction",
            control.residual < 1e-9,
            f"largest distance from the line {control.residual:.1e} of the range",
        ),
        _paired(data),
    )


def _paired(data: Measured) -> Check:
    from scipy.stats import norm

    z = []
    for (point, metric), values in data.metrics.items():
        rule, _, what = metric.partition("_")
        if what == "paired":
            errors = data.at(point, f"{rule}_paired_error")
            z.append(values.sum() / max(float(np.sqrt(np.sum(errors**2))), SAME))
    for one in data.shown.values():  # the same samples at every length: each length by itself
        total, error = one.paired[..., 0].sum(axis=0), np.sqrt(np.sum(one.paired[..., 1] ** 2, axis=0))
        z += list(total / np.maximum(error, SAME))
    largest, bound = float(np.abs(z).max()), float(norm.isf(FALSE_ALARM / 2 / len(z)))
    return Check(
        "cross-entropy = Bayes risk + excess on the sampled answers, at every rule",
        largest < bound,
        f"largest |z| {largest:.2f} of {len(z)}, bound {bound:.2f}",
    )


def notes(study: "ParityReplication", data: Measured) -> tuple[str, ...]:
    """Chosen settings, the best lengths by each rule, how many runs stopped, and what A3 looks like."""
    said = [
        f"{study.n_seeds} seeds; all lengths of a seed and D see the same samples in the same order. Loss: exact R(l)"
        f" plus the mean exact KL of {study.n_contexts} fresh samples."
    ]
    for name in PROTOCOLS:
        said += [*_settings(study, data, name), *(_lengths(study, data, name, rule) for rule in RULES)]
        said += [_stops(study, data, name), _plateaus(study, data, name)]
    said += _shown(study, data)
    line = linear_fit("B")
    said.append(
        f"A3 on the data of Table 1: Pearson r = {line.pearson:.3f} over its nine lengths, although points lie up to"
        f" {line.residual:.1%} of the range off the best line; r does not test linearity."
    )
    return tuple(said)


def _settings(study: "ParityReplication", data: Measured, name: ProtocolName) -> tuple[str, ...]:
    protocol = study.protocol(name)
    parts = []
    for size in study.designed.sizes:
        words = []
        grids = (protocol.learning_rates, protocol.weight_decays)
        for value, grid in zip(data.settings[name, size], grids, strict=True):
            edge = " (edge of the grid)" if len(grid) > 1 and value in (grid[0], grid[-1]) else ""
            words.append(f"{value:g}{edge}")
        parts.append(f"{' and '.join(words)} at D = {size}")
    tuned = "tuned at each D" if len(protocol.settings) > 1 else "as given"
    return (
        f"{name}, {HOW[name]}; judged at the rule '{REPORTED[name]}'.",
        f"{name}, learning rate and weight decay, {tuned}: {'; '.join(parts)}.",
    )


def _lengths(study: "ParityReplication", data: Measured, name: ProtocolName, rule: str) -> str:
    tasks = study.designed
    parts = []
    for size in tasks.sizes:
        ranking = data.ranking(Point("designed", name, size), rule)
        best = ranking.smallest_within(study.delta)
        low, at, high = (tasks.lengths[i] for i in (best.lowest, best.estimate, best.highest))
        parts.append(f"{at} [{low}, {high}] at D = {size}")
    return f"{name}, rule '{rule}', shortest length within {study.delta:g} nats of the best: {', '.join(parts)}."


def _stops(study: "ParityReplication", data: Measured, name: ProtocolName) -> str:
    parts = []
    for size in study.designed.sizes:
        point = Point("designed", name, size)
        ended = data.at(point, "ended")
        loss, validation = (data.at(point, f"stopped_{what}") for what in ("loss", "validation"))
        parts.append(
            f"D = {size}: {np.mean(ended > 0):.0%} of runs had ended, after {np.median(ended[ended > 0]):.0f} epochs in"
            f" the median"
            if (ended > 0).any()
            else f"D = {size}: no run had ended"
        )
        parts[-1] += f" (reported less true loss {np.nanmean(validation - loss):+.4f})"
    return f"{name}, the early stop: {'; '.join(parts)}."


def _plateaus(study: "ParityReplication", data: Measured, name: ProtocolName) -> str:
    """Where the steps were too few to fit even the samples: there the budget is the bottleneck, not D."""
    parts = []
    for size in study.designed.sizes:
        unfitted = data.at(Point("designed", name, size), "end_train_loss") > PLATEAU
        lengths = [length for length, one in zip(study.designed.lengths, unfitted.T, strict=True) if one.any()]
        where = f", at l = {', '.join(map(str, lengths))}" if lengths else ""
        parts.append(f"{int(unfitted.sum())} of {unfitted.size} at D = {size}{where}")
    return f"{name}, runs whose samples were not fitted when the steps were over: {'; '.join(parts)}."


def _shown(study: "ParityReplication", data: Measured) -> tuple[str, ...]:
    """The paper's own network: its rate, what it loses at most, what it is shown at best, and which tasks it missed."""
    arm = study.transformer
    rates, parts = arm.learning_rates, []
    edge = " (edge of the grid)" if len(rates) > 1 and data.rate in (rates[0], rates[-1]) else ""
    for size, one in data.shown.items():
        best = Ranking(one.loss, design(len(one.loss))).smallest_within(study.delta)
        low, at, high = (arm.lengths[i] for i in (best.lowest, best.estimate, best.highest))
        learnt = learns_all(study, one.task_excess)
        parts.append(
            f"{'endless samples' if size is None else f'D = {size}'}: excess {one.excess.mean(axis=0).min():.4f} to"
            f" {one.excess.mean(axis=0).max():.4f} nats over l, best visible length {at} [{low}, {high}], every task"
            f" learnt at every length in {int(learnt.sum())} of {len(learnt)} networks"
        )
    model = arm.model
    own = (
        "the paper's size"
        if (model.width, model.depth) == (PAPERS_OWN.width, PAPERS_OWN.depth)
        else (f"smaller than the paper's {PAPERS_OWN.depth} layers of width {PAPERS_OWN.width}")
    )
    return (
        f"The paper's own network: {model.depth} layers of width {model.width}, {own}; MLP {model.mlp_ratio} times as"
        f" wide, learning rate {data.rate:g}{edge}; its law is read over the answers alone, which miss"
        f" {max(float(one.elsewhere.max()) for one in data.shown.values()):.1e} of the probability at most.",
        f"Shown l bits: {'; '.join(parts)}.",
    )
