"""P5, finite mixtures: h = sum w_i h_i, E = sum w_i E_i + H(w) if components differ; posteriors, merging, samples."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources import IIDSource, MarkovSource
from testbed.sources.combinators.delegate import DelegatingSource
from testbed.sources.combinators.mixture import MixtureSource
from testbed.sources.combinators.noise import NoisySource
from testbed.sources.combinators.product import ProductSource
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import AnySource, Source

COINS = [IIDSource([0.9, 0.1]), IIDSource([0.1, 0.9])]
CHAIN = MarkovSource([[0.8, 0.2], [0.3, 0.7]])
CYCLE = MarkovSource([[0.0, 1.0], [1.0, 0.0]])
binary_chains = st.builds(
    lambda order, seed: MarkovSource.random(vocab_size=2, order=order, seed=seed),
    st.integers(0, 2),
    st.integers(0, 10**6),
)
weights_of_three = st.tuples(*[st.floats(0.05, 1.0)] * 3).map(lambda w: [x / sum(w) for x in w])


class Opaque(DelegatingSource):
    """A stationary stream whose machine is kept secret."""

    hidden: AnySource

    @property
    def inner(self) -> Source:
        return self.hidden

    @property
    def fingerprint(self) -> str:
        return "opaque" + self.hidden.fingerprint

    def finite_form(self):
        raise ConfigError("hidden: nobody knows")


class Moving(Opaque):
    """The same, without a promise of being stationary."""

    @property
    def stationary(self) -> bool:
        return False


def words(length):
    return np.array(list(itertools.product((0, 1), repeat=length)))


def word_probabilities(source, length):
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.exp(source.log_probs(words(length)).sum(axis=1)))


def entropy(p):
    return float(law_entropies(np.asarray(p)))


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[binary_chains] * 3), weights_of_three)
def test_strings_of_a_mixture_are_mixed(components, weights):
    mixture = MixtureSource(components, weights=weights)
    expected = sum(w * word_probabilities(part, 6) for w, part in zip(weights, components, strict=True))
    assert word_probabilities(mixture, 6) == pytest.approx(expected, abs=1e-9)
    expected = -(expected * np.log(expected)).sum()
    assert mixture.block_entropies(6).value[-1] == pytest.approx(expected, abs=1e-8)


@settings(max_examples=10, deadline=None)
@given(st.lists(binary_chains, min_size=3, max_size=3, unique_by=lambda chain: chain.fingerprint), weights_of_three)
def test_what_past_and_future_share_is_the_choice_and_more(components, weights):
    """P5. Exactly, for every n, with the components' own sums:

        sum_(l<n) (h_l - h) = H(w) - E[H(posterior after n tokens)] + sum_i w_i sum_(l<n) (h_l^i - h^i)

    As n grows the posterior's entropy vanishes, and E = sum_i w_i E_i + H(w).
    """
    n = 7
    mixture = MixtureSource(components, weights=weights)
    w = mixture.component_probabilities
    parts = [(part.conditional_entropies(n - 1).value - part.entropy_rate().value).sum() for part in components]
    rate = w @ [part.entropy_rate().value for part in components]
    assert mixture.entropy_rate().value == pytest.approx(rate, abs=1e-12)
    posterior = mixture.posterior(words(n))[:, -1]
    unsure = word_probabilities(mixture, n) @ law_entropies(posterior)
    partial = (mixture.conditional_entropies(n - 1).value - rate).sum()
    assert partial == pytest.approx(entropy(w) - unsure + w @ parts, abs=1e-8)
    excess = mixture.excess_entropy()
    assert excess.kind == "exact"
    within = w @ [part.excess_entropy().value for part in components]
    assert excess.value == pytest.approx(entropy(w) + within, abs=1e-12)
    assert partial <= excess.value + 1e-9


def test_partial_sums_reach_the_excess_entropy():
    """Coins (.9, .1), (.1, .9): sum of (h_l - h) comes to ln 2 within the posterior's last entropy, below 1e-6."""
    mixture = MixtureSource(COINS)
    h = mixture.conditional_entropies(40)
    assert h.kind == "exact"
    assert (h.value - mixture.entropy_rate().value).sum() == pytest.approx(math.log(2), abs=1e-6)
    assert mixture.excess_entropy().value == pytest.approx(math.log(2), abs=1e-15)


def test_nothing_underflows():
    """10,000 tokens: probabilities of e^-3000 are compared in log space."""
    mixture = MixtureSource(COINS)
    tokens = mixture.sample(4, 10_000, seed=1)
    posterior = mixture.posterior(tokens)
    assert posterior.shape == (4, 10_001, 2)
    assert posterior.sum(axis=2) == pytest.approx(np.ones((4, 10_001)))
    chosen = mixture.draw_components(4, seed=1)
    assert posterior[np.arange(4), -1, chosen] == pytest.approx(np.ones(4))
    logs = mixture.log_probs(tokens)
    own = np.stack([COINS[c].log_probs(tokens[i : i + 1])[0] for i, c in enumerate(chosen)])
    # ln p(all) = ln (1/2) + ln p_own(all) up to the other's share
    assert logs.sum(axis=1) == pytest.approx(own.sum(axis=1) - math.log(2), abs=1e-6)
    assert mixture.predict(tokens, positions=[9_999])[:, 0] == pytest.approx(
        np.array([[0.9, 0.1], [0.1, 0.9]])[chosen], abs=1e-8
    )


