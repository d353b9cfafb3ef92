"""One of several streams, chosen once for each sequence."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import ConfigError, Truth, UndefinedError
from testbed.sources.as_machine import EdgeMachine, as_edges, is_machine
from testbed.sources.combinators.losses import stream_losses
from testbed.sources.combinators.posterior import joint_scores, log_evidence, posterior_weights
from testbed.sources.combinators.same_law import merge_equal
from testbed.sources.combinators.streams import check_streams, common_lengths, form_is_rounded, predict_by_windows
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.edges import TOTAL_WEIGHT, Edges
from testbed.sources.machine_algebra import direct_sum
from testbed.sources.randomness import choose, derive_seed, in_range, random_words
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import AnySource, Floats, Source, Tokens, check_tokens, source, token_dtype
from testbed.sources.truth_sums import scale_truth, sum_truths

STREAM = 2
NARROW = 1e-3  # nats: a wider bracket of h_l gives way to a sampled truth
EXACT = 1e-9  # nats: what a bracket may have and count as exact beside sampled entries
POSTERIOR_ENTRIES = 2**22  # tokens times components looked at together
JOINED_TOKENS = 2**13  # rows of a component this far apart are written in one call, and those between thrown away


@source("mixture")
class MixtureSource(Source):
    """Component i with probability w_i, drawn once a sequence: a reader must find out which it reads.

        w = (1/2, 1/2), coins (.9, .1) and (.1, .9):   0 0 0 1 0 0 ...   or   1 1 0 1 1 1 ...

    With p_i(past) the probability of the tokens so far under component i,

        posterior  q_i ~ w_i p_i(past)            law  p(x | past) = sum_i q_i p_i(x | past)
        h = lim h_l = sum_i w_i h_i               E = sum_i w_i E_i + H(w)

    E holds for ergodic components of different laws, which infinitely many tokens tell apart: past and future then
    share the choice, H(w) nats, and what they share given it. Components of one law are merged first (equal
    fingerprints, or machines that agree on all words). Where laws cannot be compared, or a component is itself not
    ergodic, E is the bracket sum_i w_i E_i -+ H(w), which always holds.

    h_l is that of the machines' direct sum if all components are finite machines, otherwise a sum over all contexts
    while these are few; where neither ends within 10^-3 nats, a sampled truth. Weights are quantised to 2^-32.

    >>> from testbed.sources import IIDSource
    >>> coins = MixtureSource([IIDSource([0.9, 0.1]), IIDSource([0.1, 0.9])])
    >>> round(coins.entropy_rate().value, 6), round(coins.excess_entropy().value, 6)
    (0.325083, 0.693147)
    """

    components: tuple[AnySource, ...] = Field(description="sources of one V that score every position")
    weights: tuple[float, ...] | None = Field(None, description="probability of each component; equal if left out")

    def __init__(self, components: Any = None, weights: Any = None, /, **parameters: Any) -> None:
        given = {"components": components, "weights": weights}
        super().__init__(**parameters, **{name: value for name, value in given.items() if value is not None})

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_streams(self.components, "components", "a mixture")
        for number, component in enumerate(self.components):
            if component.vocab_size != self.vocab_size:
                raise ConfigError(
                    f"components[{number}]: {component.type_name} has {component.vocab_size} symbols, but components[0]"
                    f" has {self.vocab_size}; a mixture needs one V"
                )
        if self.weights is not None:
            if len(self.weights) != len(self.components):
                raise ConfigError(
                    f"weights: {len(self.weights)} given for {len(self.components)} components; one each is needed"
                )
            check_rows(self.weights, "weights")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        from testbed.sources.iid import IIDSource
        from testbed.sources.markov import MarkovSource

        coins = [IIDSource([0.9, 0.1]), IIDSource([0.1, 0.9])]
        chain = MarkovSource.random(vocab_size=2, order=2, seed=5)
        return [
            cls(coins),
            cls([chain, coins[0], coins[1]], weights=[0.5, 0.3, 0.2]),
            cls([chain, chain], weights=[0.25, 0.75]),
            cls([IIDSource([1.0, 0.0]), IIDSource([0.0, 1.0]), coins[0]], weights=[0.5, 0.5, 0.0]),
        ]

    @property
    def vocab_size(self) -> int:
        return self.components[0].vocab_size

    @cached_property
    def component_weights(self) -> NDArray[np.int64]:
        """Integer weights of the components over 2^32."""
        n = len(self.components)
        return quantise(np.full(n, 1.0 / n) if self.weights is None else np.asarray(self.weights))

    @property
    def component_probabilities(self) -> Floats:
        """w = weights / 2^32, exactly."""
        return self.component_weights / float(TOTAL_WEIGHT)

    @property
    def stationary(self) -> bool:  # type: ignore[override]
        """Every component is."""
        return all(component.stationary for component in self.components)

    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        """All components are known to write one law, and it is ergodic."""
        return len(self._distinct) == 1 and self._distinct[0][1].ergodic

    @property
    def period(self) -> int | None:  # type: ignore[override]
        return self._distinct[0][1].period if self.ergodic else None

    @property
    def fingerprint(self) -> str:
        parts = ":".join(component.fingerprint for component in self.components)
        head = f"mixture:{self.component_weights.tolist()}:{parts}"
        return hashlib.sha256(head.encode()).hexdigest()

    # -- tokens
    def draw_components(self, n_sequences: int, seed: int = 0, first_sequence: int = 0) -> NDArray[np.int64]:
        """(N,) the component that writes each sequence."""
        words = random_words(n_sequences, 1, seed, first_sequence, STREAM)[:, 0]
        return choose(words, self.component_weights)

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L); component i writes its sequences, under their own numbers, with a seed derived from `seed` and i."""
        chosen = self.draw_components(n_sequences, seed, first_sequence)
        length = in_range("length", length, 2**34)
        result = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        for number, component in enumerate(self.components):
            rows = np.flatnonzero(chosen == number)
            component.sample(0, length)  # a length that it does not write is refused, chosen or not
            part_seed = derive_seed(seed, "component", number)
            breaks = np.flatnonzero(np.diff(rows) > 1 + JOINED_TOKENS // max(length, 1)) + 1
            for run in np.split(rows, breaks) if len(rows) else []:
                first, last = int(run[0]), int(run[-1])
                written = component.sample(last + 1 - first, length, part_seed, first_sequence + first)
                result[run] = written[run - first]
        return result

    def lengths(self, up_to: int) -> Sequence[int]:
        return common_lengths(self.components, up_to)

    def writes_length(self, length: int) -> bool:
        return all(component.writes_length(length) for component in self.components)

    # -- laws
    def posterior(self, tokens: Tokens) -> Floats:
        """(N, L + 1, C): probability of each component given the tokens before position t, t = 0 .. L.

        nan after tokens that no component can write.
        """
        tokens = check_tokens(tokens, self.vocab_size)
        return posterior_weights(joint_scores(self.components, self.component_probabilities, tokens))

    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V): the components' laws, weighted by their posterior."""
        return predict_by_windows(self, self._laws, tokens, context, positions)

    def _laws(self, tokens: Tokens, positions: Sequence[int]) -> Floats:
        shown = tokens[:, : max(positions, default=0)]
        posterior = np.empty((len(tokens), len(positions), len(self.components)))
        for rows in self._row_chunks(shown):
            posterior[rows] = self.posterior(shown[rows])[:, list(positions)]
        law = np.zeros((len(tokens), len(positions), self.vocab_size))
        for number, component in enumerate(self.components):
            weight = posterior[:, :, number, None]
            if np.any(weight != 0):
                with np.errstate(invalid="ignore", divide="ignore"):
                    law += np.where(weight == 0, 0.0, weight * component.predict(tokens, positions=positions))
        return law

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L): differences of ln sum_i w_i p_i(tokens so far); no law over all V symbols is mixed."""
        if context is not None:
            return super().log_probs(tokens, context)
        tokens = check_tokens(tokens, self.vocab_size)
        result = np.empty(tokens.shape)
        for rows in self._row_chunks(tokens):
            scores = joint_scores(self.components, self.component_probabilities, tokens[rows])
            with np.errstate(invalid="ignore"):  # nan after the impossible
                result[rows] = np.diff(log_evidence(scores), axis=1)
        return result

    def _row_chunks(self, tokens: Tokens) -> list[slice]:
        step = max(1, POSTERIOR_ENTRIES // max(tokens.shape[1] * len(self.components), 1))
        return [slice(first, first + step) for first in range(0, len(tokens), step)]

    # -- the laws behind it
    @cached_property
    def _merged(self) -> tuple[list[tuple[float, Source]], bool]:
        """(weight, component) with nested mixtures opened and components of one law merged; all known to differ."""
        flat: list[tuple[float, Source]] = []
        for weight, component in zip(self.component_probabilities.tolist(), self.components, strict=True):
            inner = component._distinct if isinstance(component, MixtureSource) else [(1.0, component)]
            flat += [(weight * share, part) for share, part in inner if weight > 0]
        return merge_equal(flat)

    @property
    def _distinct(self) -> list[tuple[float, Source]]:
        return self._merged[0]

    @property
    def _told_apart(self) -> bool:
        """Whether infinitely many tokens tell which component wrote them: all ergodic, each pair known to differ."""
        return self._merged[1] and all(part.ergodic for _, part in self._distinct)

    @property
    def _choice_entropy(self) -> float:
        """H(w) of the distinct components, nats."""
        return float(law_entropies(np.array([weight for weight, _ in self._distinct]))) + 0.0

    def finite_form(self) -> tuple[Edges, Floats]:
        """The direct sum of the components' machines."""
        machines = [as_edges(part, f"components[{i}]") for i, part in enumerate(self.components)]
        return direct_sum(machines, self.component_probabilities.tolist())

    @property
    def rounded_form(self) -> bool:
        """Products of weights were rounded in `finite_form`."""
        return any(form_is_rounded(part) for part in self.components)

    @cached_property
    def _as_one_machine(self) -> EdgeMachine:
        machines = [as_edges(part) for _, part in self._distinct]
        edges, law = direct_sum(machines, [weight for weight, _ in self._distinct])
        return EdgeMachine(given=edges, law=law, vocab_size=self.vocab_size)

    # -- truths
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_l, exact or a bracket for finite machines, else exact for few contexts and sampled for many."""
        max_context = in_range("max_context", max_context, 2**34)
        if not self.stationary:
            raise UndefinedError(
                "a mixture with a component that is not stationary has no h_l of an unknown time; it has"
                " position_losses(length)"
            )
        if len(self._distinct) == 1:
            return self._distinct[0][1].conditional_entropies(max_context)
        known = None
        if all(is_machine(part) for _, part in self._distinct):
            found = self._as_one_machine.conditional_entropies(max_context)
            width = found.upper - found.lower
            if width.max() <= NARROW:
                return found
            known = found[: int(np.argmax(width > EXACT))]
        return stream_losses(self, max_context + 1, known)

    def position_losses(self, length: int) -> Truth:
        """h_t for stationary components; otherwise summed over all contexts, or sampled."""
        length = in_range("length", length, 2**34)
        if self.stationary:
            return super().position_losses(length)
        if len(self._distinct) == 1:
            return self._distinct[0][1].position_losses(length)
        return stream_losses(self, length)

    def entropy_rate(self) -> Truth:
        """h = sum_i w_i h_i: the entropy rate is affine in the law (no component need be ergodic)."""
        return sum_truths([scale_truth(part.entropy_rate(), weight) for weight, part in self._distinct])

    def excess_entropy(self) -> Truth:
        """E = sum_i w_i E_i + H(w) where the components are ergodic and of different laws, else a bracket around it."""
        if not self.stationary:
            raise UndefinedError("the excess entropy is that of a stationary process; a component is not stationary")
        within = sum_truths([scale_truth(part.excess_entropy(), weight) for weight, part in self._distinct])
        if len(self._distinct) == 1:
            return within
        choice = self._choice_entropy
        if self._told_apart:
            return sum_truths([within, Truth.exact(choice)])
        if within.kind == "sampled":
            raise UndefinedError(
                "whether the components' laws differ is not known, and their excess entropies are sampled: no bracket"
            )
        if np.isinf(within.lower):
            return Truth.exact(np.inf)
        lower = np.nextafter(np.maximum(within.lower - choice, 0.0), -np.inf)
        return Truth.bracket(np.maximum(lower, 0.0), np.nextafter(within.upper + choice, np.inf))
