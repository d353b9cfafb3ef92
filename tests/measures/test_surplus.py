"""The surplus of a history: the sum over h_j against sums over all tokens, its probe, and overlaps of subspaces."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.surplus import (
    equal_laws,
    exact_surplus,
    future_joint,
    grouped_surplus,
    logistic_fit,
    predictive_eigenvectors,
    principal_directions,
    probed_surplus,
    subspace_overlap,
)
from testbed.sources import IIDSource, MarkovSource, Source
from testbed.sources.hidden.golden_mean import GoldenMean
from testbed.sources.hidden.rrxor import RRXOR

seeds = st.integers(0, 2**32 - 1)


def plain_surplus(source: Source, context: int, horizon: int) -> list[float]:
    """I(past; W_j | W_0 .. W_(j-1)) from probabilities of words, one by one."""
    found = []
    for j in range(1, horizon):
        words: dict[tuple[int, ...], float] = {}
        for word in itertools.product(range(source.vocab_size), repeat=context + j + 1):
            laws = source.predict(np.array([word]))[0]
            words[word] = math.prod(float(laws[t, x]) for t, x in enumerate(word)) if not np.isnan(laws).any() else 0.0

        def entropy(kept: slice, words: dict[tuple[int, ...], float] = words) -> float:
            summed: dict[tuple[int, ...], float] = {}
            for word, p in words.items():
                summed[word[kept]] = summed.get(word[kept], 0.0) + p
            return -sum(p * math.log(p) for p in summed.values() if p > 0)

        n = context + j + 1
        given_token = entropy(slice(context, n)) - entropy(slice(context, n - 1))
        found.append(given_token - (entropy(slice(0, n)) - entropy(slice(0, n - 1))))
    return found


@pytest.mark.parametrize("source", [MarkovSource.random(vocab_size=2, order=2, seed=3), GoldenMean(), RRXOR()])
@pytest.mark.parametrize(("context", "horizon"), [(0, 2), (2, 3)])
def test_it_is_the_information_on_later_tokens(source, context, horizon):
    expected = plain_surplus(source, context, horizon)
    assert exact_surplus(source, context, horizon) == pytest.approx(expected, abs=1e-9)
    _, joint = future_joint(source, context, horizon)
    assert joint.sum() == pytest.approx(1.0)
    assert grouped_surplus(joint, source.vocab_size) == pytest.approx(expected, abs=1e-9)


@given(seed=seeds, size=st.integers(2, 3))
@settings(max_examples=8, deadline=None)
def test_it_vanishes_without_memory_and_for_order_1(seed, size):
    rng = np.random.default_rng(seed)
    for source in (IIDSource(rng.dirichlet(np.ones(size))), MarkovSource(rng.dirichlet(np.ones(size), size))):
        assert exact_surplus(source, 4, 4) == pytest.approx(0.0, abs=1e-12)
        histories, joint = future_joint(source, 3, 3)
        assert grouped_surplus(joint, size) == pytest.approx(0.0, abs=1e-9)
        if size == 2:
            features = rng.standard_normal((len(histories), 3))
            gains = probed_surplus(features, joint, np.arange(len(histories)) % 3)
            assert (gains <= 1e-9).all()


def test_of_the_whole_past_it_grows_to_the_excess_entropy_less_its_first_term():
    source = GoldenMean()
    h = source.conditional_entropies(0).value[0] - source.entropy_rate().value
    assert exact_surplus(source, 30, 30).sum() == pytest.approx(float(source.excess_entropy().value - h), abs=1e-6)


def test_rrxor_hides_the_future_from_the_law_of_the_next_token():
    """Of the token after next, given the next, the law alone tells nothing; of order 2 it tells everything."""
    _, joint = future_joint(RRXOR(), 8, 2)
    assert grouped_surplus(joint, 2, equal_laws(joint, 2))[0] == pytest.approx(0.0, abs=1e-9)
    assert grouped_surplus(joint, 2)[0] > 0.15
    _, joint = future_joint(MarkovSource.random(vocab_size=2, order=2, seed=3), 4, 2)
    assert grouped_surplus(joint, 2, equal_laws(joint, 2)) == pytest.approx(grouped_surplus(joint, 2), abs=1e-9)


def test_a_head_that_is_shown_the_state_reads_all_of_it_and_never_more():
    source = MarkovSource.random(vocab_size=2, order=2, seed=3)
    histories, joint = future_joint(source, 6, 3)
    exact = grouped_surplus(joint, 2)
    folds = np.random.default_rng(1).integers(0, 4, len(histories))  # not by the last tokens: they are the state
    state = np.eye(4)[2 * histories[:, -2] + histories[:, -1]]
    assert probed_surplus(state, joint, folds, (1e-8,)) == pytest.approx(exact, rel=1e-3)
    noisy = state + np.random.default_rng(0).standard_normal(state.shape)
    assert probed_surplus(noisy, joint, folds).sum() < exact.sum()
    assert probed_surplus(np.zeros((len(histories), 1)), joint, folds).sum() <= 1e-9


@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_the_fit_is_where_the_gradient_is_zero(seed):
    rng = np.random.default_rng(seed)
    design = np.concatenate([np.ones((12, 1)), rng.standard_normal((12, 3))], axis=1)
    pairs = rng.dirichlet(np.full(24, 0.5)).reshape(12, 2)
    beta = logistic_fit(design, pairs, 1e-3)

    def loss(b: np.ndarray) -> float:
        z = design @ b
        mean = float(pairs[:, 1] @ np.logaddexp(0, -z) + pairs[:, 0] @ np.logaddexp(0, z))
        return mean + 0.5e-3 * float(b[1:] @ b[1:])

    for direction in np.eye(4):
        assert loss(beta) <= min(loss(beta + 1e-3 * direction), loss(beta - 1e-3 * direction)) + 1e-10


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_overlaps_know_spans_and_nothing_else(seed):
    rng = np.random.default_rng(seed)
    laws, weights = rng.dirichlet(np.ones(3), 40), rng.dirichlet(np.ones(40))
    target = predictive_eigenvectors(laws, weights, 2)
    np.testing.assert_allclose(target.T @ target, np.eye(2), atol=1e-9)
    share = weights / weights.sum()
    centred = np.sqrt(share)[:, None] * (laws - share @ laws)
    kernel = centred @ centred.T  # the operator itself
    values, vectors = np.linalg.eigh(kernel)
    assert subspace_overlap(vectors[:, np.argsort(values)[-2:]], target) == pytest.approx(1.0, abs=1e-6)
    cloud = rng.standard_normal((40, 4))
    whole = principal_directions(cloud, weights)
    mixed = principal_directions(cloud @ rng.standard_normal((4, 4)) + 3.0, weights)
    assert subspace_overlap(target, mixed) == pytest.approx(subspace_overlap(target, whole), abs=1e-6)
    assert subspace_overlap(target, principal_directions(cloud, weights, 2)) <= subspace_overlap(target, whole) + 1e-9
    held = principal_directions(np.concatenate([laws[:, :2] @ rng.standard_normal((2, 2)), cloud], axis=1), weights)
    assert subspace_overlap(target, held) == pytest.approx(1.0, abs=1e-6)


def test_nonsense_is_refused():
    with pytest.raises(ConfigError, match="context, horizon"):
        exact_surplus(GoldenMean(), 2, 1)
    _, joint = future_joint(GoldenMean(), 2, 2)
    with pytest.raises(ConfigError, match="features"):
        probed_surplus(np.zeros((1, 2)), joint, np.zeros(1, int))
    with pytest.raises(ConfigError, match="joint"):
        grouped_surplus(np.full((2, 3), 1 / 6), 2)
    with pytest.raises(ConfigError, match="k: given"):
        principal_directions(np.arange(4.0)[:, None], np.full(4, 0.25), 2)
    with pytest.raises(ConfigError, match="features"):
        principal_directions(np.zeros((3, 2)), np.full(4, 0.25))
