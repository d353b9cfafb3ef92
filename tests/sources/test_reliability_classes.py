"""Reliability classes: the sampled strings are the story's, the best attention keeps one ratio, tempering costs."""

import math
from fractions import Fraction

import numpy as np
import pytest
from generated_strings import Draw, alike, assert_same_law

from testbed.core import ConfigError, UndefinedError
from testbed.sources.recall.reliability_classes import ReliabilityClasses, _uniform_below

Z = 5.5
"""Standard errors allowed: a false alarm of 4e-8 for each comparison."""


def story_of(n: int, ratio: Fraction, share: float, a: Fraction, noise: float):
    """n statements over two values, urn by urn, then the witness, then the channel."""

    def story(draw: Draw) -> list[int]:
        tokens: list[int] = []
        said: list[tuple[int, int]] = []
        for _ in range(n):
            c = draw([1 - share, share])
            earlier = [x for d, x in said if d == c]
            urn = [float(earlier.count(x) + a) for x in (0, 1)]
            x = draw([w / sum(urn) for w in urn])
            said.append((c, x))
            tokens.append(2 + 2 * c + x)
        weight = [float(ratio) if c else 1.0 for c, _ in said]
        x = said[draw([w / sum(weight) for w in weight])][1]
        return [*tokens, 6, x if draw([1 - noise, noise]) == 0 else 1 - x]

    return story


@pytest.mark.parametrize(
    "ratio, share, concentration, noise", [(3, 0.25, "1/2", 0.1), ("1/4", 0.5, 2, 0.0), (1, 0.75, 1, 0.25)]
)
def test_every_string_has_its_storys_probability(ratio, share, concentration, noise):
    source = ReliabilityClasses(n_values=2, ratio=ratio, share=share, concentration=concentration, noise=noise)
    law = assert_same_law(source, 4, story_of(2, Fraction(ratio), share, Fraction(concentration), noise))
    for l in range(3):  # the answer given the question and the nearest l statements: summed over the others
        joint: dict[tuple[int, ...], np.ndarray] = {}
        for string, p in law.items():
            joint.setdefault(string[2 - l : -1], np.zeros(source.vocab_size))[string[-1]] += p
        strings = np.array([string for string, p in law.items() if p > 0])
        found = source.predict(strings, context=l, positions=[3])[:, 0]
        wanted = np.array([joint[tuple(string[2 - l : -1])] for string in strings.tolist()])
        assert found == pytest.approx(wanted / wanted.sum(axis=1, keepdims=True), abs=1e-7)


@pytest.mark.parametrize("n", [1, 7, 200])
def test_one_attention_row_with_logits_0_and_ln_ratio_is_exact_at_every_length(n):
    """The slow twin of the answer's law: a softmax over statements, then their values through the channel."""
    source = ReliabilityClasses(n_values=3, ratio="7/2", share=0.3, noise=0.2)
    tokens = source.sample(30, source.length_of(n), seed=n).astype(int)
    for power in (1.0, 1.7):
        for row in tokens:
            logits = np.array([power * math.log(3.5) if token >= 6 else 0.0 for token in row[:n]])
            weights = np.exp(logits) / np.exp(logits).sum()
            wanted = sum(w * source.channel_law[(token - 3) % 3] for w, token in zip(weights, row[:n], strict=True))
            tempered = source.tempered_answers(row[None], power)[0]
            assert tempered[:3] == pytest.approx(wanted, abs=1e-9)
            assert not tempered[3:].any()
            if power == 1.0:
                assert source.predict(row[None], positions=[n + 1])[0, 0] == pytest.approx(tempered, abs=1e-12)


def test_statements_are_exchangeable():
    """Any order of the statements has the same probability."""
    source = ReliabilityClasses(n_values=2, ratio=5, share=0.4, noise=0.1)
    tokens = np.array([[2, 5, 3, 4, 4, 6, 1]])
    whole = source.log_probs(tokens).sum()
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(5)
        shuffled = np.concatenate([tokens[:, order], tokens[:, 5:]], axis=1)
        assert source.log_probs(shuffled).sum() == pytest.approx(whole, abs=1e-9)


def test_sharpening_costs_as_much_at_any_length():
    """The excess of a multiplier does not fade with n, and there is none at multiplier one."""
    source = ReliabilityClasses(n_values=4, ratio=16, share=1 / 17, concentration="1/8", noise=0.1)

    def excess(n: int, power: float) -> float:
        tokens = source.sample(1000, source.length_of(n), seed=3)
        exact = source.predict(tokens, positions=[tokens.shape[1] - 1])[:, 0, :4]
        tempered = source.tempered_answers(tokens, power)[:, :4]
        return float((exact * np.log(exact / tempered)).sum(axis=1).mean())

    assert abs(excess(60, 1.0)) < 1e-12
    assert excess(60, 1.1) > 0.002
    assert excess(2000, 1.1) > 0.8 * excess(60, 1.1)
    assert excess(60, 1.4) > 4 * excess(60, 1.1)


def test_the_answers_loss_approaches_its_limit():
    source = ReliabilityClasses(n_values=3, ratio=4, share=0.5, noise=0.1)
    limit, far = source.entropy_rate(), source.position_losses(source.length_of(2000))[-1]
    assert abs(far.value - limit.value) < Z * math.hypot(far.standard_error, limit.standard_error) + 5e-3


def test_uniform_draws_are_uniform():
    """A chi-square test of 60,000 draws below 7; one above 60 in six degrees of freedom has probability 5e-11."""
    drawn = _uniform_below(np.full(60_000, 7), seed=1, first_sequence=0)
    counts = np.bincount(drawn, minlength=7)
    assert len(counts) == 7
    assert ((counts - 60_000 / 7) ** 2 / (60_000 / 7)).sum() < 60
    assert _uniform_below(np.array([1, 1]), seed=0, first_sequence=0).tolist() == [0, 0]
    large = _uniform_below(np.full(1000, 2**32 - 1), seed=0, first_sequence=0)
    assert large.max() < 2**32 - 1
    assert len(np.unique(large)) > 990


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match="n_values"):
        ReliabilityClasses(n_values=1)
    with pytest.raises(ConfigError, match="ratio"):
        ReliabilityClasses(ratio=0)
    with pytest.raises(ConfigError, match="share"):
        ReliabilityClasses(share=1.0)
    source = ReliabilityClasses(ratio=60_000)
    with pytest.raises(ConfigError, match="at most 71582 fit"):
        source.sample(1, 80_000)
    with pytest.raises(ConfigError, match="length"):
        source.sample(1, 2)
    with pytest.raises(UndefinedError):
        source.conditional_entropies(3)


def test_alike_classes_are_an_ordinary_average():
    """ratio = 1: the answer's law is the mean of the statements' channel rows."""
    source = ReliabilityClasses(n_values=2, ratio=1, share=0.5, noise=0.0)
    assert source.predict(np.array([[2, 4, 5, 6, 0]]), positions=[4])[0, 0, :2] == pytest.approx([2 / 3, 1 / 3])
    assert alike(2) == [0.5, 0.5]
