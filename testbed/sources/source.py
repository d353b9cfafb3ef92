"""The `Source` contract: a law over token sequences that knows its own truth."""

import functools
import operator
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, PlainSerializer

from testbed.core import ConfigError, Registry, ResourceError, Tagged, Truth, UndefinedError, tagged_to_json
from testbed.sources.masked import MaskedPrediction
from testbed.sources.randomness import LONGEST, in_range

Tokens = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]

LAWS_CHUNK_BYTES = 2**27
"""What walks through laws makes about this much of them at a time."""
PREDICT_LIMIT_BYTES = 2**30
"""`predict` refuses to allocate more than this; ask for fewer `positions` or sequences at a time."""


@dataclass(frozen=True)
class Batch:
    """Sequences with the positions that are scored.

    tokens  (N, L) unsigned
    judged  (N, L) bool    every truth of the source refers to these positions
    inputs  (N, L, K) float64 or None    real-valued features that stand beside the tokens
    """

    tokens: Tokens
    judged: NDArray[np.bool_]
    inputs: Floats | None = None


@dataclass(frozen=True)
class ContextLaw:
    """Every context of positive probability, with the law of what follows it.

    contexts       (n, l) unsigned, oldest token first
    probabilities  (n,) sums to one
    laws           (n, V) p(x | context)
    """

    contexts: Tokens
    probabilities: Floats
    laws: Floats


LENGTHS_OF_TRUTHS = {
    "conditional_entropies": "max_context",
    "block_entropies": "max_length",
    "position_losses": "length",
    "masked_losses": "length",
}


def _with_checked_length(truth: Callable[..., Truth], parameter: str) -> Callable[..., Truth]:
    """The method, given an integer of 0 .. 2^31 or not called at all."""

    @functools.wraps(truth)
    def checked(self: Any, *given: Any, **named: Any) -> Truth:
        if given:
            return truth(self, in_range(parameter, given[0], LONGEST), *given[1:], **named)
        return truth(self, **{**named, parameter: in_range(parameter, named[parameter], LONGEST)})

    return checked