def test_late_surprises_are_measured():
    """After 2,000 zeros a one: the source of zeros is out, and what is left had the weight 2^-2000."""
    mixture = MixtureSource([IIDSource([1.0, 0.0]), IIDSource([0.5, 0.5])])
    tokens = np.zeros((1, 2002), dtype=np.uint8)
    tokens[0, 2000] = 1
    logs = mixture.log_probs(tokens)[0]
    assert logs[2000:] == pytest.approx([-2001 * math.log(2), -math.log(2)], abs=1e-9)


def test_posterior_by_hand():
    """After 0 0 1: (1/2) .9 .9 .1 against (1/2) .1 .1 .9."""
    posterior = MixtureSource(COINS).posterior(np.array([[0, 0, 1]]))[0]
    assert posterior[:, 0] == pytest.approx([0.5, 0.9, 0.81 / 0.82, 0.9], abs=1e-8)


def test_components_that_are_ruled_out():
    """A component that cannot write the tokens has posterior zero from there on; after the impossible, nan."""
    sure = MixtureSource([IIDSource([1.0, 0.0]), CYCLE])
    posterior = sure.posterior(np.array([[0, 0, 0], [0, 1, 0], [1, 1, 0]]))
    assert posterior[0, 2:, 0].tolist() == [1.0, 1.0]
    assert posterior[1, 2:, 1].tolist() == [1.0, 1.0]
    assert np.isnan(posterior[2, 2:]).all()
    assert sure.log_probs(np.array([[1, 1, 0]]))[0, 1] == -np.inf
    assert sure.excess_entropy().value == pytest.approx(math.log(2) / 2 + math.log(2))


# ------------------------------------------------------------------------------------------------ equal components
def test_equal_components_count_once():
    """One law by fingerprint, and one law in three forms."""
    forms = [IIDSource([0.25, 0.75]), MarkovSource([[0.25, 0.75]] * 2), NoisySource(IIDSource([0.0, 1.0]), flip=0.25)]
    for components in ([CHAIN, CHAIN], forms):
        mixture = MixtureSource(components)
        assert mixture.ergodic
        assert mixture.excess_entropy().value == pytest.approx(components[0].excess_entropy().value, abs=1e-12)
    two = MixtureSource([*forms, CHAIN], weights=[0.25, 0.25, 0.25, 0.25])
    assert not two.ergodic
    assert two.excess_entropy().value == pytest.approx(
        0.25 * CHAIN.excess_entropy().value + entropy([0.25, 0.75]), abs=1e-9
    )


def test_components_without_weight_do_not_count():
    mixture = MixtureSource([CHAIN, COINS[0]], weights=[1.0, 0.0])
    assert mixture.ergodic
    assert mixture.excess_entropy().value == CHAIN.excess_entropy().value
    assert set(mixture.draw_components(100, seed=3)) == {0}


def test_mixtures_of_mixtures():
    inner = MixtureSource(COINS, weights=[0.25, 0.75])
    nested, flat = MixtureSource([inner, CHAIN]), MixtureSource([*COINS, CHAIN], weights=[0.125, 0.375, 0.5])
    assert nested.excess_entropy().value == pytest.approx(flat.excess_entropy().value)
    assert nested.conditional_entropies(5).value == pytest.approx(flat.conditional_entropies(5).value)
    tokens = flat.sample(5, 9, seed=1)
    assert nested.log_probs(tokens) == pytest.approx(flat.log_probs(tokens))


# ------------------------------------------------------------------------------------------------ no machines
def test_without_machines_contexts_are_enumerated():
    known, opaque = MixtureSource([CHAIN, *COINS]), MixtureSource([Opaque(hidden=CHAIN), *COINS])
    h = opaque.conditional_entropies(6)
    assert h.kind == "exact"
    assert h.value == pytest.approx(known.conditional_entropies(6).value, abs=1e-9)
    # short words tell them apart, so the formula holds for them too
    assert opaque.excess_entropy().value == pytest.approx(known.excess_entropy().value)


def test_without_machines_long_contexts_are_sampled():
    known, opaque = MixtureSource([CHAIN, *COINS]), MixtureSource([Opaque(hidden=CHAIN), *COINS])
    found, exact = opaque.conditional_entropies(18), known.conditional_entropies(18)
    assert found.kind == "sampled"
    assert exact.kind == "exact"
    assert found.standard_error[:16].max() == 0.0
    assert found.standard_error[16:].min() > 0.0
    # three positions at 5.5 standard errors: a false alarm has probability below 1e-6
    assert np.all(np.abs(found.value - exact.value) <= 5.5 * found.standard_error + 1e-9)


