"""Laws that solvers return: dense over all V^n sequences, or a chain of kernels where V^n is out of reach."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.maxent.constraint import Floats, Positions, check_positions
from testbed.maxent.dense import check_cells, entropy

Status = Literal["converged", "boundary", "soft", "inconsistent", "not converged"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Law(ABC):
    """A law of x_0 .. x_(n-1) over V symbols, and how it was found.

    solver             closed, ipf, newton, lbfgs, soft, banded; kirkwood for a product that is not solved for
    iterations         sweeps or steps; 0 in closed form
    residual           largest error of a constrained marginal (of each table, where tables contradict each other)
    duality_gap        |sum_c <lam_c, q_c - mu_c>|, nats: how far the entropy can be from the answer's
    rank               independent equations; ipf and newton count them on the support, where zeros make it smaller
    status             converged; boundary: every law with these marginals has further zeros, found by linear
                       programming, and the multipliers of the full problem are infinite (newton and lbfgs end where
                       the targets are met, with multipliers that would grow on); soft: targets were not to be met
                       exactly; inconsistent: the tables contradict each other, or are not met (kirkwood); not
                       converged
    largest_multiplier max |lam| after the mean of each table is taken off (lam has a gauge freedom)
    trace              residual met in each sweep or step
    multipliers        lam_c by constraint that was solved for, up to that freedom; empty in closed form
    """

    vocab_size: int
    length: int
    solver: str
    iterations: int = 0
    residual: float = 0.0
    duality_gap: float = 0.0
    rank: int = 1
    status: Status = "converged"
    largest_multiplier: float = 0.0
    trace: Floats = field(default_factory=lambda: np.empty(0))
    multipliers: tuple[Floats, ...] = ()

    @property
    @abstractmethod
    def probabilities(self) -> Floats:
        """The dense law, (V,) * n; refused where it would not fit."""

    @property
    @abstractmethod
    def entropy(self) -> float:
        """H(q), nats."""

    @abstractmethod
    def marginal(self, positions: Positions) -> Floats:
        """(V,) * len(positions): the law of some positions, axes in the order given."""

    @abstractmethod
    def predict(self, tokens: NDArray[np.integer[Any]]) -> Floats:
        """(N, L, V): q(x_t | x_0 .. x_(t-1)) along sequences of L <= n tokens; nan after a prefix of probability 0."""

    def log_probs(self, tokens: NDArray[np.integer[Any]]) -> Floats:
        """(N, L): ln q(x_t | x_<t), -inf where impossible, and ever after; the row's sum is ln q of the sequence."""
        read = checked_tokens(tokens, self.vocab_size, self.length)
        return log_of_tokens(self.predict(read), read)

    def next_token(self, prefix: NDArray[np.integer[Any]] | tuple[int, ...]) -> Floats:
        """(V,): q(x_t | prefix of t < n tokens)."""
        given = checked_prefix(prefix, self.length)[None]
        padded = np.concatenate([given, np.zeros((1, 1), dtype=np.int64)], axis=1)
        return self.predict(padded)[0, -1]

    def with_report(self, **values: Any) -> Self:
        """The same law with other words on how it was found."""
        return replace(self, **values)


