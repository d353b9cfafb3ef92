"""Recall of one bit at a distance that is announced: any curve h_l, through the law of the distance."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ArrayInput, ConfigError, Truth
from testbed.sources.bit_query import BitQuerySource
from testbed.sources.bits import LN2, binary_entropy
from testbed.sources.dyadic import check_rows
from testbed.sources.lags.staircase_design import noise_of_drop, read_profile
from testbed.sources.randomness import in_range
from testbed.sources.source import Floats, source

MAX_LAG = 65534
"""K + 2 symbols fit into 16 bits."""

_NEEDS: dict[str, set[str]] = {"power": {"exponent"}, "exponential": {"scale"}, "step": set(), "linear": set()}


@source("selector_lag")
class SelectorLagSource(BitQuerySource):
    """Fair bits, a visible selector tau, and the bit tau places back, flipped with probability `noise`.

        1 0 0 1 1 | tau = 4 | 0        (the fourth bit back; tau is the token 1 + tau, bits are tokens 0 and 1)

        h_l = ln 2 P(tau > l) + H_2(noise) P(tau <= l),    h = H_2(noise),    E = (ln 2 - H_2(noise)) E[tau]

    exactly: the target is never fed back, so no copy of a bit leaks into another context (source LAG of the
    intrinsic-entropy spec, 11.1). The law q of tau is given, or named:

        power         P(tau > l) = (1 + l)^-exponent
        exponential   P(tau > l) = exp(-l / scale)
        linear        P(tau > l) = 1 - l / max_lag: the Bayes risk is linear in the state's entropy
        step          tau = max_lag always

    for l < max_lag = K, and 0 from there on: the tail beyond K stands at K, in truth and sampler alike. Then q is
    rounded to 2^-32. `h_profile` (or `from_profile`) takes any curve; what is stored is the law found for it. Bits
    farther back than K help nobody (LAG0: irrelevant context).

    The state before the selector is known has the entropy ln 2 min(l, K).

    >>> source = SelectorLagSource(law="linear", max_lag=4)
    >>> source.conditional_entropies(5).value / math.log(2)
    array([1.  , 0.75, 0.5 , 0.25, 0.  , 0.  ])
    """

    law: Literal["power", "exponential", "step", "linear"] | None = Field(None, description="named law of the distance")
    max_lag: int | None = Field(None, ge=1, le=MAX_LAG, description="K, the largest distance of a named law")
    exponent: float | None = Field(None, gt=0, description="of the power law")
    scale: float | None = Field(None, gt=0, description="of the exponential law, in bits of context")
    probabilities: ArrayInput = Field(None, description="law q_1 .. q_K of the distance, in place of a named one")
    h_profile: tuple[float, ...] | None = Field(
        None, description="wanted curve h_0 = ln 2 >= h_1 >= ..., nats, in place of a law of the distance"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_profile(cls, values: Any) -> Any:
        """The law and the noise in the place of an `h_profile`, so that both ways give one content key."""
        if not isinstance(values, dict) or values.get("h_profile") is None:
            return values
        for name in ("law", "probabilities", "max_lag", "exponent", "scale"):
            if values.get(name) is not None:
                raise ValueError(f"{name}: given beside an h_profile, which says the law; give one of the two")
        q, noise = profile_law(values["h_profile"], values.get("noise"))
        return {name: value for name, value in values.items() if name != "h_profile"} | {
            "probabilities": q,
            "noise": noise,
        }

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = {name for name in ("max_lag", "exponent", "scale") if getattr(self, name) is not None}
        if (self.law is None) == (self.probabilities is None):
            raise ValueError("law: give the name of a law or probabilities, one of the two")
        if self.law is None:
            q = self.probabilities
            if given:
                raise ValueError(f"{min(given)}: shapes a named law; probabilities are given here")
            assert q is not None
            if q.ndim != 1 or not 1 <= q.size <= MAX_LAG:
                raise ValueError(f"probabilities: need the shape (K,), K = 1 .. {MAX_LAG}, given {q.shape}")
            check_rows(q, "probabilities")
            return self
        needed = {"max_lag"} | _NEEDS[self.law]
        for name in sorted(needed - given):
            raise ValueError(f"{name}: the {self.law} law needs it")
        for name in sorted(given - needed):
            raise ValueError(f"{name}: the {self.law} law has none")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(law="power", max_lag=8, exponent=0.5, noise=0.1),
            cls(law="exponential", max_lag=5, scale=2.0),
            cls(law="step", max_lag=3, noise=1.0),
            cls(law="linear", max_lag=40),
            cls(probabilities=np.array([0.0, 0.5, 0.0, 0.5]), noise=0.5),
            cls(law="step", max_lag=1),
        ]

    @classmethod
    def from_profile(cls, h_profile: Sequence[float], noise: float | None = None) -> Self:
        """The source with the wanted curve h_0 = ln 2 >= h_1 >= ... >= h_n, nats, but for rounding to 2^-32.

        Without `noise` the curve stays at its last entry: H_2(noise) = h_n. With one, it falls to H_2(noise) at n + 1.
        Raises ConfigError, naming the index, for a curve that increases or starts elsewhere.

        >>> SelectorLagSource.from_profile([LN2, LN2, 0.5 * LN2, 0.0]).question_law
        array([0. , 0.5, 0.5])
        """
        given: dict[str, Any] = {"h_profile": h_profile} | ({} if noise is None else {"noise": noise})
        return cls(**given)

    @property
    def largest_lag(self) -> int:
        """K, the largest distance that the law allows."""
        return len(self._frequencies())

    @cached_property
    def tasks(self) -> tuple[tuple[int, ...], ...]:
        return tuple((lag,) for lag in range(1, self.largest_lag + 1))

    def _frequencies(self) -> Floats:
        if self.probabilities is not None:
            given: Floats = self.probabilities
            return given
        assert self.max_lag is not None
        lengths = np.arange(self.max_lag + 1)
        if self.law == "power":
            assert self.exponent is not None
            survival = (1.0 + lengths) ** -self.exponent
        elif self.law == "exponential":
            assert self.scale is not None
            survival = np.exp(-lengths / self.scale)
        elif self.law == "linear":
            survival = 1.0 - lengths / self.max_lag
        else:
            survival = np.ones(self.max_lag + 1)
        survival[-1] = 0.0
        q: Floats = -np.diff(survival)
        return q

    def state_entropy(self, context: int) -> Truth:
        """ln 2 times the number of bits among the nearest `context` that may be asked for: ln 2 min(l, K) if q > 0.

        The entropy of what a Bayesian keeps before the selector is known; 0 for noise 1/2, when nothing is worth it.
        """
        context = in_range("context", context, 2**40)
        return self.state_entropies(min(context, self.largest_lag))[-1]

    def state_entropies(self, max_context: int) -> Truth:
        """(max + 1,) `state_entropy` after l = 0 .. max bits, exact."""
        lengths = np.arange(in_range("max_context", max_context, 2**40) + 1)
        asked = (self.question_weights > 0) & (self.noise_weights[0] != 2**31)
        return Truth.exact(LN2 * np.append(0, np.cumsum(asked))[np.minimum(lengths, self.largest_lag)])


def profile_law(h_profile: Sequence[float], noise: float | None) -> tuple[Floats, float]:
    """The law (K,) of the distance and the noise that have this curve; see `SelectorLagSource.from_profile`."""
    start, drops = read_profile(h_profile)
    end = start - math.fsum(drops.values())
    if abs(start - LN2) > 1e-9:
        raise ConfigError(f"h_profile: starts at {start:.9g}; the target is a fair bit, h_0 = ln 2 = {LN2:.9g}")
    if noise is None:
        noise = noise_of_drop(LN2 - max(end, 0.0))
    floor = float(binary_entropy(noise))
    if end < floor - 1e-9:
        raise ConfigError(f"noise: the curve ends at {end:.9g}, below H_2({noise}) = {floor:.9g}; lower the noise")
    q = np.zeros(len(h_profile))
    for lag, drop in drops.items():
        q[lag - 1] = drop
    q[-1] = max(0.0, end - floor) if end - floor > 1e-9 else 0.0
    if not q.any():
        q[0] = 1.0  # the curve is flat: noise 1/2, any law of the distance does
    return np.trim_zeros(q, "b") / q.sum(), noise
