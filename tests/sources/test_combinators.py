"""Products, block recodings and recodings through a map: what adds, what is conserved, what cannot grow.

P3 renaming symbols changes nothing; P4 of independent parts everything adds and laws factor; P6 blocks of k tokens have
the rate k h; P7 lumping cannot raise H(n). String probabilities are multiplied out over all strings as the slow twin.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, UndefinedError
from testbed.sources import IIDSource, MarkovSource
from testbed.sources.as_machine import EdgeMachine, as_edges
from testbed.sources.combinators.blocks import BlockSource
from testbed.sources.combinators.noise import NoisySource
from testbed.sources.combinators.product import ProductSource
from testbed.sources.combinators.recoded import RecodedSource
from testbed.sources.source import sources

CHAIN = MarkovSource([[0.8, 0.2], [0.3, 0.7]])
CYCLE = MarkovSource([[0.0, 1.0], [1.0, 0.0]])
ring = MarkovSource([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]])
chains = st.builds(
    lambda vocab_size, order, seed: MarkovSource.random(vocab_size=vocab_size, order=order, seed=seed),
    st.integers(2, 3),
    st.integers(0, 2),
    st.integers(0, 10**6),
)


def words(vocab_size, length):
    return np.array(list(itertools.product(range(vocab_size), repeat=length)))


def word_probabilities(source, length):
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.exp(source.log_probs(words(source.vocab_size, length)).sum(axis=1)))


def noisy_copy(lag, error):
    """x_t = x_(t - lag), flipped with this probability: an order-lag chain."""
    kernel = np.zeros((2,) * (lag + 1))
    for context in itertools.product((0, 1), repeat=lag):
        kernel[context] = (1 - error, error) if context[0] == 0 else (error, 1 - error)
    return MarkovSource(kernel)


def binary_entropy(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


# ------------------------------------------------------------------------------------------------ products
@settings(max_examples=20, deadline=None)
@given(chains, chains)
def test_entropies_of_independent_parts_add(left, right):
    """P4, against the entropy of the composed strings' own probabilities."""
    product = ProductSource(left, right)
    length = 3
    probabilities = word_probabilities(product, length)
    blocks = product.block_entropies(length)
    assert blocks.kind == "exact"
    assert blocks.value[-1] == pytest.approx(-(probabilities * np.log(probabilities)).sum(), abs=1e-9)
    for truth in ("entropy_rate", "excess_entropy"):
        parts = sum(getattr(part, truth)().value for part in (left, right))
        assert getattr(product, truth)().value == pytest.approx(parts, abs=1e-12)
    assert product.excess_entropy().value == pytest.approx(
        (product.conditional_entropies(9).value - product.entropy_rate().value).sum(), abs=1e-9
    )


@settings(max_examples=20, deadline=None)
@given(chains, chains, st.integers(0, 100))
def test_strings_of_independent_parts_multiply(left, right, seed):
    product = ProductSource(left, right)
    tokens = product.sample(6, 5, seed=seed)
    first, second = product.decode(tokens)
    assert np.array_equal(product.encode([first, second]), tokens)
    law = np.einsum("nti,ntj->ntij", left.predict(first), right.predict(second))
    assert product.predict(tokens) == pytest.approx(law.reshape(6, 5, -1), abs=1e-14)
    assert product.log_probs(tokens) == pytest.approx(left.log_probs(first) + right.log_probs(second), abs=1e-12)


def test_radix_puts_the_first_component_highest():
    product = ProductSource(IIDSource([0.0, 1.0]), IIDSource([0.0, 0.0, 1.0]), IIDSource([0.0, 1.0]))
    assert product.vocab_size == 12
    assert product.sample(1, 3).tolist() == [[(1 * 3 + 2) * 2 + 1] * 3]


def test_parts_of_one_law_are_independent():
    """P10: pair counts of two copies of one chain, 40,000 pairs; 5.5 standard errors leave less than 1e-7 a cell."""
    first, second = ProductSource(CHAIN, CHAIN).decode(ProductSource(CHAIN, CHAIN).sample(40_000, 2, seed=1))
    pi = CHAIN.stationary_law
    for i, j in itertools.product((0, 1), repeat=2):
        p = pi[i] * pi[j]
        found = np.mean((first[:, 1] == i) & (second[:, 1] == j))
        assert abs(found - p) < 5.5 * math.sqrt(p * (1 - p) / 40_000)


def test_beliefs_factor():
    """P4: the belief of the joint machine is the outer product of the parts' beliefs."""
    parts = NoisySource(ring, flip=0.15), NoisySource(CHAIN, flip=0.1)
    product = ProductSource(*parts)
    edges, law = as_edges(product)
    machine = EdgeMachine(given=edges, law=law, vocab_size=product.vocab_size)
    tokens = product.sample(4, 20, seed=2)
    beliefs = [part.beliefs(x) for part, x in zip(parts, product.decode(tokens), strict=True)]
    outer = np.einsum("nti,ntj->ntij", *beliefs).reshape(4, 21, -1)
    assert machine.beliefs(tokens) == pytest.approx(outer, abs=1e-7)


