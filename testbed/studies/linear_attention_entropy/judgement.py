"""From records to verdicts: the checks they rest on, and what stands beside them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.linear_attention_entropy.claims import TITLES, claims
from testbed.studies.linear_attention_entropy.config import (
    BIGRAM,
    CONTEXT,
    KERNELS,
    LEARNED,
    LONGER,
    MISSES,
    READERS,
    UNIGRAM,
    Arm,
)
from testbed.studies.linear_attention_entropy.data import Data, gather
from testbed.studies.linear_attention_entropy.evidence import allowed, evidence
from testbed.studies.linear_attention_entropy.gates import edges, reasons, stuck
from testbed.studies.linear_attention_entropy.measure import LARGE_RISE, visible
from testbed.studies.study import Check, Judgement

if TYPE_CHECKING:
    from testbed.studies.linear_attention_entropy.study import LinearAttentionEntropy

FALSE_ALARM = 1e-6
"""Probability that a sound study fails its statistical check."""
ROUNDING = 1e-9


def judgement(study: "LinearAttentionEntropy", records: Sequence[Record]) -> Judgement:
    """Verdicts on all claims; undecided throughout if a check fails, and where the arms concerned did not learn."""
    data = gather(study, records)
    if data is None:
        return Judgement.incomplete("records of some task, arm or replicate are missing")
    found = checks(data)
    numbers = evidence(study, data)
    pairs = [(claim, numbers[claim.id]) for claim in claims(study)]
    return Judgement.of(pairs, study.alpha, found, notes(study, data))


def checks(data: Data) -> tuple[Check, ...]:
    """What must be true whatever the claims."""
    from scipy.stats import norm

    bound = float(norm.isf(FALSE_ALARM / 2 / data.paired.size))
    largest = float(np.abs(data.paired).max())
    relu, soft = KERNELS.index("relu"), KERNELS.index("softmax")
    change, risen = float(data.change[:, relu].max()), float(data.rises[:, soft].max())
    least = min(float(one.min()) for name in ("lost", "hit", "miss", "whole") for one in data.values[name].values())
    return (
        Check(
            "cross-entropy = Bayes loss + excess on fresh tokens",
            largest < bound,
            f"largest |z| {largest:.2f} of {data.paired.size} members, bound {bound:.2f}",
        ),
        Check("no length of q changes an entropy of ReLU rows", change < ROUNDING, f"largest change {change:.1e} nats"),
        Check("no entropy of softmax rows rises with |q|", risen == 0.0, f"in {risen:.1%} of draws"),
        Check("no mean KL is negative", least > -ROUNDING, f"least {least:.1e} nats"),
    )


def notes(study: "LinearAttentionEntropy", data: Data) -> tuple[str, ...]:
    """What a reader should know beside the verdicts."""
    return (*_untrained(study, data), *_trained(study, data), *_gates(study, data))


def _untrained(study: "LinearAttentionEntropy", data: Data) -> Iterator[str]:
    """Random rows, and the price of soft weights."""
    design, norms = data.design, study.reading.norms
    ends = "; ".join(
        f"{TITLES[arm]} {data.random[:, i, 0].mean():.3f} to {data.random[:, i, -1].mean():.3f}, rises in"
        f" {data.rises[:, i].mean():.2%} of draws, by over {LARGE_RISE:g} nat in {data.large_rises[:, i].mean():.3%},"
        f" at most {data.largest[:, i].max():.3f}"
        for i, arm in enumerate(KERNELS)
    )
    yield (
        f"Mean entropy of random rows from |q| = {norms[0]:g} to {norms[-1]:g}, ln N ="
        f" {np.log(study.reading.n_keys):.3f}: {ends}."
    )
    fall = (data.random[:, :, :1] - data.random)[:, :, 1:].mean(axis=0)
    ratio = fall[KERNELS.index("nala")] / fall[KERNELS.index("softmax")]
    parts = ", ".join(f"{one:.3g} at {norm:g}" for one, norm in zip(ratio, norms[1:], strict=True))
    yield f"NaLa's fall of mean entropy from |q| = {norms[0]:g}, over the softmax's, by the longest |q|: {parts}."
    allows = ", ".join(f"{allowed(data, T):.2f} nats at T = {T} ({visible(T)} keys)" for T in design.lengths)
    yield (
        f"Entropy of one weight and even rests from which a linear read-out copies all but 1% of ln V: {allows}. The"
        f" survey had expected that a copy demands a spiky head; {study.bounds.spiky:g} nat is not needed."
    )


def _trained(study: "LinearAttentionEntropy", data: Data) -> Iterator[str]:
    """Excess and entropies by task, recall, and what HyperAttention adds."""
    design = data.design
    for task in (*design.copies, LEARNED, LONGER, *CONTEXT):
        parts = []
        for arm in design.arms(task):
            one = f"{TITLES[arm]} {data.share(task, arm).mean():.3f}"
            if (task, arm) in data.entropy:
                one += f" ({', '.join(f'{h:.2f}' for h in data.entropy[task, arm].mean(axis=0))} nats)"
            parts.append(one)
        yield (
            f"{task}: excess as a share of {data.told[task].mean():.3f} nats, and entropy of heads by layer:"
            f" {'; '.join(parts)}."
        )
    learned = data.least_entropy(LEARNED, "nala").mean()
    yield f"NaLa's heads where it copies, with learned positions: {learned:.2f} nats."
    others: tuple[Arm, ...] = ("relu", "softmax")
    for other in others:
        counts = ", ".join(f"{task} {_fewer(data, task, other)}" for task in (*design.copies, LEARNED, *CONTEXT))
        yield f"Replicates of {study.n_seeds} in which NaLa has less excess than {TITLES[other]}: {counts}."
    grown = ", ".join(
        f"{TITLES[arm]} {(data.share(design.copies[-1], arm) - data.share(design.copies[0], arm)).mean():.3f}"
        for arm in KERNELS
    )
    yield f"Growth of excess from T = {design.lengths[0]} to {design.lengths[-1]}, share of ln V: {grown}."
    parts = [
        f"{TITLES[arm]} {', '.join(f'{data.share(MISSES, arm, what).mean():.4f}' for what in ('miss', 'hit', 'whole'))}"
        for arm in READERS
    ]
    yield f"Recall: KL over ln V on missing keys, on keys shown, and where none is missing: {'; '.join(parts)}."
    hyper = ", ".join(
        f"{task} {data.share(task, 'softmax', 'added').mean():.3f}"
        f" (heads of {', '.join(f'{h:.2f}' for h in data.entropy[task, 'softmax'].mean(axis=0))} nats)"
        for task in (design.central, BIGRAM, UNIGRAM)
    )
    yield f"HyperAttention in the softmax's place adds, as a share of what context tells: {hyper}."


def _fewer(data: Data, task: str, other: Arm) -> int:
    return int((data.less(task, "nala", other) < 0).sum())


def _gates(study: "LinearAttentionEntropy", data: Data) -> Iterator[str]:
    """Rates, runs that are stuck, and the claims that stay open."""
    design = data.design
    tuned = {run: rate for run, rate in data.rates.items() if design.tuned_on(run[0]) == run[0]}
    at_edge = [f"{arm} on {task} ({rate:g})" for (task, arm), rate in edges(study, data).items()]
    kept = [
        f"{TITLES[arm]} on {task} {stuck(study, data, (task, arm))}"
        for task in design.tasks
        for arm in design.arms(task)
        if stuck(study, data, (task, arm))
    ]
    yield (
        f"Rates: {', '.join(f'{arm} on {task} {rate:g}' for (task, arm), rate in tuned.items())}; at an end of their"
        f" ladder: {', '.join(at_edge) if at_edge else 'none'}."
    )
    yield (
        f"Runs of {study.n_seeds} that keep {study.bounds.gate:.0%} of what context tells or more:"
        f" {', '.join(kept) if kept else 'none'}."
    )
    shut = reasons(study, data)
    yield f"Left undecided whatever their numbers, each for its own reasons: {', '.join(shut) if shut else 'none'}."
