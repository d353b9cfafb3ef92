"""A chain designed so that each further token of context starts to pay at a wanted dataset size."""

import itertools
import math
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import ConfigError
from testbed.sources.chain import DyadicChain, check_size
from testbed.sources.dyadic import quantise
from testbed.sources.source import Floats, source

MAX_FAMILY = 4096


@source("lag_markov")
class LagMarkovSource(DyadicChain):
    """Each lag j votes for one symbol, with a weight that falls with the lag:

        p(x | c) = (1 - sum_j w_j) / V + sum_j w_j [x = s_j(c_j)],     c_1 the last token, c_k the oldest

    with permutations s_j drawn uniformly by `seed`: Raftery's mixture transition distribution with permutations. The
    weights w are solved for so that a table of order l, estimated from D tokens (add one half; excess
    V^l (V - 1) / (2 D) nats to leading order), is overtaken by the table of order l + 1 at D = change_points[l]:

        h_l - h_(l+1) = V^l (V - 1)^2 / (2 change_points[l]),     l = 0 .. k - 1

    exactly, before quantisation. Raises ConfigError where no weights with sum below one reach that.
    """

    vocab_size: int = Field(ge=2, le=64, description="number of symbols V")  # type: ignore[assignment]
    change_points: tuple[float, ...] = Field(
        min_length=1, max_length=8, description="dataset sizes at which order 1, 2, ..., k overtake the order below"
    )
    seed: int = Field(0, ge=0, description="seed of the permutations")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_size(self.vocab_size, len(self.change_points))
        if any(not 0 < point < math.inf for point in self.change_points):
            raise ValueError(f"change_points: given {self.change_points}, must be positive")
        return self

    @property
    def permutations(self) -> NDArray[np.int64]:
        """(k, V): s_j of lag j + 1, drawn uniformly."""
        rng = np.random.default_rng(self.seed)
        return np.stack([rng.permutation(self.vocab_size) for _ in self.change_points])

    def _make_weights(self) -> NDArray[np.uint64]:
        return quantise(self.design(self.permutations)).astype(np.uint64)

    def design(self, permutations: NDArray[np.int64]) -> Floats:
        """The kernel (V,) * k + (V,) with these permutations and the wanted change points."""
        from scipy.optimize import root

        order = len(self.change_points)
        gaps = self._gaps()
        start = np.sqrt(2.0 * gaps / (self.vocab_size - 1))  # h_0 - h_1 = (V - 1) w^2 / 2 to leading order

        def misfit(log_weights: Floats) -> Floats:
            lag_weights = np.exp(log_weights)
            if lag_weights.sum() >= 1.0:
                return np.full(order, lag_weights.sum())
            found = _entropies(_mixture(permutations, lag_weights))
            return -np.diff(found) / gaps - 1.0

        solution = root(misfit, np.log(start), tol=1e-13)
        lag_weights = np.exp(solution.x)
        if np.abs(misfit(solution.x)).max() > 1e-9 or lag_weights.sum() >= 1.0:
            raise ConfigError(
                f"change_points: no lag weights reach {self.change_points} with {self.vocab_size} symbols; they ask for"
                f" drops of {np.array2string(gaps, precision=4)} nats in all from ln V = {math.log(self.vocab_size):.4f}"
            )
        return _mixture(permutations, lag_weights)

    def _gaps(self) -> Floats:
        """h_l - h_(l+1) wanted, (k,) nats."""
        lengths = np.arange(len(self.change_points))
        return self.vocab_size**lengths * (self.vocab_size - 1) ** 2 / (2.0 * np.asarray(self.change_points))

    def family(self) -> Floats:
        """(n, V, ..., V): the kernels of all (V!)^k choices of permutations, the support of the uniform prior from
        which `seed` draws one. Refused above 4096 of them."""
        n = math.factorial(self.vocab_size) ** len(self.change_points)
        if n > MAX_FAMILY:
            raise ConfigError(f"vocab_size: the family of this design has {n} members, over the limit of {MAX_FAMILY}")
        every = list(itertools.permutations(range(self.vocab_size)))
        choices = itertools.product(every, repeat=len(self.change_points))
        return np.stack([self.design(np.array(choice)) for choice in choices])


def _mixture(permutations: NDArray[np.int64], lag_weights: Floats) -> Floats:
    order, vocab_size = permutations.shape
    kernel = np.full((vocab_size,) * (order + 1), (1.0 - lag_weights.sum()) / vocab_size)
    votes = np.eye(vocab_size)[permutations]  # (k, V, V): votes[j, c] is one at s_j(c)
    for lag in range(order):
        shape = [1] * order + [vocab_size]
        shape[order - 1 - lag] = vocab_size  # the last token is the last context axis
        kernel = kernel + lag_weights[lag] * votes[lag].reshape(shape)
    return kernel


def _entropies(kernel: Floats) -> Floats:
    """h_0 .. h_k of a float kernel, nats."""
    from testbed.sources.stationary import stationary_law

    vocab_size, order = kernel.shape[-1], kernel.ndim - 1
    joint = stationary_law(kernel.reshape(-1, vocab_size)).reshape(kernel.shape[:-1])[..., None] * kernel
    block = [_entropy(joint.sum(axis=tuple(range(order + 1 - n)))) for n in range(order + 2)]
    return np.diff(block)


def _entropy(law: Floats) -> float:
    positive = law[law > 0]
    return float(-np.sum(positive * np.log(positive)))
