"""Two visible classes of witnesses: what one of them said, believed in a ratio that is the same at every length."""

from fractions import Fraction
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import ConfigError, Truth
from testbed.sources.in_context.dirichlet_entropies import urn_entropies
from testbed.sources.in_context.urn import Ratio, sample_urns, urn_laws
from testbed.sources.randomness import TOTAL, in_range, random_words
from testbed.sources.recall._draws import Integers, coin_weight, coins, law_fingerprint
from testbed.sources.recall._value_query import ValueQuery
from testbed.sources.sampled_truth import TRUTH_SEED, law_entropies
from testbed.sources.source import Floats, Tokens, source, token_dtype

CLASSES = 4
FIRST_URN, CLASS_URNS, WITNESS = 6 << 16, 1 << 16, 9 << 16
"""Streams in which a rejected word is replaced by that of the next stream, hence the gaps."""
LARGEST_TOTAL = 2**32 - 1
LIMIT_DRAWS = 2**14
"""Pairs of class laws over which the entropy rate is averaged."""


@source("reliability_classes")
class ReliabilityClasses(ValueQuery):
    """n statements, each by a witness of class 1 or 0, visibly; the answer is what one of them said.

        1b 0c 0c 1b 0c | ? | b

    A witness is of class 1 with probability `share`. In every sequence each class has a law of its own over the values,
    drawn from a Dirichlet(a, ..., a); statements follow the law of their class. The answer repeats statement j with
    probability w(c_j) / sum_i w(c_i), seen through the channel:

        p(y) = sum_j w(c_j) C(x_j, y) / sum_j w(c_j),      w(1) : w(0) = ratio : 1

    So statements are exchangeable and the best attention has the weights w(c), in the same ratio at every n: its
    logits, 0 and ln ratio, do not depend on length. A multiplier lambda makes the ratio ratio^lambda
    (`tempered_answers`), which costs as much as the classes' laws differ, also as n grows without bound: the negative
    control of every method that sharpens attention with length (task T7b).

    Tokens: values 0 .. V - 1 (answers), then V + V c + x for the value x from class c, then the question 3 V.

    >>> source = ReliabilityClasses(n_values=2, ratio=3, noise=0.0)
    >>> source.predict(np.array([[4, 2, 5, 6, 0]]), positions=[4])[0, 0, :2].round(4).tolist()   # 1a 0a 1b | ? |
    [0.5714, 0.4286]
    """

    site_length: ClassVar[int] = 1
    context_unit: ClassVar[str] = "one statement"

    ratio: Ratio = Field(16, description="w(1) / w(0), a rational: how much more a witness of class 1 counts")
    share: float = Field(0.125, gt=0, lt=1, description="probability that a witness is of class 1")
    concentration: Ratio = Field("1/4", description="Dirichlet parameter a of each class's law, rational")

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        if self.n_values < 2:
            raise ValueError(f"n_values: given {self.n_values}; with one value there is nothing to say")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(n_values=2, noise=0.1),
            cls(n_values=3, ratio="5/2", share=0.5, concentration=2),
            cls(n_values=2, ratio=1, share=0.9),
            cls(n_values=4, ratio="1/8", channel=np.eye(4)[::-1]),
        ]

    # -- laws
    @property
    def vocab_size(self) -> int:
        return 3 * self.n_values + 1

    @cached_property
    def share_weight(self) -> int:
        """Weight over 2^32 of class 1."""
        return coin_weight(self.share)

    @property
    def class_law(self) -> Floats:
        """(2,): probability of class 0, of class 1."""
        return np.array([TOTAL - self.share_weight, self.share_weight]) / float(TOTAL)

    @cached_property
    def class_weights(self) -> Integers:
        """(2,): w(0), w(1) as integers."""
        alpha = _fraction(self.ratio)
        return np.array([alpha.denominator, alpha.numerator])

    @property
    def fingerprint(self) -> str:
        parts = self.share_weight, self.class_weights, str(_fraction(self.concentration)), self.channel_weights
        return law_fingerprint(self.type_name, self.n_values, *parts)

    # -- draws
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        n = self.n_units(in_range("length", length, 2**31))
        self._check_total(n)
        classes = coins(random_words(n_sequences, n, seed, first_sequence, CLASSES), self.share_weight).astype(np.int64)
        values = np.empty_like(classes)
        for c in (0, 1):  # the k-th statement of a class is the k-th draw from its urn
            stream = FIRST_URN + c * CLASS_URNS
            alpha = _fraction(self.concentration)
            urn = sample_urns(self.n_values, 0, alpha, n_sequences, n, seed, first_sequence, stream=stream)
            mine = classes == c
            k = np.maximum(np.cumsum(mine, axis=1) - 1, 0)
            values = np.where(mine, np.take_along_axis(urn.astype(np.int64), k, axis=1), values)
        ends = np.cumsum(self.class_weights[classes], axis=1)
        drawn = _uniform_below(ends[:, -1], seed, first_sequence)
        witness = (drawn[:, None] >= ends).sum(axis=1)
        tokens = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        tokens[:, :n] = self.n_values * (1 + classes) + values
        tokens[:, -2] = 3 * self.n_values
        tokens[:, -1] = self._draw_answers(values[np.arange(n_sequences), witness], seed, first_sequence)
        return tokens

    def _check_total(self, n: int) -> None:
        most = LARGEST_TOTAL // int(self.class_weights.max())
        if n > most:
            raise ConfigError(f"length: {n} statements with ratio {self.ratio} pass 2^32 in all; at most {most} fit")

    # -- prediction
    def _counts(self, statements: Tokens) -> NDArray[np.int64]:
        """(N, 2, V): how often each class said each value; tokens that are no statements count for nothing."""
        index = np.asarray(statements, dtype=np.int64) - self.n_values
        fits = (index >= 0) & (index < 2 * self.n_values)
        rows = np.broadcast_to(np.arange(len(index))[:, None], index.shape)
        flat = rows[fits] * 2 * self.n_values + index[fits]
        found = np.bincount(flat, minlength=len(index) * 2 * self.n_values)
        return found.reshape(len(index), 2, self.n_values)

    def _context_laws_at(self, tokens: Tokens, at: list[int]) -> Floats:
        laws = np.zeros((len(tokens), len(at), self.vocab_size))
        question = tokens.shape[1] - 2
        for column, t in enumerate(at):
            if t == question:
                laws[:, column, -1] = 1.0
            else:
                said = urn_laws(self._counts(tokens[:, :t]), _fraction(self.concentration))
                joint = self.class_law[:, None] * said
                laws[:, column, self.n_values : -1] = joint.reshape(len(tokens), -1)
        return laws

    def _target_laws(self, tokens: Tokens, n_units: int) -> Floats:
        n = self.n_units(tokens.shape[1])
        return self._answer_laws(self._counts(tokens[:, n - n_units : n]), n - n_units, self.class_weights)

    def _answer_laws(self, counts: NDArray[np.int64], n_far: int, weights: Floats | Integers) -> Floats:
        """(N, V): the answer's law given counts (N, 2, V) and n_far statements that are not seen, k of class 1:

        sum over k of Bin(k; n_far, share) [w1 (c1 + k q1) + w0 (c0 + (n_far - k) q0)] / [w1 (N1 + k) + w0 (...)]

        with q the urn's next draw, which every unseen statement of a class follows, whatever the others say.
        """
        unseen = urn_laws(counts, _fraction(self.concentration))
        seen = np.einsum("c,ncv->nv", weights.astype(np.float64), counts)
        total = counts.sum(axis=2) @ weights
        mass = np.zeros((len(counts), self.n_values))
        with np.errstate(invalid="ignore"):  # no statement at all: the law is undefined
            for k, chance in enumerate(_binomial(n_far, self.class_law[1])):
                far = (n_far - k) * weights[0], k * weights[1]
                of_all = (total + far[0] + far[1])[:, None]
                mass += chance * (seen + far[0] * unseen[:, 0] + far[1] * unseen[:, 1]) / of_all
        laws = np.zeros((len(counts), self.vocab_size))
        laws[:, : self.n_values] = mass @ self.channel_law
        return laws

    def tempered_answers(self, tokens: Tokens, power: float) -> Floats:
        """(N, V): the answer's law if witnesses counted in the ratio w(1)^power : w(0)^power; `predict` at power 1.

        What attention with the best logits gives once they are multiplied by `power`.
        """
        weights = self.class_weights.astype(np.float64) ** power
        return self._answer_laws(self._counts(tokens[:, : self.n_units(tokens.shape[1])]), 0, weights)

    # -- truths
    def position_losses(self, length: int) -> Truth:
        """(length,): exact before the answer, H(class) + sum_c p(c) E[h_k], k the earlier statements of the class, h_k
        the urn's entropy after k draws; the answer's is sampled."""
        n = self.n_units(length)
        urn = urn_entropies(self.n_values, _fraction(self.concentration), n)
        losses, errors = np.zeros(length), np.zeros(length)
        for t in range(n):
            said = [p * (_binomial(t, p) @ urn[: t + 1]) for p in self.class_law]
            losses[t] = float(law_entropies(self.class_law)) + sum(said)
        losses[-1], errors[-1] = self._sampled_target_loss(length)
        return Truth.sampled(losses, errors)

    def entropy_rate(self) -> Truth:
        """Limit of the answer's loss as n grows, sampled: E H(W q1 + (1 - W) q0) over the classes' drawn laws q, with
        W = share w1 / (share w1 + (1 - share) w0)."""
        weight = self.class_law * self.class_weights
        rng = np.random.Generator(np.random.Philox(TRUTH_SEED))
        alpha = np.full(self.n_values, float(_fraction(self.concentration)))
        laws = rng.dirichlet(alpha, size=(LIMIT_DRAWS, 2))
        entropies = law_entropies(np.einsum("c,ncv->nv", weight / weight.sum(), laws) @ self.channel_law)
        return Truth.sampled(entropies.mean(), entropies.std(ddof=1) / np.sqrt(LIMIT_DRAWS))


def _fraction(ratio: int | float | str) -> Fraction:
    return Fraction(str(ratio))


def _binomial(n: int, p: float) -> Floats:
    """(n + 1,): the law of the number of successes in n trials."""
    from scipy.special import gammaln, xlog1py, xlogy

    k = np.arange(n + 1)
    logs = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlog1py(n - k, -p)
    law: Floats = np.exp(logs - logs.max())
    return law / law.sum()


def _uniform_below(totals: Integers, seed: int, first_sequence: int) -> Integers:
    """(N,) exactly uniform integers of 0 .. total - 1, total < 2^32, from 32-bit words by Lemire's rejection (2019)."""
    total = totals.astype(np.uint64)
    drawn = np.zeros(len(total), dtype=np.uint64)
    left, stream = np.ones(len(total), dtype=np.bool_), WITNESS
    mask, rejected_below = np.uint64(TOTAL - 1), np.uint64(TOTAL) % np.maximum(total, np.uint64(1))
    while left.any():
        words = random_words(len(total), 1, seed, first_sequence, stream)[:, 0].astype(np.uint64)
        product = words * total
        drawn = np.where(left, product >> np.uint64(32), drawn)
        left &= (product & mask) < rejected_below
        stream += 1
    return drawn.astype(np.int64)
