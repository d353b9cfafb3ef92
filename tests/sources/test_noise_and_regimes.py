"""Channels, switching regimes and tempering: composed machines against sums over what is hidden."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources import IIDSource, MarkovSource
from testbed.sources.combinators.mixture import MixtureSource
from testbed.sources.combinators.noise import NoisySource
from testbed.sources.combinators.product import ProductSource
from testbed.sources.combinators.recoded import RecodedSource
from testbed.sources.combinators.regime_switching import RegimeSwitchingSource
from testbed.sources.combinators.tempered import TemperedSource
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import sources

QUANTISED = 1e-8
CHAIN = MarkovSource([[0.8, 0.2], [0.3, 0.7]])
CYCLE = MarkovSource([[0.0, 1.0], [1.0, 0.0]])
COINS = [IIDSource([0.9, 0.1]), IIDSource([0.2, 0.8])]
chains = st.builds(
    lambda vocab_size, order, seed: MarkovSource.random(vocab_size=vocab_size, order=order, seed=seed),
    st.integers(2, 3),
    st.integers(0, 2),
    st.integers(0, 10**6),
)


def ring(stay):
    return MarkovSource(np.full((3, 3), (1 - stay) / 2) + np.eye(3) * (stay - (1 - stay) / 2))


def even(p):
    return RecodedSource(MarkovSource([[1 - p, p, 0.0], [0.0, 0.0, 1.0], [1 - p, p, 0.0]]), map=(0, 1, 1))


def words(vocab_size, length):
    return np.array(list(itertools.product(range(vocab_size), repeat=length)))


def word_probability(source, word):
    return float(np.exp(source.log_probs(np.array([word])).sum())) if len(word) else 1.0


def word_probabilities(source, length):
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.exp(source.log_probs(words(source.vocab_size, length)).sum(axis=1)))


def binary_entropy(p):
    return float(law_entropies(np.array([p, 1 - p])))


# ------------------------------------------------------------------------------------------------ channels
@settings(max_examples=15, deadline=None)
@given(chains, st.integers(1, 3), st.integers(0, 10**6), st.sampled_from([None, 0.25]))
def test_noisy_strings_are_sums_over_clean_ones(chain, n_symbols, seed, erasure):
    channel = np.random.default_rng(seed).dirichlet(np.ones(n_symbols), size=chain.vocab_size)
    noisy = NoisySource(chain, channel=channel, erasure=erasure)
    full = noisy.channel_matrix
    assert full.sum(axis=1) == pytest.approx(np.ones(chain.vocab_size))
    length = 3
    clean, seen = words(chain.vocab_size, length), words(noisy.vocab_size, length)
    through = np.prod(full[clean[:, None, :], seen[None, :, :]], axis=2)
    assert word_probabilities(noisy, length) == pytest.approx(
        word_probabilities(chain, length) @ through, abs=QUANTISED
    )


def test_channels_as_matrices():
    assert NoisySource(ring(0.5), flip=0.2).channel_matrix == pytest.approx(np.full((3, 3), 0.1) + 0.7 * np.eye(3))
    added = NoisySource(ring(0.5), noise=[0.7, 0.2, 0.1]).channel_matrix
    assert added == pytest.approx(np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]]))
    erased = NoisySource(CHAIN, flip=0.5, erasure=0.5).channel_matrix
    assert erased == pytest.approx(np.array([[0.25, 0.25, 0.5]] * 2))
    assert NoisySource(CHAIN, erasure=0.0).vocab_size == 3


def test_mess3_is_a_noisy_ring():
    """intrinsic_entropy 11.1: h_0 .. h_7 of Mess3 (x, alpha), the symmetric ring (stay 1 - 2 x) read with accuracy
    alpha."""
    golden = {
        (0.05, 0.85): [1.098612, 0.857719, 0.813356, 0.798118, 0.794740, 0.793783, 0.793543, 0.793480],
        (0.15, 0.6): [1.098612, 1.091068, 1.089391, 1.089004, 1.088915, 1.088894, 1.088890, 1.088889],
    }
    for (x, accuracy), expected in golden.items():
        found = NoisySource(ring(1 - 2 * x), flip=1 - accuracy).conditional_entropies(7)
        assert found.kind == "exact"
        assert found.value.round(6) == pytest.approx(expected, abs=1.1e-6)


@pytest.mark.slow
@settings(max_examples=4, deadline=None)
@given(chains, st.integers(0, 10**6))
def test_added_noise_cannot_lower_entropy(chain, seed):
    """P7: h_l of the noisy stream is at least that of the clean one and at least H(noise)."""
    noise = np.random.default_rng(seed).dirichlet(np.ones(chain.vocab_size))
    noisy = NoisySource(chain, noise=noise)
    h = noisy.conditional_entropies(4).value
    assert np.all(h >= chain.conditional_entropies(4).value - QUANTISED)
    assert np.all(h >= law_entropies(noise) - QUANTISED)
    assert noisy.entropy_rate().upper >= max(chain.entropy_rate().value, law_entropies(noise)) - QUANTISED


def test_no_noise_is_the_chain_itself():
    clean = NoisySource(CHAIN, flip=0.0)
    assert np.array_equal(clean.edges.weights, CHAIN.weights.astype(np.int64))
    assert clean.entropy_rate().value == pytest.approx(CHAIN.entropy_rate().value, abs=1e-15)


def test_erased_tokens():
    """h = H_b(e) + (1 - e) sum_n (1 - e) e^n H(X_(n+1) | X_0) of an order-1 chain: the last token seen is n + 1 back.

    Erasures can lower h: of coin tosses, h = H_b(e) + (1 - e) ln 2, below ln 2 near e = 1.
    """
    for e in (0.1, 0.5, 0.9):
        expected, power = binary_entropy(e), np.eye(2)
        for n in range(400):
            power = power @ CHAIN.kernel
            expected += (1 - e) * (1 - e) * e**n * float(CHAIN.stationary_law @ law_entropies(power))
        rate = NoisySource(CHAIN, erasure=e).entropy_rate()
        assert rate.lower - QUANTISED <= expected <= rate.upper + QUANTISED
        assert rate.upper - rate.lower < 1e-6 or e == 0.9
        tossed = NoisySource(IIDSource(vocab_size=2), erasure=e).entropy_rate().value
        assert tossed == pytest.approx(binary_entropy(e) + (1 - e) * math.log(2), abs=QUANTISED)
    assert tossed < math.log(2)


def test_noise_on_what_is_made_of_chains():
    """Products, mixtures and recodings have a machine too; of a mixture the noise leaves the weights."""
    mixture = MixtureSource(COINS, weights=[0.25, 0.75])
    noisy = NoisySource(mixture, flip=0.1)
    parts = [word_probabilities(NoisySource(coin, flip=0.1), 5) for coin in COINS]
    assert word_probabilities(noisy, 5) == pytest.approx(0.25 * parts[0] + 0.75 * parts[1], abs=QUANTISED)
    assert not noisy.ergodic
    both = NoisySource(ProductSource(CHAIN, CYCLE), flip=0.1)
    assert both.vocab_size == 4
    assert both.ergodic


def test_a_wrong_channel_is_named():
    opaque = sources.find("santa_fe").examples()[0]
    for build, message in (
        (lambda: NoisySource(CHAIN), "flip: give a channel"),
        (lambda: NoisySource(CHAIN, flip=0.1, noise=[0.5, 0.5]), "noise: flip is given too"),
        (lambda: NoisySource(CHAIN, flip=1.5), "flip"),
        (lambda: NoisySource(CHAIN, erasure=-0.1), "erasure"),
        (lambda: NoisySource(CHAIN, noise=[1.0]), "noise: needs one probability for each of 2"),
        (lambda: NoisySource(CHAIN, noise=[0.5, 0.6]), "noise: the law sums to 1.1"),
        (lambda: NoisySource(CHAIN, channel=[[1.0], [0.9]]), r"channel: row \[1\] sums to 0.9"),
        (lambda: NoisySource(CHAIN, channel=[[1.0, 0.0]]), "channel: needs one row for each"),
        (lambda: NoisySource(IIDSource([1.0]), flip=0.5), "flip: .*one symbol"),
        (lambda: NoisySource(opaque, flip=0.1), "component: santa_fe is no finite machine"),
    ):
        with pytest.raises(ConfigError, match=message):
            build()


# ------------------------------------------------------------------------------------------------ regimes
def by_regime_paths(components, matrix, law, memory, word):
    """p(word): the sum over all sequences of regimes, with each component's probability of what it wrote."""
    total = 0.0
    for path in itertools.product(range(len(components)), repeat=len(word)):
        p = law[path[0]] * math.prod(matrix[a, b] for a, b in itertools.pairwise(path))
        if memory == "keep":
            for regime, component in enumerate(components):
                p *= word_probability(component, [x for x, r in zip(word, path, strict=True) if r == regime])
        else:
            for regime, run in itertools.groupby(range(len(word)), key=lambda t: path[t]):
                p *= word_probability(components[regime], [word[t] for t in run])
        total += p
    return total


