"""How much of a law a sample has not seen: beyond what order estimates of entropy mean nothing."""

from collections.abc import Sequence

from testbed.measures.entropy.fingerprint import Fingerprint

MAX_DEFICIT = 0.05


def coverage_deficit(sample: Fingerprint) -> float:
    """Estimated probability that the next draw falls into a bin not met yet  (Chao & Jost 2012, eq. 4a):

        f_1 / N * (N - 1) f_1 / ((N - 1) f_1 + 2 f_2),   f_n: bins met n times;

    Good and Turing's f_1 / N, corrected for the bins that f_1 will have lost by then; where f_2 = 0 the second factor
    is (N - 1) (f_1 - 1) / ((N - 1) (f_1 - 1) + 2). 1 for an empty sample and for a single draw.

    >>> round(coverage_deficit(Fingerprint.of([5, 2, 1, 1])), 3)
    0.198
    """
    n = sample.total
    if n == 0:
        return 1.0
    once, twice = sample.number_of(1), sample.number_of(2)
    if once == 0 or n == 1:
        return once / n
    new = (n - 1.0) * (once if twice else once - 1.0)
    return once / n * new / (new + (2.0 * twice or 2.0))


def trust_limit(grams: Sequence[Fingerprint], max_deficit: float = MAX_DEFICIT) -> int:
    """The largest k such that the (j+1)-grams of all j <= k leave at most `max_deficit` unseen; -1 where none do.

    grams: those of 0, 1, .. tokens. Beyond it h_k rests on grams most of which are yet to come: what is seen of them
    looks less and less random, plug-in estimates fall towards zero whatever the law, and so do corrected ones later.
    Necessary, not sufficient: at the limit itself plug-in and Dirichlet estimates are off by many standard errors, the
    others by few or by some (measured in benchmarks/README.md). Where estimators disagree, none of them is known.
    """
    limit = -1
    for k, sample in enumerate(grams[1:]):
        if coverage_deficit(sample) > max_deficit:
            break
        limit = k
    return limit
