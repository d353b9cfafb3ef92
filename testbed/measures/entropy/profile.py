"""Conditional entropies h_k of a token stream at every order, with intervals and the order up to which they hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.measures.entropy.counting import GramCounter, GramCounts
from testbed.measures.entropy.coverage import MAX_DEFICIT, coverage_deficit, trust_limit
from testbed.measures.entropy.estimators import estimate
from testbed.measures.entropy.intervals import half_width, standard_errors
from testbed.measures.entropy.pieces import integer
from testbed.measures.entropy.tables import Advance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EntropyProfile:
    """h_0 .. h_max of a token stream by one estimator, nats.

    values                (max + 1,) h_k = H(k + 1 tokens) - H(k tokens), both over the windows of k + 1 tokens
    lower, upper          (max + 1,) of the interval; nan where none was asked for
    standard_error        (max + 1,) from blocks
    block_entropies       (max + 1,) H(1) .. H(max + 1)
    coverage_deficit      (max + 1,) estimated probability that the next (k+1)-gram is a new one
    trust_limit           the largest k whose grams, and those of all smaller k, leave at most 5 % unseen; -1 if none
    n_tokens, vocab_size, n_bytes    of the counts
    """

    estimator: str
    values: Floats
    lower: Floats
    upper: Floats
    standard_error: Floats
    block_entropies: Floats
    coverage_deficit: Floats
    trust_limit: int
    n_tokens: int
    vocab_size: int
    n_bytes: int

    def __len__(self) -> int:
        return len(self.values)


def conditional_entropies(
    tokens: NDArray[Any],
    max_order: int,
    estimator: str = "nsb",
    vocab_size: int | None = None,
    interval: str = "jackknife",
    n_blocks: int = 20,
    confidence: float = 0.95,
    n_bootstrap: int = 100,
    max_deficit: float = MAX_DEFICIT,
    seed: int = 0,
) -> EntropyProfile:
    """h_0 .. h_max_order of tokens (N,) or (n_sequences, length), from one pass, with intervals and the trust limit.

    h_k is the entropy in nats of a token given the k before it. The (max_order + 1)-grams are counted, all shorter ones
    summed from them, and the estimator is applied to each order's counts over V^k bins.

    vocab_size     V; one more than the largest token unless given
    interval       jackknife, bootstrap or none, over `n_blocks` blocks of the stream (see `standard_errors`); bootstrap
                   draws follow `seed`
    max_deficit    of the trust limit: beyond it read the values as saying nothing

    >>> fair = np.random.default_rng(0).integers(0, 2, 4000, dtype=np.uint8)
    >>> profile = conditional_entropies(fair, max_order=12)
    >>> profile.trust_limit, bool(abs(profile.values[profile.trust_limit] - np.log(2)) < 0.02)
    (9, True)

    Raises ConfigError as `GramCounter` does, and for an unknown estimator or interval.
    """
    return entropy_profiles(
        tokens,
        max_order,
        [estimator],
        vocab_size,
        interval,
        n_blocks,
        confidence,
        n_bootstrap,
        max_deficit,
        seed,
    )[0]


def entropy_profiles(
    tokens: NDArray[Any],
    max_order: int,
    estimators: Sequence[str],
    vocab_size: int | None = None,
    interval: str = "jackknife",
    n_blocks: int = 20,
    confidence: float = 0.95,
    n_bootstrap: int = 100,
    max_deficit: float = MAX_DEFICIT,
    seed: int = 0,
    advance: Advance | None = None,
    begin: Callable[[int], None] | None = None,
) -> list[EntropyProfile]:
    """`conditional_entropies` by several estimators from the same counts.

    advance    called with windows counted, then with 1 after every replicate
    begin      called once with the number of replicates, before the first
    """
    max_order, n_blocks = integer("max_order", max_order), integer("n_blocks", n_blocks)
    if max_order < 0:
        raise ConfigError(f"max_order: given {max_order}, must be at least 0")
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence: given {confidence}, must lie between 0 and 1")
    if not 0 <= max_deficit <= 1:
        raise ConfigError(f"max_deficit: given {max_deficit}, must lie in 0 .. 1")
    if interval == "bootstrap" and integer("n_bootstrap", n_bootstrap) < 2:
        raise ConfigError(f"n_bootstrap: given {n_bootstrap}; a standard deviation needs at least 2")
    if n_blocks < 2 and interval != "none":
        raise ConfigError(f"n_blocks: given {n_blocks}; an interval needs at least 2")
    n_windows = int(np.prod(np.shape(tokens)[:-1])) * (np.shape(tokens)[-1] - max_order) if np.ndim(tokens) else 0
    if interval != "none" and 0 < n_windows < n_blocks:
        raise ConfigError(
            f"n_blocks: given {n_blocks}, but there are only {n_windows} windows of {max_order + 1} tokens"
        )
    counter = GramCounter(tokens, max_order + 1, vocab_size, 1 if interval == "none" else n_blocks, advance)
    counts = counter.counts()
    blocks = np.array([block_entropies(counts, one) for one in estimators])
    values = np.array([differences(counts, one) for one in estimators])
    if begin is not None and interval != "none":
        begin(n_blocks if interval == "jackknife" else n_bootstrap)

    def statistic(replicate: GramCounts) -> Floats:
        return np.array([differences(replicate, one, counts) for one in estimators])

    errors = standard_errors(counter, statistic, interval, n_bootstrap, seed, advance)
    width = half_width(n_blocks, interval, confidence) * errors
    deficits = np.array([coverage_deficit(sample) for sample in counts.grams[1:]])
    limit = trust_limit(counts.grams, max_deficit)
    return [
        EntropyProfile(
            name,
            values[i],
            values[i] - width[i],
            values[i] + width[i],
            errors[i],
            blocks[i],
            deficits,
            limit,
            counts.n_tokens,
            counts.vocab_size,
            counter.counter.n_bytes,
        )
        for i, name in enumerate(estimators)
    ]


def block_entropies(counts: GramCounts, estimator: str = "nsb", like: GramCounts | None = None) -> Floats:
    """(max_order,) H(1) .. H(max_order) in nats, over V^k bins; `like`: counts of a stream alike (`estimate`)."""
    near = [None] * (counts.max_order + 1) if like is None else like.grams
    sizes = float(counts.vocab_size) ** np.arange(counts.max_order + 1)
    orders = range(1, counts.max_order + 1)
    return np.array([estimate(counts.grams[k], estimator, sizes[k], like=near[k]) for k in orders])


def differences(counts: GramCounts, estimator: str = "nsb", like: GramCounts | None = None) -> Floats:
    """(max_order,) h_0 .. h_(max_order - 1): H(k + 1 tokens) - H(k tokens) over the windows of k + 1 tokens, nats.

    Over the same windows plug-in h_k is the mean entropy of the frequencies that follow each context, hence never below
    zero. `like`: counts of about the same stream (`estimate`).
    """
    near = [None] * counts.max_order if like is None else like.contexts
    sizes = float(counts.vocab_size) ** np.arange(counts.max_order + 1)
    longer = block_entropies(counts, estimator, like)
    orders = range(1, counts.max_order)
    shorter = [estimate(counts.contexts[k], estimator, sizes[k], like=near[k]) for k in orders]
    return np.asarray(longer - np.array([0.0, *shorter]))
