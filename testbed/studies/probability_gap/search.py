"""Counterexamples that can be checked by hand: first-order chains p(c | a) = w_ac / sum_c w_ac with whole weights."""

import numpy as np

from testbed.measures.probability_gap import gap_statistics
from testbed.studies.probability_gap.chains import (
    TOLERANCE,
    UNPROVED,
    Floats,
    rising_entropy,
    stationary_block,
    violations,
)
from testbed.studies.probability_gap.config import Search

BATCH = 4096


def search_arrays(settings: Search, rng: np.random.Generator) -> dict[str, Floats]:
    """For each statement of UNPROVED the first chain drawn that violates it, if one of `n_draws` chains does.

    draws    (n_unproved,): chains drawn until then; nan where none was found
    weights  (n_unproved, V, V); nan where none was found
    depth    (n_unproved,): by how much, in the measure of `chains`
    """
    size, low = settings.vocab_size, settings.least_weight
    draws, depth = np.full(len(UNPROVED), np.nan), np.full(len(UNPROVED), np.nan)
    weights = np.full((len(UNPROVED), size, size), np.nan)
    for start in range(0, settings.n_draws, BATCH):
        n_chains = min(BATCH, settings.n_draws - start)
        drawn = rng.integers(low, settings.largest_weight + 1, (n_chains, size, size)).astype(np.float64)
        violated = first_order_depths(drawn)
        for i in np.flatnonzero(np.isnan(draws) & (violated > 0).any(axis=1)):
            first = int(np.argmax(violated[i] > 0))
            draws[i], weights[i], depth[i] = start + first + 1, drawn[first], violated[i, first]
    return {"draws": draws, "weights": weights, "depth": depth}


def first_order_depths(weights: Floats) -> Floats:
    """(n_unproved, N): the violations of N first-order chains with (N, V, V) weights, at their one step m = 1."""
    size = weights.shape[-1]
    laws = weights / weights.sum(axis=-1, keepdims=True)
    equations = laws.transpose(0, 2, 1) - np.eye(size)
    equations[:, -1] = 1.0
    last = np.zeros((len(weights), size, 1))
    last[:, -1] = 1.0
    alone = np.linalg.solve(equations, last)[..., 0]
    found = []
    for law in (alone[:, None], laws):
        ordered = np.sort(law, axis=-1)
        found.append(
            (
                ordered[..., -1] - ordered[..., 0],
                ordered[..., -1] - ordered[..., -2],
                ordered[..., -1] / ordered[..., 0],
                -(law * np.log(law)).sum(axis=-1),
            )
        )
    (gap, margin, ratio, entropy), (gaps, margins, ratios, entropies) = found
    smaller = (alone * (gaps < gap - 1e-12)).sum(axis=-1)
    depth = {
        "every_context": smaller,
        "most_contexts": smaller - 0.5,
        "every_entropy": (alone * (entropies > entropy + TOLERANCE)).sum(axis=-1),
        "margin": margin[:, 0] - (alone * margins).sum(axis=-1),
        "ratio": ratio[:, 0] - (alone * ratios).sum(axis=-1),
        "strict": ((alone * gaps).sum(axis=-1) - gap[:, 0] < TOLERANCE).astype(np.float64),
    }
    values = np.array([depth[name] for name in UNPROVED])
    return np.where(values > TOLERANCE, values, 0.0)


def depths_of(weights: Floats) -> Floats:
    """(n_statements,): the violations of one chain by its (V, V) weights, from the law of its pairs."""
    block = stationary_block(weights / weights.sum(axis=1, keepdims=True), 2)
    return violations(gap_statistics(block), rising_entropy(block), 1)
