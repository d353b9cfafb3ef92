"""Independent streams side by side, read as one symbol."""

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import Truth, UndefinedError
from testbed.sources.as_machine import as_edges
from testbed.sources.combinators.streams import (
    check_streams,
    check_vocab_size,
    common_lengths,
    form_is_rounded,
    require_stationary,
)
from testbed.sources.machine_algebra import Machine, invariant_law, tensor_product
from testbed.sources.masked_checks import check_masked
from testbed.sources.periods import have_ergodic_product
from testbed.sources.randomness import derive_seed, in_range
from testbed.sources.source import (
    AnySource,
    Floats,
    Source,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    source,
    token_dtype,
)
from testbed.sources.truth_sums import sum_truths


@source("product")
class ProductSource(Source):
    """Independent components; a token is the tuple of theirs as one number in mixed radix, the first most significant.

        x = x_1 V_2 + x_2                                (two components)
        1 0 1 ... and 2 0 1 ... over V_2 = 3:  5 0 4 ...

    Entropies add, and so do excess entropies:  h_l = sum_i h_l^i,  h = sum_i h^i,  E = sum_i E^i. Laws and beliefs
    factor: p(x | past) = prod_i p_i(x_i | past_i). Truths are of the components' kinds; brackets add, and standard
    errors add linearly.

    A product of ergodic streams whose periods share a factor is not ergodic: their relative phase stays. A component
    that is not stationary leaves position_losses and the rate; h_l, E and laws given `context` are refused.

    >>> from testbed.sources import IIDSource
    >>> round(ProductSource(IIDSource([0.5, 0.5]), IIDSource([0.9, 0.1])).entropy_rate().value, 6)
    1.01823
    """

    components: tuple[AnySource, ...] = Field(description="sources that score every position")

    def __init__(self, /, *components: Any, **parameters: Any) -> None:
        if components:
            single = len(components) == 1 and isinstance(components[0], list | tuple)
            parameters["components"] = components[0] if single else components
        super().__init__(**parameters)

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_streams(self.components, "components", "a product")
        check_vocab_size(self.vocab_size, "components")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        from testbed.sources.iid import IIDSource
        from testbed.sources.markov import MarkovSource

        chain, cycle = MarkovSource([[0.8, 0.2], [0.3, 0.7]]), MarkovSource([[0.0, 1.0], [1.0, 0.0]])
        return [
            cls(chain, MarkovSource.random(vocab_size=3, order=2, seed=1)),
            cls(chain, IIDSource([0.9, 0.1]), IIDSource([1.0])),
            cls(cycle, cycle),
            cls(chain),
        ]

    @property
    def vocab_size(self) -> int:
        return math.prod(component.vocab_size for component in self.components)

    @property
    def stationary(self) -> bool:  # type: ignore[override]
        """Every component is."""
        return all(component.stationary for component in self.components)

    @cached_property
    def ergodic(self) -> bool:  # type: ignore[override]
        """Every component is, and their periods are pairwise coprime; True only where that is known."""
        return all(component.ergodic for component in self.components) and have_ergodic_product(self._periods)

    @property
    def period(self) -> int | None:  # type: ignore[override]
        """The product of the components' periods."""
        if not self.ergodic or None in self._periods:
            return None
        return math.prod(period for period in self._periods if period)

    @cached_property
    def _periods(self) -> list[int | None]:
        return [component.period for component in self.components]

    @property
    def fingerprint(self) -> str:
        parts = ":".join(component.fingerprint for component in self.components)
        return hashlib.sha256(f"product:{parts}".encode()).hexdigest()

    def finite_form(self) -> Machine:
        """The machine on tuples of states, quantised anew: of the product's law up to 2^-32."""
        machines = [as_edges(part, f"components[{number}]") for number, part in enumerate(self.components)]
        whole = machines[0]
        for part, component in zip(machines[1:], self.components[1:], strict=True):
            whole = tensor_product(whole, part, component.vocab_size)
        return whole[0], invariant_law(*whole)

    @property
    def rounded_form(self) -> bool:
        """Products of weights were rounded in `finite_form`."""
        return len(self.components) > 1 or form_is_rounded(self.components[0])

    # -- tokens
    def encode(self, parts: Sequence[Tokens]) -> Tokens:
        """(N, L) composed tokens from those of the components, each (N, L)."""
        code = np.zeros(np.shape(parts[0]), dtype=np.int64)
        for component, tokens in zip(self.components, parts, strict=True):
            code = code * component.vocab_size + tokens
        return code.astype(token_dtype(self.vocab_size))

    def decode(self, tokens: Tokens) -> list[NDArray[np.int64]]:
        """The components' tokens, each (N, L)."""
        code = check_tokens(tokens, self.vocab_size)
        parts = []
        for component in reversed(self.components):
            code, part = np.divmod(code, component.vocab_size)
            parts.append(part)
        return parts[::-1]

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L); component i writes with a seed derived from `seed` and i."""
        seed = in_range("seed", seed, 2**64 - 1)
        return self.encode(
            [
                component.sample(n_sequences, length, derive_seed(seed, "component", number), first_sequence)
                for number, component in enumerate(self.components)
            ]
        )

    def lengths(self, up_to: int) -> Sequence[int]:
        return common_lengths(self.components, up_to)

    def writes_length(self, length: int) -> bool:
        return all(component.writes_length(length) for component in self.components)

    # -- laws
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V): the outer product of the components' laws, each given the same context."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        if context is not None:
            require_stationary(self, "context")
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        law = np.ones((len(tokens), len(at), 1))
        for component, part in zip(self.components, self.decode(tokens), strict=True):
            factor = component.predict(part, context, at)
            joint = law[..., :, None] * factor[..., None, :]
            law = joint.reshape(len(tokens), len(at), law.shape[2] * factor.shape[2])
        return law

    def predict_masked(self, tokens: Tokens, masked: NDArray[np.bool_]) -> Floats:
        """(n, V): the outer product of the components' laws; a masked token hides all its parts."""
        given, hidden = check_masked(tokens, masked, self.vocab_size)
        law = np.ones((int(hidden.sum()), 1))
        require_law_memory(1, len(law), self.vocab_size)
        for component, part in zip(self.components, self.decode(given), strict=True):
            factor = component.predict_masked(part, hidden)
            law = (law[:, :, None] * factor[:, None, :]).reshape(len(law), -1)
        return law

    def most_masked(self) -> int | None:
        """The least of the components'."""
        limits = [component.most_masked() for component in self.components]
        return min((limit for limit in limits if limit is not None), default=None)

    def masked_losses(self, length: int, n_masked: int = 1) -> Truth:
        """The sum over the components."""
        return self._sum(lambda component: component.masked_losses(length, n_masked))

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L): the sum over the components; no (N, L, V) array over the composed symbols is made."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        if context is not None:
            require_stationary(self, "context")
        result = np.zeros(tokens.shape)
        for component, part in zip(self.components, self.decode(tokens), strict=True):
            result += component.log_probs(part, context)
        return result

    def count_contexts(self, length: int) -> int:
        return math.prod(component.count_contexts(length) for component in self.components)

    # -- truths
    def _sum(self, truth_of: Callable[[Source], Truth]) -> Truth:
        return sum_truths([truth_of(component) for component in self.components])

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_l = sum_i h_l^i."""
        require_stationary(self, "h_l")
        return self._sum(lambda component: component.conditional_entropies(max_context))

    def block_entropies(self, max_length: int) -> Truth:
        """H(n) = sum_i H^i(n)."""
        require_stationary(self, "H(n)")
        return self._sum(lambda component: component.block_entropies(max_length))

    def position_losses(self, length: int) -> Truth:
        return self._sum(lambda component: component.position_losses(length))

    def entropy_rate(self) -> Truth:
        """h = sum_i h^i, the limit of H(n) / n."""
        return self._sum(lambda component: component.entropy_rate())

    def excess_entropy(self) -> Truth:
        """E = sum_i E^i."""
        require_stationary(self, "E")
        return self._sum(lambda component: component.excess_entropy())

    def statistical_complexity(self) -> Truth:
        """C_mu = sum_i C_mu^i: two pasts have the same future if and only if the components' pasts have.

        As minimal as the components' own. Raises UndefinedError where one of them knows no C_mu.
        """
        require_stationary(self, "C_mu")
        return self._sum(_statistical_complexity)


def _statistical_complexity(component: Source) -> Truth:
    known: Callable[[], Truth] | None = getattr(component, "statistical_complexity", None)
    if known is None:
        raise UndefinedError(f"C_mu: the causal states of the component {component.type_name} are not known")
    return known()
