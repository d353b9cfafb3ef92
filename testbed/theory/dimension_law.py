"""The paper's law for context and data, and what it implies (Shi et al. 2025, 2502.01481, secs. 2 and 3).

With R(l) = R_inf + (h_l - h), a state of dimension dim(l) that carries s nats of prediction a dimension, and the
resolution-limited approximation loss:

    dim(l) = dim_inf - (h_l - h) / s,        Loss = R_inf + (h_l - h) + A D^(-c / dim(l))

Put u = c ln D / dim. Along dim, dLoss/d dim = -s + A u^2 e^(-u) / (c ln D), and u^2 e^(-u) is at most 4 e^(-2), at
u = 2. So

    k = s c ln D / A < 4 e^(-2)     a local minimum at u > 2, a local maximum at u < 2; past it the loss falls again
    ln D >= ln D_c = 4 A / (e^2 c s)       no interior minimum: more context always helps

The roots are u = -2 W(-sqrt(k) / 2), W Lambert's of branch -1 (minimum) and 0 (maximum). The paper states only that an
optimum exists and grows with D; D_c and the second descent follow from its assumptions (derived here; A constant).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.theory.context_laws import Decay, PowerDecay

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DimensionLaw:
    """Excess A D^(-c / dim(l)) with dim(l) = dim_inf - (h_l - h) / s; `missing` must be h_l - h, not h_l.

    amplitude           A, nats
    coefficient         c: 4 for smooth targets and piecewise-linear models, 1 for Lipschitz ones (Bahri et al.)
    slope               s, nats of Bayes risk a dimension
    dimension_limit     dim_inf, of the state with all context

    >>> law = DimensionLaw(amplitude=5, coefficient=4, slope=0.02, dimension_limit=200)
    >>> law.optimal_dimension(np.exp([6, 12, 18, 24, 30])).round(2).tolist()
    [4.07, 10.04, 17.85, 28.14, 43.23]
    >>> round(law.critical_log_tokens, 2)
    33.83
    """

    amplitude: float
    coefficient: float
    slope: float
    dimension_limit: float

    def __post_init__(self) -> None:
        for name in ("amplitude", "coefficient", "slope", "dimension_limit"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name}: given {getattr(self, name)}, must be positive and finite")

    @property
    def critical_log_tokens(self) -> float:
        """ln D_c = 4 A / (e^2 c s), from which on no interior minimum exists."""
        return 4.0 * math.exp(-2.0) * self.amplitude / (self.coefficient * self.slope)

    @property
    def critical_excess(self) -> float:
        """A e^(-2), the excess at the vanishing minimum. A learner that can fall back on less context (at worst on the
        unigram law, whose loss is h_0) never pays h_0 - h_l: D_c can be tested only where this lies well below that."""
        return self.amplitude * math.exp(-2.0)

    def dimension(self, missing: ArrayLike) -> Floats:
        """dim(l) from h_l - h."""
        return np.asarray(self.dimension_limit - np.asarray(missing, dtype=np.float64) / self.slope)

    def optimal_dimension(self, n_tokens: ArrayLike) -> Floats:
        """(n_D,): dim*(D) = c ln D / u, the local minimum; nan from D_c on. It may exceed `dimension_limit`: then the
        loss falls with l throughout."""
        return self._stationary(n_tokens, branch=-1)

    def redescent_dimension(self, n_tokens: ArrayLike) -> Floats:
        """(n_D,): the dimension of the local maximum, past which the loss falls again; nan from D_c on."""
        return self._stationary(n_tokens, branch=0)

    def _stationary(self, n_tokens: ArrayLike, branch: int) -> Floats:
        from scipy.special import lambertw

        logs = np.log(np.atleast_1d(np.asarray(n_tokens, dtype=np.float64)))
        if not np.all(logs > 0):
            raise ConfigError(f"n_tokens: given {n_tokens!r}, must exceed 1")
        k = self.slope * self.coefficient * logs / self.amplitude
        exists = k < 4.0 * math.exp(-2.0)
        u = -2.0 * lambertw(-np.sqrt(np.where(exists, k, 0.1)) / 2.0, branch).real
        return np.where(exists, self.coefficient * logs / u, np.nan)

    def losses(self, missing: Floats, n_tokens: Floats) -> Floats:
        dims = self.dimension(missing)
        if not np.all(dims > 0):
            raise ConfigError(f"dimension_limit: given {self.dimension_limit}, makes dim(0) = {dims.min():.3g}")
        return np.asarray(missing + self.amplitude * n_tokens[:, None] ** (-self.coefficient / dims))

    def optimum(self, decay: Decay, n_tokens: Floats) -> Floats:
        """The l at which dim(l) = dim*(D): (C / (s (dim_inf - dim*)))^(1/gamma) for a power decay. Nan where no local
        minimum exists or dim* is not reached at any finite l > 0."""
        gap = self.slope * (self.dimension_limit - self.optimal_dimension(n_tokens))
        with np.errstate(invalid="ignore", divide="ignore"):
            if isinstance(decay, PowerDecay):
                length = (decay.amplitude / gap) ** (1.0 / decay.exponent)
            else:
                length = np.log(gap / decay.amplitude) / math.log(decay.ratio)
        return np.where((gap > 0) & (length > 0), length, np.nan)


def approximation_exponent(dimension: ArrayLike, smoothness: float, noisy: bool) -> Floats:
    """alpha of the excess D^(-alpha) of a learner that adapts to nothing but the smoothness s of the law, in dim d:

        noise-free labels    2 s / d              (interpolation, squared error; c / d with c = 4 for s = 2)
        noisy labels         2 s / (2 s + d)      (Stone 1982)

    On the line 1/alpha = a + b d the first has a = 0, the second a = 1, both b = 1 / (2 s); a parametric learner
    (alpha = 1 whatever d, the variance-limited rate) has a = 1 and b = 0.

    >>> approximation_exponent([1, 4], smoothness=2, noisy=True).tolist()
    [0.8, 0.5]
    """
    d = np.asarray(dimension, dtype=np.float64)
    if not smoothness > 0 or not np.all(d > 0):
        raise ConfigError(f"smoothness and dimension: given {smoothness} and {dimension!r}, must be positive")
    return np.asarray(2.0 * smoothness / (d + (2.0 * smoothness if noisy else 0.0)))
