"""The probability gap: how far the likeliest next token stands above the least likely one, by context length.

For X the next token and Y its last m tokens,   G_m = E_Y [max_x p(x | Y) - min_x p(x | Y)].

True of every law, Z being further tokens of the past (Jensen; max is convex, min concave):
    averaged   E max_x p(x | Y, Z) >= E max_x p(x | Y),   E min <= E min,   so G_m never falls
    extremes   max over (x, y) of p(x | y) never falls with m, min never rises
    size       0 <= G_m - G_(m-1) <= sqrt(2 I(X; Z | Y)),   (V Emax - 1) / (V - 1) <= G <= Emax
False: that each context's gap grows (`violating_mass` counts those whose gap falls), that most do, that the margin of
the two likeliest or the ratio max / min grows on average, that the growth is strict. For a trained model, whose laws at
different m are not conditionals of one joint law, none of them is a theorem: measure (`gap_of_laws`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, ResourceError, UndefinedError
from testbed.sources.source import Source

Floats = NDArray[np.float64]

FALL = 1e-12
"""A gap that is smaller by more than this counts as smaller."""
MAX_CELLS = 2**24
DECILES = np.arange(0.0, 1.01, 0.1)


@dataclass(frozen=True, eq=False)
class GapStatistics:
    """All arrays have M + 1 entries, for contexts of m = 0 .. M tokens; expectations are over contexts.

    expected_max, expected_min   E max_x p(x | Y), the guessing probability, and E min_x p(x | Y)
    gap                          their difference, G_m
    margin                       E (largest - second largest)
    ratio                        E (max / min); infinite where a probability is zero
    supremum, infimum            over all contexts of positive probability and all x
    entropy                      H(X | Y), nats
    violating_mass               P(gap of the context < gap of the context without its oldest token); 0 at m = 0
    violation_depth              mean fall of the gap where it falls; 0 where it never does
    growing_mass                 P(gap larger than without the oldest token)
    deciles                      (M + 1, 11): of the contexts' gaps, weighted by probability: least, 10 %, .. largest
    """

    expected_max: Floats
    expected_min: Floats
    gap: Floats
    margin: Floats
    ratio: Floats
    supremum: Floats
    infimum: Floats
    entropy: Floats
    violating_mass: Floats
    violation_depth: Floats
    growing_mass: Floats
    deciles: Floats


def gap_statistics(block: Floats) -> GapStatistics:
    """From the law of M + 1 successive tokens, (V,) * (M + 1), oldest first: X is the last, contexts end before it.

    Exact. For a stationary source of order k everything is constant from m = k on.

    >>> xor = np.array([[[0.25, 0.0], [0.0, 0.25]], [[0.0, 0.25], [0.25, 0.0]]])   # the third is the sum of the others
    >>> gap_statistics(xor).gap.tolist()
    [0.0, 0.0, 1.0]

    Raises ConfigError for an array that is no law.
    """
    try:
        if np.iscomplexobj(block):
            raise TypeError
        law = np.asarray(block, dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigError("block: must be one array of probabilities, not complex ones nor uneven rows") from None
    if law.ndim == 0 or len(set(law.shape)) != 1 or law.shape[0] < 2:
        raise ConfigError(f"block: given the shape {law.shape}; must be (V,) * (M + 1) with V >= 2")
    if not np.isfinite(law).all() or law.min() < 0 or abs(law.sum() - 1) > 1e-9:
        raise ConfigError(
            f"block: must be probabilities that sum to 1, given a sum of {law.sum():.12g} and a least entry of"
            f" {law.min():.3g}"
        )
    joints = [law]
    while joints[-1].ndim > 1:
        joints.append(joints[-1].sum(axis=0))
    tables = [joint.reshape(-1, law.shape[0]) for joint in joints[::-1]]
    weights = [table.sum(axis=1) for table in tables]
    return gap_of_laws(
        weights,
        [
            np.divide(table, mass[:, None], out=np.full(table.shape, np.nan), where=mass[:, None] > 0)
            for table, mass in zip(tables, weights, strict=True)
        ],
    )


def gap_of_laws(weights: Sequence[Floats], laws: Sequence[Floats]) -> GapStatistics:
    """From a law after every context of m = 0 .. M tokens, a trained model's for instance.

    weights  weights[m] (V^m,): probability of each context, the oldest token most significant
    laws     laws[m] (V^m, V); rows of contexts of probability zero are not read

    Raises ConfigError for arrays of other shapes, weights that are none or give a context probability that it has not
    without its oldest token, and rows that are no law within 1e-6 (a model's single precision).
    """
    weights, laws = _checked_laws(weights, laws)
    rows = []
    shorter = None
    for mass, table in zip(weights, laws, strict=True):
        seen = mass > 0
        ordered = np.sort(table, axis=1)
        gaps = ordered[:, -1] - ordered[:, 0]
        change = np.zeros(len(gaps)) if shorter is None else gaps - np.tile(shorter, table.shape[1])
        rows.append(_row(mass[seen] / mass.sum(), table[seen], ordered[seen], gaps[seen], change[seen]))
        shorter = gaps
    return GapStatistics(**{name: np.array([row[name] for row in rows]) for name in rows[0]})


def _checked_laws(weights: Sequence[Floats], laws: Sequence[Floats]) -> tuple[list[Floats], list[Floats]]:
    masses, tables = ([np.asarray(one, dtype=np.float64) for one in given] for given in (weights, laws))
    if not masses or len(masses) != len(tables):
        raise ConfigError(f"weights, laws: given {len(masses)} and {len(tables)} arrays; need one each for m = 0 .. M")
    vocab_size = tables[0].shape[-1] if tables[0].ndim == 2 else 0
    for m, (mass, table) in enumerate(zip(masses, tables, strict=True)):
        if vocab_size < 2 or mass.shape != (vocab_size**m,) or table.shape != (vocab_size**m, vocab_size):
            raise ConfigError(
                f"weights[{m}], laws[{m}]: given the shapes {mass.shape} and {table.shape}; must be (V^{m},) and"
                f" (V^{m}, V), V >= 2"
            )
        if not (np.isfinite(mass).all() and mass.min() >= 0 and mass.sum() > 0):
            raise ConfigError(f"weights[{m}]: must be finite, not negative, and not all zero")
        if m and ((mass > 0) & ~np.tile(masses[m - 1] > 0, vocab_size)).any():
            raise ConfigError(f"weights[{m}]: a context has probability that has none without its oldest token")
        seen = table[mass > 0]
        wrong = ~((np.abs(seen.sum(axis=1) - 1) <= 1e-6) & (seen.min(axis=1) >= 0))
        if wrong.any():
            raise ConfigError(f"laws[{m}]: the row {seen[np.argmax(wrong)]} is no law")
    return masses, tables


def _row(weights: Floats, laws: Floats, ordered: Floats, gaps: Floats, change: Floats) -> dict[str, Any]:
    """The statistics at one context length, of the contexts that occur."""
    falls, grows = change < -FALL, change > FALL
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = np.where(laws > 0, -laws * np.log(laws), 0.0).sum(axis=1)
        ratios = ordered[:, -1] / ordered[:, 0]
    mass = float(weights[falls].sum())
    return {
        "expected_max": weights @ ordered[:, -1],
        "expected_min": weights @ ordered[:, 0],
        "gap": weights @ gaps,
        "margin": weights @ (ordered[:, -1] - ordered[:, -2]),
        "ratio": weights @ ratios,
        "supremum": ordered[:, -1].max(),
        "infimum": ordered[:, 0].min(),
        "entropy": weights @ surprise,
        "violating_mass": mass,
        "violation_depth": float(weights[falls] @ -change[falls]) / mass if mass > 0 else 0.0,
        "growing_mass": float(weights[grows].sum()),
        "deciles": weighted_quantiles(gaps, weights, DECILES),
    }


def weighted_quantiles(values: Floats, weights: Floats, levels: Floats) -> Floats:
    """The least value whose cumulative weight reaches each level of the total.

    >>> weighted_quantiles(np.array([3.0, 1.0]), np.array([0.2, 0.8]), np.array([0.0, 0.5, 1.0])).tolist()
    [1.0, 1.0, 3.0]
    """
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order]) / weights.sum()
    place = np.searchsorted(cumulative, levels - 1e-12)
    return values[order][np.minimum(place, len(values) - 1)]


def source_gap(source: Source, max_context: int) -> GapStatistics:
    """The exact statistics of a stationary source that judges every position, for m = 0 .. max_context.

    Raises UndefinedError for other sources, ResourceError where V^(max_context + 1) is over 2^24.
    """
    if not (source.stationary and source.judges_all):
        raise UndefinedError(f"{source.type_name}: the gap by context length needs a stationary source, all judged")
    vocab_size = source.vocab_size
    check_size(vocab_size, max_context)
    found = source.context_law(max_context)
    block = np.zeros((vocab_size**max_context, vocab_size))
    digits = vocab_size ** np.arange(max_context - 1, -1, -1, dtype=np.int64)
    block[found.contexts.astype(np.int64) @ digits] = found.probabilities[:, None] * found.laws
    return gap_statistics((block / block.sum()).reshape((vocab_size,) * (max_context + 1)))


def check_size(vocab_size: int, max_context: int) -> None:
    """Refuse negative lengths, and V^(M + 1) above the limit."""
    if max_context < 0:
        raise ConfigError(f"max_context: given {max_context}, must be at least 0")
    if max_context > math.log(MAX_CELLS, 2) or vocab_size ** (max_context + 1) > MAX_CELLS:  # V >= 2
        raise ResourceError(
            f"max_context: {vocab_size}^{max_context + 1} contexts and tokens are over the limit of {MAX_CELLS}"
        )


def counterexample(block: Floats, statistic: Literal["margin", "ratio"]) -> tuple[int, float] | None:
    """The first m at which the averaged statistic falls, and by how much; None if it never does.

    The margin and the mean ratio need not grow with the context, though the gap must: this finds where.
    """
    if statistic not in ("margin", "ratio"):
        raise ConfigError(f"statistic: given {statistic!r}; known: margin, ratio")
    values: Floats = getattr(gap_statistics(block), statistic)
    with np.errstate(invalid="ignore"):
        falls = np.flatnonzero(np.diff(values) < -FALL)
    return None if not len(falls) else (int(falls[0]) + 1, float(values[falls[0]] - values[falls[0] + 1]))