def test_laws_that_cannot_be_compared_give_a_bracket():
    """Two forms of one law, not known to be equal: E lies between E_1 - H(w) and E_1 + H(w)."""
    unknown = MixtureSource([Opaque(hidden=CHAIN), CHAIN])
    excess, true = unknown.excess_entropy(), CHAIN.excess_entropy().value
    assert not unknown.ergodic
    assert excess.kind == "bracket"
    assert excess.lower <= true <= excess.upper
    assert excess.upper == pytest.approx(true + math.log(2))


def test_components_that_are_not_ergodic_give_a_bracket():
    """Phases (0, 0) and (0, 1) of two cycles, and one of the two alone: the mixture has two phases, not three."""
    pair = ProductSource(CYCLE, CYCLE)
    excess = MixtureSource([pair, ProductSource(CYCLE, IIDSource([0.5, 0.5]))]).excess_entropy()
    within = 0.5 * pair.excess_entropy().value + 0.5 * math.log(2)
    assert excess.kind == "bracket"
    assert [float(excess.lower), float(excess.upper)] == pytest.approx([within - math.log(2), within + math.log(2)])


def test_moving_components_have_position_losses():
    mixture = MixtureSource([Moving(hidden=CHAIN), *COINS])
    with pytest.raises(ValueError, match="not stationary"):
        mixture.conditional_entropies(2)
    with pytest.raises(ValueError, match="not stationary"):
        mixture.excess_entropy()
    expected = MixtureSource([CHAIN, *COINS]).conditional_entropies(4).value
    assert mixture.position_losses(5).value == pytest.approx(expected, abs=1e-9)
    assert mixture.entropy_rate().value == pytest.approx(MixtureSource([CHAIN, *COINS]).entropy_rate().value)


def test_wide_brackets_give_way_to_samples():
    """Sixteen chains over four symbols: mixed states cannot be listed for long; what can, stays exact."""
    chains = [MarkovSource.random(vocab_size=4, order=1, concentration=0.5, seed=seed) for seed in range(16)]
    h = MixtureSource(chains).conditional_entropies(20)
    assert h.kind == "sampled"
    assert (h.standard_error == 0).sum() >= 7
    assert h.standard_error.max() < 0.02
    floor = np.mean([chain.entropy_rate().value for chain in chains])
    assert np.all(h.value >= floor - 5.5 * h.standard_error)


# ------------------------------------------------------------------------------------------------ samples
def test_rows_are_those_of_the_component_drawn():
    """Row i comes from component c_i's stream at number i; c_i depends on (seed, i) alone."""
    from testbed.sources.randomness import derive_seed

    components = [*COINS, CHAIN]
    mixture = MixtureSource(components, weights=[0.2, 0.3, 0.5])
    for length in (3, 5000):  # short rows are written together, long ones run by run
        tokens, chosen = mixture.sample(60, length, seed=8, first_sequence=5), mixture.draw_components(60, 8, 5)
        assert np.array_equal(chosen, mixture.draw_components(70, seed=8)[5:65])
        for row, component in enumerate(chosen):
            own = components[component].sample(1, length, derive_seed(8, "component", int(component)), 5 + row)[0]
            assert np.array_equal(tokens[row], own)


def test_components_are_drawn_with_their_weights():
    """10,000 draws, 5.5 standard errors."""
    mixture = MixtureSource([*COINS, CHAIN], weights=[0.2, 0.3, 0.5])
    found = np.bincount(mixture.draw_components(10_000, seed=1), minlength=3) / 10_000
    for p, share in zip((0.2, 0.3, 0.5), found, strict=True):
        assert abs(share - p) < 5.5 * math.sqrt(p * (1 - p) / 10_000)


# ------------------------------------------------------------------------------------------------ errors
def test_wrong_parameters_are_named():
    for build, message in (
        (lambda: MixtureSource([]), "components: 0 given, but a mixture needs at least 1"),
        (lambda: MixtureSource([CHAIN, IIDSource(vocab_size=3)]), r"components\[1\]: iid has 3 symbols.* has 2"),
        (lambda: MixtureSource(COINS, weights=[0.5, 0.4]), "weights: the law sums to 0.9"),
        (lambda: MixtureSource(COINS, weights=[1.5, -0.5]), "weights: .*negative"),
        (lambda: MixtureSource(COINS, weights=[1.0]), "weights: 1 given for 2 components"),
        (lambda: MixtureSource(COINS).conditional_entropies(-1), "max_context"),
        (lambda: MixtureSource(COINS).conditional_entropies(1.5), "max_context"),
        (lambda: MixtureSource(COINS).sample(-1, 2), "n_sequences"),
        (lambda: MixtureSource(COINS).posterior(np.array([[2]])), "tokens"),
    ):
        with pytest.raises(ConfigError, match=message):
            build()
