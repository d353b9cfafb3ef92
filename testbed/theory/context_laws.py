"""Laws for the best context length l*(D): what D targets leave of h_l - h, the loss for want of longer context.

Each law says what a learner loses beyond the entropy rate with context l, and so which l is best:

    TabularLaw     h_l - h + V^l (V - 1) / (2 D)          a table of contexts: l* ~ ln D
    ParameterLaw   h_l - h + (p l + p_0) / (2 D)          p numbers for each context token: l* a power of D
    HorizonLaw     h_min(l, n*(D)) - h                    lags above the noise alone are usable; no rise
    QuantaLaw      only tokens that matter often enough are learnt; no rise
    DimensionLaw   h_l - h + A D^(-c / dim(l))            the paper's (`testbed.theory.dimension_law`)

The forms are those of intrinsic-entropy theory's rivals (Shi et al. 2502.01481; Cagnetta et al. 2602.07488; Michaud et
al. 2303.13506), all derived anew.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError, UndefinedError
from testbed.theory.tabular import kt_excess

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PowerDecay:
    """h_l - h = C l^(-gamma), nats."""

    amplitude: float
    exponent: float

    def __post_init__(self) -> None:
        _positive(amplitude=self.amplitude, exponent=self.exponent)

    def __call__(self, context_length: ArrayLike) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(self.amplitude * np.asarray(context_length, dtype=np.float64) ** -self.exponent)


@dataclass(frozen=True)
class ExponentialDecay:
    """h_l - h = C rho^l, nats."""

    amplitude: float
    ratio: float

    def __post_init__(self) -> None:
        _positive(amplitude=self.amplitude, ratio=self.ratio)
        if self.ratio >= 1:
            raise ConfigError(f"ratio: given {self.ratio}, must lie below 1")

    def __call__(self, context_length: ArrayLike) -> Floats:
        return np.asarray(self.amplitude * self.ratio ** np.asarray(context_length, dtype=np.float64))


Decay = PowerDecay | ExponentialDecay


class ContextLaw(Protocol):
    """What D targets leave at each context length, beyond the entropy rate, in nats."""

    def losses(self, missing: Floats, n_tokens: Floats) -> Floats:
        """(n_D, m) from missing (m,), h_l - h for l = 0 .. m - 1, and dataset sizes (n_D,)."""

    def optimum(self, decay: Decay, n_tokens: Floats) -> Floats:
        """(n_D,): the real l > 0 that minimises the loss, clipped at 0; nan where no minimum exists. That of
        DimensionLaw is local: past it the loss may fall below it again."""


def optimal_context(
    law: ContextLaw, missing: ArrayLike | Decay, n_tokens: ArrayLike, tolerance: float = 0.0
) -> NDArray:
    """The best context length for each dataset size D under a law.

    missing     (m,) h_l - h for l = 0 .. m - 1: integers (n_D,) come back, the smallest l whose loss is within
                `tolerance` nats of the least; every law but DimensionLaw allows h_l itself
                a PowerDecay or ExponentialDecay: the law's closed form, real l; nan where none exists
    n_tokens    D, distinct targets: a number or (n_D,)

    >>> optimal_context(TabularLaw(2), [0.69, 0.5, 0.49, 0.49], [10, 1e3, 1e4]).tolist()
    [1, 2, 2]
    >>> optimal_context(ParameterLaw(per_token=2), PowerDecay(1.0, 1.0), [1e4, 1e6]).round(9).tolist()
    [100.0, 1000.0]

    Raises ConfigError for sizes that are not positive or entropies that rise; UndefinedError where the law has no
    closed form for the decay.
    """
    sizes = np.atleast_1d(np.asarray(n_tokens, dtype=np.float64))
    if not np.all(sizes > 0):
        raise ConfigError(f"n_tokens: given {n_tokens!r}, must be positive")
    if isinstance(missing, PowerDecay | ExponentialDecay):
        return law.optimum(missing, sizes)
    if not tolerance >= 0:
        raise ConfigError(f"tolerance: given {tolerance}, must be at least 0")
    costs = np.asarray(missing, dtype=np.float64)
    if costs.ndim != 1 or len(costs) == 0 or not np.all(np.diff(costs) <= 1e-9):
        raise ConfigError(f"missing: need h_l - h for l = 0, 1, ..., which never rises, given shape {costs.shape}")
    losses = law.losses(costs, sizes)
    return np.argmax(losses <= losses.min(axis=1, keepdims=True) + tolerance, axis=1)


@dataclass(frozen=True)
class TabularLaw:
    """A table of order l: excess V^l (V - 1) / (2 D) (`kt_excess`).

    With kappa = (V - 1) / 2 and a = V, the optimum solves  -d(h_l - h)/dl = kappa ln(a) a^l / D:

        C rho^l       l* = ln( D C ln(1/rho) / (kappa ln a) ) / ln(a / rho)
        C l^(-gamma)  l* = (gamma+1)/ln a  W( ln a/(gamma+1) (D C gamma / (kappa ln a))^(1/(gamma+1)) ),  W Lambert's

    The leading order overstates the excess of a table that is mostly empty (`kt_excess_is_trusted`).
    """

    vocab_size: int

    def __post_init__(self) -> None:
        if not self.vocab_size >= 2:
            raise ConfigError(f"vocab_size: given {self.vocab_size}, must be at least 2")

    def losses(self, missing: Floats, n_tokens: Floats) -> Floats:
        return np.asarray(missing + kt_excess(np.arange(len(missing)), self.vocab_size, n_tokens[:, None]))

    def optimum(self, decay: Decay, n_tokens: Floats) -> Floats:
        rate = (self.vocab_size - 1) / 2.0 * math.log(self.vocab_size)
        if isinstance(decay, ExponentialDecay):
            slope = decay.amplitude * -math.log(decay.ratio)
            return np.maximum(np.log(n_tokens * slope / rate) / math.log(self.vocab_size / decay.ratio), 0.0)
        from scipy.special import lambertw

        base, power = math.log(self.vocab_size), decay.exponent + 1.0
        scaled = (n_tokens * decay.amplitude * decay.exponent / rate) ** (1.0 / power)
        return np.asarray(power / base * lambertw(base / power * scaled).real)


@dataclass(frozen=True)
class ParameterLaw:
    """Half a nat for each of p l + p_0 regular parameters and target: excess (p l + p_0) / (2 D).

    C l^(-gamma)  l* = (2 D C gamma / p)^(1 / (1 + gamma))
    C rho^l       l* = ln(2 D C ln(1/rho) / p) / ln(1/rho)
    """

    per_token: float
    fixed: float = 0.0

    def __post_init__(self) -> None:
        _positive(per_token=self.per_token)
        if not 0 <= self.fixed < math.inf:
            raise ConfigError(f"fixed: given {self.fixed}, must be at least 0")

    def losses(self, missing: Floats, n_tokens: Floats) -> Floats:
        return missing + (self.per_token * np.arange(len(missing)) + self.fixed) / (2.0 * n_tokens[:, None])

    def optimum(self, decay: Decay, n_tokens: Floats) -> Floats:
        if isinstance(decay, PowerDecay):
            scaled = 2.0 * n_tokens * decay.amplitude * decay.exponent / self.per_token
            return np.asarray(scaled ** (1.0 / (1.0 + decay.exponent)))
        slope = -math.log(decay.ratio)
        return np.maximum(np.log(2.0 * n_tokens * decay.amplitude * slope / self.per_token) / slope, 0.0)


@dataclass(frozen=True)
class HorizonLaw:
    """Lag n is usable where its correlation A n^(-beta) exceeds the noise D^(-1/2) (Cagnetta et al. 2602.07488):

        n*(D) = (A^2 D)^(1 / (2 beta)),       loss(l, D) = h_min(l, n*) - h

    so the loss never rises with l and beyond n* no longer falls: it is C n*^(-gamma) ~ D^(-gamma / (2 beta)) for a
    power decay. l* is the horizon, the shortest context that reaches the least loss, whatever the decay.
    """

    exponent: float
    amplitude: float = 1.0

    def __post_init__(self) -> None:
        _positive(exponent=self.exponent, amplitude=self.amplitude)

    def horizon(self, n_tokens: ArrayLike) -> Floats:
        """n*(D)."""
        sizes = np.asarray(n_tokens, dtype=np.float64)
        return np.asarray((self.amplitude**2 * sizes) ** (0.5 / self.exponent))

    def losses(self, missing: Floats, n_tokens: Floats) -> Floats:
        usable = np.floor(np.minimum(self.horizon(n_tokens), len(missing) - 1)).astype(np.int64)
        return np.asarray(missing[np.minimum(np.arange(len(missing)), usable[:, None])])

    def optimum(self, decay: Decay, n_tokens: Floats) -> Floats:
        return self.horizon(n_tokens)


@dataclass(frozen=True)
class QuantaLaw:
    """Context token l matters in a share f_l of targets, and is learnt where f_l D exceeds a threshold (2303.13506):

        loss(l, D) = h_0 - h - sum over learnt j <= l of (h_(j-1) - h_j)

    frequencies     (f_1, f_2, ...)
    threshold       targets that must show it before it is learnt

    The loss never rises with l; l* is the largest learnt l. With f_l = F l^(-a), l* = (F D / threshold)^(1/a)
    (`power_frequencies`; the closed form needs it, for it says nothing of a source's decay).
    """

    frequencies: Sequence[float]
    threshold: float

    def __post_init__(self) -> None:
        _positive(threshold=self.threshold)
        if np.ndim(self.frequencies) != 1 or not np.all(np.asarray(self.frequencies) >= 0):
            raise ConfigError("frequencies: need (m,), none negative")

    @staticmethod
    def power_frequencies(amplitude: float, exponent: float, n: int) -> tuple[float, ...]:
        """f_l = F l^(-a), l = 1 .. n."""
        return tuple((amplitude * np.arange(1, n + 1, dtype=np.float64) ** -exponent).tolist())

    def losses(self, missing: Floats, n_tokens: Floats) -> Floats:
        if len(self.frequencies) < len(missing) - 1:
            raise ConfigError(f"frequencies: {len(self.frequencies)} given for {len(missing) - 1} context tokens")
        learnt = np.asarray(self.frequencies)[: len(missing) - 1] * n_tokens[:, None] > self.threshold
        gained = np.cumsum(np.where(learnt, -np.diff(missing), 0.0), axis=1)
        return np.asarray(missing[0] - np.column_stack([np.zeros(len(n_tokens)), gained]))

    def optimum(self, decay: Decay, n_tokens: Floats) -> Floats:
        raise UndefinedError("QuantaLaw rests on frequencies, not on a decay: give h_l - h as an array")


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ConfigError(f"{name}: given {value}, must be positive and finite")
