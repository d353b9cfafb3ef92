"""A target that is a logistic regression on past bits, and all its truths in closed form or by one integral.

    P(y = 1 | s) = sigmoid(sum_j w_j s_j),      s_j = +-1 fair and independent, j = 1 .. K the lag,   w_j = W j^-beta

What l lags tell of y is a function of a = sum_{j<=l} w_j s_j alone. With tanh(x / 2) / 2 = int_0^inf sin(x t) / sinh(pi
t) dt, and the mean of sin((a + r) t) over the unseen r = sum_{j>l} w_j s_j being sin(a t) prod_{j>l} cos(w_j t),

    P_l(a) = 1/2 + int_0^inf sin(a t) / sinh(pi t) prod_{j>l} cos(w_j t) dt
    C(n) = E[(2 y - 1) s_n] = 2 int_0^inf sin(w_n t) / sinh(pi t) prod_{j != n} cos(w_j t) dt
    h_l = E[H_b(P_l(a))],     a's law by its own characteristic function, prod_{j<=l} cos(w_j t)

so that h_l - h_K ~ sum_{j>l} w_j^2 / 8 ~ l^-(2 beta - 1), and C(n) ~ n^-beta. Every lag is there in every example: a
learner of l lags pays for l numbers, and for nothing else.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.sources.bits import binary_entropy

Floats = NDArray[np.float64]

CUT = 12.0
"""Where the integral is cut: 1 / sinh(pi t) is 1e-16 there."""
COSINES = 4096
"""Terms of the cosine series of H_b(P_l(a))."""


@dataclass(frozen=True)
class Teacher:
    """The law of y given +-1 bits at lags 1 .. K; lags beyond `reach` have no weight."""

    exponent: float
    amplitude: float
    n_lags: int
    reach: int | None = None

    @cached_property
    def weights(self) -> Floats:
        """(K,) w_j."""
        lags = np.arange(1, self.n_lags + 1, dtype=np.float64)
        weights = self.amplitude * lags**-self.exponent
        if self.reach is not None:
            weights[self.reach :] = 0.0
        return weights

    @cached_property
    def _quadrature(self) -> tuple[Floats, Floats]:
        """(T,) Gauss-Legendre nodes t, one for two radians that the integrand turns, and weights over sinh(pi t)."""
        nodes, weights = np.polynomial.legendre.leggauss(64 + int(CUT * (float(self.weights.sum()) + 4.0) / 2))
        t = CUT / 2 * (nodes + 1)
        return t, CUT / 2 * weights / np.sinh(np.pi * t)

    @cached_property
    def _cosines(self) -> Floats:
        """(K, T) cos(w_j t)."""
        return np.cos(np.outer(self.weights, self._quadrature[0]))

    def law(self, seen: Floats, context: int) -> Floats:
        """P_l(a) at a (n,), of l = context lags."""
        t, weights = self._quadrature
        unseen = weights * np.prod(self._cosines[context:], axis=0)
        return np.clip(0.5 + np.sin(np.outer(seen, t)) @ unseen, 0.0, 1.0)

    def risk(self, context: int) -> float:
        """h_l, nats."""
        end = float(self.weights.sum()) + 4.0
        grid = np.linspace(0.0, end, COSINES + 1)
        values = binary_entropy(self.law(grid, context))
        from scipy.fft import dct

        series = dct(values, type=1) / COSINES  # values = c_0 / 2 + sum c_m cos(pi m a / end) + c_M / 2 cos
        series[0] /= 2
        series[-1] /= 2
        frequencies = np.pi * np.arange(COSINES + 1) / end
        means = np.prod(np.cos(np.outer(self.weights[:context], frequencies)), axis=0)
        return float(series @ means)

    def risks(self, contexts: NDArray[np.int64]) -> Floats:
        """h_l at several l; kept for the next replicate of the same teacher."""
        return np.array([_risk(self, int(one)) for one in contexts])

    @cached_property
    def correlations(self) -> Floats:
        """(K,) C(n), n = 1 .. K."""
        t, weights = self._quadrature
        whole = weights * np.prod(self._cosines, axis=0)
        own = np.sin(np.outer(self.weights, t)) / self._cosines
        safe = np.abs(self._cosines) > 1e-6
        return np.asarray(2.0 * np.sum(np.where(safe, own, 0.0) * whole, axis=1))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(n, K) bits as +-1, nearest first, and (n,) targets."""
        bits = (2.0 * rng.integers(0, 2, size=(n, self.n_lags), dtype=np.int8) - 1.0).astype(np.float32)
        chance = 1.0 / (1.0 + np.exp(-(bits @ self.weights.astype(np.float32)).astype(np.float64)))
        return bits, rng.random(n) < chance


@lru_cache(maxsize=256)
def _risk(teacher: Teacher, context: int) -> float:
    return teacher.risk(context)
