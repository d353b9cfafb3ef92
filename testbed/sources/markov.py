"""Markov chains of any order: given, read from a file, or drawn at random with a wanted entropy rate."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, model_validator

from testbed.core import ArrayInput, ConfigError
from testbed.sources.chain import TOTAL_WEIGHT, DyadicChain, check_size
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.source import Floats, source
from testbed.sources.tempering import temper_to_rate


@source("markov")
class MarkovSource(DyadicChain):
    """Order-k Markov chain over V symbols, p(x_t | x_(t-k) ... x_(t-1)).

    Given as `kernel`, (V,) * k + (V,) with the oldest symbol first (an array, nested lists, or a .npy or .csv file; a
    .csv file holds V^k rows of V probabilities), as integer `weights` over 2^32, or drawn:

        MarkovSource.random(vocab_size=4, order=3, entropy_rate=0.8, seed=0)

    draws each row from a symmetric Dirichlet law and tempers all of them, p -> p^b / sum p^b, until the chain's entropy
    rate is the one asked for.

    Chains with several closed classes are refused; transient contexts and periods are fine.
    """

    given_kernel: ArrayInput = Field(None, alias="kernel", description="probabilities, (V,) * k + (V,), or a file")
    given_weights: ArrayInput = Field(None, alias="weights", description="integer weights over 2^32, (V,) * k + (V,)")
    vocab_size: int = Field(ge=1, le=65536, description="number of symbols V")
    order_: int = Field(alias="order", ge=0, le=20, description="number of past tokens k that the law depends on")
    concentration: PositiveFloat = Field(1.0, description="Dirichlet parameter of the random rows; small is spiky")
    entropy_rate_: float | None = Field(
        None, alias="entropy_rate", ge=0, description="temper the random rows to this entropy rate, nats per token"
    )
    seed: int = Field(0, ge=0, description="seed of the random rows")

    def __init__(self, kernel: Any = None, /, **parameters: Any) -> None:
        if kernel is not None:
            parameters["kernel"] = kernel
        super().__init__(**parameters)
        if self.given_kernel is not None or self.given_weights is not None:
            _ = (
                self.stationary_law
            )  # a reducible chain is refused when it is built; a drawn one allows every transition

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls.random(vocab_size=2, order=2, seed=1),
            cls.random(vocab_size=3, order=1, entropy_rate=0.5, seed=2),
            cls([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),  # periodic, no entropy
            cls([[1.0 - 1e-6, 1e-6], [1e-6, 1.0 - 1e-6]]),  # nearly decomposable
            cls([[1.0 - 1e-3, 1e-3], [0.5, 0.5]]),  # rare bursts
            cls([[0.0, 1.0, 0.0], [0.0, 0.5, 0.5], [0.0, 1.0, 0.0]]),  # symbol 0 is transient
            cls.random(vocab_size=256, order=1, concentration=0.01, seed=3),
            cls([[1.0]]),
        ]

    @property
    def order(self) -> int:
        return self.order_

    @property
    def has_dirichlet_rows(self) -> bool:
        """The rows are independent draws of a symmetric Dirichlet law, not given and not tempered."""
        return self.given_kernel is None and self.given_weights is None and self.entropy_rate_ is None

    @classmethod
    def random(
        cls,
        vocab_size: int,
        order: int,
        concentration: float = 1.0,
        entropy_rate: float | None = None,
        seed: int = 0,
    ) -> Self:
        """A chain with independent symmetric Dirichlet rows, tempered to `entropy_rate` (nats) where one is given.

        Raises ConfigError, naming the range that can be reached, where it cannot be.
        """
        chain = cls(
            vocab_size=vocab_size, order=order, concentration=concentration, entropy_rate=entropy_rate, seed=seed
        )
        _ = chain.weights  # an entropy rate out of reach is refused now
        return chain

    @model_validator(mode="before")
    @classmethod
    def _shape_from_array(cls, values: Any) -> Any:
        """vocab_size and order follow from a given array; a .csv file's rows are its contexts."""
        from testbed.core.config import load_array

        if not isinstance(values, dict):
            return values
        given = [name for name in ("kernel", "weights") if values.get(name) is not None]
        if len(given) == 2:
            raise ValueError("give kernel or weights, not both")
        if not given:
            return values
        (name,) = given
        try:
            array = load_array(values[name])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        assert array is not None
        array = _as_context_array(array, name, values.get("order"))
        shape = {"vocab_size": array.shape[-1], "order": array.ndim - 1}
        for key, found in shape.items():
            if values.get(key, found) != found:
                raise ValueError(f"{key}: given {values[key]}, but {name} of shape {array.shape} has {found}")
        return {**values, name: array, **shape}

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_size(self.vocab_size, self.order_)
        if self.given_kernel is not None:
            check_rows(self.given_kernel, "kernel")
        if self.given_weights is not None:
            _check_weights(self.given_weights)
        given = self.given_kernel is not None or self.given_weights is not None
        if given and (self.entropy_rate_ is not None or self.concentration != 1.0):
            raise ValueError("concentration and entropy_rate shape a random chain; a kernel or weights is given here")
        return self

    def _make_weights(self) -> NDArray[np.uint64]:
        if self.given_weights is not None:
            return self.given_weights.astype(np.uint64)
        if self.given_kernel is not None:
            return quantise(self.given_kernel).astype(np.uint64)
        shape = (self.vocab_size,) * self.order_
        rng = np.random.default_rng(self.seed)
        kernel = rng.dirichlet(np.full(self.vocab_size, self.concentration), size=shape)
        kernel = np.maximum(kernel, np.finfo(np.float64).tiny)  # every transition of a random chain is possible
        if self.entropy_rate_ is not None:
            kernel = temper_to_rate(kernel, self.entropy_rate_)
        return quantise(kernel / kernel.sum(axis=-1, keepdims=True)).astype(np.uint64)


def _as_context_array(array: Floats, name: str, order: int | None) -> Floats:
    """(V,) * k + (V,) from an array in that shape, or from (V^k, V) rows."""
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name}: needs the shape (V,) * k + (V,), given {array.shape}")
    vocab_size = array.shape[-1]
    if array.ndim == 2 and (array.shape[0] != vocab_size or order not in (None, 1)):
        found = round(np.log(array.shape[0]) / np.log(vocab_size)) if vocab_size > 1 else 1
        if vocab_size**found == array.shape[0]:
            return array.reshape((vocab_size,) * (found + 1))
        raise ValueError(f"{name}: {array.shape[0]} rows of {vocab_size} are not V^k rows of V for any order k")
    if set(array.shape) != {vocab_size}:
        raise ValueError(f"{name}: needs the shape (V,) * k + (V,), given {array.shape}")
    return array


def _check_weights(weights: Floats) -> None:
    rows = weights.reshape(-1, weights.shape[-1])
    bad = np.flatnonzero(
        (rows < 0).any(axis=1) | (rows != np.floor(rows)).any(axis=1) | (rows.sum(axis=1) != TOTAL_WEIGHT)
    )
    if len(bad):
        raise ConfigError(
            f"weights: row {bad[0]} sums to {rows[bad[0]].sum():.0f} and must hold integers >= 0 that sum to 2^32"
        )