@pytest.mark.parametrize("memory", ["restart", "keep"])
@pytest.mark.parametrize(
    "components, dwell, switches, law",
    [
        ([CHAIN, COINS[0]], (4.0, 2.0), None, [2 / 3, 1 / 3]),
        ([CHAIN, COINS[0], CHAIN], 3.0, [[0, 1, 0], [0, 0, 1], [1, 0, 0]], [1 / 3] * 3),
        ([CHAIN, RecodedSource(CHAIN, map=(1, 0))], 1.0, None, [0.5, 0.5]),
    ],
)
def test_switching_strings_are_sums_over_regimes(components, dwell, switches, law, memory):
    source = RegimeSwitchingSource(components, dwell=dwell, switches=switches, memory=memory)
    expected = [by_regime_paths(components, source.regime_matrix, law, memory, word) for word in words(2, 4)]
    assert word_probabilities(source, 4) == pytest.approx(expected, abs=QUANTISED)
    mass = np.bincount(source.regime_of_state(), source.stationary_law)
    assert mass == pytest.approx(law, abs=QUANTISED)


def test_dwell_sets_burstiness_and_leaves_single_tokens():
    h = [RegimeSwitchingSource(COINS, dwell=dwell).conditional_entropies(3).value for dwell in (2.0, 8.0, 64.0)]
    assert np.ptp([x[0] for x in h]) < QUANTISED
    assert h[0][3] > h[1][3] > h[2][3]


