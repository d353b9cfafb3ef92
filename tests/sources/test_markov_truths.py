"""Exact truths of Markov sources, against enumeration and against what must be true of any chain."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources import IIDSource, LagMarkovSource, MarkovSource, available, build
from testbed.sources.chain import TOTAL_WEIGHT

shapes = st.sampled_from([(2, 0), (2, 1), (2, 2), (2, 4), (3, 1), (3, 2), (4, 1), (5, 1)])
seeds = st.integers(0, 10_000)
concentrations = st.sampled_from([0.2, 0.5, 1.0, 4.0])


def chain(shape: tuple[int, int], seed: int, concentration: float = 1.0) -> MarkovSource:
    return MarkovSource.random(*shape, concentration=concentration, seed=seed)


def block_law(source: MarkovSource, length: int) -> dict[tuple[int, ...], float]:
    """Slow, obvious twin: every word's probability, from the stationary law and the kernel, one word at a time."""
    k, symbols = source.order, range(source.vocab_size)
    law: dict[tuple[int, ...], float] = {}
    for before in itertools.product(symbols, repeat=k):
        for word in itertools.product(symbols, repeat=length):
            path, p = before + word, float(source.stationary_law[before])
            for t in range(length):
                p *= float(source.kernel[path[t : t + k + 1]])
            law[word] = law.get(word, 0.0) + p
    return law


def entropy(law: dict[tuple[int, ...], float]) -> float:
    return -sum(p * math.log(p) for p in law.values() if p > 0)


@given(shapes, seeds, concentrations)
def test_laws_are_normalised_dyadic_and_stationary(shape, seed, concentration):
    source = chain(shape, seed, concentration)
    assert np.all(source.weights.sum(axis=-1) == TOTAL_WEIGHT)
    assert np.all(source.kernel * 2.0**32 == source.weights)
    assert source.stationary_law.sum() == pytest.approx(1.0, abs=1e-12)
    assert source.check_stationary() < 1e-13


@given(st.sampled_from([(2, 1), (2, 2), (3, 1), (3, 2)]), seeds, concentrations)
def test_entropies_equal_enumeration(shape, seed, concentration):
    source = chain(shape, seed, concentration)
    n = source.order + 2
    blocks = [entropy(block_law(source, length)) for length in range(1, n + 1)]
    assert source.block_entropies(n).value == pytest.approx(blocks, abs=1e-10)
    assert source.conditional_entropies(n - 1).value == pytest.approx(np.diff([0.0, *blocks]), abs=1e-10)


@given(shapes, seeds, concentrations)
def test_conditioning_never_adds_entropy_and_the_chain_rule_holds(shape, seed, concentration):
    source = chain(shape, seed, concentration)
    k, h = source.order, source.conditional_entropies(source.order + 3).value
    assert np.all(np.diff(h) <= 0)
    assert np.all(h >= 0)
    assert h[0] <= math.log(source.vocab_size) + 1e-12
    assert np.all(h[k:] == source.entropy_rate().value)
    assert source.block_entropies(k + 4).value == pytest.approx(np.cumsum(h), abs=1e-12)
    assert source.excess_entropy().value == pytest.approx(float(np.sum(h - h[-1])), abs=1e-12)
    assert np.array_equal(source.position_losses(k + 4).value, h)


@given(shapes, seeds, st.randoms(use_true_random=False))
def test_relabelling_the_symbols_changes_no_truth(shape, seed, random):
    source = chain(shape, seed)
    order = list(range(source.vocab_size))
    random.shuffle(order)
    renamed = MarkovSource(weights=source.weights[np.ix_(*[order] * source.weights.ndim)])
    assert np.array_equal(renamed.kernel, source.kernel[np.ix_(*[order] * source.weights.ndim)])
    assert renamed.conditional_entropies(5).value == pytest.approx(source.conditional_entropies(5).value, abs=1e-13)


@given(st.sampled_from([(2, 1), (2, 2), (3, 1), (3, 2)]), seeds)
def test_time_reversal_changes_no_entropy(shape, seed):
    source = chain(shape, seed)
    k = source.order
    blocks = source.stationary_law[..., None] * source.kernel  # (x_1, ..., x_(k+1))
    backward = blocks.transpose(tuple(range(k, -1, -1)))
    reversed_source = MarkovSource(backward / backward.sum(axis=-1, keepdims=True))
    assert reversed_source.conditional_entropies(k + 2).value == pytest.approx(
        source.conditional_entropies(k + 2).value, abs=1e-9
    )


