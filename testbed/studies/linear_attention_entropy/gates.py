"""What must be so before a claim is decided: arms that learnt, rates within their ladders, room to be better, windows.

learnt     a replicate of the arm keeps less than `bounds.gate` of what context tells; of a softmax, and of arms in
           recall, every replicate (a run there learns all or nothing, and one that is stuck moves a mean), of others
           the mean
moved      the arm's mean is below `bounds.moved`: it has left the uniform law
inside     the rate of the arm is at no end of the ladder on which it was chosen
room       what the softmax leaves on missing keys is twice what others are to be better by, so that they can
window     HyperAttention's window is `bounds.window` blocks and samples long
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from testbed.studies.linear_attention_entropy.config import (
    AFFINE,
    BIGRAM,
    LEARNED,
    LINEAR,
    LONGER,
    MISSES,
    READERS,
    SINKS,
    UNIGRAM,
    Arm,
)
from testbed.studies.linear_attention_entropy.data import Data, Run

if TYPE_CHECKING:
    from testbed.studies.linear_attention_entropy.study import LinearAttentionEntropy

UNTRAINED = ("floor", "gap", "monotone")
"""Claims about no trained arm, which nothing shuts."""


def said(what: str, runs: Sequence[Run]) -> list[str]:
    """One reason for several runs; none for none."""
    return [f"{what}: {', '.join(f'{arm} on {task}' for task, arm in runs)}"] if runs else []


def stuck(study: "LinearAttentionEntropy", data: Data, run: Run) -> int:
    """Replicates that keep `bounds.gate` of what context tells, or more."""
    return int((data.share(*run) >= study.bounds.gate).sum())


def edges(study: "LinearAttentionEntropy", data: Data) -> dict[Run, float]:
    """Rates at an end of their ladder, by the task on which they were chosen, and arm."""
    found: dict[Run, float] = {}
    for (task, arm), rate in data.rates.items():
        where = study.design.tuned_on(task)
        ladder = study.rates.tuning(where).learning_rates
        if rate in (ladder[0], ladder[-1]):
            found[where, arm] = rate
    return found


def reasons(study: "LinearAttentionEntropy", data: Data) -> dict[str, list[str]]:
    """By claim, why it stays open; none where all its gates are met."""
    design, bounds = data.design, study.bounds
    copies, central = design.copies, design.central
    at_edge = edges(study, data)

    def learnt(runs: Sequence[Run], every: bool | None = None) -> list[str]:
        found, missing = [], []
        for task, arm in runs:
            all_must = (arm == "softmax" or task == MISSES) if every is None else every
            excess = data.share(task, arm)
            if all_must and stuck(study, data, (task, arm)):
                found.append(f"{stuck(study, data, (task, arm))} of {len(excess)} runs stuck: {arm} on {task}")
            elif float(excess.mean()) >= bounds.gate:
                missing.append((task, arm))
        return found + said("not learnt", missing)

    def moved(runs: Sequence[Run]) -> list[str]:
        return said("not learnt", [(task, arm) for task, arm in runs if data.share(task, arm).mean() >= bounds.moved])

    def inside(runs: Sequence[Run]) -> list[str]:
        named = dict.fromkeys((design.tuned_on(task), arm) for task, arm in runs)
        return said("rate at an end of its ladder", [one for one in named if one in at_edge])

    def on(task: str, *arms: Arm) -> list[Run]:
        return [(task, arm) for arm in arms]

    def each(*arms: Arm) -> list[Run]:
        return [(task, arm) for task in copies for arm in arms]

    def recall(*arms: Arm, better: bool = False) -> list[str]:
        runs = on(MISSES, "softmax", *arms)
        return [*learnt(runs), *inside(runs), *(room() if better else [])]

    def room() -> list[str]:
        left = float(data.share(MISSES, "softmax", "miss").mean())
        if left >= 2 * bounds.read:
            return []
        return [f"no room: the softmax is at {left:.4f} of ln V on missing keys, less than twice {bounds.read:g}"]

    def window() -> list[str]:
        wanted, shortest = bounds.window * (study.reading.block + study.reading.samples), design.middle
        return [] if shortest >= wanted else [f"windows of {shortest} tokens are too short, {wanted} would do"]

    soft, chains = learnt(each("softmax")), learnt(on(BIGRAM, "softmax"))
    still = moved(each("nala"))
    found = {
        "copy_relu": soft + inside(each("softmax", "nala", "relu")),
        "copy_best": soft + inside(each("softmax", "nala", *LINEAR)),
        "copy_softmax": soft + still + inside(each("softmax", "nala")),
        "copy_grows": soft + still + inside(each("softmax", "nala")),
        "copy_spiky": soft + learnt(each("nala")) + inside(each("softmax", "nala")),
        "copy_longer": learnt(on(central, "softmax")) + moved(on(LONGER, "nala")) + inside(on(LONGER, "nala")),
        "copy_mass": learnt(on(central, "taylor"), every=True) + inside(on(central, "taylor")),
        "copy_released": learnt(on(central, "softmax")) + inside(on(central, "softmax", "nala_rope", "relu")),
        "learned_copies": learnt(on(LEARNED, "softmax")) + inside(on(LEARNED, "softmax", "nala")),
        "learned_flat": learnt(on(LEARNED, "relu")) + inside(on(LEARNED, "relu")),
        "bigram_relu": chains + inside(on(BIGRAM, "softmax", "nala", "relu")),
        "bigram_softmax": chains + moved(on(BIGRAM, "nala")) + inside(on(BIGRAM, "softmax", "nala")),
        "unigram_equal": learnt(on(UNIGRAM, "softmax")) + inside(on(UNIGRAM, "softmax", *LINEAR)),
        "affine_misses": recall("affine", better=True),
        "window_misses": recall("affine_window", better=True),
        "affine_hits": recall(*AFFINE),
        "sinks_misses": recall(*SINKS, better=True),
        "sinks_hits": recall(*SINKS),
        "whole_equal": recall(*READERS[1:]),
        "hyper_coins": learnt([(task, "softmax") for task in (BIGRAM, UNIGRAM)]) + inside(on(BIGRAM, "softmax")),
        "hyper_copies": window()
        + learnt([(task, "softmax") for task in (central, BIGRAM)])
        + inside([(task, "softmax") for task in (central, BIGRAM)]),
    }
    return {name: list(dict.fromkeys(one)) for name, one in found.items() if one}