def test_regimes_are_filtered():
    """Long stays and unlike coins: the belief in the true regime. A sum of beliefs is one; the first is the law."""
    source = RegimeSwitchingSource([IIDSource([1.0, 0.0]), IIDSource([0.0, 1.0])], dwell=50.0)
    beliefs = source.regime_beliefs(np.array([[0, 0, 0, 1]]))[0]
    assert beliefs.sum(axis=1) == pytest.approx(np.ones(5))
    assert beliefs[:, 0] == pytest.approx([0.5, 0.98, 0.98, 0.98, 0.02], abs=QUANTISED)


def test_equal_regimes_that_keep_nothing_change_a_chain_only_at_switches():
    """Of one iid law in every regime nothing is left to see."""
    source = RegimeSwitchingSource([COINS[0]] * 2, dwell=3.0)
    assert source.conditional_entropies(4).value == pytest.approx(np.full(5, binary_entropy(0.1)), abs=QUANTISED)


def test_wrong_regimes_are_named():
    opaque = next(
        example for example in sources.find("santa_fe").examples() if example.stationary and example.vocab_size > 1
    )
    for build, message in (
        (lambda: RegimeSwitchingSource([CHAIN], dwell=2.0), "components: 1 given, .* at least 2"),
        (lambda: RegimeSwitchingSource([CHAIN, ring(0.5)], dwell=2.0), r"components\[1\]: markov has 3 symbols"),
        (lambda: RegimeSwitchingSource([CHAIN, CHAIN], dwell=0.5), "dwell: given 0.5, a stay lasts at least 1"),
        (lambda: RegimeSwitchingSource([CHAIN, CHAIN], dwell=(2.0,)), "dwell: 1 given for 2"),
        (lambda: RegimeSwitchingSource([CHAIN, CHAIN], dwell=2.0, switches=[[0.0, 1.0]]), "switches: needs the shape"),
        (
            lambda: RegimeSwitchingSource([CHAIN] * 2, dwell=2.0, switches=[[0.5, 0.5], [1, 0]]),
            "switches: the diagonal",
        ),
        (lambda: RegimeSwitchingSource([CHAIN] * 2, dwell=2.0, switches=[[0, 1], [0.5, 0]]), "switches: row"),
        (
            lambda: RegimeSwitchingSource([CHAIN, MixtureSource(COINS)], dwell=2.0),
            r"components\[1\]: mixture has no single",
        ),
        (lambda: RegimeSwitchingSource([opaque, opaque], dwell=2.0), r"components\[0\]: santa_fe"),
        (lambda: RegimeSwitchingSource([CHAIN, CHAIN], dwell=2.0, memory="forget"), "memory"),
    ):
        with pytest.raises(ConfigError, match=message):
            build()


