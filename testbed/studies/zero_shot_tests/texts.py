"""Texts drawn from exact laws: how far the statistic strays, and how often tests err."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.measures.perplexity_tests import (
    azuma_bound,
    blind_laws,
    freedman_bound,
    perplexity_drift,
    perplexity_exponent,
    perplexity_gaps,
    stein_exponent,
    surprise_span,
    varentropy,
)
from testbed.sources import MarkovSource, Source
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.zero_shot_tests.config import Tails, Texts

CHUNK_ENTRIES = 2**22
"""Probabilities held at a time."""


def chunks(source: Source, n_texts: int, length: int, seed: int) -> Iterator[NDArray[Any]]:
    """Texts in parts whose laws fit the memory."""
    step = max(1, CHUNK_ENTRIES // (length * source.vocab_size))
    for first in range(0, n_texts, step):
        yield source.sample(min(step, n_texts - first), length, seed=seed, first_sequence=first)


def tail_arrays(settings: "Tails", seed: int) -> dict[str, Floats]:
    """Of n texts, reaches x (X,) and lengths N (P,):

    beyond, beyond_rate    (X, P) texts with |G| >= c x / sqrt(N), and with |log-perplexity - h| in its place
    azuma, freedman        (X, P) bounds of the first probability; c and v are the largest of all laws that were met
    span                   () c
    n_texts                () n
    mean, spread           (P,) of G over texts
    """
    source, lengths = settings.source, np.array(settings.lengths)
    rate = float(source.entropy_rate().value)
    gaps, off, span, variance = [], [], 0.0, 0.0
    for tokens in chunks(source, settings.n_texts, int(lengths[-1]), seed):
        laws = source.predict(tokens)
        gaps.append(perplexity_gaps(laws, tokens, lengths))
        surprise = -np.log(np.take_along_axis(laws, tokens[..., None].astype(np.int64), axis=-1)[..., 0])
        off.append(np.cumsum(surprise, axis=1)[:, lengths - 1] / lengths - rate)
        span = max(span, surprise_span(laws))
        variance = max(variance, float(varentropy(laws).max()))
    g, distance = np.concatenate(gaps), np.concatenate(off)
    thresholds = span * np.array(settings.reaches)[:, None] / np.sqrt(lengths)
    return {
        "beyond": (np.abs(g) >= thresholds[:, None]).sum(axis=1).astype(np.float64),
        "beyond_rate": (np.abs(distance) >= thresholds[:, None]).sum(axis=1).astype(np.float64),
        "azuma": azuma_bound(thresholds, lengths, span),
        "freedman": freedman_bound(thresholds, lengths, span, variance),
        "span": np.array(span),
        "n_texts": np.array(float(len(g))),
        "mean": g.mean(axis=0),
        "spread": g.std(axis=0, ddof=1),
    }


def kernels(settings: "Texts", rng: np.random.Generator) -> tuple[Floats, Floats]:
    """(3, 3) laws of A and of B."""
    while True:
        a, b = (rng.dirichlet(np.ones(3), 3) for _ in range(2))
        if a.min() < settings.floor or b.min() < settings.floor:
            continue
        if settings.role == "blind":
            return a, blind_laws(a, settings.fraction)
        if abs(perplexity_drift(a, b)) >= settings.least:
            return a, b


def text_arrays(settings: "Texts", rng: np.random.Generator) -> dict[str, Floats]:
    """Of a pair (A, B); W = 2 writers, A first, and lengths (P,):

    rejected_azuma, rejected_normal   (W, P) texts that the test says are not A's: |G| above Azuma's threshold, or above
                                      z sqrt(mean varentropy of the laws met / N)
    mistaken                          (W, P) texts that the likelihood ratio gives to the other writer
    distance                          (n,) abs(G - drift) of the longest texts by B, rising
    mean, spread                      (W, P) of G
    drift, predicted, forward         as in the exact arm
    """
    a, b = kernels(settings, rng)
    lengths = np.array(settings.lengths)
    writers = [MarkovSource(one) for one in (a, b)]
    drift = perplexity_drift(a, b)
    span = surprise_span(a)
    found: dict[str, list[Floats]] = {name: [] for name in ("azuma", "normal", "mistaken", "mean", "spread", "gaps")}
    for writer in range(2):
        gaps, variances, ratios = _read(writers, writer, settings, int(rng.integers(2**62)))
        z = _normal_quantile(1.0 - settings.size / 2.0)
        found["azuma"].append((azuma_bound(np.abs(gaps), lengths, span) <= settings.size).sum(axis=0))
        found["normal"].append((np.abs(gaps) > z * np.sqrt(variances / lengths)).sum(axis=0))
        found["mistaken"].append(((ratios > 0) == (writer == 1)).sum(axis=0))
        found["mean"].append(gaps.mean(axis=0))
        found["spread"].append(gaps.std(axis=0, ddof=1))
        found["gaps"].append(gaps)
    return {
        "rejected_azuma": np.array(found["azuma"], dtype=np.float64),
        "rejected_normal": np.array(found["normal"], dtype=np.float64),
        "mistaken": np.array(found["mistaken"], dtype=np.float64),
        "distance": np.sort(np.abs(found["gaps"][1][:, -1] - drift)),
        "mean": np.array(found["mean"]),
        "spread": np.array(found["spread"]),
        "drift": np.array(drift),
        "predicted": np.array(perplexity_exponent(a, b)),
        "forward": np.array(stein_exponent(a, b)),
    }


def _normal_quantile(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(level))


def _read(writers: list[MarkovSource], writer: int, settings: "Texts", seed: int) -> tuple[Floats, Floats, Floats]:
    """(n, P) each: G, mean varentropy of A's laws, and log-likelihood of A less that of B."""
    lengths = np.array(settings.lengths)
    gaps, variances, ratios = [], [], []
    for tokens in chunks(writers[writer], settings.n_texts, int(lengths[-1]), seed):
        laws = writers[0].predict(tokens)
        gaps.append(perplexity_gaps(laws, tokens, lengths))
        variances.append(np.cumsum(varentropy(laws), axis=1)[:, lengths - 1] / lengths)
        difference = writers[0].log_probs(tokens) - writers[1].log_probs(tokens)
        ratios.append(np.cumsum(difference, axis=1)[:, lengths - 1])
    return np.concatenate(gaps), np.concatenate(variances), np.concatenate(ratios)