def test_brackets_and_complexities_of_products():
    """h_l of the product machine, found anew from its mixed states, is the sum; brackets hold it."""
    noisy = NoisySource(CHAIN, flip=0.1)
    product = ProductSource(noisy, CYCLE)
    machine = EdgeMachine(given=as_edges(product)[0], vocab_size=4)
    h = product.conditional_entropies(5)
    assert machine.conditional_entropies(5).value == pytest.approx(h.value, abs=1e-7)
    rate = product.entropy_rate()
    assert rate.kind == noisy.entropy_rate().kind == "bracket"
    assert rate.lower <= noisy.entropy_rate().lower
    assert noisy.entropy_rate().upper <= rate.upper


def test_staircase_of_noisy_copies():
    """h_n = sum_j (ln 2 [n < b_j] + H_b(e_j) [n >= b_j]), E = sum_j b_j (ln 2 - H_b(e_j))."""
    lags, errors = (1, 2, 4), (0.2, 0.1, 0.05)
    product = ProductSource([noisy_copy(lag, error) for lag, error in zip(lags, errors, strict=True)])
    floor = [binary_entropy(error) for error in errors]
    expected = [sum(math.log(2) if n < b else e for b, e in zip(lags, floor, strict=True)) for n in range(7)]
    assert product.conditional_entropies(6).value == pytest.approx(expected, abs=1e-8)
    excess = sum(b * (math.log(2) - e) for b, e in zip(lags, floor, strict=True))
    assert product.excess_entropy().value == pytest.approx(excess, abs=1e-8)


def test_phases_that_stay_are_not_ergodic():
    three = MarkovSource(np.roll(np.eye(3), 1, axis=1))
    assert ProductSource(CYCLE, three).ergodic
    assert not ProductSource(CYCLE, CYCLE).ergodic
    assert BlockSource(CYCLE, length=3).ergodic
    assert not BlockSource(CYCLE, length=2).ergodic
    assert ProductSource(CYCLE, CYCLE).excess_entropy().value == pytest.approx(2 * math.log(2))
    assert BlockSource(CYCLE, length=2).excess_entropy().value == pytest.approx(math.log(2))


