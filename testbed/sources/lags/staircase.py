"""Any non-increasing curve h_l, from independent bits of which each is predictable from one lag on."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import Truth
from testbed.sources.correlations import check_lags
from testbed.sources.iid import IIDSource
from testbed.sources.lags.lag_chain import LagChainSource
from testbed.sources.lags.linear_lag import LinearLagSource
from testbed.sources.lags.noisy_copy import NoisyCopySource
from testbed.sources.lags.noisy_xor import NoisyXorSource
from testbed.sources.lags.staircase_design import (
    MAX_COMPONENTS,
    PowerLaw,
    check_marginal,
    design_staircase,
    smallest_uncorrelated_degree,
    uncorrelated_taps,
)
from testbed.sources.lags.two_point import MAX_LAG
from testbed.sources.randomness import derive_seed, in_range
from testbed.sources.source import (
    Floats,
    Source,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    source,
    token_dtype,
)


@source("staircase")
class StaircaseSource(Source):
    """A token packs J independent bits; bit j becomes predictable when the context reaches the lag b_j.

        token t = sum_j 2^j x_t^j,     x_t^j = x_(t-b_j)^j or a parity of degree b_j, flipped with probability e_j

        h_n = sum_j (ln 2 [n < b_j] + H_2(e_j) [n >= b_j]),   h = sum_j H_2(e_j),   E = sum_j b_j (ln 2 - H_2(e_j))

    exactly, for the noises as kept over 2^32. Lag 0 is an independent bit that is 1 with probability e_j. `marginals`
    bias bits with a lag, so that a curve may start anywhere: such a bit is a `lag_chain` with P(1) = m_j, copied but
    for fresh draws with probability 2 e_j, and H_2(m_j) and (1 - m_j) H_2(2 e_j m_j) + m_j H_2(2 e_j (1 - m_j)) take
    the places of ln 2 and H_2(e_j) above.

    `correlation` dials the two-point correlation without touching h_n: "copy" has kappa_j(m b_j) = (1 - 2 e_j)^m; "off"
    takes parities whose two-point correlation stays within `tolerance` up to the lag `horizon`, and is refused where
    the degree b_j is too small for that. (A parity's correlation is never off at all lags: it returns where its
    recursion does.)

    `h_profile` (or `StaircaseSource.design`) finds lags, noises and marginals for a wanted curve; what is stored is
    what was found.

    >>> staircase = StaircaseSource(lags=(1, 4), noises=(0.0, 0.25))
    >>> staircase.conditional_entropies(4).value / math.log(2)
    array([2.        , 1.        , 1.        , 1.        , 0.81127812])
    """

    remarks: ClassVar[frozenset[str]] = frozenset({"horizon", "tolerance"})

    lags: tuple[int, ...] = Field(min_length=1, max_length=MAX_COMPONENTS, description="lag b_j of each bit; 0: none")
    noises: tuple[float, ...] = Field(description="flip probability e_j of each bit")
    marginals: tuple[float, ...] | None = Field(
        None, description="P(1) of each bit, strictly between 0 and 1; left out, and at lag 0: 1/2"
    )
    h_profile: tuple[float, ...] | PowerLaw | None = Field(
        None, description="wanted curve h_0, h_1, ..., nats, or a power law, in place of lags, noises and marginals"
    )
    correlation: Literal["copy", "off"] = Field("copy", description="copies, or parities without two-point correlation")
    horizon: int = Field(1024, ge=1, le=MAX_LAG, description="lags up to which correlation is judged")
    tolerance: float = Field(0.01, ge=0, le=1, description="largest two-point correlation that counts as off")

    @model_validator(mode="before")
    @classmethod
    def _design(cls, values: Any) -> Any:
        """Lags, noises and marginals in the place of an `h_profile`, so that both ways give one content key."""
        if not isinstance(values, dict) or values.get("h_profile") is None:
            return values
        for name in ("lags", "noises", "marginals"):
            if values.get(name) is not None:
                raise ValueError(f"{name}: given beside an h_profile, which finds them; give one of the two")
        wanted = values["h_profile"]
        wanted = PowerLaw(**wanted) if isinstance(wanted, Mapping) else wanted
        found = design_staircase(wanted, biased=values.get("correlation", "copy") == "copy")
        kept = {name: value for name, value in values.items() if name != "h_profile"}
        return kept | {"lags": found.lags, "noises": found.noises, "marginals": found.marginals}

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, given in (("noises", self.noises), ("marginals", self._marginals)):
            if len(given) != len(self.lags):
                raise ValueError(f"{name}: given {len(given)} for {len(self.lags)} lags; give one for each")
        for j, (lag, noise) in enumerate(zip(self.lags, self.noises, strict=True)):
            if not 0 <= lag <= 2**20:
                raise ValueError(f"lags: component {j} is given {lag}, must lie in 0 .. {2**20}")
            if not 0 <= noise <= 1:
                raise ValueError(f"noises: component {j} is given {noise}, must lie in 0 .. 1")
            if lag == 0 and not 0 < noise < 1:
                raise ValueError(
                    f"noises: component {j} of lag 0 is given {noise}; an independent bit is 1 with a probability"
                    " strictly between 0 and 1"
                )
            check_marginal(j, lag, noise, self._marginals[j], self.correlation == "off")
        if self.correlation == "off":
            for j, one in self._lagged.items():
                self._check_correlation(j, one)
        return self

    @property
    def _marginals(self) -> tuple[float, ...]:
        return (0.5,) * len(self.lags) if self.marginals is None else self.marginals

    def _check_correlation(self, j: int, component: LinearLagSource | LagChainSource) -> None:
        assert isinstance(component, LinearLagSource)
        found = float(component.correlation_certificate(self.horizon).upper)
        if found > self.tolerance:
            degree = smallest_uncorrelated_degree(float(component.noise_law[1]), self.horizon, self.tolerance)
            raise ValueError(
                f"lags: component {j} of degree {component.max_lag} and noise {component.noise:.6g} has a two-point"
                f" correlation of {found:.3g} within {self.horizon} tokens, above the tolerance of {self.tolerance:g};"
                f" the smallest degree that would do is {degree}"
            )

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(lags=(1, 3), noises=(0.1, 0.2)),
            cls(lags=(5, 0, 7), noises=(0.3, 0.1, 0.05), correlation="off", horizon=20, tolerance=0.1),
            cls(lags=(2, 2), noises=(0.0, 0.0)),
            cls(lags=(1, 2), noises=(1.0, 1.0)),
            cls(lags=(0,), noises=(0.25,)),
            cls(lags=(2, 0, 1), noises=(0.2, 0.1, 0.0), marginals=(0.1, 0.5, 0.75)),
            cls.design([0.6, 0.6, 0.5]),
        ]

    @classmethod
    def design(
        cls,
        h_profile: Sequence[float] | PowerLaw,
        correlation: Literal["copy", "off"] = "copy",
        horizon: int = 1024,
        tolerance: float = 0.01,
    ) -> Self:
        """A staircase with the wanted curve h_0, h_1, ..., nats, flat beyond its last entry; or a `PowerLaw`.

        Where the curve falls by d at index l stand ceil(d / ln 2) bits of lag l and equal noise; what remains of h_0 is
        in independent bits. Where h_0 is less than ln 2 for each of those, they are biased (not with correlation off).
        The curve is met but for the rounding of the noises to 2^-32, 1e-10 nats a bit or so; at most 3e-9, and 6e-9 for
        a noise below 2^-32.

        Raises ConfigError for a curve that increases (naming the index) or takes more than 16 bits, and, with
        correlation off, where fair bits start too high or a degree is too small for `tolerance` and `horizon` (naming
        the smallest that would do).

        >>> ln2 = math.log(2)
        >>> StaircaseSource.design([1.5 * ln2, 1.5 * ln2, 0.5 * ln2]).lags
        (2, 0)
        >>> StaircaseSource.design([0.6, 0.6, 0.5]).conditional_entropies(3).value.round(6).tolist()
        [0.6, 0.6, 0.5, 0.5]
        """
        rest = {"correlation": correlation, "horizon": horizon, "tolerance": tolerance}
        given: dict[str, Any] = {"h_profile": h_profile, **rest}
        return cls(**given)

    # -- components
    @cached_property
    def _lagged(self) -> dict[int, LinearLagSource | LagChainSource]:
        """The bits that have a lag, by their number."""
        made: dict[int, LinearLagSource | LagChainSource] = {}
        for j, (lag, noise, m) in enumerate(zip(self.lags, self.noises, self._marginals, strict=True)):
            if lag and self.correlation == "off":
                made[j] = NoisyXorSource(taps=uncorrelated_taps(lag), noise=noise)
            elif lag and m == 0.5:
                made[j] = NoisyCopySource(lag=lag, noise=noise)
            elif lag:
                p, q = 2 * noise * m, 2 * noise * (1 - m)
                made[j] = LagChainSource(lag=lag, p=p, q=q, marginal=m if noise == 0 else None)
        return made

    @cached_property
    def components(self) -> tuple[Source, ...]:
        """The bits as sources of their own, least significant first."""
        return tuple(
            self._lagged[j] if j in self._lagged else IIDSource([1.0 - noise, noise])
            for j, noise in enumerate(self.noises)
        )

    @property
    def vocab_size(self) -> int:
        """V = 2^J."""
        return 2 ** len(self.lags)

    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        """Every bit is, and at most one of them is a cycle (two cycles, of 2 or 4 states, would keep their phase)."""
        fair = [one for one in self._lagged.values() if isinstance(one, LinearLagSource)]
        cycles = sum(one.noise_weights[0] == 0 for one in fair)
        return bool(all(one.ergodic for one in self.components) and cycles <= 1)

    @property
    def period(self) -> int | None:  # type: ignore[override]
        """That of the one bit that is a cycle, if there is one."""
        periods = [one.period for one in self.components if one.period != 1]
        return None if len(periods) > 1 or not self.ergodic else periods[0] if periods else 1

    @property
    def fingerprint(self) -> str:
        parts = ":".join(one.fingerprint for one in self.components)
        return hashlib.sha256(f"staircase:{parts}".encode()).hexdigest()

    # -- truths
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_n, the sum of the bits' own, exact: ln 2 or, if biased, H_2(m_j) for n < b_j, their rate from there on."""
        max_context = in_range("max_context", max_context, 2**40)
        return Truth.exact(sum(one.conditional_entropies(max_context).lower for one in self.components))

    def entropy_rate(self) -> Truth:
        """h, the sum of the bits' rates, exact."""
        return Truth.exact(math.fsum(float(one.entropy_rate().lower) for one in self.components))

    def excess_entropy(self) -> Truth:
        """E, the sum of the bits' own, exact."""
        return Truth.exact(math.fsum(float(one.excess_entropy().lower) for one in self.components))

    def component_two_points(self, lags: int | Sequence[int]) -> Truth:
        """(J, ...): kappa_j(m) of each bit at these lags, exact; the correlation of x_t and x_(t-m)."""
        wanted = check_lags(lags, MAX_LAG)
        independent = (wanted == 0).astype(np.float64)
        kappas = [
            self._lagged[j].two_point(lags).lower if j in self._lagged else independent for j in range(len(self.lags))
        ]
        return Truth.exact(np.stack(kappas))

    def two_point(self, lags: int | Sequence[int]) -> Truth:
        """kappa(m) = (P(x_t = x_(t-m)) - s) / (1 - s) of the token, exact, with s = P(x = y) for independent tokens.

        Bits are independent:  P(x_t = x_(t-m)) = prod_j (s_j + (1 - s_j) kappa_j(m)),  s = prod_j s_j,  s_j = 1/2 but
        for a bit that is 1 with another probability m, where it is m^2 + (1 - m)^2.
        """
        laws = [one.predict(np.zeros((1, 1), dtype=np.uint8))[0, 0] for one in self.components]
        same = np.array([law @ law for law in laws])
        kappas = self.component_two_points(lags).lower
        column = same.reshape(-1, *[1] * (kappas.ndim - 1))
        matches = np.prod(column + (1.0 - column) * kappas, axis=0)
        return Truth.exact((matches - same.prod()) / (1.0 - same.prod()))

    def correlation_certificate(self, horizon: int | None = None) -> Truth:
        """max |kappa_j(m)| over the bits and m = 1 .. horizon (the source's own if left out), exact.

        It bounds the token's |kappa| as well: where all |kappa_j| <= c, so is a mean of their products.
        """
        horizon = self.horizon if horizon is None else horizon
        found = [float(one.correlation_certificate(horizon).upper) for one in self._lagged.values()]
        return Truth.exact(max(found, default=0.0))

    # -- prediction
    def _bits(self, tokens: NDArray[np.int64]) -> list[Tokens]:
        return [((tokens >> j) & 1).astype(np.uint8) for j in range(len(self.lags))]

    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws, products of those of the bits."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        laws = np.ones((len(tokens), len(at), 1))  # of the bits so far; the next one is more significant
        for one, bits in zip(self.components, self._bits(tokens), strict=True):
            bit = one.predict(bits, context, at)
            laws = (bit[..., :, None] * laws[..., None, :]).reshape(*laws.shape[:2], 2 * laws.shape[2])
        return laws

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before), the sum over the bits."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        parts = zip(self.components, self._bits(tokens), strict=True)
        return np.asarray(sum(one.log_probs(bits, context) for one, bits in parts))

    # -- samples
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L); bit j is drawn with a seed derived from `seed` and j."""
        seed = in_range("seed", seed, 2**64 - 1)
        dtype = token_dtype(self.vocab_size)
        tokens: Tokens | None = None
        for j, one in enumerate(self.components):
            bits = one.sample(n_sequences, length, derive_seed(seed, "bit", j), first_sequence).astype(dtype) << j
            tokens = bits if tokens is None else tokens | bits
        assert tokens is not None
        return tokens.astype(dtype)
