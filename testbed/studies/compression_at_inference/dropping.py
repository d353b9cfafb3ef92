"""What it costs to drop tokens of a context: exact, for every set of tokens and every context.

Let x = x_1 .. x_n be a context, F the future and S the places dropped. The reader keeps the places of what is left:

    loss(S | x) = KL( p(F | x) || p(F | x_kept) )      nats,      mean over x of loss(S | x) = I(X_S; F | X_kept)

the increase of the future's Bayes loss (the second equation for a set S that does not look at x). What a choice that
does look at x betrays of the tokens it dropped is not read: p(F | x_kept) is the law for places fixed beforehand.

    surprisal    -ln p(x_t | x_1 .. x_(t-1)), by the exact law; the tokens of the least are dropped (as by the causal
                 self-information of Selective Context and LLMLingua, which LLMLingua-2 argues against)
    leave-out    loss({t} | x): each token alone
    classifier   the mean of the leave-out loss over all places where a token has the same neighbours: the best that a
                 token-wise classifier can learn from a window of three. LLMLingua-2's classifier reads the whole text
                 and learns from an LLM's choices; this is this project's reading of it
    greedy       leave-out again and again, after each drop; of equals the oldest is dropped
    best         the set of least loss in each context
    chance       the mean over all sets

Equal scores are broken evenly: means over all sets of least total.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from testbed.sources import Source

Floats = NDArray[np.float64]
CRITERIA = ("surprisal", "classifier", "leave_out", "greedy", "best", "chance")
TIE = 1e-9
"""Totals this near, nats, are equal."""


@dataclass(frozen=True, eq=False)
class Contexts:
    """All contexts of a source that occur.

    tokens (C, n), weight (C,)     contexts and their probabilities
    loss (C, 2^n)                  of every set of dropped tokens, token t being bit t
    surprisal (C, n)
    """

    tokens: NDArray[np.int64]
    weight: Floats
    loss: Floats
    surprisal: Floats

    @property
    def n(self) -> int:
        return self.tokens.shape[1]

    @property
    def members(self) -> Floats:
        """(2^n, n) 1 where a set has a token."""
        return ((np.arange(2**self.n)[:, None] >> np.arange(self.n)) & 1).astype(np.float64)

    @property
    def leave_out(self) -> Floats:
        """(C, n) the loss of dropping each token alone."""
        return self.loss[:, 1 << np.arange(self.n)]

    @property
    def classifier(self) -> Floats:
        """(C, n) mean leave-out loss of tokens with the same token and neighbours; beyond the ends stands none."""
        padded = np.pad(self.tokens + 1, ((0, 0), (1, 1)))
        base = int(padded.max()) + 1
        code = (padded[:, :-2] * base + padded[:, 1:-1]) * base + padded[:, 2:]
        mass, total = np.zeros(base**3), np.zeros(base**3)
        weight = np.repeat(self.weight[:, None], self.n, axis=1)
        np.add.at(mass, code, weight)
        np.add.at(total, code, weight * self.leave_out)
        return np.asarray((total / np.maximum(mass, 1e-300))[code])

    def by_score(self, score: Floats) -> Floats:
        """(n + 1,) mean loss where the 0, 1, .. n tokens of least score (C, n) are dropped."""
        members = self.members
        sizes, total = members.sum(axis=1), score @ members.T
        found = []
        for size in range(self.n + 1):
            sets = sizes == size
            tied = total[:, sets] <= total[:, sets].min(axis=1, keepdims=True) + TIE
            found.append(self.weight @ ((self.loss[:, sets] * tied).sum(axis=1) / tied.sum(axis=1)))
        return np.array(found)

    def curves(self) -> dict[str, Floats]:
        """(n + 1,) mean loss against the number of dropped tokens, for each criterion."""
        sizes = self.members.sum(axis=1)
        by_size = [self.loss[:, sizes == size] for size in range(self.n + 1)]
        return {
            "surprisal": self.by_score(self.surprisal),
            "classifier": self.by_score(self.classifier),
            "leave_out": self.by_score(self.leave_out),
            "greedy": self._greedy(),
            "best": np.array([self.weight @ one.min(axis=1) for one in by_size]),
            "chance": np.array([self.weight @ one.mean(axis=1) for one in by_size]),
        }

    def _greedy(self) -> Floats:
        row, gone = np.arange(len(self.weight)), np.zeros(len(self.weight), dtype=np.int64)
        bits, found = 1 << np.arange(self.n), [0.0]
        for _ in range(self.n):
            after = gone[:, None] | bits
            loss = np.where(after == gone[:, None], np.inf, self.loss[row[:, None], after])
            first = np.argmax(loss <= loss.min(axis=1, keepdims=True) + TIE, axis=1)
            gone = after[row, first]
            found.append(float(self.weight @ self.loss[row, gone]))
        return np.array(found)


def contexts_of(source: Source, length: int, future: int) -> Contexts:
    """All contexts of `length` tokens and the exact law of the `future` tokens after each."""
    v = source.vocab_size
    joint = joint_law(source, length, future)
    occurs = joint.sum(axis=-1).ravel() > 0
    tokens = np.indices((v,) * length).reshape(length, -1).T[occurs]
    weight = joint.sum(axis=-1).ravel()[occurs]
    full = conditional(joint)
    log_full = np.log(full, out=np.zeros_like(full), where=full > 0)
    loss = np.empty((len(tokens), 2**length))
    for dropped in range(2**length):
        axes = tuple(t for t in range(length) if dropped >> t & 1)
        kept = conditional(joint.sum(axis=axes, keepdims=True))
        log_kept = np.log(kept, out=np.zeros_like(kept), where=kept > 0)
        loss[:, dropped] = np.sum(full * (log_full - log_kept), axis=-1).ravel()[occurs]
    heads = [joint.sum(axis=tuple(range(t, length + 1))) for t in range(length + 1)]
    surprisal = np.zeros((len(tokens), length))
    for t, (before, after) in enumerate(pairwise(heads)):
        at = tuple(tokens[:, : t + 1].T)
        surprisal[:, t] = np.log(before[at[:-1]] / after[at])
    return Contexts(tokens, weight / weight.sum(), np.maximum(loss, 0.0), surprisal)


def joint_law(source: Source, length: int, future: int) -> Floats:
    """(V,) * length + (V^future,) probability of every context with every future."""
    v = source.vocab_size
    sequences = np.indices((v,) * (length + future)).reshape(length + future, -1).T
    with np.errstate(invalid="ignore"):
        log_p = source.log_probs(sequences).sum(axis=1)
    # after an impossible token laws are not known, and nothing is left to be known
    return np.exp(np.where(np.isnan(log_p), -np.inf, log_p)).reshape((v,) * length + (-1,))


def conditional(joint: Floats) -> Floats:
    """p(F | context); zero for contexts that do not occur."""
    total = joint.sum(axis=-1, keepdims=True)
    return np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)


def with_fillers(contexts: Contexts, n_fillers: int) -> Contexts:
    """The contexts of a source whose last symbol is any of r fillers, all alike: each is ln r more surprising, and
    which of them it is tells nothing of any other token."""
    filler = contexts.tokens == contexts.tokens.max()
    return Contexts(contexts.tokens, contexts.weight, contexts.loss, contexts.surprisal + np.log(n_fillers) * filler)


def regret(curve: Floats, best: Floats, chance: Floats) -> Floats:
    """(curve - best) / (chance - best): 0 for the best choice, 1 for chance."""
    return np.asarray((curve - best) / (chance - best))
