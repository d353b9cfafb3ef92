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

        p(x | c) = (1 - sum_j w_j) b(x) + sum_j w_j [x = s_j(c_j)],     c_1 the last token, c_k the oldest

    with permutations s_j drawn uniformly by `seed` (a mixture transition distribution, Raftery 1985) and a geometric
    base law b(x) ~ r^x of entropy `base_entropy`; uniform if that is left out. A skewed base keeps learners that
    fall back to the uniform law on contexts they have not seen from being right by accident. The
    weights w are solved for so that a table of order l, estimated from D tokens (add one half; excess
    V^l (V - 1) / (2 D) nats to leading order), is overtaken by the table of order l + 1 at D = change_points[l]:

        h_l - h_(l+1) = V^l (V - 1)^2 / (2 change_points[l]),     l = 0 .. k - 1

    exactly, before quantisation. Raises ConfigError where no weights with sum below one reach that.
    """

    vocab_size: int = Field(ge=2, le=64, description="number of symbols V")
    change_points: tuple[float, ...] = Field(
        min_length=1, max_length=8, description="dataset sizes at which order 1, 2, ..., k overtake the order below"
    )
    base_entropy: float | None = Field(None, gt=0, description="entropy of the base law, nats; left out: uniform")
    seed: int = Field(0, ge=0, description="seed of the permutations")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_size(self.vocab_size, len(self.change_points))
        if any(not 0 < point < math.inf for point in self.change_points):
            raise ValueError(f"change_points: given {self.change_points}, must be positive")
        if self.base_entropy is not None and self.base_entropy > math.log(self.vocab_size):
            raise ValueError(f"base_entropy: given {self.base_entropy}, at most ln V = {math.log(self.vocab_size):.4f}")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [cls(vocab_size=3, change_points=(60, 300), seed=1), cls(vocab_size=2, change_points=(50,))]

    @property
    def order(self) -> int:
        return len(self.change_points)

    @property
    def permutations(self) -> NDArray[np.int64]:
        """(k, V): s_j of lag j + 1, drawn uniformly."""
        rng = np.random.default_rng(self.seed)
        return np.stack([rng.permutation(self.vocab_size) for _ in self.change_points])

    @property
    def base(self) -> Floats:
        """(V,): b(x) ~ r^x with the wanted entropy."""
        from scipy.optimize import brentq

        symbols = np.arange(self.vocab_size)

        def law(log_ratio: float) -> Floats:
            powers = np.exp(log_ratio * symbols)
            return powers / powers.sum()

        wanted = self.base_entropy
        if wanted is None or wanted >= math.log(self.vocab_size) - 1e-12:
            return law(0.0)
        return law(float(brentq(lambda slope: _entropy(law(slope)) - wanted, -100.0, 0.0, xtol=1e-14)))

    def _make_weights(self) -> NDArray[np.uint64]:
        return quantise(self.design(self.permutations)).astype(np.uint64)

    def design(self, permutations: NDArray[np.int64]) -> Floats:
        """The kernel (V,) * k + (V,) with these permutations and the wanted change points."""
        from scipy.optimize import root

        order = len(self.change_points)
        gaps = self._gaps()
        base = self.base
        start = np.sqrt(2.0 * gaps / (self.vocab_size - 1))  # h_0 - h_1 = (V - 1) w^2 / 2 for small w, uniform base

        def misfit(log_weights: Floats) -> Floats:
            lag_weights = np.exp(log_weights)
            if lag_weights.sum() >= 1.0:
                return np.full(order, lag_weights.sum())
            found = _entropies(_mixture(base, permutations, lag_weights))
            return -np.diff(found) / gaps - 1.0

        solution = root(misfit, np.log(start), tol=1e-13)
        lag_weights = np.exp(solution.x)
        if np.abs(misfit(solution.x)).max() > 1e-9 or lag_weights.sum() >= 1.0:
            raise ConfigError(
                f"change_points: no lag weights reach {self.change_points} with {self.vocab_size} symbols; they ask for"
                f" drops of {np.array2string(gaps, precision=4)} nats from ln V = {math.log(self.vocab_size):.4f}"
            )
        return _mixture(base, permutations, lag_weights)

    def _gaps(self) -> Floats:
        """h_l - h_(l+1) wanted, (k,) nats."""
        lengths = np.arange(len(self.change_points))
        return self.vocab_size**lengths * (self.vocab_size - 1) ** 2 / (2.0 * np.asarray(self.change_points))

    @property
    def family_size(self) -> int:
        """(V!)^k, the number of designs from which `seed` draws one."""
        return math.factorial(self.vocab_size) ** self.order

    def family(self) -> Floats:
        """(n, V, ..., V): the kernels of all (V!)^k choices of permutations, the support of the uniform prior from
        which `seed` draws one. Refused above 4096 of them."""
        if self.family_size > MAX_FAMILY:
            raise ConfigError(
                f"vocab_size: the family of this design has {self.family_size} members, over the limit of {MAX_FAMILY}"
            )
        every = list(itertools.permutations(range(self.vocab_size)))
        choices = itertools.product(every, repeat=len(self.change_points))
        return np.stack([self.design(np.array(choice)) for choice in choices])


def _mixture(base: Floats, permutations: NDArray[np.int64], lag_weights: Floats) -> Floats:
    order, vocab_size = permutations.shape
    kernel = np.broadcast_to((1.0 - lag_weights.sum()) * base, (vocab_size,) * (order + 1))
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
