"""Error probabilities of tests summed over all texts: no sampling, no approximation.

Of n independent tokens only the counts matter, of a chain's n transitions only how often each was made; there are
O(n^2) of either for three symbols, or for a chain over two, and combinatorics says how many texts each stands for.
"""

from typing import TYPE_CHECKING

import numpy as np

from testbed.measures.perplexity_tests import perplexity_drift, perplexity_exponent, stein_exponent
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.zero_shot_tests.config import Exact

HALF = 0.5
"""Size of the tests whose exponents are read off: fixed, as Stein's lemma asks, and the threshold is then N times the
mean up to a constant, so that nothing of order sqrt(N) is left in ln beta."""


def exact_arrays(settings: "Exact", rng: np.random.Generator) -> dict[str, Floats]:
    """Of one random pair (A, B):

    forward, backward     KL rates of A from B and of B from A
    drift, predicted      limit of G when B writes, and the exponent of the perplexity test
    perplexity, best      (2,) ln beta at the two lengths: B's text passes as A's, by G and by the likelihood ratio
    slope, best_slope     their exponents: differences of ln beta, of the factor N^(-1/2) taken off, over N
    """
    a, b, predicted = pair(settings, rng)
    drift = perplexity_drift(a, b)
    errors = np.array([log_errors(a, b, n, drift) for n in settings.lengths])
    steps = -(np.diff(errors, axis=0)[0] + HALF * np.log(2.0)) / (settings.lengths[1] - settings.lengths[0])
    return {
        "forward": np.array(stein_exponent(a, b)),
        "backward": np.array(stein_exponent(b, a)),
        "drift": np.array(drift),
        "predicted": np.array(predicted),
        "perplexity": errors[:, 0],
        "best": errors[:, 1],
        "slope": np.array(steps[0]),
        "best_slope": np.array(steps[1]),
    }


def pair(settings: "Exact", rng: np.random.Generator) -> tuple[Floats, Floats, float]:
    """Laws drawn until none is too close to a corner and the predicted exponent is large enough to be measured."""
    shape = (2, 2) if settings.kind == "chain" else (3,)
    while True:
        a, b = (rng.dirichlet(np.ones(shape[-1]), shape[:-1]) for _ in range(2))
        if min(a.min(), b.min()) < settings.floor:
            continue
        predicted = perplexity_exponent(a, b)
        if settings.least <= predicted < np.inf:
            return a, b, predicted


def log_errors(a: Floats, b: Floats, n: int, drift: float) -> tuple[float, float]:
    """ln beta of two tests of n tokens: G not on the side of the drift; likelihood ratio beyond its median under A."""
    ways, uses = chain_types(n) if a.ndim == 2 else independent_types(n)
    surprise = -np.log(a)
    gap = surprise - (a * surprise).sum(axis=-1, keepdims=True)
    under_a, under_b = ways + uses @ np.log(a).ravel(), ways + uses @ np.log(b).ravel()
    sums = uses @ gap.ravel()
    passed = sums * np.sign(drift) <= 1e-12 * n
    ratio = under_a - under_b
    order = np.argsort(ratio)
    below = np.cumsum(np.exp(under_a[order]))
    likely = order[np.searchsorted(below, HALF) :]
    return log_sum(under_b[passed]), log_sum(under_b[likely])


def log_sum(values: Floats) -> float:
    """ln sum exp; -inf of nothing."""
    if not len(values):
        return float("-inf")
    top = float(values.max())
    return top + float(np.log(np.exp(values - top).sum()))


def independent_types(n: int) -> tuple[Floats, Floats]:
    """(T,), (T, 3): ln of the number of texts, and how often each symbol is used, for every triple of counts."""
    from scipy.special import gammaln

    first, second = np.indices((n + 1, n + 1)).reshape(2, -1)
    kept = first + second <= n
    uses = np.stack([first, second, n - first - second], axis=1)[kept].astype(np.float64)
    return np.asarray(gammaln(n + 1.0) - gammaln(uses + 1.0).sum(axis=1)), uses


def chain_types(n: int) -> tuple[Floats, Floats]:
    """(T,), (T, 4): the same for the transitions 00, 01, 10, 11 of n tokens that follow a first token 0.

    With r_0 runs of m_0 zeros and r_1 runs of m_1 ones, m_0 + m_1 = n + 1, there are C(m_0 - 1, r_0 - 1)
    C(m_1 - 1, r_1 - 1) texts; r_1 = r_0 where the last token is 1, r_0 - 1 where it is 0.
    """
    found = [(np.zeros(1), np.array([[float(n), 0.0, 0.0, 0.0]]))]  # zeros alone
    ones, runs = np.indices((n + 1, n + 1)).reshape(2, -1)  # m_1, r_1
    for more in (0, 1):  # r_0 - r_1
        zeros, zero_runs = n + 1 - ones, runs + more
        kept = (runs >= 1) & (runs <= ones) & (zero_runs <= zeros)
        m_0, m_1, r_0, r_1 = (one[kept].astype(np.float64) for one in (zeros, ones, zero_runs, runs))
        ways = log_choose(m_0 - 1, r_0 - 1) + log_choose(m_1 - 1, r_1 - 1)
        found.append((ways, np.stack([m_0 - r_0, r_1, r_0 - 1, m_1 - r_1], axis=1)))
    return np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])


def log_choose(n: Floats, k: Floats) -> Floats:
    from scipy.special import gammaln

    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
