"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.induction_phases.claims import claims
from testbed.studies.induction_phases.config import ARMS, LAWS, Name
from testbed.studies.induction_phases.data import (
    Data,
    Floats,
    Level,
    dwelling,
    gather,
    in_order,
    lead,
    nearest,
    nearness,
    time_in,
    visited,
)
from testbed.studies.induction_phases.evidence import evidence
from testbed.studies.induction_phases.stationary import unigram_by_quadrature
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""
READ: tuple[tuple[Name, str], ...] = (
    *((name, "unigram") for name in LAWS), ("three", "smoothed"), ("eight", "smoothed"), ("doubly", "smoothed")
)  # fmt: skip
"""Arms, and the unigrams (plus one, or with the smoothing that suits them best) by which a phase is looked for."""
ORDERED: tuple[tuple[Name, str], ...] = (("two", "unigram"), ("three", "unigram"), ("eight", "smoothed"))
"""Those whose order of phases is judged."""


def judgement(study: "InductionPhases", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None or data.diverged:
        said = "records are missing" if data is None else f"{data.diverged} models diverged"
        return Judgement.incomplete(said)
    found = checks(study, data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(study: "InductionPhases", data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / max(len(data.paired), 1)))
    largest = float(np.abs(data.paired).max())
    bayes = np.asarray(study.arms.two.source.position_losses(study.arms.two.length).value)
    states = abs(float(bayes.mean()) - data.levels["two"].bayes) if data.levels["two"].exact else 0.0
    bigram = max(
        float(np.abs(data.arms[name]["bigram"] - data.arms[name]["excess"]).max())
        for name in ARMS
        if study.arms.named(name).prior == "dirichlet"
    )
    order = data.levels["two"]
    nested = order.bayes <= order.counts_last <= order.counts <= float(order.unigram.min()) if order.exact else True
    return (
        Check("sums over states give the source's Bayes loss", states < 1e-9, f"off by {states:.1e} nats"),
        Check("what knows more loses less", nested, "Bayes, counts and last symbol, counts, smoothed counts"),
        Check("bigrams plus one are the Bayes law", bigram < 1e-9, f"off by {bigram:.1e} nats"),
        Check("cross-entropy = Bayes loss + excess", largest < bound, f"largest z {largest:.2f}, bound {bound:.2f}"),
    )


def notes(study: "InductionPhases", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    a, bounds = data.arms, study.bounds

    def shown(values: Floats, digits: int = 4) -> str:
        low, high = data.mean(values).interval((1 - LEVEL) / 2)
        return f"{values.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    final = "; ".join(f"{name} {shown(a[name]['final'])}" for name in ARMS)
    own = "; ".join(f"{name} {said(data.levels[name], study, name)}" for name in LAWS)
    paper = "; ".join(f"{name} {said(data.paper[name], study, name)}" for name in LAWS)
    near = "; ".join(f"{name} by {law} {shown(nearness(a[name], law), 2)}" for name, law in READ)
    ahead = "; ".join(f"{name} by {law} {shown(lead(a[name], law))}" for name, law in READ)
    ever = "; ".join(f"{name} by {law} {int(visited(nearest(a[name], law)).sum())}" for name, law in READ)
    factors = "; ".join(
        f"{name} by {law} {np.exp(time_in(a[name], nearest(a[name], law), 1).mean()):.1f}" for name, law in READ
    )
    whole = "; ".join(f"{name} by {law} {int(in_order(nearest(a[name], law)).sum())}" for name, law in ORDERED)
    four = nearest(a["two"], more=("counts_last",))
    beside = ", ".join(
        f"{label} {np.exp(time_in(a['two'], four, place).mean()):.1f}"
        for place, label in ((1, "unigram"), (3, "counts and last symbol"))
    )
    places: list[tuple[Name, str, Floats]] = []
    for name in ("two", "three"):
        places.append((name, "unigram", a[name]["level_unigram"]))
        level = data.levels[name]
        places.append((name, "counts and last symbol", np.full(study.n_seeds, level.counts_last - level.bayes)))
    slow = []
    for name, law, at in places:
        above, below = (shown(side, 2) for side in dwelling(a[name], at, bounds.band).T)
        share = float((at / a[name]["level_uniform"]).mean())
        slow.append(f"{name} at {law} ({share:.2f} of the fall) {above} and {below}")
    return (
        f"Levels at positions 1 .. 100, nats: {paper}. Sequences start from a uniform token; from the chain's own"
        f" stationary law, as in the paper, the unigram level for K = 2 is {unigram_by_quadrature(100, True):.4f}.",
        f"Levels at all positions of the sequences trained on: {own}.",
        f"Excess over Bayes at the end, nats, {LEVEL:.0%} intervals over {study.n_seeds} runs: {final}.",
        f"Least divergence of the unigram law, as a share of the straight way's: {near}.",
        f"By how much unigrams are nearer than uniform and bigram where they are so the most, nats: {ahead}.",
        f"Of {study.n_seeds} runs, those in which unigrams are the nearest of the three at some point: {ever}. Those"
        f" in order at every single point of the path: {whole}.",
        f"Unigrams are the nearest of the three while steps grow by a factor of: {factors}. For K = 2, with the law of"
        f" the counts and the last symbol as a fourth: {beside}.",
        "Log of how many times as slowly the loss falls at a level as right above it, and as right below:"
        f" {'; '.join(slow)}.",
        rates_said(study, data),
    )


def rates_said(study: "InductionPhases", data: Data) -> str:
    """The learning rates, by what rule, and which of them lie at the grid's edge."""
    grid = study.rates.learning_rates
    rates = {name: float(data.arms[name]["rate"]) for name in ARMS}
    edge = ", ".join(name for name, rate in rates.items() if rate in (grid[0], grid[-1])) or "none"
    return (
        f"Learning rates: {', '.join(f'{name} {rate:g}' for name, rate in rates.items())}; of"
        f" {', '.join(f'{one:g}' for one in grid)}, the smallest whose excess at the end is within {study.rates.tie:g}"
        f" nats of the least, mean of {study.rates.n_seeds} runs. At an edge of the grid: {edge}."
    )


def said(level: Level, study: "InductionPhases", name: str) -> str:
    """One law's levels in words."""
    best = int(np.argmin(level.unigram))
    known = "" if np.isnan(level.counts) else f", counts {level.counts:.4f}"
    known += "" if np.isnan(level.counts_last) else f", counts and last symbol {level.counts_last:.4f}"
    spread = "exact" if level.exact else f"standard errors up to {max(level.error, level.rate_error):.4f}"
    bigram = f"bigram {level.bigram:.4f}" + (f", Bayes {level.bayes:.4f}" if name == "doubly" else "")
    k = study.arms.named(name).vocab_size  # type: ignore[arg-type]
    return (
        f"uniform {np.log(k):.4f}, unigram {level.unigram[0]:.4f} (plus {study.reading.smoothings[best]:g}:"
        f" {level.unigram[best]:.4f}){known}, {bigram}, E[h] {level.rate:.4f} ({spread})"
    )
