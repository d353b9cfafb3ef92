"""Copies from random lags: a chain of very high order with few parameters, and power-law correlations by choice."""

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import ArrayInput, Truth, UndefinedError
from testbed.core.config import load_array
from testbed.sources.correlations import check_lags
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.power_law.copying import MAX_TWO_POINT, cold_copies, correlations, stationary_copies
from testbed.sources.randomness import choose, in_range
from testbed.sources.sampled_truth import law_entropies, sampled_position_losses
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
from testbed.sources.stationary import stationary_law

TOTAL = 2**32
MAX_ENUMERATED = 4096
GATHERED = 2**22
RATE_POSITIONS, RATE_SEED = 8, 0x6472_6174_65


@source("mixture_transition")
class MixtureTransitionSource(Source):
    """Each token is copied from lag l with probability w_l, or drawn afresh from mu with probability w_0.

        p(x | past) = w_0 mu(x) + sum_{l=1}^{n_lags} w_l [x = x_(t-l)],      w_l ~ l^-(1 + a)

    the mixture transition distribution of Raftery (1985, J. R. Stat. Soc. B 47), in the form that Jacobs and Lewis
    (1983) call DAR(p). Tokens before the start of a sequence count as fresh draws: at time t < n_lags the weights of
    the lags beyond t go to mu. That is the exact law of what is sampled, `predict` gives it, and so the sequences are
    not stationary: they approach the stationary process, to which these refer:

        two_point(l)        rho(l) = sum_j w_j rho(|l - j|) (Yule and Walker), where P(x_0 = i, x_l = j) =
                            rho(l) mu_i [i = j] + (1 - rho(l)) mu_i mu_j
        entropy_rate        no closed form: a sampled truth, the mean of the exact entropy of the next token given
                            n_lags tokens of perfectly stationary samples (pointers followed into the past until every
                            one has met a fresh draw: coupling from the past, Propp & Wilson 1996)
        conditional_entropies and excess_entropy    exact where V^n_lags <= 4096, by enumeration; else refused

    `context` is refused: the law given the last l < n_lags tokens alone sums over all tokens that the other lags may
    point to.

    >>> source = MixtureTransitionSource(vocab_size=2, n_lags=1, fresh=0.4)     # a Markov chain
    >>> round(source.two_point(3).value, 6), round(source.entropy_rate().value, 6)      # 0.6^3, H_b(0.2)
    (0.216, 0.500402)
    """

    stationary: ClassVar[bool] = False

    vocab_size: int = Field(4, ge=1, le=65536, description="number of symbols V")
    n_lags: int = Field(64, ge=1, le=4096, description="longest lag")
    fresh: float = Field(0.2, gt=0, le=1, description="w_0, probability of a fresh draw")
    lag_exponent: float = Field(0.5, ge=-1, le=20, description="a: w_l ~ l^-(1 + a); -1 makes all lags alike")
    lag_law: ArrayInput = Field(None, description="(n_lags,) law of the lag of a copy, in place of the power law")
    marginal: ArrayInput = Field(None, description="(V,) law mu of a fresh draw; uniform if left out")

    @model_validator(mode="before")
    @classmethod
    def _sizes_from_laws(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = dict(values)
        for name, size in (("lag_law", "n_lags"), ("marginal", "vocab_size")):
            if values.get(name) is not None:
                try:
                    law = np.atleast_1d(np.squeeze(np.asarray(load_array(values[name]))))
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None
                if values.setdefault(size, len(law)) != len(law) or law.ndim != 1:
                    raise ValueError(f"{name}: given shape {law.shape}, must be ({values[size]},), one for each {size}")
                values[name] = law
        if values.get("lag_law") is not None and "lag_exponent" in values and values["lag_exponent"] != 0.5:
            raise ValueError("lag_law and lag_exponent each give the lags: give one of them")
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.lag_law is not None:
            check_rows(self.lag_law, "lag_law")
        if self.marginal is not None:
            check_rows(self.marginal, "marginal")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(vocab_size=2, n_lags=3, fresh=0.3),
            cls(n_lags=20),
            cls(marginal=np.array([0.7, 0.3, 0.0]), lag_law=np.array([0.0, 0.0, 1.0]), fresh=0.05),
            cls(vocab_size=3, n_lags=2, fresh=1.0),
        ]

    # -- the law
    @cached_property
    def lag_weights(self) -> NDArray[np.int64]:
        """(n_lags + 1,) integer weights over 2^32 of a fresh draw and of lags 1 .. n_lags; read-only."""
        law = self.lag_law
        if law is None:
            law = np.arange(1, self.n_lags + 1) ** -(1.0 + self.lag_exponent)
        weights = quantise(np.append(self.fresh, (1 - self.fresh) * law / law.sum()))
        weights.flags.writeable = False
        return weights

    @cached_property
    def marginal_weights(self) -> NDArray[np.int64]:
        """(V,) integer weights over 2^32 of a fresh draw's symbol; read-only."""
        law = np.full(self.vocab_size, 1 / self.vocab_size) if self.marginal is None else self.marginal
        weights = quantise(law)
        weights.flags.writeable = False
        return weights

    @property
    def fingerprint(self) -> str:
        content = self.lag_weights.astype("<i8").tobytes() + self.marginal_weights.astype("<i8").tobytes()
        return hashlib.sha256(f"mixture_transition:{self.n_lags}:{self.vocab_size}:".encode() + content).hexdigest()

    @property
    def _lags(self) -> Floats:
        """(n_lags + 1,): w_0 .. w_n."""
        return self.lag_weights / TOTAL

    @property
    def _mu(self) -> Floats:
        return self.marginal_weights / TOTAL

    def _fresh_share(self, n_visible: int) -> float:
        """w_0 and the weights of the lags beyond the sequence's start; exact, a multiple of 2^-32."""
        return (TOTAL - int(self.lag_weights[1 : n_visible + 1].sum())) / TOTAL

    # -- prediction
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws given all tokens since the sequence's start; `context` is refused."""
        tokens = self._checked(tokens, context)
        n_sequences, length = tokens.shape
        at = check_positions(positions, length)
        require_law_memory(n_sequences, len(at), self.vocab_size)
        laws = np.empty((n_sequences, len(at), self.vocab_size))
        for column, t in enumerate(at):
            n_visible = min(t, self.n_lags)
            laws[:, column] = self._fresh_share(n_visible) * self._mu
            if n_visible:
                laws[:, column] += self._copies(tokens[:, t - n_visible : t], self._lags[n_visible:0:-1])
        return laws

    def _copies(self, past: NDArray[np.int64], weights: Floats) -> Floats:
        """(N, V): sum of the weights (m,) of the places in `past` (N, m) that hold each symbol."""
        result = np.empty((len(past), self.vocab_size))
        step = max(1, GATHERED // past.shape[1])
        for first in range(0, len(past), step):
            part = past[first : first + step]
            cells = (np.arange(len(part))[:, None] * self.vocab_size + part).ravel()
            sums = np.bincount(cells, np.tile(weights, len(part)), minlength=len(part) * self.vocab_size)
            result[first : first + step] = sums.reshape(len(part), self.vocab_size)
        return result

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | all before), without an array over the vocabulary."""
        tokens = self._checked(tokens, context)
        length = tokens.shape[1]
        shares = np.array([self._fresh_share(min(t, self.n_lags)) for t in range(length)])
        chance = shares * self._mu[tokens]
        for lag in range(1, min(self.n_lags, length - 1) + 1):
            chance[:, lag:] += self._lags[lag] * (tokens[:, lag:] == tokens[:, :-lag])
        with np.errstate(divide="ignore"):
            return np.log(chance)

    def _checked(self, tokens: Tokens, context: int | None) -> NDArray[np.int64]:
        array = check_tokens(tokens, self.vocab_size, context)
        if context is not None:
            raise UndefinedError(
                "context: mixture_transition has no law given the last few tokens alone, since the other lags may point"
                f" to any of V^{self.n_lags} pasts; leave context out to condition on all tokens since the start"
            )
        return array

    # -- truths
    def position_losses(self, length: int) -> Truth:
        """(length,) Bayes loss at each position of a sequence, sampled."""
        return sampled_position_losses(self, in_range("length", length, 2**34))

    @cached_property
    def _exact_entropies(self) -> Floats | None:
        """h_0 .. h_n_lags of the stationary process, by enumeration of all contexts; None where they are too many."""
        if self.n_lags * math.log(self.vocab_size) > math.log(MAX_ENUMERATED) + 1e-9:
            return None
        size, order = self.vocab_size, self.n_lags
        contexts = np.stack(np.unravel_index(np.arange(size**order), (size,) * order), axis=1)
        rows = self._fresh_share(order) * self._mu + self._copies(contexts, self._lags[order:0:-1])
        joint = (stationary_law(rows)[:, None] * rows).reshape((size,) * (order + 1))
        blocks = [
            0.0,
            *(float(law_entropies(joint.sum(axis=tuple(range(order - n))).ravel())) for n in range(order + 1)),
        ]
        return np.minimum.accumulate(np.diff(blocks))  # rounding only

    def _require_exact(self, what: str) -> Floats:
        if self._exact_entropies is None:
            raise UndefinedError(
                f"{what} of mixture_transition sums over V^n_lags = {self.vocab_size}^{self.n_lags} contexts, more than"
                f" {MAX_ENUMERATED}; known are entropy_rate, position_losses and two_point"
            )
        return self._exact_entropies

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max of the stationary process, exact where V^n_lags <= 4096."""
        max_context = in_range("max_context", max_context, 2**40)
        h = self._require_exact("conditional_entropies")
        return Truth.exact(h[np.minimum(np.arange(max_context + 1), self.n_lags)])

    def entropy_rate(self) -> Truth:
        """h of the stationary process: exact where V^n_lags <= 4096, else sampled."""
        return Truth.exact(self._exact_entropies[-1]) if self._exact_entropies is not None else self._sampled_rate

    def excess_entropy(self) -> Truth:
        """E of the stationary process, exact where V^n_lags <= 4096."""
        h = self._require_exact("excess_entropy")
        return Truth.exact(float(np.sum(h - h[-1])))

    @cached_property
    def _sampled_rate(self) -> Truth:
        """Mean over independent stationary sequences of the mean entropy at a few successive positions."""
        length = self.n_lags + RATE_POSITIONS
        n_sequences = min(16384, max(2048, GATHERED // self.n_lags))
        windows = self.sample_stationary(n_sequences, length, seed=RATE_SEED)
        step = max(1, GATHERED // (RATE_POSITIONS * self.vocab_size))
        means = [
            law_entropies(self.predict(windows[i : i + step], positions=range(self.n_lags, length))).mean(axis=1)
            for i in range(0, n_sequences, step)
        ]
        every = np.concatenate(means)
        return Truth.sampled(every.mean(), every.std(ddof=1) / math.sqrt(len(every)))

    def two_point(self, lags: int | Sequence[int]) -> Truth:
        """rho at these lags, exact: P(x_0 = i, x_m = j) = rho(m) mu_i [i = j] + (1 - rho(m)) mu_i mu_j, stationary.

        It is the correlation of f(x_0) with f(x_m) for any f that mu does not make constant, and
        (P(x_0 = x_m) - sum mu^2) / (1 - sum mu^2).
        """
        wanted = check_lags(lags, MAX_TWO_POINT)
        return Truth.exact(correlations(self._lags, int(wanted.max(initial=0)))[wanted])

    # -- samples
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) tokens from a cold start: what lies before the sequence is drawn afresh."""
        words = cold_copies(self.lag_weights, n_sequences, length, seed, first_sequence)
        return choose(words, self.marginal_weights).astype(token_dtype(self.vocab_size))

    def sample_stationary(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) tokens of the stationary process, exactly; other sequences than those of `sample`.

        Raises ResourceError where copies of copies reach too far into the past (`fresh` small, lags long).
        """
        words = stationary_copies(self.lag_weights, n_sequences, length, seed, first_sequence)
        return choose(words, self.marginal_weights).astype(token_dtype(self.vocab_size))
