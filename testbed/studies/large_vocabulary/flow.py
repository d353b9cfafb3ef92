"""A model that is nothing but V logits: descent of the filtered gradient, by sampled labels or on the exact law.

All forms of the gradient see the same labels. With n_v the share of labels v in a step, the gradient in logit v is

    q_v k_v - n_v,      k_v = 1 where q_v >= e, else the share of targets whose gradient at v is kept

    whole       k_v = 1
    entries     k_v = n_v: a label's own entry is kept
    blocks      k_v = 1 if any token of v's block has q >= e, else the share of blocks of targets with a label in it, as
                released kernels skip a block of targets by tokens if none of its entries reaches e

On the exact law n = p, and a block of m targets has a label in a block of tokens of mass P with probability
1 - (1 - P)^m. The targets of a block share their context here, since there is one only. Tokens are put into blocks by
frequency; the release sorts them by their mean logit.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from testbed.studies.large_vocabulary.config import FORMS, Flow

Floats = NDArray[np.float64]


def softmax(logits: Floats) -> Floats:
    """(..., V) laws."""
    found = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(found / found.sum(axis=-1, keepdims=True))


def excess(p: Floats, q: Floats) -> Floats:
    """KL(p || q), nats, over the last axis."""
    return np.asarray(np.sum(p * np.log(p / q), axis=-1))


class Labels:
    """Shares of labels of each step: of the law itself, or drawn.

    shares      (V,) n
    hits        (blocks of tokens,) share of blocks of targets that have a label in the block
    """

    def __init__(self, p: Floats, flow: Flow, seed: int | None) -> None:
        self.p, self.flow = p, flow
        self.rng = None if seed is None else np.random.default_rng([seed, 4096])
        self.cumulative = np.cumsum(p)
        self.n_blocks = -(-len(p) // flow.block_tokens)
        self.starts = np.arange(self.n_blocks) * flow.block_tokens
        mass = np.add.reduceat(p, self.starts)
        self.exact = p, 1.0 - (1.0 - np.minimum(mass, 1.0)) ** flow.block_targets

    def draw(self) -> tuple[Floats, Floats]:
        if self.rng is None:
            return self.exact
        size = self.flow.targets_per_step
        tokens = np.searchsorted(self.cumulative, self.rng.random(size) * self.cumulative[-1], side="right")
        rows = np.arange(size) // self.flow.block_targets
        hit = np.zeros((size // self.flow.block_targets, self.n_blocks))
        hit[rows, tokens // self.flow.block_tokens] = 1.0
        return np.bincount(tokens, minlength=len(self.p)) / size, hit.mean(axis=0)


def gradient(form: str, q: Floats, shares: Floats, labels: Labels, hits: Floats) -> Floats:
    """(V,) mean gradient of a step in the logits."""
    e = labels.flow.threshold
    if form == "whole":
        return q - shares
    if form == "entries":
        return np.asarray(np.where(q >= e, q, q * shares) - shares)
    kept = np.where(np.maximum.reduceat(q, labels.starts) >= e, 1.0, hits)
    return np.asarray(q * np.repeat(kept, labels.flow.block_tokens)[: len(q)] - shares)


def rates(flow: Flow) -> Floats:
    """(steps,) learning rates, half a cosine."""
    return np.asarray(flow.rate * 0.5 * (1.0 + np.cos(np.pi * np.arange(flow.steps) / flow.steps)))


def descended(
    p: Floats, flow: Flow, seed: int | None, forms: tuple[str, ...] = FORMS
) -> Iterator[tuple[float, Floats]]:
    """(time, (forms, V) laws) at `points` times, the sum of rates so far, evenly in steps from equal logits on."""
    logits, labels, time = np.zeros((len(forms), len(p))), Labels(p, flow, seed), 0.0
    marks = set(np.unique(np.linspace(0, flow.steps, flow.points + 1).round().astype(int))[1:].tolist())
    for step, rate in enumerate(rates(flow), start=1):
        shares, hits = labels.draw()
        laws = softmax(logits)
        for form, row, q in zip(forms, logits, laws, strict=True):
            row -= rate * gradient(form, q, shares, labels, hits)
        time += rate
        if step in marks:
            yield time, softmax(logits)


def from_the_law(p: Floats, flow: Flow, longest: int, judged: int) -> tuple[Floats, Floats]:
    """Times and excess of filtered descent at rate 1 that starts at the law, at powers of two, `judged` and the end."""
    logits, labels = np.log(p), Labels(p, flow, None)
    shares, hits = labels.draw()
    marks = {2**k for k in range(longest.bit_length()) if 2**k <= longest} | {longest, judged}
    times, found = [], []
    for step in range(1, max(longest, judged) + 1):
        logits -= gradient("entries", softmax(logits), shares, labels, hits)
        if step in marks:
            times.append(float(step))
            found.append(float(excess(p, softmax(logits))))
    return np.array(times), np.array(found)