def checked_tokens(tokens: NDArray[np.integer[Any]], vocab_size: int, length: int) -> NDArray[np.int64]:
    """Sequences (N, L) of L <= n tokens, as they are read; ConfigError for others."""
    read = np.asarray(tokens)
    if read.ndim != 2 or read.shape[1] > length or (read.size and read.dtype.kind not in "ui"):
        raise ConfigError(
            f"tokens: need integers of shape (N, L) with L <= {length}, given {read.dtype} of {read.shape}"
        )
    if read.size and not 0 <= read.min() <= read.max() < vocab_size:
        raise ConfigError(f"tokens: given {read.min()} .. {read.max()}, must lie in 0 .. {vocab_size - 1}")
    return read.astype(np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class DenseLaw(Law):
    """A law laid out as an array (V,) * n."""

    dense: Floats

    def __post_init__(self) -> None:
        dense = self.dense.reshape((self.vocab_size,) * self.length)
        dense.flags.writeable = False
        object.__setattr__(self, "dense", dense)

    @property
    def probabilities(self) -> Floats:
        return self.dense

    @cached_property
    def entropy(self) -> float:
        return entropy(self.dense)

    def marginal(self, positions: Positions) -> Floats:
        return marginal_of(self.dense, positions)

    @cached_property
    def _prefixes(self) -> list[Floats]:
        """The laws of the first 0, 1, .. n tokens, each (V^t,)."""
        found = [self.dense.reshape(-1)]
        for _ in range(self.length):
            found.append(found[-1].reshape(-1, self.vocab_size).sum(axis=1))
        return found[::-1]

    def predict(self, tokens: NDArray[np.integer[Any]]) -> Floats:
        read = checked_tokens(tokens, self.vocab_size, self.length)
        out = np.empty((*read.shape, self.vocab_size))
        index = np.zeros(len(read), dtype=np.int64)
        for t in range(read.shape[1]):
            joint = self._prefixes[t + 1].reshape(-1, self.vocab_size)[index]
            with np.errstate(invalid="ignore"):
                out[:, t] = joint / joint.sum(axis=1, keepdims=True)
            index = index * self.vocab_size + read[:, t]
        return out


@dataclass(frozen=True, eq=False, kw_only=True)
class ChainLaw(Law):
    """A chain of order w whose kernels change with the position: nothing of size V^n is kept.

    kernels  kernels[t] = q(x_t | the last min(t, w) tokens), (V,) * (min(t, w) + 1), oldest first
    """

    kernels: tuple[Floats, ...]

    @cached_property
    def order(self) -> int:
        """w, the number of past tokens that a kernel reads at most."""
        return max(kernel.ndim for kernel in self.kernels) - 1

    @property
    def probabilities(self) -> Floats:
        check_cells(self.vocab_size, self.length)
        law = np.ones(())
        for kernel in self.kernels:
            law = law[..., None] * kernel
        return law

    @cached_property
    def _states(self) -> list[Floats]:
        """For each t the law of the last min(t, w) tokens before it."""
        states = [np.ones(())]
        for kernel in self.kernels[:-1]:
            joint = states[-1][..., None] * kernel
            states.append(joint if joint.ndim <= self.order else joint.sum(axis=0))
        return states

    @cached_property
    def entropy(self) -> float:
        total = 0.0
        for state, kernel in zip(self._states, self.kernels, strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                logs = np.where(kernel > 0, np.log(kernel), 0.0)
            total -= float(np.sum(state[..., None] * kernel * logs))
        return total

    def marginal(self, positions: Positions) -> Floats:
        """Carries the wanted positions along with the last w tokens: V^(wanted + w) numbers at most."""
        wanted = check_positions(positions)
        if max(wanted) >= self.length:
            raise ConfigError(f"positions: given {positions}, must lie in 0 .. {self.length - 1}")
        first = min(wanted)
        joint = self._states[first]
        held = list(range(first - joint.ndim, first))
        for t in range(first, max(wanted) + 1):
            check_cells(self.vocab_size, len(held) + 1, what="the marginal")
            joint = joint[..., None] * self.kernels[t]  # what the kernel reads is held last
            held.append(t)
            done = [p for p in held if p not in wanted and p <= t - self.order]
            joint = joint.sum(axis=tuple(held.index(p) for p in done))
            held = [p for p in held if p not in done]
        joint = joint.sum(axis=tuple(i for i, p in enumerate(held) if p not in wanted))
        return joint.transpose([sorted(wanted).index(p) for p in wanted])

    def predict(self, tokens: NDArray[np.integer[Any]]) -> Floats:
        read = checked_tokens(tokens, self.vocab_size, self.length)
        out = np.empty((*read.shape, self.vocab_size))
        impossible = np.zeros(len(read), dtype=np.bool_)
        for t in range(read.shape[1]):
            kernel = self.kernels[t]
            out[:, t] = kernel[tuple(read[:, s] for s in range(t - kernel.ndim + 1, t))]
            out[impossible, t] = np.nan
            impossible |= out[np.arange(len(read)), t, read[:, t]] == 0
        return out


def checked_prefix(prefix: NDArray[np.integer[Any]] | Sequence[int], length: int) -> NDArray[np.int64]:
    """The prefix of t < n tokens, (t,)."""
    read = np.asarray(prefix)
    if read.ndim != 1 or read.size >= length or (read.size and read.dtype.kind not in "ui"):
        raise ConfigError(
            f"prefix: given {read.size} tokens, {read.dtype} of shape {read.shape}; must be integers (t,), t < {length}"
        )
    return read.astype(np.int64)


def log_of_tokens(laws: Floats, tokens: NDArray[np.int64]) -> Floats:
    """(N, L): ln of laws (N, L, V) read at the tokens; -inf after an impossible one, where they are nan."""
    chances = np.take_along_axis(laws, tokens[..., None], axis=2)[..., 0]
    with np.errstate(divide="ignore"):
        return np.log(np.where(np.isnan(chances), 0.0, chances))


def marginal_of(law: Floats, positions: Positions) -> Floats:
    """A dense law summed onto some positions, axes in the order given.

    >>> marginal_of(np.array([[0.1, 0.2], [0.3, 0.4]]), (1,)).round(6)
    array([0.4, 0.6])
    """
    wanted = check_positions(positions)
    if max(wanted) >= law.ndim:
        raise ConfigError(f"positions: given {positions}, must lie in 0 .. {law.ndim - 1}")
    kept = law.sum(axis=tuple(p for p in range(law.ndim) if p not in wanted))
    return kept.transpose([sorted(wanted).index(p) for p in wanted])