@given(st.sampled_from([(2, 1), (2, 2), (3, 1)]), seeds)
def test_an_order_k_source_embedded_in_order_k_plus_one_has_the_same_truths(shape, seed):
    source = chain(shape, seed)
    wider = MarkovSource(weights=np.broadcast_to(source.weights, (source.vocab_size, *source.weights.shape)).copy())
    assert wider.order == source.order + 1
    assert wider.conditional_entropies(5).value == pytest.approx(source.conditional_entropies(5).value, abs=1e-12)
    assert wider.excess_entropy().value == pytest.approx(source.excess_entropy().value, abs=1e-11)
    tokens = source.sample(3, 7, seed=1)
    assert wider.predict(tokens, context=2) == pytest.approx(source.predict(tokens, context=2), abs=1e-12)


@given(st.sampled_from([(2, 1), (2, 3), (3, 2)]), seeds, st.integers(0, 5))
def test_shorter_contexts_are_predicted_by_exact_marginals(shape, seed, context):
    source = chain(shape, seed)
    tokens = source.sample(4, 6, seed=seed)
    laws = source.predict(tokens, context=context)
    assert laws.sum(axis=-1) == pytest.approx(np.ones((4, 6)), abs=1e-12)
    words = {length: block_law(source, length) for length in range(1, context + 2)}
    for row, t in itertools.product(range(4), range(6)):
        seen = tuple(int(x) for x in tokens[row, max(0, t - context) : t])
        total = sum(words[len(seen) + 1][(*seen, x)] for x in range(source.vocab_size))
        expected = [words[len(seen) + 1][(*seen, x)] / total for x in range(source.vocab_size)]
        assert laws[row, t] == pytest.approx(expected, abs=1e-10)


@given(shapes, seeds)
def test_log_probs_read_predict_at_the_tokens(shape, seed):
    source = chain(shape, seed)
    tokens = source.sample(3, 8, seed=seed)
    read = np.take_along_axis(source.predict(tokens), tokens.astype(int)[..., None], axis=2)[..., 0]
    assert source.log_probs(tokens) == pytest.approx(np.log(read), abs=1e-13)
    assert source.predict(tokens, positions=[5, 0]) == pytest.approx(source.predict(tokens)[:, [5, 0]])


@given(st.sampled_from([(2, 1), (2, 2), (3, 2)]), seeds, st.integers(0, 5))
def test_context_laws_enumerate_the_stationary_process(shape, seed, length):
    source = chain(shape, seed)
    law = source.context_law(length)
    words = block_law(source, length)
    assert law.probabilities == pytest.approx([words[tuple(int(x) for x in c)] for c in law.contexts], abs=1e-11)
    entropies = -np.sum(law.laws * np.log(law.laws), axis=1)
    assert law.probabilities @ entropies == pytest.approx(
        float(source.conditional_entropies(length).value[-1]), abs=1e-11
    )


def test_forbidden_words_are_left_out_of_the_contexts():
    golden_mean = MarkovSource([[0.5, 0.5], [1.0, 0.0]])
    law = golden_mean.context_law(3)
    assert {tuple(c) for c in law.contexts.tolist()} == {(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 0, 1)}
    assert golden_mean.entropy_rate().value == pytest.approx(math.log(2) * 2 / 3, abs=1e-12)


@pytest.mark.parametrize("rate", [0.1, 0.8, 1.3])
def test_tempering_reaches_the_wanted_rate(rate):
    source = MarkovSource.random(vocab_size=4, order=2, entropy_rate=rate, seed=3)
    assert source.entropy_rate().value == pytest.approx(rate, abs=1e-6)
    assert np.all(source.weights > 0)


def test_the_flat_limit_can_be_asked_for():
    assert MarkovSource.random(3, 1, entropy_rate=math.log(3)).entropy_rate().value == pytest.approx(
        math.log(3), abs=1e-6
    )


def test_an_entropy_rate_out_of_reach_names_the_range():
    with pytest.raises(ConfigError, match=r"entropy_rate: given 2\.0.*0\.\d+ to 1\.386"):
        MarkovSource.random(vocab_size=4, order=1, entropy_rate=2.0).weights  # noqa: B018