# ------------------------------------------------------------------------------------------------ blocks
@settings(max_examples=20, deadline=None)
@given(chains, st.integers(1, 3))
def test_blocks_have_k_times_the_rate(chain, length):
    """P6: h -> k h, E stays, H(n) of blocks is H(n k) of tokens."""
    blocks = BlockSource(chain, length=length)
    assert blocks.entropy_rate().value == pytest.approx(length * chain.entropy_rate().value)
    assert blocks.excess_entropy().value == chain.excess_entropy().value
    h = blocks.conditional_entropies(4)
    assert h.kind == "exact"
    whole = chain.block_entropies(5 * length).value[length - 1 :: length]
    assert np.cumsum(h.value) == pytest.approx(whole, abs=1e-10)
    assert (h.value - blocks.entropy_rate().value).sum() == pytest.approx(chain.excess_entropy().value, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(chains, st.integers(1, 3), st.integers(0, 100))
def test_a_block_is_its_string(chain, length, seed):
    blocks = BlockSource(chain, length=length)
    n = 2 if length < 3 else 1
    assert word_probabilities(blocks, n) == pytest.approx(word_probabilities(chain, n * length), abs=1e-14)
    tokens = blocks.sample(5, 4, seed=seed)
    assert np.array_equal(blocks.decode(tokens), chain.sample(5, 4 * length, seed=seed))
    assert np.array_equal(blocks.encode(blocks.decode(tokens)), tokens)
    law = blocks.predict(tokens)
    assert np.log(np.take_along_axis(law, tokens.astype(int)[..., None], 2)[..., 0]) == pytest.approx(
        blocks.log_probs(tokens), abs=1e-9
    )


def test_blocks_of_a_bracketed_rate():
    noisy = NoisySource(CHAIN, flip=0.1)
    rate, blocks = noisy.entropy_rate(), BlockSource(noisy, length=2).entropy_rate()
    assert blocks.kind == rate.kind == "bracket"
    assert blocks.lower <= 2 * rate.lower
    assert 2 * rate.upper <= blocks.upper


# ------------------------------------------------------------------------------------------------ recodings
@settings(max_examples=10, deadline=None)
@given(chains, st.randoms(use_true_random=False))
def test_names_do_not_matter(chain, random):
    """P3, and P6 for an injective recoding."""
    new = list(range(chain.vocab_size))
    random.shuffle(new)
    renamed = RecodedSource(chain, map=new)
    for truth in ("entropy_rate", "excess_entropy"):
        assert getattr(renamed, truth)().value == getattr(chain, truth)().value
    assert np.array_equal(renamed.conditional_entropies(4).value, chain.conditional_entropies(4).value)
    strings = words(chain.vocab_size, 4)
    assert renamed.log_probs(np.array(new)[strings]) == pytest.approx(chain.log_probs(strings))
    tokens = renamed.sample(6, 8, seed=3)
    assert np.array_equal(tokens, np.array(new)[chain.sample(6, 8, seed=3)])
    machine = EdgeMachine(given=renamed.finite_form()[0], vocab_size=chain.vocab_size)
    assert word_probabilities(machine, 4) == pytest.approx(word_probabilities(renamed, 4), abs=1e-12)


def test_renaming_needs_no_machine():
    opaque = sources.find("santa_fe").examples()[0]
    renamed = RecodedSource(opaque, map=tuple(range(opaque.vocab_size))[::-1])
    assert renamed.entropy_rate().value == opaque.entropy_rate().value
    with pytest.raises(ConfigError, match="component: santa_fe is no finite machine"):
        RecodedSource(opaque, map=(0,) * opaque.vocab_size)


@settings(max_examples=20, deadline=None)
@given(chains, st.data())
def test_lumping_cannot_raise_entropy(chain, data):
    """P7, and the law of lumped strings as the sum over the strings they stand for."""
    n_new = data.draw(st.integers(1, chain.vocab_size - 1))
    drawn = data.draw(st.lists(st.integers(0, n_new - 1), min_size=chain.vocab_size, max_size=chain.vocab_size))
    if set(drawn) != set(range(n_new)):
        drawn[:n_new] = range(n_new)
    lumped = RecodedSource(chain, map=drawn)
    length = 4
    assert np.all(lumped.block_entropies(length).value <= chain.block_entropies(length).value + 1e-9)
    powers = n_new ** np.arange(length - 1, -1, -1)
    image = np.array(drawn)[words(chain.vocab_size, length)] @ powers
    expected = np.bincount(image, word_probabilities(chain, length), minlength=n_new**length)
    assert word_probabilities(lumped, length) == pytest.approx(expected, abs=1e-12)  # no weight is rounded
    assert np.array_equal(lumped.sample(5, 6, seed=1), np.array(drawn)[chain.sample(5, 6, seed=1)])


def test_even_process():
    """h_0 .. h_5 and h = (2/3) ln 2; E = H_b(1/3) = .9183 bit."""
    even = RecodedSource(MarkovSource([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]]), map=(0, 1, 1))
    golden = [0.636514, 0.605939, 0.549306, 0.534019, 0.505702, 0.498058]
    assert even.conditional_entropies(5).value.round(6).tolist() == golden
    assert even.entropy_rate().value == pytest.approx(2 / 3 * math.log(2), abs=1e-9)
    assert even.excess_entropy().value == pytest.approx(binary_entropy(1 / 3), abs=1e-9)


# ------------------------------------------------------------------------------------------------ errors
def judged_in_part():
    return next(
        example for name in sources.names() for example in sources.find(name).examples() if not example.judges_all
    )


def test_components_must_score_every_position():
    query = judged_in_part()
    for build in (
        lambda: ProductSource(CHAIN, query),
        lambda: BlockSource(query, length=2),
        lambda: RecodedSource(query, map=tuple(range(query.vocab_size))),
    ):
        with pytest.raises(ConfigError, match=f"component.*{query.type_name} scores only some positions"):
            build()


def test_wrong_parameters_are_named():
    for build, message in (
        (lambda: ProductSource([]), "components: 0 given, but a product needs at least 1"),
        (lambda: ProductSource([IIDSource(vocab_size=2**16)] * 2), "components: 4294967296 composed symbols"),
        (lambda: ProductSource({"type": "iid"}), "components.0.vocab_size"),
        (lambda: BlockSource(CHAIN, length=0), "length"),
        (lambda: BlockSource(IIDSource(vocab_size=256), length=4), "length: 4294967296 composed symbols"),
        (lambda: RecodedSource(CHAIN, map=(0,)), "map: 1 entries for the component's 2 symbols"),
        (lambda: RecodedSource(CHAIN, map=(0, 2)), "map: nothing becomes 1"),
        (lambda: RecodedSource(CHAIN, map=(0, -1)), "map: entry 1 is -1"),
        (lambda: ProductSource(CHAIN).sample(1, 1, seed=-1), "seed"),
        (lambda: BlockSource(CHAIN, length=2).conditional_entropies(-1), "max_context"),
        (lambda: BlockSource(CHAIN, length=2).sample(1, -1), "length"),
    ):
        with pytest.raises(ConfigError, match=message):
            build()


def test_context_of_a_moving_law_is_refused():
    moving = next(
        example
        for name in sources.names()
        for example in sources.find(name).examples()
        if example.judges_all and not example.stationary and not example.takes_inputs
    )
    blocks = BlockSource(moving, length=1)
    length = [n for n in blocks.lengths(8) if n][-1]
    with pytest.raises(UndefinedError, match="not stationary"):
        blocks.predict(blocks.sample(2, length), context=1)