# ------------------------------------------------------------------------------------------------ tempering
@settings(max_examples=15, deadline=None)
@given(chains, st.floats(0.05, 0.95))
def test_wanted_rates_are_met(chain, share):
    wanted = share * chain.entropy_rate().value
    tempered = TemperedSource(chain, entropy_rate=wanted)
    assert tempered.entropy_rate().value == pytest.approx(wanted, abs=1e-6)
    assert np.array_equal(tempered.inner.weights > 0, chain.weights > 0)


@pytest.mark.parametrize("p, wanted", [(0.3, 0.2), (0.9, 0.4), (0.5, None)])
def test_unifilar_machines_are_tempered_at_their_states(p, wanted):
    """Even process: one choice, p, at one state: h = H_b(p') / (1 + p') with p' = p^b / (p^b + (1-p)^b)."""
    if wanted is not None:
        tempered = TemperedSource(even(p), entropy_rate=wanted)
        assert tempered.entropy_rate().value == pytest.approx(wanted, abs=1e-6)
    b = 2.0
    sharper = p**b / (p**b + (1 - p) ** b)
    rate = TemperedSource(even(p), inverse_temperature=b).entropy_rate()
    assert rate.kind == "exact"
    assert rate.value == pytest.approx(binary_entropy(sharper) / (1 + sharper), abs=1e-8)


def test_no_tempering_at_one():
    assert np.array_equal(TemperedSource(CHAIN, inverse_temperature=1.0).inner.weights, CHAIN.weights)
    coin = TemperedSource(COINS[0], inverse_temperature=2.0)
    assert coin.predict(np.array([[0]]))[0, 0] == pytest.approx([81 / 82, 1 / 82], abs=QUANTISED)


def test_wrong_tempering_is_named():
    for build, message in (
        (lambda: TemperedSource(CHAIN), "entropy_rate: give it or inverse_temperature"),
        (lambda: TemperedSource(CHAIN, entropy_rate=0.1, inverse_temperature=1.0), "entropy_rate: give it or inverse"),
        (lambda: TemperedSource(CHAIN, entropy_rate=0.7), "entropy_rate: given 0.7, .* reaches .* to 0.693147"),
        (lambda: TemperedSource(even(0.3), entropy_rate=0.6), "entropy_rate: given 0.6, .* reaches 0.000000 to"),
        (lambda: TemperedSource(CHAIN, inverse_temperature=0.0), "inverse_temperature"),
        (lambda: TemperedSource(NoisySource(CHAIN, flip=0.1), entropy_rate=0.5), "component: noisy .*not unifilar"),
        (lambda: TemperedSource(MixtureSource(COINS), entropy_rate=0.3), "component: mixture is not ergodic"),
    ):
        with pytest.raises(ConfigError, match=message):
            build()
