"""Independent tokens: the control on which no context helps."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, model_validator

from testbed.core import ArrayInput, ConfigError
from testbed.core.config import load_array
from testbed.sources.chain import DyadicChain, check_size
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.randomness import derive_seed, random_words
from testbed.sources.source import Floats, source
from testbed.sources.tempering import temper, temper_to_rate


@source("iid")
class IIDSource(DyadicChain):
    """Independent tokens with one law p: an order-0 chain, h_l = -sum p ln p for every l.

    The law is given, or made:

        probabilities   (V,) the law itself
        zipf_exponent   p_k ~ k^-s for k = 1 .. V
        concentration   one draw, by `seed`, of the symmetric Dirichlet law; `expected_dirichlet_entropy` is its mean h
        none of them    uniform

    and may then be tempered, p -> p^(1/T) / sum p^(1/T), to a `temperature` T or to a wanted `entropy`, which bisection
    finds since dH/d(1/T) = -Var(ln p) / T <= 0. Weights are quantised to 2^-32, so that every symbol stays possible.

    >>> IIDSource(vocab_size=4).excess_entropy().value
    0.0
    >>> round(IIDSource(vocab_size=1000, zipf_exponent=1.0, entropy=3.0).entropy_rate().value, 6)
    3.0
    """

    probabilities: ArrayInput = Field(None, description="law of a token, (V,); uniform if left out")
    vocab_size: int = Field(ge=1, le=65536, description="number of symbols V")
    zipf_exponent: float | None = Field(None, ge=0, le=100, description="p_k ~ k^-zipf_exponent")
    concentration: PositiveFloat | None = Field(None, ge=1e-6, le=1e9, description="Dirichlet parameter of a drawn law")
    seed: int = Field(0, ge=0, description="seed of the drawn law")
    temperature: PositiveFloat | None = Field(None, ge=1e-9, description="p -> p^(1 / temperature), normalised")
    entropy: float | None = Field(None, ge=0, description="temper the law to this entropy, nats")

    def __init__(self, probabilities: Any = None, /, **parameters: Any) -> None:
        if probabilities is not None:
            parameters["probabilities"] = probabilities
        super().__init__(**parameters)
        if self.entropy is not None:
            _ = self.weights  # an entropy out of reach is refused now

    @model_validator(mode="before")
    @classmethod
    def _size_from_law(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("probabilities") is None:
            return values
        try:
            array = load_array(values["probabilities"])
        except ValueError as error:
            raise ValueError(f"probabilities: {error}") from None
        assert array is not None
        law = np.atleast_1d(np.squeeze(array))  # a .csv file holds one row or one column
        return {"vocab_size": len(law), **values, "probabilities": law}

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_size(self.vocab_size, 0)
        if self.probabilities is not None:
            if self.probabilities.shape != (self.vocab_size,):
                raise ValueError(f"probabilities: given shape {self.probabilities.shape}, must be ({self.vocab_size},)")
            check_rows(self.probabilities, "probabilities")
        named = ("probabilities", "zipf_exponent", "concentration")
        given = [name for name in named if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} each give the law: give one of them")
        if self.temperature is not None and self.entropy is not None:
            raise ValueError("temperature and entropy both temper the law: give one of them")
        tempered = [name for name in ("temperature", "entropy") if getattr(self, name) is not None]
        if tempered and not given:
            raise ValueError(
                f"{tempered[0]}: tempering leaves the uniform law as it is; give probabilities, zipf_exponent or"
                " concentration as well"
            )
        if self.seed != 0 and self.concentration is None:
            raise ValueError(f"seed: given {self.seed}, but only a law drawn with a concentration has one")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(vocab_size=4),
            cls([0.9, 0.1]),
            cls([0.5, 0.0, 0.5]),
            cls([1.0]),
            cls(vocab_size=50, zipf_exponent=1.2),
            cls(vocab_size=5, concentration=0.3, seed=4, entropy=1.0),
            cls([0.7, 0.2, 0.1], temperature=3.0),
        ]

    @property
    def order(self) -> int:
        return 0

    def _make_weights(self) -> NDArray[np.uint64]:
        law = self._untempered()
        if self.temperature is not None:
            law = temper(law, 1.0 / self.temperature)
        if self.entropy is not None:
            try:
                law = temper_to_rate(law, self.entropy)
            except ConfigError as error:
                raise ConfigError(str(error).replace("entropy_rate:", "entropy:", 1)) from None
        return quantise(law).astype(np.uint64)

    def _untempered(self) -> Floats:
        if self.probabilities is not None:
            return self.probabilities
        if self.zipf_exponent is not None:
            return zipf_law(self.zipf_exponent, self.vocab_size)
        if self.concentration is not None:
            return dirichlet_draw(self.concentration, self.vocab_size, self.seed)
        return np.full(self.vocab_size, 1.0 / self.vocab_size)


def zipf_law(exponent: float, n_outcomes: int) -> Floats:
    """(n,): p_k ~ k^-exponent, k = 1 .. n, in float64; never below the smallest normal number."""
    logs = -exponent * np.log(np.arange(1, n_outcomes + 1))
    law = np.maximum(np.exp(logs), np.finfo(np.float64).tiny)
    return law / law.sum()


def expected_dirichlet_entropy(concentration: float, vocab_size: int) -> float:
    """E[H(p)] = psi(V a + 1) - psi(a + 1) nats for p ~ Dirichlet(a, ..., a) on V symbols (Wolpert & Wolf 1995).

    >>> round(expected_dirichlet_entropy(0.3, 5), 4)
    0.8723
    """
    from scipy.special import digamma

    if not concentration > 0:
        raise ConfigError(f"concentration: given {concentration}, must be above 0")
    if vocab_size < 1:
        raise ConfigError(f"vocab_size: given {vocab_size}, must be at least 1")
    return float(digamma(vocab_size * concentration + 1) - digamma(concentration + 1))


def dirichlet_draw(concentration: float, vocab_size: int, seed: int) -> Floats:
    """(V,): normalised gamma variates, g = G U^(1/a) with G ~ Gamma(a + 1), in log space: small a would underflow."""
    from scipy.special import gammaincinv

    words = random_words(4, vocab_size, derive_seed(seed, "dirichlet")).astype(np.float64)
    uniforms = (words[::2] + (words[1::2] + 0.5) / 2**32) / 2**32
    logs = np.log(gammaincinv(concentration + 1, uniforms[0])) + np.log(uniforms[1]) / concentration
    law = np.maximum(np.exp(logs - logs.max()), np.finfo(np.float64).tiny)
    return law / law.sum()
