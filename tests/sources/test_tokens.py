"""Tokenizers and the exact law of their tokens: round trips, slow twins, conservation, counts, the library."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources import HiddenMarkovSource, MarkovSource, Source
from testbed.sources.hidden.golden_mean import GoldenMean
from testbed.sources.lexicon import LexiconSource
from testbed.sources.tokens import (
    BytePairs,
    Dictionary,
    TokenisedSource,
    Tokenizer,
    WordPool,
    all_grams,
    token_chain,
    train_byte_pairs,
    train_lz78,
    train_lzw,
    train_words,
)

FALSE_ALARM = 1e-6
texts = st.lists(st.integers(0, 2), min_size=1, max_size=120)


def random_pairs(rng: np.random.Generator, n_symbols: int, n_merges: int) -> BytePairs:
    """Merges of any tokens, so long as no string is made twice."""
    merges: list[tuple[int, int]] = []
    strings: list[tuple[int, ...]] = [(symbol,) for symbol in range(n_symbols)]
    while len(merges) < n_merges:
        pair = tuple(rng.integers(len(strings), size=2).tolist())
        string = strings[pair[0]] + strings[pair[1]]
        if string not in strings:
            merges.append(pair)
            strings.append(string)
    return BytePairs(n_symbols, tuple(merges))


def every_kind(rng: np.random.Generator, text: np.ndarray, n_symbols: int) -> list[Tokenizer]:
    return [
        random_pairs(rng, n_symbols, 6),
        train_lzw(text, n_symbols, n_symbols + 7),
        train_lz78(text, n_symbols, n_symbols + 7),
        all_grams(n_symbols, 3),
        train_words(text, n_symbols, n_symbols + 5, separator=n_symbols - 1),
        BytePairs(n_symbols),
        Dictionary(n_symbols),
        WordPool(n_symbols, separator=0),
    ]


# ------------------------------------------------------------------------------------------------ cutting texts
@given(texts, texts, st.integers(0, 10**6))
def test_the_strings_of_the_tokens_are_the_text(training, text, seed):
    read = np.array(text)
    for tokenizer in every_kind(np.random.default_rng(seed), np.array(training), 3):
        tokens = tokenizer.encode(read)
        assert tokenizer.decode(tokens).tolist() == text
        assert tokenizer.lengths[tokens].sum() == len(text)
        assert len(set(tokenizer.vocabulary)) == tokenizer.vocab_size


def slow_pairs(tokenizer: BytePairs, text: list[int]) -> list[int]:
    """Merge by merge, by reading the list."""
    tokens = list(text)
    for number, pair in enumerate(tokenizer.merges):
        out: list[int] = []
        while tokens:
            if tuple(tokens[:2]) == pair:
                out.append(tokenizer.n_symbols + number)
                tokens = tokens[2:]
            else:
                out.append(tokens.pop(0))
        tokens = out
    return tokens


def slow_longest(tokenizer: Tokenizer, text: list[int]) -> list[int]:
    """The longest string of the vocabulary that the rest begins with."""
    number = {string: token for token, string in enumerate(tokenizer.vocabulary)}
    tokens = []
    while text:
        string = max((s for s in number if tuple(text[: len(s)]) == s), key=len)
        tokens.append(number[string])
        text = text[len(string) :]
    return tokens


@given(texts, texts, st.integers(0, 10**6))
def test_cutting_agrees_with_its_slow_twin(training, text, seed):
    pairs, lzw, lz78, grams, *_ = every_kind(np.random.default_rng(seed), np.array(training), 3)
    assert pairs.encode(np.array(text)).tolist() == slow_pairs(pairs, text)
    for tokenizer in (lzw, lz78, grams):
        assert tokenizer.encode(np.array(text)).tolist() == slow_longest(tokenizer, text)


def test_lempel_ziv_dictionaries_by_hand():
    text = np.array([0, 1, 0, 1, 0, 1, 0, 0])
    assert train_lzw(text, 2, 99).strings == ((0, 1), (1, 0), (0, 1, 0), (0, 1, 0, 0))
    assert train_lz78(text, 2, 99).strings == ((0, 1), (0, 1, 0))  # phrases 0 | 1 | 01 | 010 | 0
    assert train_lzw(text, 2, 3).vocab_size == 3


def test_words_are_the_most_frequent_ones():
    text = np.array([0, 2, 1, 2, 1, 2, 2, 0, 1, 2, 0])
    assert train_words(text, 3, 4, separator=2).words == ((1, 2),)
    assert train_words(text, 3, 99, separator=2).words == ((1, 2), (0, 2), (0, 1, 2))


# ------------------------------------------------------------------------------------------------ the library
def test_byte_pairs_are_those_of_the_library():
    tokenizers = pytest.importorskip("tokenizers")
    from testbed.sources.tokens.byte_pairs import FIRST_CHARACTER, from_library

    text = MarkovSource.random(vocab_size=3, order=2, seed=1).sample(1, 4000, seed=2)[0].astype(np.int64)
    ours = train_byte_pairs(text, 3, 40)
    pairs = Counter(itertools.pairwise(text.tolist()))
    assert pairs[ours.merges[0]] == max(pairs.values())
    letters = [chr(FIRST_CHARACTER + symbol) for symbol in range(3)]
    library = tokenizers.Tokenizer(tokenizers.models.BPE())
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=40, initial_alphabet=letters, special_tokens=[], show_progress=False
    )
    library.train_from_iterator(["".join(letters[symbol] for symbol in text)], trainer)
    assert from_library(library, 3).merges == ours.merges
    fresh = MarkovSource.random(vocab_size=3, order=2, seed=1).sample(1, 3000, seed=3)[0].astype(np.int64)
    strings = library.encode("".join(letters[symbol] for symbol in fresh)).tokens
    theirs = [tuple(ord(letter) - FIRST_CHARACTER for letter in string) for string in strings]
    assert [ours.vocabulary[token] for token in ours.encode(fresh)] == theirs
    assert ours.truncated(10).merges == train_byte_pairs(text, 3, 10).merges


# ------------------------------------------------------------------------------------------------ the exact law
def cases() -> list[tuple[str, Source, Tokenizer]]:
    rng = np.random.default_rng(0)
    sources: list[Source] = [
        MarkovSource([[0.5, 0.5], [0.5, 0.5]]),
        MarkovSource.random(vocab_size=2, order=3, seed=1),
        MarkovSource.random(vocab_size=3, order=1, seed=2),
        MarkovSource.random(vocab_size=3, order=0, seed=3),
        GoldenMean(p=0.3),  # a string that never comes
        LexiconSource(words=("a", "ba", "b", "aab")),
    ]
    found = []
    for source in sources:
        text = source.sample(1, 400, seed=1)[0].astype(np.int64)
        for tokenizer in every_kind(rng, text, source.vocab_size):
            found.append((f"{source.type_name}-{type(tokenizer).__name__}", source, tokenizer))
    return found


CASES = cases()


@pytest.mark.parametrize(("name", "source", "tokenizer"), CASES, ids=[name for name, _, _ in CASES])
def test_entropy_is_conserved_and_tokens_come_as_often_as_they_should(name, source, tokenizer):
    chain = token_chain(source, tokenizer)
    assert chain.entropy_rate == pytest.approx(float(source.entropy_rate().value) * chain.mean_length, rel=1e-10)
    assert chain.law @ chain.kernel == pytest.approx(chain.law, abs=1e-12)
    assert chain.kernel.sum(axis=1) == pytest.approx(1.0)
    text = source.sample(1, 60_000, seed=5)[0].astype(np.int64)
    tokens = tokenizer.encode(text)[20:-1]
    blocks = tokens[: len(tokens) // 50 * 50].reshape(50, -1)
    # unigrams and pairs of tokens, from 50 blocks, of which the means are nearly independent
    from scipy.stats import t

    expected = chain.token_law
    counted = np.stack([np.bincount(block, minlength=chain.vocab_size) / len(block) for block in blocks])
    frequent = expected > 0.02
    error = counted.std(axis=0, ddof=1) / math.sqrt(50)
    score = np.abs(counted.mean(axis=0) - expected)[frequent] / np.maximum(error[frequent], 1e-9)
    assert (score < t.isf(FALSE_ALARM / 2 / len(CASES) / chain.vocab_size, 49)).all()
    assert not counted[:, expected == 0].any()


@pytest.mark.parametrize(("name", "source", "tokenizer"), CASES[::5], ids=[name for name, _, _ in CASES[::5]])
def test_conditional_entropies_by_listing_strings_of_tokens(name, source, tokenizer):
    chain = token_chain(source, tokenizer)
    one_hot = np.eye(chain.vocab_size)[chain.token]  # (S, V)
    joint = {(): chain.law}
    blocks = [0.0]
    for _ in range(4):
        longer = {}
        for string, weight in joint.items():
            following = weight @ chain.kernel
            for token in np.flatnonzero(following @ one_hot):
                longer[(*string, int(token))] = following * one_hot[:, token]
        joint = longer
        chances = np.array([weight.sum() for weight in joint.values()])
        blocks.append(float(-np.sum(chances * np.log(chances))))
    assert chain.conditional_entropies(3) == pytest.approx(np.diff(blocks), abs=1e-10)


def test_blocks_at_order_one_cost_what_the_formula_says():
    source = MarkovSource([[0.9, 0.1], [0.2, 0.8]])
    h, symbol = float(source.entropy_rate().value), float(source.conditional_entropies(0).value[0])
    for length in (1, 2, 5):
        chain = token_chain(source, all_grams(2, length))
        assert chain.unigram_entropy / length == pytest.approx((1 - 1 / length) * h + symbol / length)


def test_a_pair_of_fair_coins_by_hand():
    """01 becomes 2: then after a 0 comes no 1. Runs: E[length] = 4/3, and both readings have one entropy."""
    chain = token_chain(MarkovSource([[0.5, 0.5], [0.5, 0.5]]), BytePairs(2, ((0, 1),)))
    assert chain.mean_length == pytest.approx(4 / 3)
    assert chain.token_law == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert chain.entropy_rate == pytest.approx(4 / 3 * math.log(2))
    assert chain.unigram_entropy / chain.mean_length > math.log(2)  # a unigram over tokens does worse than on symbols


def test_all_words_of_a_lexicon_are_independent_tokens():
    source = LexiconSource(n_words=12, n_letters=3, longest=3, seed=2)
    separator = source.vocab_size - 1
    words = tuple((*spelling, separator) for spelling in source.spellings)
    chain = token_chain(source, WordPool(source.vocab_size, separator, words))
    law = np.sort(source.word_probabilities)
    assert np.sort(chain.token_law)[-12:] == pytest.approx(law)
    assert chain.conditional_entropies(2) == pytest.approx(np.full(3, float(-np.sum(law * np.log(law)))))


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(1, 10))
def test_conservation_on_random_chains_and_merges(seed, order, n_merges):
    source = MarkovSource.random(vocab_size=2, order=order, seed=seed)
    chain = token_chain(source, random_pairs(np.random.default_rng(seed), 2, n_merges))
    assert chain.entropy_rate == pytest.approx(float(source.entropy_rate().value) * chain.mean_length, rel=1e-9)
    levels = chain.conditional_entropies(4)
    assert (np.diff(levels) < 1e-12).all()
    assert levels[-1] >= chain.entropy_rate - 1e-12


# ------------------------------------------------------------------------------------------------ as a source
def test_the_source_is_the_chain_up_to_rounding_and_its_samples_are_encoded_texts():
    source = TokenisedSource(
        component=MarkovSource.random(vocab_size=2, order=2, seed=4), tokenizer="lzw", size=9, training_length=500
    )
    assert float(source.entropy_rate().value) == pytest.approx(source.chain.entropy_rate, abs=1e-7)
    assert source.conditional_entropies(2).value == pytest.approx(source.chain.conditional_entropies(2), abs=1e-7)
    assert source.vocab_size == 9
    text = source.component.sample(1, 50_000, seed=9)[0].astype(np.int64)
    encoded = source.coder.encode(text)[20:-1]
    drawn = source.sample(40, len(encoded) // 40, seed=1).astype(np.int64)
    pairs = [np.bincount(one[:-1] * 9 + one[1:], minlength=81) for one in (encoded, *drawn)]
    law = np.sum(pairs[1:], axis=0) / (drawn.size - 40)
    spread = np.std([one / one.sum() for one in pairs[1:]], axis=0) / math.sqrt(40)
    difference = np.abs(pairs[0] / pairs[0].sum() - law)
    assert (difference < 9 * np.maximum(spread, 1e-4)).all()  # both sides have that error: 9 / sqrt(2) > 6 deviations


def test_byte_pairs_as_a_source():
    pytest.importorskip("tokenizers")
    chain = MarkovSource([[0.9, 0.1], [0.2, 0.8]])
    source = TokenisedSource(component=chain, tokenizer="byte_pairs", size=12, training_length=2000)
    assert source.vocab_size == 12
    assert float(source.entropy_rate().value) == pytest.approx(
        float(chain.entropy_rate().value) * source.mean_length, abs=1e-6
    )


# ------------------------------------------------------------------------------------------------ refusals
def test_what_is_no_tokenizer_is_refused():
    with pytest.raises(ConfigError, match="merge 0 joins"):
        BytePairs(2, ((0, 2),))
    with pytest.raises(ConfigError, match="two tokens stand for one string"):
        BytePairs(2, ((0, 0), (2, 0), (0, 2)))
    with pytest.raises(ConfigError, match="its prefix"):
        Dictionary(2, ((0, 1, 1),))
    with pytest.raises(ConfigError, match="there twice"):
        Dictionary(2, ((0, 1), (0, 1)))
    with pytest.raises(ConfigError, match="end with its only"):
        WordPool(2, 1, ((1, 0),))
    with pytest.raises(ConfigError, match="at least 2"):
        train_lzw(np.array([0, 1]), 2, 1)
    with pytest.raises(ConfigError, match="length"):
        all_grams(2, 17)


def test_texts_and_sources_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="must lie in 0 .. 1"):
        BytePairs(2).encode(np.array([0, 2]))
    with pytest.raises(ConfigError, match="shape"):
        BytePairs(2).encode(np.array([0.5]))
    with pytest.raises(ConfigError, match="made for 3 symbols"):
        token_chain(MarkovSource([[0.5, 0.5], [0.5, 0.5]]), BytePairs(3))
    hidden = np.full((2, 2, 2), 0.25)
    with pytest.raises(ConfigError, match="must follow from state and symbol"):
        token_chain(HiddenMarkovSource(hidden), BytePairs(2))
    chain = MarkovSource([[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(ConfigError, match="separator"):
        TokenisedSource(component=chain, tokenizer="words", size=4)
    with pytest.raises(ConfigError, match="size"):
        TokenisedSource(component=chain, tokenizer="lzw", size=1)
