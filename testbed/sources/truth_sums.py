"""Sums and multiples of truths, for sources that are made of other sources."""

from collections.abc import Sequence

import numpy as np

from testbed.core import Truth, UndefinedError


def sum_truths(truths: Sequence[Truth]) -> Truth:
    """The sum of truths of one shape, at least one of them.

    exact + exact      exact
    a bracket          bracket, every addition rounded outward
    a sampled one      sampled; standard errors add linearly, because truths are averaged over sequences of one fixed
                       seed, so that the errors of similar parts go together. A bracket among them counts with its
                       midpoint, and half its width joins the standard error: a verdict adds that at least once.

    >>> sum_truths([Truth.exact(1.0), Truth.bracket(2.0, 2.5)])
    Truth.bracket(2.9999999999999996, 3.5000000000000004)

    Raises UndefinedError for a sampled truth plus a bracket without an upper bound.
    """
    if any(truth.kind == "sampled" for truth in truths):
        return _sum_sampled(truths)
    lower, upper = truths[0].lower, truths[0].upper
    bracketed = any(truth.kind == "bracket" for truth in truths)
    for truth in truths[1:]:
        lower, upper = lower + truth.lower, upper + truth.upper
        if bracketed:
            lower, upper = np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)
    return Truth.bracket(lower, upper) if bracketed else Truth.exact(lower)


def _sum_sampled(truths: Sequence[Truth]) -> Truth:
    mean, error = np.zeros(truths[0].shape), np.zeros(truths[0].shape)
    for truth in truths:
        with np.errstate(invalid="ignore"):  # inf - inf
            width = np.where(truth.lower == truth.upper, 0.0, truth.upper - truth.lower)
        if not np.isfinite(width).all():
            raise UndefinedError(f"the sum of a sampled truth and {truth}, a bracket without bound, is not known")
        mean = mean + truth.value
        error = error + truth.standard_error + width / 2
    return Truth.sampled(mean, error)


def scale_truth(truth: Truth, factor: float) -> Truth:
    """`factor` times a truth, factor >= 0; zero times an infinite truth is zero.

    >>> scale_truth(Truth.exact([1.0, 3.0]), 0.5).value
    array([0.5, 1.5])
    """
    if factor == 0:
        return Truth.exact(np.zeros(truth.shape))
    lower, upper = truth.lower * factor, truth.upper * factor
    if truth.kind == "bracket":
        lower, upper = np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)
    return Truth(lower, upper, truth.kind, truth.standard_error * factor)


def group_truth(truth: Truth, size: int) -> Truth:
    """(n,): sums over successive groups of `size` entries of a truth (n size,)."""
    columns = [truth[first::size] for first in range(size)]
    return sum_truths(columns)