def test_periodic_chains_are_accepted_and_reducible_ones_list_their_closed_classes():
    clock = MarkovSource([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert clock.entropy_rate().value == 0.0
    assert clock.conditional_entropies(0).value[0] == pytest.approx(math.log(3))
    with pytest.raises(ConfigError, match=r"2 closed classes of contexts.*\{0\}; \{1\}"):
        MarkovSource(np.eye(2))
    transient = MarkovSource([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.3, 0.3, 0.4]])  # one closed class: fine
    assert transient.stationary_law == pytest.approx([0.5, 0.5, 0.0])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "markv"}, "did you mean markov"),
        ({"type": "markov", "vocab_size": 3, "ordr": 2}, "ordr: unknown key, did you mean order"),
        ({"type": "markov", "vocab_size": -3, "order": 2}, "vocab_size: given -3"),
        ({"type": "markov", "vocab_size": "x", "order": 2}, "vocab_size: given 'x'"),
        ({"type": "markov", "kernel": [[0.5, 0.6], [0.5, 0.5]]}, r"kernel: row .*0.* sums to 1\.1"),
        ({"type": "markov", "kernel": [[-0.5, 1.5], [0.5, 0.5]]}, "kernel: "),
        ({"type": "markov", "kernel": [[0.5, 0.5], [0.5, 0.5], [0.3, 0.7]]}, "3 rows of 2 are not V"),
        ({"type": "markov", "kernel": "missing.npy"}, r"there is no file missing\.npy"),
        ({"type": "markov", "kernel": [[0.5, 0.5], [0.5, 0.5]], "order": 2}, "order"),
        ({"type": "markov", "vocab_size": 64, "order": 4}, "at most 2\\^20 contexts"),
        ({"type": "iid", "probabilities": [0.5, 0.6]}, r"probabilities: .*sums to 1\.1"),
        ({"type": "lag_markov", "vocab_size": 2, "change_points": [0.1]}, "change_points: no lag weights"),
        ("nothing", "there is no source 'nothing'"),
    ],
)
def test_bad_input_is_named(config, message):
    with pytest.raises(ConfigError, match=message):
        build(config).weights  # noqa: B018


def test_kernels_are_read_from_files(tmp_path):
    kernel = np.random.default_rng(0).dirichlet(np.ones(3), size=(3, 3))
    np.save(tmp_path / "kernel.npy", kernel)
    np.savetxt(tmp_path / "kernel.csv", kernel.reshape(-1, 3), delimiter=",", fmt="%.17g")
    from_array = MarkovSource(kernel)
    for name in ("kernel.npy", "kernel.csv"):
        source = build({"type": "markov", "kernel": str(tmp_path / name)})
        assert source.fingerprint == from_array.fingerprint
        assert source.content_key == from_array.content_key


def test_equal_configs_are_equal_sources_and_every_type_is_listed():
    one = build({"type": "markov", "vocab_size": 3, "order": 2, "seed": 5})
    assert one == MarkovSource.random(3, 2, seed=5)
    assert one != MarkovSource.random(3, 2, seed=6)
    assert one.fingerprint == MarkovSource.random(3, 2, seed=5).fingerprint
    assert {"iid", "markov", "lag_markov"} <= set(available())


@given(seeds, st.floats(50, 200), st.floats(400, 4000))
def test_lag_designs_have_the_change_points_asked_for(seed, first, second):
    source = LagMarkovSource(vocab_size=3, change_points=(first, second), base_entropy=0.7, seed=seed)
    drops = -np.diff(source.conditional_entropies(3).value)
    assert drops == pytest.approx([4 / (2 * first), 12 / (2 * second), 0.0], abs=1e-8)


def test_the_family_of_a_design_is_its_prior():
    source = LagMarkovSource(vocab_size=3, change_points=(60, 600), seed=4)
    family = source.family()
    assert family.shape == (36, 3, 3, 3)
    assert np.abs(family - source.kernel).max(axis=(1, 2, 3)).min() < 1e-9
    drops = [-np.diff(MarkovSource(kernel).conditional_entropies(2).value) for kernel in family[::7]]
    assert np.allclose(drops, [[4 / 120, 12 / 1200]] * len(drops), atol=1e-8)


def test_independent_tokens_have_no_memory():
    source = IIDSource([0.5, 0.25, 0.25])
    assert source.conditional_entropies(3).value == pytest.approx([1.5 * math.log(2)] * 4)
    assert source.excess_entropy().value == 0.0
    assert IIDSource(vocab_size=4).entropy_rate().value == pytest.approx(math.log(4))


def test_a_law_is_read_from_a_file(tmp_path):
    np.savetxt(tmp_path / "law.csv", [0.5, 0.25, 0.25], delimiter=",")
    source = build({"type": "iid", "probabilities": str(tmp_path / "law.csv")})
    assert source.entropy_rate().value == pytest.approx(1.5 * math.log(2))


def test_laws_cannot_be_written_to():
    source = MarkovSource.random(3, 1)
    for array in (source.weights, source.kernel, source.stationary_law, source.initial_weights):
        with pytest.raises(ValueError, match="read-only"):
            array.reshape(-1)[0] = 0
