"""Renewal processes: the time since the last event is all the memory there is, and it has no bound."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ArrayInput, Truth, UndefinedError
from testbed.sources.bits import binary_entropy
from testbed.sources.correlations import check_lags
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.randomness import in_range
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Floats, Tokens, check_positions, check_tokens, require_law_memory, source

MAX_GAP = 2**22
MAX_LAG = 2**16
TOTAL = 2**32


@source("renewal")
class RenewalSource(MachineSource):
    """Events (1) and waiting (0); the gaps T from event to event are independent with one law f(n) = P(T = n).

        gaps 3 1 4        0 0 1 1 0 0 0 1

    The age a, the number of tokens since the last event, is the causal state: the next token is an event with the
    hazard z_a = f(a + 1) / S(a), S(a) = P(T > a). Sequences start in the stationary age law pi(a) = S(a) / mu, mu =
    E[T]. A context of l tokens tells the age if it holds an event, and otherwise that the age is l or more:

        h_l = sum_{a<l} pi(a) H_b(z_a) + P(age >= l) H_b(pi(l) / P(age >= l)),      h = H(f) / mu
        C_mu = H(pi),      E = 2 C_mu - H({f(n) / mu, n times})             (Marzen & Crutchfield 2015, Entropy 17)

    f is given by `gap_law`, or by the power law S(n) = (1 + n)^-t for n < max_gap, with a gap of max_gap for all that
    is longer. Up to l << max_gap then h_l - h ~ l^-t, and correlations fall as l^-(t - 1). Truncation is slow to go for
    small t, since mu lacks a part of order max_gap^-(t - 1): at t = 1.5 the rate is .5179, .5171 and .5167 for max_gap
    = 10^5, 10^6 and infinity. Hazards are quantised to 2^-32, and every truth is that of the quantised law.

    >>> source = RenewalSource(gap_law=[0.1, 0.4, 0.2, 0.3])
    >>> [round(float(truth.value / np.log(2)), 4) for truth in (source.entropy_rate(), source.excess_entropy(),
    ...     source.statistical_complexity())]
    [0.6839, 0.488, 1.8618]
    """

    vocab_size: ClassVar[int] = 2

    survival_exponent: float = Field(1.5, gt=0, le=50, description="t: P(T > n) = (1 + n)^-t")
    max_gap: int = Field(1000, ge=1, le=MAX_GAP, description="longest gap")
    gap_law: ArrayInput = Field(None, description="(n,) f(1), f(2), ..., in place of the power law")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.gap_law is None:
            return self
        for name in ("survival_exponent", "max_gap"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name}: shapes the power law; a gap_law is given here")
        if self.gap_law.ndim != 1 or len(self.gap_law) > MAX_GAP:
            raise ValueError(f"gap_law: given shape {self.gap_law.shape}, must be (n,) with n at most 2^22")
        check_rows(self.gap_law, "gap_law")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(gap_law=np.array([0.1, 0.4, 0.2, 0.3])),
            cls(max_gap=30),
            cls(survival_exponent=0.5, max_gap=6),
            cls(gap_law=np.array([0.0, 0.0, 1.0])),
            cls(gap_law=np.array([0.5, 0.0, 0.5, 0.0])),
            cls(max_gap=1),
        ]

    # -- the law
    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        return True

    @cached_property
    def period(self) -> int:  # type: ignore[override]
        """The greatest common divisor of all gaps that happen."""
        return math.gcd(*(np.flatnonzero((self.hazard_weights > 0) & (self.survival > 0)) + 1).tolist())

    @cached_property
    def hazard_weights(self) -> Floats:
        """(n,) z_a 2^32 for ages a = 0 .. n - 1, integers; the last is 2^32."""
        if self.gap_law is not None:
            law = self.gap_law[: int(np.flatnonzero(self.gap_law)[-1]) + 1]
            survival = np.append(np.cumsum(law[::-1])[::-1], 0.0)
            hazards, waits = law / survival[:-1], survival[1:] / survival[:-1]
        else:
            logs = self.survival_exponent * np.log1p(-1 / (np.arange(self.max_gap) + 2.0))
            hazards, waits = -np.expm1(logs), np.exp(logs)
            hazards[-1], waits[-1] = 1.0, 0.0
        weights = quantise(np.stack([hazards, waits], axis=1))[:, 0].astype(np.float64)
        weights.flags.writeable = False
        return weights

    @cached_property
    def hazards(self) -> Floats:
        """(n,) z_a, the chance of an event at age a."""
        return self.hazard_weights / TOTAL

    @cached_property
    def survival(self) -> Floats:
        """(n,) S(a) = P(T > a), a = 0 .. n - 1, of the quantised law."""
        return np.concatenate([[1.0], np.cumprod(1 - self.hazards[:-1])])

    @cached_property
    def age_law(self) -> Floats:
        """(n,) pi(a) = S(a) / mu."""
        return self.survival / self.survival.sum()

    def _make_edges(self) -> Edges:
        n = len(self.hazard_weights)
        events = self.hazard_weights.astype(np.int64)
        symbols, successors = np.zeros((2, n, 2), dtype=np.int32)
        symbols[:, 0] = 1
        successors[:-1, 1] = np.arange(1, n)
        return Edges(symbols, successors, np.stack([events, TOTAL - events], axis=1))

    def _make_initial(self) -> Floats:
        return self.age_law

    # -- truths in closed form
    @cached_property
    def _later(self) -> Floats:
        """(n,) P(age >= l) in the stationary law."""
        return np.cumsum(self.age_law[::-1])[::-1]

    @cached_property
    def _first_hazards(self) -> Floats:
        """(n,) chance of an event after l tokens without one, of which the age is not known; 0 where underflown."""
        chance = np.divide(self.age_law, self._later, out=np.zeros_like(self._later), where=self._later > 0)
        return np.minimum(chance, 1.0)  # rounding only

    @cached_property
    def _entropies(self) -> Floats:
        """h_0 .. h_n; from l = n on every context holds an event."""
        known = np.concatenate([[0.0], np.cumsum(self.age_law * binary_entropy(self.hazards))])
        known[:-1] += self._later * binary_entropy(self._first_hazards)
        return np.minimum.accumulate(known)  # rounding only

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max, exact."""
        max_context = in_range("max_context", max_context, 2**40)
        return Truth.exact(self._entropies[np.minimum(np.arange(max_context + 1), len(self.hazards))])

    def entropy_rate(self) -> Truth:
        """h = sum_a pi(a) H_b(z_a) = H(f) / mu, exact."""
        return Truth.exact(self._entropies[-1])

    def statistical_complexity(self) -> Truth:
        """C_mu = H(pi), exact: ages differ in how long the gap can still last, so none are equivalent."""
        return Truth.exact(float(law_entropies(self.age_law)))

    def excess_entropy(self) -> Truth:
        """E = 2 H(pi) - H({f(n) / mu, n times}), exact: the entropy of past and future age less that of the two."""
        gaps = self.survival * self.hazards  # f(a + 1)
        both = gaps * self.age_law[0]  # 1 / mu = pi(0)
        logs = np.log(both, out=np.zeros_like(both), where=both > 0)
        joint = -float(np.sum(np.arange(1, len(gaps) + 1) * both * logs))
        return Truth.exact(max(0.0, 2 * float(law_entropies(self.age_law)) - joint))

    def age_entropies(self, max_context: int) -> Truth:
        """H(min(age, l)) for l = 0 .. max, exact: the entropy of the Bayes state after l tokens; grows to C_mu."""
        max_context = in_range("max_context", max_context, 2**40)
        terms = -self.age_law * np.log(self.age_law, out=np.zeros_like(self.age_law), where=self.age_law > 0)
        older = np.append(self._later, 0.0)
        logs = np.log(older, out=np.zeros_like(older), where=older > 0)
        entropies = np.concatenate([[0.0], np.cumsum(terms)]) - older * logs + 0.0  # never -0.0
        return Truth.exact(np.maximum.accumulate(entropies)[np.minimum(np.arange(max_context + 1), len(terms))])

    def state_entropies(self, max_context: int) -> Truth:
        """S(l) for l = 0 .. max: `age_entropies` under the name that all sources with a Bayes state share."""
        return self.age_entropies(max_context)

    def two_point(self, lags: int | Sequence[int]) -> Truth:
        """Correlation of x_0 and x_m at these lags, exact: (u(m) - 1/mu) / (1 - 1/mu), u(m) = P(x_m = 1 | x_0 = 1).

        u(0) = 1, u(m) = sum_n f(n) u(m - n). Raises UndefinedError for a stream of events alone.
        """
        wanted = check_lags(lags, MAX_LAG)
        rate = self.age_law[0]
        if rate == 1.0:
            raise UndefinedError("the two-point correlation of a constant stream is 0 / 0")
        longest = int(wanted.max(initial=0))
        gaps = self.survival * self.hazards
        events = np.zeros(longest + 1)
        events[0] = 1.0
        for m in range(1, longest + 1):
            n = min(m, len(gaps))
            events[m] = gaps[:n] @ events[m - n : m][::-1]
        return Truth.exact((events[wanted] - rate) / (1 - rate))

    # -- prediction: no filter is needed, the last event says all
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, 2) exact laws, from the age or, where no event is in sight, its law; nan after an impossible gap."""
        tokens = check_tokens(tokens, 2, context)
        n_sequences, length = tokens.shape
        at = check_positions(positions, length)
        require_law_memory(n_sequences, len(at), 2)
        place = np.arange(length)
        last = np.full((n_sequences, length), -1)
        if length > 1:
            last[:, 1:] = np.maximum.accumulate(np.where(tokens == 1, place, -1), axis=1)[:, :-1]
        seen = np.minimum(place, length if context is None else context)
        known = np.append(self.hazards, np.nan)
        unknown = np.append(self._first_hazards, np.nan)
        age = place - 1 - last
        beyond = len(self.hazards)
        in_sight = (last >= 0) & (age < seen)
        event = np.where(in_sight, known[np.minimum(age, beyond)], unknown[np.minimum(seen, beyond)])[:, at]
        return np.stack([1 - event, event], axis=2)

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before it)."""
        law = self.predict(tokens, context)
        with np.errstate(divide="ignore"):
            return np.log(np.take_along_axis(law, np.asarray(tokens, dtype=np.int64)[..., None], axis=2)[..., 0])
