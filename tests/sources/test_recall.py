"""Recall sources against their stories told in full: every string's probability, every position's loss."""

import math

import numpy as np
import pytest
from generated_strings import Draw, alike, assert_same_law, every_string
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError, UndefinedError
from testbed.sources import IIDSource, MarkovSource
from testbed.sources.dyadic import quantise
from testbed.sources.randomness import random_words
from testbed.sources.recall._draws import Shuffle, uniform_entropy, uniform_index, uniform_law, uniform_weights
from testbed.sources.recall.associative_recall import AssociativeRecall
from testbed.sources.recall.far_source import FarSource
from testbed.sources.recall.fillers import Fillers
from testbed.sources.recall.key_value_recall import KeyValueRecall
from testbed.sources.recall.repeated_block import RepeatedBlock
from testbed.sources.recall.set_disjointness import SetDisjointness


def without_replacement(draw: Draw, items: list[int], n: int) -> list[int]:
    left = list(items)
    return [left.pop(draw(alike(len(left)))) for _ in range(n)]


def through(draw: Draw, value: int, n_values: int, noise: float) -> int:
    law = [1 - noise if other == value else noise / max(n_values - 1, 1) for other in range(n_values)]
    return draw(law)


# ------------------------------------------------------------------------------------------------ draws
@given(st.integers(1, 300))
def test_uniform_weights_are_what_quantise_makes(n):
    assert np.array_equal(uniform_weights(n), quantise(np.full(n, 1.0 / n)))
    assert uniform_entropy(n) == pytest.approx(-(uniform_law(n) * np.log(uniform_law(n))).sum(), abs=1e-12)


