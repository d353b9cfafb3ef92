"""Exact entropies of laws drawn from a symmetric Dirichlet, and of chains whose rows are."""

import math
from fractions import Fraction

import numpy as np

from testbed.sources.source import Floats


def expected_entropy(vocab_size: int, concentration: float) -> float:
    """E[H(p)] = psi(V a + 1) - psi(a + 1) nats for p ~ Dirichlet(a, ..., a)  (Wolpert & Wolf 1995).

    >>> expected_entropy(2, 1.0)
    0.5
    """
    from scipy.special import digamma

    return float(digamma(vocab_size * concentration + 1) - digamma(concentration + 1))


def urn_entropies(vocab_size: int, concentration: Fraction, max_context: int) -> Floats:
    """h_0 .. h_max: the mean entropy of the urn's next draw after l draws. Time O(max_context^2).

    A symbol's count after l draws is beta-binomial (a, (V - 1) a), and given that it comes next (size-biased) it is
    beta-binomial (a + 1, (V - 1) a):    h_l = ln(l + V a) - sum_n BB(n; l, a + 1, (V - 1) a) ln(n + a).

    >>> urn_entropies(2, Fraction(1), 1).round(6).tolist()  # ln 2 and hb(1/3)
    [0.693147, 0.636514]
    """
    a = float(concentration)
    laws = BetaBinomial(max_context, a + 1, (vocab_size - 1) * a)
    logs = np.log(np.arange(max_context + 1) + a)
    means = [float(laws.law(l) @ logs[: l + 1]) for l in range(max_context + 1)]
    return np.log(np.arange(max_context + 1) + vocab_size * a) - means


def count_entropies(vocab_size: int, concentration: Fraction, max_context: int) -> Floats:
    """H(counts of the symbols after l draws of the urn), l = 0 .. max_context. Time O(max_context^2).

    P(counts) = l! / (V a)_l prod_x (a)_(n_x) / n_x!, and every n_x is beta-binomial (a, (V - 1) a).

    >>> urn = count_entropies(2, Fraction(1), 3)  # uniform on 0 .. l: ln(l + 1)
    >>> np.exp(urn).round(9).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    a, i = float(concentration), np.arange(max_context)
    laws = BetaBinomial(max_context, a, (vocab_size - 1) * a)
    total = np.append(0.0, np.cumsum(np.log((vocab_size * a + i) / (1 + i))))
    means = [float(laws.law(l) @ laws.first[: l + 1]) for l in range(max_context + 1)]
    return np.maximum(total - vocab_size * np.array(means), 0.0)


class BetaBinomial:
    """P(n of l draws), proportional to (a)_n / n! (b)_(l-n) / (l-n)!, with rising factorials; a table for all l.

    first  (largest + 1,) ln (a)_n / n!
    """

    def __init__(self, largest: int, a: float, b: float) -> None:
        i = np.arange(largest)
        self.first, self._second = (np.append(0.0, np.cumsum(np.log((c + i) / (1 + i)))) for c in (a, b))

    def law(self, l: int) -> Floats:
        """(l + 1,)."""
        logs = self.first[: l + 1] + self._second[l::-1]
        law = np.exp(logs - logs.max())
        return law / law.sum()


def expected_binary_chain_rate(concentration: Fraction) -> float:
    """E[h] of the two-state chain whose switching probabilities p, q are independent Beta(a, a), nats.

        E[(q hb(p) + p hb(q)) / (p + q)];     a = 1: (3 - 12 ln 2 - 12 ln^2 2 + 2 pi^2) / 18 = .480889

    For a = 1 the closed form, else the double integral, to rounding. It is not E[hb] (1/2 for a = 1): rows count by how
    often they are visited.

    >>> round(expected_binary_chain_rate(Fraction(1)), 12)
    0.480889248247
    """
    if concentration == 1:
        log_2 = math.log(2.0)
        return (3 - 12 * log_2 - 12 * log_2**2 + 2 * math.pi**2) / 18
    return binary_rate_integral(float(concentration))


def binary_rate_integral(a: float, n_points: int = 256) -> float:
    """2 E[q hb(p) / (p + q)] by the double-exponential rule (Takahasi & Mori 1974): p = 1 / (1 + e^(-2u)),
    u = (pi / 2) sinh t, and the trapezoidal rule in t for both integrals, 2 n + 1 points each.

    Integrand and weight (p (1 - p))^a = (2 cosh u)^(-2a) fall double-exponentially in t, so the rule converges
    exponentially; the range ends where the weight has fallen by e^-42.
    """
    end = math.asinh(2 / math.pi * (math.acosh(math.exp(21 / a)) if a > 1 else 21 / a + math.log(2)))
    t = np.linspace(-end, end, 2 * n_points + 1)
    u = math.pi / 2 * np.sinh(t)
    log_p, log_not_p = -np.logaddexp(0.0, -2 * u), -np.logaddexp(0.0, 2 * u)
    weight = np.exp(a * (log_p + log_not_p + 2 * math.log(2))) * np.cosh(t)
    weight /= weight.sum()
    entropy = -np.exp(log_p) * log_p - np.exp(log_not_p) * log_not_p
    visits = np.exp(-np.logaddexp(0.0, log_p[:, None] - log_p[None, :]))  # [p, q]: q / (p + q)
    return 2 * float((weight * entropy) @ visits @ weight)
