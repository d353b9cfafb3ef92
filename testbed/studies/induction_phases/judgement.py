"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.induction_phases.claims import claims
from testbed.studies.induction_phases.config import ARMS, LAWS, Name
from testbed.studies.induction_phases.data import Data, Floats, Level, gather, nearest, nearness, slowness
from testbed.studies.induction_phases.evidence import evidence
from testbed.studies.judge import judge
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""


def judgement(study: "InductionPhases", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails."""
    data = gather(study, records)
    if data is None or data.diverged:
        said = "records are missing" if data is None else f"{data.diverged} models diverged"
        return Judgement((), (Check("complete", False, said),))
    found = checks(study, data)
    failed = next((check for check in found if not check.passed), None)
    void = None if failed is None else f"{failed.name} ({failed.detail})"
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement(tuple(judge(pairs, study.alpha, void=void)), found, notes(study, data))


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

    rates = ", ".join(f"{name} {float(a[name]['rate']):g}" for name in ARMS)
    final = "; ".join(f"{name} {shown(a[name]['final'])}" for name in ARMS)
    own = "; ".join(f"{name} {said(data.levels[name], study, name)}" for name in LAWS)
    paper = "; ".join(f"{name} {said(data.paper[name], study, name)}" for name in LAWS)
    factors = []
    for name in LAWS[:3]:
        law = "smoothed" if name == "eight" else "unigram"
        here = nearest(a[name], law) == 1
        logs = np.log(a[name]["step"])
        factors.append(f"{name} {np.exp(here[:, 1:] @ np.diff(logs)).mean():.1f}")
    places: tuple[tuple[Name, str], ...] = (
        ("two", "unigram"), ("three", "unigram"), ("three", "smoothed"), ("eight", "smoothed")
    )  # fmt: skip
    slow = "; ".join(
        f"{name} at {law} {shown(slowness(a[name], a[name][f'level_{law}'], bounds.band), 2)}" for name, law in places
    )
    laws: tuple[tuple[Name, str], ...] = (
        ("two", "unigram"), ("three", "unigram"), ("eight", "smoothed"), ("doubly", "unigram")
    )  # fmt: skip
    near = "; ".join(f"{name} {shown(nearness(a[name], law), 2)}" for name, law in laws)
    return (
        f"Levels at positions 1 .. 100, nats: {paper}. Sequences start from a uniform token; from the chain's own"
        " stationary law, as in the paper, the unigram level for K = 2 is .5772.",
        f"Levels at all positions of the sequences trained on: {own}.",
        f"Excess over Bayes at the end, nats, {LEVEL:.0%} intervals over {study.n_seeds} runs: {final}.",
        f"Least divergence of the unigram law, as a share of the straight way's: {near}.",
        f"How much slower than on average the loss falls, per factor of steps: {slow}.",
        "Unigrams (K = 8: with their best smoothing) are nearest while steps grow by a factor of:"
        f" {'; '.join(factors)}.",
        f"Learning rates: {rates}; of {', '.join(f'{one:g}' for one in study.rates.learning_rates)}, the smallest whose"
        f" excess at the end is within {study.rates.tie:g} nats of the least, mean of {study.rates.n_seeds} runs.",
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
