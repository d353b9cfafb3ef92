"""Words and their spelling: closed forms against the machine's own beliefs, words against samples."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.lexicon import LexiconSource
from testbed.sources.machine import MachineSource
from testbed.sources.sampled_truth import law_entropies

WORDS = st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=8, unique=True).map(tuple)


@settings(max_examples=8)
@given(WORDS, st.integers(0, 3))
def test_closed_forms_equal_the_machine(words, exponent):
    source = LexiconSource(words=words, zipf_exponent=exponent / 2)
    h = source.conditional_entropies(8).lower
    assert h == pytest.approx(MachineSource.conditional_entropies(source, 8).value, abs=1e-9)
    assert float(source.entropy_rate().lower) == pytest.approx(
        float(MachineSource.entropy_rate(source).value), abs=1e-9
    )
    assert h[max(map(len, words)) + 1 :] == pytest.approx(float(source.entropy_rate().lower), abs=1e-9)
    expected = MachineSource.excess_entropy(source)
    assert expected.lower - 1e-8 <= source.excess_entropy().lower <= expected.upper + 1e-8
    tokens = source.sample(15, 12, seed=2)
    for context in (None, 0, 2, 5):
        laws = MachineSource.predict(source, tokens, context=context)
        assert source.predict(tokens, context=context) == pytest.approx(laws, abs=1e-9)
        read = MachineSource.log_probs(source, tokens, context=context)
        assert source.log_probs(tokens, context=context) == pytest.approx(read, abs=1e-9)


def test_rate_is_the_entropy_of_words_over_their_length():
    """By hand: words a, ba, b with law 1/2, 1/4, 1/4: 1.5 bit a word, 2.25 tokens a word."""
    source = LexiconSource(words=("a", "ba", "b"), word_law=np.array([0.5, 0.25, 0.25]))
    assert source.word_probabilities == pytest.approx([0.5, 0.25, 0.25], abs=1e-9)
    assert source.mean_length == pytest.approx(1.25, abs=1e-9)
    assert float(source.entropy_rate().lower) == pytest.approx(1.5 * math.log(2) / 2.25, abs=1e-9)
    words = LexiconSource(n_words=300, n_letters=5, longest=6, seed=3)
    law = np.arange(1, 301) ** -1.0
    law /= law.sum()
    lengths = np.array([len(word) for word in words.spellings])
    assert words.word_probabilities == pytest.approx(law, abs=1e-8)
    rate = float(law_entropies(law)) / (float(law @ lengths) + 1)
    assert float(words.entropy_rate().lower) == pytest.approx(rate, abs=1e-7)


def test_samples_are_words_at_their_frequencies():
    """The 40 words after the first delimiter of each row are independent: each word's share, Bernstein at 5.5."""
    source = LexiconSource(n_words=12, n_letters=3, longest=3, seed=5)
    names = {"".join(map(str, word)): rank for rank, word in enumerate(source.spellings)}
    texts = ["".join(map(str, row)) for row in source.sample(300, 200, seed=7).tolist()]
    found = [names[word] for text in texts for word in text.split("3")[1:41]]
    n, p = len(found), source.word_probabilities
    assert n == 300 * 40
    share = np.bincount(found, minlength=12) / n
    assert np.all(np.abs(share - p) < 5.5 * np.sqrt(p / n) + 5.5**2 / 2 / n)


def test_drawn_words_are_different_and_of_the_lengths_asked_for():
    source = LexiconSource(n_words=500, n_letters=4, shortest=2, longest=7, letter_concentration=0.7, seed=2)
    assert len(set(source.spellings)) == 500
    assert {len(word) for word in source.spellings} == set(range(2, 8))
    assert source.spellings == LexiconSource(**source.model_dump(exclude_unset=True)).spellings
    assert source.spellings != source.replace(seed=3).spellings
    every = LexiconSource(n_words=14, n_letters=2, longest=3)  # all words that there are
    assert len(set(every.spellings)) == 14


def test_alphabet_of_given_words():
    source = LexiconSource(words=("the", "hat"))
    assert source.alphabet == ("a", "e", "h", "t")
    assert source.vocab_size == 5
    assert source.spellings == [(3, 2, 1), (2, 0, 3)]


@pytest.mark.parametrize(
    "keys, named",
    [
        ({"words": ("a", "a")}, "'a' is there twice"),
        ({"words": ("a", "")}, "word 1 has 0 letters"),
        ({"words": ("a",), "n_words": 7}, "n_words"),
        ({"words": ("a", "b"), "word_law": [1.0]}, "word_law"),
        ({"words": ("a", "b"), "word_law": [1.0, 0.0]}, "word_law: word 1"),
        ({"words": ("a", "b"), "word_law": [0.5, 0.5], "zipf_exponent": 2.0}, "zipf_exponent"),
        ({"n_words": 15, "n_letters": 2, "longest": 3}, "n_words"),
        ({"shortest": 4, "longest": 3}, "shortest"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(keys, named):
    with pytest.raises(ConfigError, match=named):
        LexiconSource(**keys)


def test_letters_that_do_not_make_enough_words_are_refused():
    source = LexiconSource(n_words=200, n_letters=4, longest=6, letter_concentration=1e-4, seed=1)
    with pytest.raises(ConfigError, match="letter_concentration"):
        _ = source.spellings


def test_one_word_has_no_entropy_and_not_minus_none():
    source = LexiconSource(words=("x",))
    for truth in (source.entropy_rate(), source.conditional_entropies(3)[2:], source.position_losses(4)[2:]):
        assert not truth.lower.any()
        assert not np.signbit(truth.lower).any()
