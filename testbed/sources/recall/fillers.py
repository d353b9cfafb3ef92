"""Originals plus fillers: a fixed number of informative tokens among ever more that say nothing."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import ArrayInput, ConfigError, Truth, UndefinedError
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.iid import IIDSource
from testbed.sources.markov import MarkovSource
from testbed.sources.query import QuerySource
from testbed.sources.randomness import TOTAL, choose, derive_seed, in_range, random_words
from testbed.sources.recall._draws import Integers, law_fingerprint, uniform_weights
from testbed.sources.recall._input_query import check_inputs
from testbed.sources.recall.gaussian_retrieval import GaussianRetrieval
from testbed.sources.recall.noisy_retrieval import NoisyRetrieval
from testbed.sources.refusals import WithoutContextEntropies
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import (
    AnySource,
    Batch,
    Floats,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    source,
    token_dtype,
)

PLACES, FILLERS = 2, 3


@source("fillers")
class Fillers(WithoutContextEntropies):
    """`n_informative` tokens of a base source, fillers, and the base sequence's tail, which is judged.

        a - - b c - - d | e        placement = random: each arrangement of informative tokens and fillers alike
        a b c d - - - - | e        placement = appended

    The tail (the next token; question and answer, for a source that asks a question) always stands at the end, so its
    exact law is the base's at every length: what the fillers cost a model is its own doing (task T4, claim C2 of
    Li et al. 2025). A longer sequence of equal seed and number holds the same informative tokens and tail.

    `marked` fillers are an extra symbol V. Unmarked ones are drawn from `filler_law` over the base's symbols; among the
    informative tokens only their place could tell them apart, so they are appended: at random places the law would be
    a sum over all C(n, m) ways to delete them.
    """

    stationary: ClassVar[bool] = False
    judges_all: ClassVar[bool] = False

    base: AnySource = Field(description="source of the informative tokens and of the tail")
    n_informative: int = Field(64, ge=0, le=2**16, description="base tokens before the tail, the same at every length")
    tail_length: int | None = Field(
        None, ge=1, le=2**16, description="base tokens at the end; left out: one, or the question and the answer"
    )
    placement: Literal["random", "appended"] = Field("random", description="where the fillers stand")
    marked: bool = Field(True, description="fillers are a symbol of their own; else symbols of the base")
    filler_law: ArrayInput = Field(None, description="law of an unmarked filler over the base's symbols; uniform")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.marked and self.placement == "random":
            raise ConfigError(
                "marked: unmarked fillers at random places have no law that can be summed exactly; take"
                " placement = appended"
            )
        if self.filler_law is not None:
            if self.marked:
                raise ConfigError("filler_law: marked fillers are one symbol; a law is for unmarked ones")
            if self.filler_law.shape != (self.base.vocab_size,):
                raise ConfigError(
                    f"filler_law: given shape {self.filler_law.shape}, must be ({self.base.vocab_size},), the base's V"
                )
            check_rows(self.filler_law, "filler_law")
        if not self.base.writes_length(self.base_length):
            raise ConfigError(
                f"n_informative: {self.n_informative} tokens and {self.tail} of tail make {self.base_length}, which is"
                f" no length that {self.base.type_name} writes"
            )
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        markov = MarkovSource(vocab_size=2, order=1, seed=1)
        retrieval = NoisyRetrieval(n_values=2)
        return [
            cls(base=markov, n_informative=3),
            cls(base=retrieval, n_informative=4, placement="appended"),
            cls(base=retrieval, n_informative=4),
            cls(base=markov, n_informative=4, placement="appended", marked=False, filler_law=np.array([0.2, 0.8])),
            cls(base=GaussianRetrieval(n_values=2), n_informative=3),
            cls(base=IIDSource(vocab_size=3), n_informative=0, tail_length=2),
        ]

    # -- shape
    @property
    def tail(self) -> int:
        """Base tokens at the end."""
        if self.tail_length is not None:
            return self.tail_length
        return self.base.question_length + 1 if isinstance(self.base, QuerySource) else 1

    @property
    def base_length(self) -> int:
        return self.n_informative + self.tail

    @property
    def takes_inputs(self) -> bool:  # type: ignore[override]
        return self.base.takes_inputs

    @property
    def vocab_size(self) -> int:
        return self.base.vocab_size + self.marked

    @cached_property
    def filler_weights(self) -> Integers:
        """(V,) integer weights of a filler."""
        if self.marked:
            return np.array([0] * self.base.vocab_size + [TOTAL])
        return uniform_weights(self.base.vocab_size) if self.filler_law is None else quantise(self.filler_law)

    @property
    def fingerprint(self) -> str:
        parts = (self.base.fingerprint, self.n_informative, self.tail, self.placement, self.filler_weights)
        return law_fingerprint(self.type_name, *parts)

    def lengths(self, up_to: int) -> Sequence[int]:
        return range(self.base_length, up_to + 1)

    def _n_fillers(self, length: int) -> int:
        if length < self.base_length:
            raise ConfigError(
                f"length: given {length}; {self.n_informative} informative tokens and {self.tail} of tail need at least"
                f" {self.base_length}"
            )
        return length - self.base_length

    def _informative_weight(self, left: NDArray[np.int64], places: int) -> NDArray[np.int64]:
        """Weight over 2^32 of an informative token next, with `left` of them to be set on so many places."""
        if self.placement == "appended":
            return np.where(left > 0, TOTAL, 0)
        return left * TOTAL // places

    # -- draws
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        return self.batch(n_sequences, length, seed, first_sequence).tokens

    def batch(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Batch:
        """Tokens, the base's inputs at its own tokens (zeros beside fillers); judged are the tail's judged tokens."""
        n_fillers = self._n_fillers(in_range("length", length, 2**31))
        front = self.n_informative + n_fillers
        words = random_words(n_sequences, front, seed, first_sequence, PLACES)
        kept = np.ones((n_sequences, length), dtype=np.bool_)
        left = np.full(n_sequences, self.n_informative, dtype=np.int64)
        for t in range(front):
            kept[:, t] = words[:, t].astype(np.int64) < self._informative_weight(left, front - t)
            left -= kept[:, t]
        base = self.base.batch(n_sequences, self.base_length, derive_seed(seed, "base"), first_sequence)
        filler = choose(random_words(n_sequences, n_fillers, seed, first_sequence, FILLERS), self.filler_weights)
        tokens = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        tokens[kept] = base.tokens.ravel()
        tokens[~kept] = filler.ravel()
        judged = np.zeros((n_sequences, length), dtype=np.bool_)
        judged[:, -self.tail :] = base.judged[:, -self.tail :]
        if base.inputs is None:
            return Batch(tokens, judged)
        inputs = np.zeros((n_sequences, length, base.inputs.shape[2]))
        inputs[kept] = base.inputs.reshape(-1, base.inputs.shape[2])
        return Batch(tokens, judged, inputs)

    # -- prediction
    def predict(
        self,
        tokens: Tokens,
        context: int | None = None,
        positions: Sequence[int] | None = None,
        inputs: Floats | None = None,
    ) -> Floats:
        """(N, L, V): the base's exact laws on the sequence without its fillers; `context` is refused."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        if context is not None:
            raise UndefinedError(
                "fillers gives its laws given all tokens before, not given a context: the number of informative tokens"
                " within it is random"
            )
        n_sequences, length = tokens.shape
        front = length - self.tail
        self._n_fillers(length)
        at = check_positions(positions, length)
        require_law_memory(n_sequences, len(at) + self.base_length, self.vocab_size)
        kept = self._kept(tokens, front)
        before = np.concatenate([np.zeros((n_sequences, 1), dtype=np.int64), np.cumsum(kept, axis=1)], axis=1)
        base_laws = self._base_laws(tokens, kept, inputs)
        laws = np.zeros((n_sequences, len(at), self.vocab_size))
        rows = np.arange(n_sequences)
        for column, t in enumerate(at):
            index = np.minimum(before[:, t], self.base_length - 1) if t < front else self.n_informative + t - front
            law = base_laws[rows, index]
            if t < front:
                left = np.maximum(self.n_informative - before[:, t], 0)
                share = (self._informative_weight(left, front - t) / TOTAL)[:, None]
                laws[:, column, : self.base.vocab_size] = np.where(share > 0, share * law, 0.0)
                laws[:, column] += (1.0 - share) * (self.filler_weights / TOTAL)
            else:
                laws[:, column, : self.base.vocab_size] = law
        return laws

    def _kept(self, tokens: NDArray[np.int64], front: int) -> NDArray[np.bool_]:
        """(N, L) which tokens are the base's."""
        if self.marked:
            return tokens < self.base.vocab_size
        place = np.arange(tokens.shape[1])
        return np.broadcast_to((place < self.n_informative) | (place >= front), tokens.shape)

    def _base_laws(self, tokens: NDArray[np.int64], kept: NDArray[np.bool_], inputs: Floats | None) -> Floats:
        """(N, m + tail, V_base): the base's laws on the kept tokens; impossible sequences are cut, or filled by 0s."""
        order = np.argsort(~kept, axis=1, kind="stable")[:, : self.base_length]
        packed = np.where(np.take_along_axis(kept, order, axis=1), np.take_along_axis(tokens, order, axis=1), 0)
        given: dict[str, Any] = {}
        if self.takes_inputs:
            shape = (*tokens.shape, 0 if inputs is None else np.asarray(inputs).shape[-1])
            given["inputs"] = np.take_along_axis(check_inputs(inputs, shape), order[..., None], axis=1)
        return self.base.predict(packed, **given)

    def log_probs(self, tokens: Tokens, context: int | None = None, inputs: Floats | None = None) -> Floats:
        """(N, L): ln p(tokens[:, t] | what stands before it, and the inputs where there are any)."""
        law = self.predict(tokens, context, inputs=inputs)
        with np.errstate(divide="ignore"):
            return np.log(np.take_along_axis(law, np.asarray(tokens, dtype=np.int64)[..., None], axis=2)[..., 0])

    # -- truths
    def position_losses(self, length: int) -> Truth:
        """(length,): the base's losses, spread over the places its tokens may have, and the entropy of the places; of
        the base's kind (standard errors add up, since positions share sequences)."""
        front = self._n_fillers(length) + self.n_informative
        base = self.base.position_losses(self.base_length)
        filler = float(law_entropies(self.filler_weights / TOTAL))
        share = np.zeros((length, self.base_length))
        extra = np.zeros(length)
        done = np.zeros(self.n_informative + 1)  # law of the number of informative tokens set so far
        done[0] = 1.0
        for t in range(front):
            chance = self._informative_weight(self.n_informative - np.arange(self.n_informative + 1), front - t) / TOTAL
            chance = np.minimum(chance, 1.0)  # numbers that cannot be reached have no law
            places = law_entropies(np.stack([chance, 1.0 - chance], axis=-1))
            share[t, : self.n_informative] = (done * chance)[:-1]
            extra[t] = done @ places + filler * float(done @ (1.0 - chance))
            done = done * (1.0 - chance) + np.concatenate([[0.0], (done * chance)[:-1]])
        share[front:, self.n_informative :] = np.eye(self.tail)
        parts = (base.lower, base.upper, base.standard_error)
        lower, upper, error = (share @ part for part in parts)
        return Truth(lower + extra, upper + extra, base.kind, error)

    def entropy_rate(self) -> Truth:
        """Mean loss of the judged tokens of the tail: the base's own, the same at every length."""
        judged = np.flatnonzero(self.base.batch(1, self.base_length).judged[0, -self.tail :]) + self.n_informative
        if not len(judged):
            raise UndefinedError(f"{self.base.type_name} judges none of the last {self.tail} tokens: no loss to give")
        losses = self.base.position_losses(self.base_length)[judged]
        errors = losses.standard_error.mean()
        return Truth(losses.lower.mean(), losses.upper.mean(), losses.kind, errors)

    def _why_no_context(self) -> str:
        return (
            "fillers puts a growing number of empty tokens before the judged one, so no h_l holds for every length;"
            " entropy_rate() is the loss at every length, position_losses(length) that of every position"
        )