class Source(MaskedPrediction, Tagged):
    """A law over token sequences, frozen, checked when built. All entropies are in nats.

    The context length l counts tokens: h_l = H(X_0 | X_{-l}, ..., X_{-1}). A source that scores only some positions
    says so (`judges_all`), says what one unit of context is (`context_unit`), and has h_l refer to those positions.
    What a source cannot give exactly, as a bracket or as a sampled truth, it refuses with an UndefinedError that says
    why.

    `ergodic` is True only where that is proved, and `excess_entropy` of a mixture rests on it. False means not ergodic
    or, of composed sources alone, not known to be: their parts share a `period`, or one has a period that is not known.
    """

    version: ClassVar[int] = 1
    """Raised when the tokens or truths of an unchanged config change; part of every key."""
    stationary: ClassVar[bool] = True
    ergodic: ClassVar[bool] = True
    period: ClassVar[int | None] = None
    """The cycle that an ergodic source keeps for ever (`testbed.sources.periods`), or a multiple of it; 1: weakly
    mixing; None: not known, not ergodic or not stationary."""
    judges_all: ClassVar[bool] = True
    """Every position is scored; where False, `batch` marks the scored ones, and h_l is theirs."""
    takes_inputs: ClassVar[bool] = False
    """Sequences carry real-valued `inputs`; `predict` and `log_probs` then need them, as keyword `inputs`."""
    context_unit: ClassVar[str] = "one token"
    """What l counts."""

    if TYPE_CHECKING:  # a field of most sources, a property of some

        @property
        def vocab_size(self) -> int:
            """V, the number of symbols."""

    @classmethod
    def __pydantic_init_subclass__(cls, **arguments: Any) -> None:
        """The lengths that truths are asked for are checked here, once, for every source."""
        super().__pydantic_init_subclass__(**arguments)
        for name, parameter in LENGTHS_OF_TRUTHS.items():
            if name in cls.__dict__:
                setattr(cls, name, _with_checked_length(cls.__dict__[name], parameter))

    # -- what a source must say of itself
    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of the integer weights: equal fingerprints sample equal tokens on any machine."""

    @abstractmethod
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) tokens of the smallest unsigned type; row i depends on (source, seed, first_sequence + i) alone."""

    @abstractmethod
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V): the exact law of tokens[:, t] given what stands before it.

        context    None: all t tokens since the sequence's start; l: the last min(t, l) of them, at an unknown time of
                   the stationary process
        positions  only these t (N, len(positions), V)
        """

    @abstractmethod
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0, ..., h_max_context, in nats."""

    @abstractmethod
    def entropy_rate(self) -> Truth:
        """h = lim h_l, in nats per token."""

    @abstractmethod
    def excess_entropy(self) -> Truth:
        """E = sum over l of (h_l - h), in nats."""

    # -- what a source may say of itself
    @classmethod
    def examples(cls) -> list[Self]:
        """Small instances, ordinary and degenerate ones: every property test runs over each of them."""
        return [cls()]

    def lengths(self, up_to: int) -> Sequence[int]:
        """The sequence lengths that this source writes, in 0 .. up_to, rising; `sample` refuses others."""
        return range(up_to + 1)

    def writes_length(self, length: int) -> bool:
        """Whether sequences of this length are written; costs nothing where `lengths` is a range."""
        return length in self.lengths(length)

    # -- what follows from the above
    def batch(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Batch:
        """Sampled sequences with their judged positions: all of them, for a plain stream."""
        tokens = self.sample(n_sequences, length, seed, first_sequence)
        return Batch(tokens, np.ones(tokens.shape, dtype=np.bool_))

    def predict_batch(self, batch: Batch, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """`predict` for a batch, with its real-valued inputs where there are any."""
        given: dict[str, Any] = {"inputs": batch.inputs} if self.takes_inputs else {}
        return self.predict(batch.tokens, context, positions, **given)

    def log_probs_batch(self, batch: Batch, context: int | None = None) -> Floats:
        """`log_probs` for a batch, with its real-valued inputs where there are any."""
        given: dict[str, Any] = {"inputs": batch.inputs} if self.takes_inputs else {}
        return self.log_probs(batch.tokens, context, **given)

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L): ln p(tokens[:, t] | what stands before it); -inf where that is impossible."""
        read = check_tokens(tokens, self.vocab_size, context)
        result = np.empty(read.shape)
        rows = max(1, LAWS_CHUNK_BYTES // (8 * max(read.shape[1] * self.vocab_size, 1)))
        for first in range(0, len(read), rows):
            part = slice(first, first + rows)
            law = self.predict(tokens[part], context)
            with np.errstate(divide="ignore"):
                result[part] = np.log(np.take_along_axis(law, read[part][..., None], axis=2)[..., 0])
        return result

    def block_entropies(self, max_length: int) -> Truth:
        """H(1), ..., H(max_length) with H(n) = H(X_1, ..., X_n) = h_0 + ... + h_(n-1)  (chain rule)."""
        max_length = in_range("max_length", max_length, LONGEST)
        h = self.conditional_entropies(max_length - 1) if max_length > 0 else Truth.exact(np.empty(0))
        return Truth(np.cumsum(h.lower), np.cumsum(h.upper), h.kind, np.cumsum(h.standard_error))

    def position_losses(self, length: int) -> Truth:
        """(length,): Bayes loss of position t given all t tokens since the sequence's start; h_t if stationary."""
        length = in_range("length", length, LONGEST)
        if not self.stationary:
            raise UndefinedError(f"{self.type_name} is not stationary and must give its own position losses")
        return self.conditional_entropies(length - 1) if length > 0 else Truth.exact(np.empty(0))

    def count_contexts(self, length: int) -> int:
        """An upper bound on the number of contexts of positive probability; V^l unless known better."""
        return self.vocab_size**length

    def context_law(self, length: int) -> ContextLaw:
        """Every context of this length with positive probability, and the exact law of the token that follows."""
        length = in_range("length", length, LONGEST)
        contexts = np.zeros((1, 0), dtype=token_dtype(self.vocab_size))
        probabilities = np.ones(1)
        for step in range(length + 1):
            require_memory(
                len(contexts) * (8 * self.vocab_size + step),
                PREDICT_LIMIT_BYTES,
                f"the laws after {len(contexts)} contexts of {step} tokens",
                "ask for shorter contexts",
            )
            padded = np.concatenate([contexts, np.zeros((len(contexts), 1), dtype=contexts.dtype)], axis=1)
            laws = self.predict(padded, positions=[step])[:, 0]
            if step == length:
                break
            joint = probabilities[:, None] * laws
            row, symbol = np.nonzero(joint > 0)
            contexts = np.concatenate([contexts[row], symbol[:, None].astype(contexts.dtype)], axis=1)
            probabilities = joint[row, symbol]
        return ContextLaw(contexts, probabilities / probabilities.sum(), laws)


def check_tokens(tokens: Tokens, vocab_size: int, context: int | None = None) -> NDArray[np.int64]:
    """`tokens` as (N, L) int64, if they are integers of 0 .. V - 1; `context` checked along with them."""
    try:
        array = np.asarray(tokens)
    except ValueError:
        raise ConfigError("tokens: need integers of shape (N, L), given rows of unequal length") from None
    if array.ndim != 2 or (array.size and array.dtype.kind not in "ui"):
        raise ConfigError(f"tokens: need integers of shape (N, L), given {array.dtype} of shape {array.shape}")
    if array.size and not (int(array.min()) >= 0 and int(array.max()) < vocab_size):
        raise ConfigError(f"tokens: given values {array.min()} .. {array.max()}, must lie in 0 .. {vocab_size - 1}")
    if context is not None:
        in_range("context", context, LONGEST)
    return array.astype(np.int64)


def check_positions(positions: Sequence[int] | None, length: int) -> list[int]:
    """The wanted positions, all of them for None; each must lie in 0 .. length - 1."""
    if positions is None:
        return list(range(length))
    try:
        wanted = [operator.index(t) for t in positions]
    except TypeError:
        raise ConfigError(f"positions: given {positions!r}, must be integers in 0 .. {length - 1}") from None
    for t in wanted:
        if not 0 <= t < length:
            raise ConfigError(f"positions: given {t}, must lie in 0 .. {length - 1}")
    return wanted


def require_law_memory(n_sequences: int, n_positions: int, vocab_size: int) -> None:
    """Refuse a `predict` whose result passes PREDICT_LIMIT_BYTES."""
    require_memory(
        8 * n_sequences * n_positions * vocab_size,
        PREDICT_LIMIT_BYTES,
        f"the laws of {n_sequences} x {n_positions} positions over {vocab_size} symbols",
        "ask for fewer sequences or positions at a time",
    )


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """The smallest unsigned type that holds 0 .. V - 1.

    >>> token_dtype(256), token_dtype(257)
    (dtype('uint8'), dtype('uint16'))
    """
    return np.dtype(np.min_scalar_type(max(vocab_size - 1, 0)))


def require_memory(n_bytes: int, limit: int, what: str, remedy: str) -> None:
    """Refuse an allocation above the limit, before it is made."""
    if n_bytes > limit:
        raise ResourceError(
            f"{what} would take {n_bytes / 2**20:.0f} MiB, over the limit of {limit / 2**20:.0f}; {remedy}"
        )


sources: Registry[Source] = Registry("sources", "source", folders=True)
source: Callable[[str], Callable[[type[Source]], type[Source]]] = sources.register
"""Class decorator that gives a source its type name."""

AnySource = Annotated[Source, BeforeValidator(sources.build), PlainSerializer(tagged_to_json)]
"""A config field that takes any source: a table with its type, a bare type name, or the object itself."""