@given(st.integers(1, 300), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_uniform_index_is_the_inverse_cdf(n, words):
    given_words = np.array(words, dtype=np.uint32)
    ends = np.cumsum(uniform_weights(n))
    assert np.array_equal(uniform_index(given_words, n), np.searchsorted(ends, given_words, side="right"))
    edges = np.minimum(np.stack([ends - 1, ends]), 2**32 - 1).astype(np.uint32)
    assert np.array_equal(uniform_index(edges, n), np.searchsorted(ends, edges, side="right"))


@given(st.integers(1, 8), st.integers(0, 1000))
def test_a_shuffle_draws_each_item_once_and_knows_its_law(n, seed):
    shuffle = Shuffle(5, n)
    words = random_words(5, n, seed)
    for i in range(n):
        law, item = shuffle.law(), shuffle.pick(words[:, i])
        assert np.all(law[np.arange(5), item] > 0)
        assert np.all((law > 0).sum(axis=1) == n - i)
        shuffle.take(item)
        assert np.all(shuffle.law()[np.arange(5), item] == 0)
    assert np.array_equal(np.sort(shuffle.order, axis=1), np.tile(np.arange(n), (5, 1)))


# ------------------------------------------------------------------------------------------------ repeated block
def test_repeated_block_golden_numbers():
    """ln K for n tokens, then 0; E_2n = n ln K."""
    block = RepeatedBlock(vocab_size=8, block_length=5)
    assert block.position_losses(10).value == pytest.approx([math.log(8)] * 5 + [0.0] * 5)
    assert block.block_entropies(10).value[-1] == pytest.approx(5 * math.log(8))
    assert block.excess_entropy().value == pytest.approx(5 * math.log(8))


@pytest.mark.parametrize("shortest, longest, v", [(1, 4, 2), (2, 3, 3), (3, 3, 2)])
def test_repeated_block_is_its_story(shortest, longest, v):
    source = RepeatedBlock(vocab_size=v, block_length=shortest, longest_block=longest)

    def story(draw: Draw) -> list[int]:
        n = shortest + draw(alike(longest - shortest + 1))
        block = [draw(alike(v)) for _ in range(n)]
        return [block[t % n] for t in range(length)]

    length = 10 if v == 2 else 7
    law = assert_same_law(source, length, story)
    # Beyond 2 longest - 1 tokens the sequence is known: its entropy is E
    whole = -sum(p * math.log(p) for p in law.values())
    excess = source.excess_entropy()
    assert excess.lower - 1e-8 <= whole <= excess.upper + 1e-8
    assert excess.kind == ("exact" if v == 2 or shortest == longest else "bracket")


def test_repeated_block_refuses_a_longest_block_below_the_shortest():
    with pytest.raises(ConfigError, match="longest_block"):
        RepeatedBlock(block_length=4, longest_block=3)


# ------------------------------------------------------------------------------------------------ key-value recall
@pytest.mark.parametrize(
    "source, n",
    [
        (AssociativeRecall(n_keys=2, n_values=2, noise=0.25), 2),
        (AssociativeRecall(n_keys=3, n_values=2), 2),
    ],
)
def test_associative_recall_is_its_story(source, n):
    w = source.n_values

    def story(draw: Draw) -> list[int]:
        keys = without_replacement(draw, list(range(source.n_keys)), n)
        values = [draw(alike(w)) for _ in range(n)]
        asked = draw(alike(n))
        pairs = [token for k, v in zip(keys, values, strict=True) for token in (w + k, v)]
        return [*pairs, w + keys[asked], through(draw, values[asked], w, source.noise)]

    law = assert_same_law(source, source.length_of(n), story)
    # h_l given the query and the nearest l pairs, from the story
    for l, h in enumerate(source.context_entropies(n, n).value):
        joint: dict[tuple[int, ...], np.ndarray] = {}
        for string, p in law.items():
            seen = string[2 * (n - l) : 2 * n + 1]
            joint.setdefault(seen, np.zeros(w))[string[-1]] += p
        enumerated = sum(-(q * np.log(np.where(q > 0, q, 1) / q.sum())).sum() for q in joint.values())
        assert h == pytest.approx(enumerated, abs=1e-7)
        strings = np.array(list(law), dtype=np.uint8)
        found = source.predict(strings, context=l, positions=[2 * n + 1])[:, 0, :w]
        wanted = np.array([joint[string[2 * (n - l) : 2 * n + 1]] for string in law])
        assert found == pytest.approx(wanted / wanted.sum(axis=1, keepdims=True), abs=1e-7)


@pytest.mark.parametrize("answer", ["none", "prior"])
@pytest.mark.parametrize("distinct", [True, False])
@pytest.mark.parametrize("n, queries", [(1, 2), (2, 1)])
def test_key_value_recall_is_its_story(answer, distinct, n, queries):
    source = KeyValueRecall(
        n_keys=2, n_values=2, n_queries=queries, distinct=distinct, missing=0.3, missing_answer=answer, noise=0.2
    )

    def story(draw: Draw) -> list[int]:
        keys = without_replacement(draw, [0, 1], n) if distinct else [draw(alike(2)) for _ in range(n)]
        values = [draw(alike(2)) for _ in range(n)]
        tokens = [token for k, v in zip(keys, values, strict=True) for token in (2 + k, v)]
        unshown = [k for k in (0, 1) if k not in keys]
        for _ in range(queries):
            if unshown and draw([0.7, 0.3]):
                key = unshown[draw(alike(len(unshown)))]
                reply = 4 if answer == "none" else draw(alike(2))
            else:
                key = keys[draw(alike(n))]
                last = max(i for i in range(n) if keys[i] == key)
                reply = through(draw, values[last], 2, 0.2)
            tokens += [2 + key, reply]
        return tokens

    assert_same_law(source, 2 * n + 2 * queries, story)


def test_missing_keys_cost_what_they_should():
    """Where a key is missing: a miss is answered by the prior, a hit by the value; the loss is their mixture."""
    source = KeyValueRecall(n_keys=64, n_values=8, n_queries=4, missing=0.25, missing_answer="prior")
    for n in (1, 5, 63):
        losses = source.position_losses(2 * n + 8)
        assert losses.kind == "exact"
        assert losses.value[2 * n + 1 :: 2] == pytest.approx([0.25 * math.log(8)] * 4, abs=1e-9)
    assert source.position_losses(136).value[129::2] == pytest.approx([0.0] * 4)  # n = 64: no key is left to be missing
    assert source.batch(1, 18).judged[0].tolist() == [False] * 10 + [False, True] * 4


def test_recall_refuses_more_distinct_keys_than_there_are():
    with pytest.raises(ConfigError, match="length: given 12.*at most 4"):
        AssociativeRecall(n_keys=4).sample(1, 12)
    with pytest.raises(ConfigError, match="at most 4"):
        KeyValueRecall(n_keys=4).sample(1, 12)
    with pytest.raises(UndefinedError, match="context"):
        KeyValueRecall(n_keys=4).predict(np.zeros((1, 4), dtype=int), context=1)
    with pytest.raises(ConfigError, match="noise"):
        KeyValueRecall(n_values=1, noise=0.5)


# ------------------------------------------------------------------------------------------------ set disjointness
@pytest.mark.parametrize("order", ["fixed_first", "fixed_last"])
@pytest.mark.parametrize("size, other, intersecting", [(1, 2, 0.3), (2, 1, 1.0), (1, 1, 0.0)])
def test_set_disjointness_is_its_story(order, size, other, intersecting):
    n = 3
    source = SetDisjointness(n_elements=n, set_size=size, order=order, intersecting=intersecting)
    length = size + other + 3
    first, second = source.sizes(length)
    assert (first, second) == ((size, other) if order == "fixed_first" else (other, size))

    def story(draw: Draw) -> list[int]:
        a = without_replacement(draw, list(range(n)), first)
        outside = [x for x in range(n) if x not in a]
        common = draw([1 - intersecting, intersecting])
        b = without_replacement(draw, outside, second - common)
        if common:
            b.insert(draw(alike(second)), a[draw(alike(first))])
        return [*a, n, *b, n + 1, n + 2 + common]

    if source.vocab_size**length <= 120_000:
        assert_same_law(source, length, story)
    law = every_string(story)
    strings = np.array(list(law))
    assert np.exp(source.log_probs(strings).sum(axis=1)) == pytest.approx(list(law.values()), abs=1e-8)


def test_set_disjointness_twice_says_nothing_new():
    source = SetDisjointness(n_elements=20, set_size=3, repeats=2)
    once = source.replace(repeats=1)
    assert list(source.lengths(40)) == [2 * (m + 5) + 1 for m in range(1, 15)]
    assert source.position_losses(25).value == pytest.approx([*once.position_losses(13).value[:-1], *([0.0] * 13)])
    tokens = source.sample(50, 25)
    assert np.array_equal(tokens[:, :12], tokens[:, 12:24])
    assert once.information_needed(13) == pytest.approx(math.log(math.comb(20, 3)))
    last = once.replace(order="fixed_last")
    assert last.information_needed(13) == pytest.approx(math.log(math.comb(20, 7)))
    assert last.replace(repeats=2).information_needed(25) == pytest.approx(math.log(math.comb(20, 3)))


# ------------------------------------------------------------------------------------------------ fillers
def test_fillers_are_their_story():
    kernel = np.array([[0.75, 0.25], [0.5, 0.5]])
    source = Fillers(base=MarkovSource(kernel), n_informative=2)

    def story(draw: Draw) -> list[int]:
        x = [draw([2 / 3, 1 / 3])]
        for _ in range(2):
            x.append(draw(kernel[x[-1]]))
        places = [(i, j) for i in range(5) for j in range(i + 1, 5)][draw(alike(10))]
        tokens = [2] * 5
        tokens[places[0]], tokens[places[1]] = x[0], x[1]
        return [*tokens, x[2]]

    assert_same_law(source, 6, story)


@pytest.mark.parametrize("placement", ["random", "appended"])
def test_fillers_leave_the_answer_as_it_is(placement):
    """T4: the same informative tokens, the same law of the answer, at every length."""
    base = MarkovSource.random(vocab_size=3, order=2, seed=4)
    source = Fillers(base=base, n_informative=16, placement=placement)
    laws = [source.predict(source.sample(50, n, seed=7), positions=[n - 1])[:, 0, :3] for n in (17, 30, 200)]
    assert np.array_equal(laws[0], laws[1])
    assert np.array_equal(laws[0], laws[2])
    losses = source.position_losses(200)
    assert losses.value[-1] == pytest.approx(base.position_losses(17).value[-1], abs=1e-12)
    assert source.entropy_rate().value == pytest.approx(base.entropy_rate().value, abs=1e-12)
    places = math.log(math.comb(199, 16)) if placement == "random" else 0.0  # every arrangement alike, then the base
    assert losses.value.sum() == pytest.approx(places + base.block_entropies(17).value[-1], abs=1e-6)


def test_fillers_refuse_what_they_cannot_sum():
    iid = IIDSource(vocab_size=3)
    with pytest.raises(ConfigError, match="marked"):
        Fillers(base=iid, marked=False)
    with pytest.raises(ConfigError, match="n_informative"):
        Fillers(base=AssociativeRecall(n_keys=4), n_informative=3)
    with pytest.raises(ConfigError, match="length: given 4"):
        Fillers(base=iid, n_informative=4).sample(1, 4)


# ------------------------------------------------------------------------------------------------ far source
@pytest.mark.parametrize("distances", [(1, 1), (2, 2), (1, 2)])
def test_far_source_is_its_story(distances):
    kernel = np.array([[0.75, 0.25], [0.5, 0.5]])
    low, high = distances
    source = FarSource(
        n_symbols=2, min_distance=low, max_distance=high, pointer_probability=0.5, noise=0.25, kernel=kernel
    )
    span = range(low, high + 1)

    def story(draw: Draw) -> list[int]:
        x, tokens = [draw([2 / 3, 1 / 3])], [2]
        tokens.append(x[0])
        for t in range(1, 3):
            pointer = draw([0.5] + [0.5 / len(span)] * len(span))
            distance = pointer + low - 1
            if pointer and distance <= t:
                tokens.append(2 + pointer)
                x.append(through(draw, x[t - distance], 2, 0.25))
            else:
                tokens.append(2)
                x.append(draw(kernel[x[-1]]))
            tokens.append(x[-1])
        return tokens

    assert_same_law(source, 6, story)


def test_far_source_losses_reach_their_limit():
    source = FarSource(n_symbols=5, min_distance=3, max_distance=6, noise=0.2, concentration=0.3, seed=2)
    assert source.position_losses(400).value[-1] == pytest.approx(source.entropy_rate().value, abs=1e-9)
    kernel = np.array([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])  # period 2
    periodic = FarSource(n_symbols=3, min_distance=2, max_distance=2, kernel=kernel, noise=0.1)
    with pytest.raises(UndefinedError, match="periodic"):
        periodic.entropy_rate()
    with pytest.raises(UndefinedError, match="other copies"):
        source.predict(source.sample(1, 8), context=2)
