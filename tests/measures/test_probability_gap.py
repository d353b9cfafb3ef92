"""The probability gap: golden numbers, what holds of every law, what does not, and what samples can tell."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, ResourceError, UndefinedError
from testbed.measures.probability_gap import (
    counterexample,
    gap_of_laws,
    gap_statistics,
    source_gap,
    weighted_quantiles,
)
from testbed.measures.sampled_gap import mean_normal_range, plug_in_noise, sampled_gap
from testbed.sources import MarkovSource, build


def golden_kernel() -> np.ndarray:
    a, b, c = np.indices((3,) * 3)
    weights = 1.0 + (2 * a + 3 * b + 5 * c + a * b * c) % 7
    return weights / weights.sum(axis=-1, keepdims=True)


def stationary_block(kernel: np.ndarray, length: int) -> np.ndarray:
    state = np.full(kernel.shape[:-1], 1.0 / kernel[..., 0].size)
    for _ in range(3000):
        state = (state[..., None] * kernel).sum(axis=0)
    while state.ndim < length:
        state = state[..., None] * kernel
    return state


def random_block(seed: int, vocab_size: int, length: int, concentration: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(vocab_size**length, concentration)).reshape((vocab_size,) * length)


blocks = st.builds(
    lambda seed, size, concentration: random_block(seed, *size, concentration),
    st.integers(0, 10**6),
    st.sampled_from([(2, 3), (2, 5), (3, 3), (4, 3)]),
    st.sampled_from([0.1, 0.5, 1.0, 5.0]),
)


def test_golden_numbers():
    found = gap_statistics(stationary_block(golden_kernel(), 5))
    nothing, one, two = (
        (0.029217869399, 0.351464608393, 0.025175955780, 1.097866460373, 0.0),
        (0.099654357372, 0.374882167286, 0.024992144486, 1.086224748257, 0.351465),
        (0.285594766912, 0.476633908269, 0.144306957896, 1.000633986159, 0.249499),
    )
    for m, expected in [(0, nothing), (1, one), (2, two), (3, two), (4, two)]:
        values = [found.gap[m], found.expected_max[m], found.margin[m], found.entropy[m]]
        assert values == pytest.approx(expected[:4], abs=1e-9)
        assert found.violating_mass[m] == pytest.approx(expected[4] if m <= 2 else 0.0, abs=1e-6)
    assert counterexample(stationary_block(golden_kernel(), 3), "margin")[0] == 1


def test_every_number_against_a_slow_twin():
    block = random_block(3, 3, 3, 0.5)
    found = gap_statistics(block)
    for m in range(3):
        joint = block.sum(axis=tuple(range(2 - m)))
        gaps, falls, depth, total = [], 0.0, 0.0, dict.fromkeys(("max", "min", "margin", "ratio", "h"), 0.0)
        highest, lowest = 0.0, 1.0
        for context in itertools.product(range(3), repeat=m):
            p_context = joint[context].sum()
            law = sorted(joint[context] / p_context)
            total["max"] += p_context * law[-1]
            total["min"] += p_context * law[0]
            total["margin"] += p_context * (law[-1] - law[-2])
            total["ratio"] += p_context * law[-1] / law[0]
            total["h"] -= p_context * sum(x * np.log(x) for x in law)
            gaps.append((law[-1] - law[0], p_context))
            highest, lowest = max(highest, law[-1]), min(lowest, law[0])
            if m > 0:
                parent = block.sum(axis=tuple(range(3 - m)))[context[1:]]
                parent = parent / parent.sum()
                fall = (parent.max() - parent.min()) - (law[-1] - law[0])
                falls += p_context * (fall > 1e-12)
                depth += p_context * max(fall, 0.0)
        expected = [*total.values(), total["max"] - total["min"], highest, lowest, falls, depth / falls if falls else 0]
        names = "expected_max expected_min margin ratio entropy gap supremum infimum violating_mass violation_depth"
        assert [getattr(found, name)[m] for name in names.split()] == pytest.approx(expected)
        gaps.sort()
        assert found.deciles[m][[0, -1]] == pytest.approx([gaps[0][0], gaps[-1][0]])
        reach = np.cumsum([w for _, w in gaps])
        assert found.deciles[m][5] == pytest.approx(gaps[int(np.searchsorted(reach, 0.5))][0])


@given(blocks)
@settings(max_examples=60)
def test_what_holds_of_every_law(block):
    """P1 to P4, and the links to guessing: -ln Pguess <= H, Fano, Hellman and Raviv."""
    V = block.shape[0]
    found = gap_statistics(block)
    slack = 1e-12
    assert (np.diff(found.expected_max) >= -slack).all()
    assert (np.diff(found.expected_min) <= slack).all()
    assert (np.diff(found.supremum) >= -slack).all()
    assert (np.diff(found.infimum) <= slack).all()
    assert (np.diff(found.entropy) <= slack).all()
    information = np.maximum(-np.diff(found.entropy), 0.0)
    assert (np.diff(found.gap) <= np.sqrt(2 * information) + 1e-9).all()
    assert (found.gap >= (V * found.expected_max - 1) / (V - 1) - slack).all()
    assert (found.gap <= found.expected_max + slack).all()
    error = 1 - found.expected_max
    assert (-np.log(found.expected_max) <= found.entropy + slack).all()
    with np.errstate(divide="ignore", invalid="ignore"):
        binary = np.where((error > 0) & (error < 1), -error * np.log(error) - (1 - error) * np.log(1 - error), 0.0)
    assert (found.entropy <= binary + error * np.log(V - 1) + 1e-9).all()
    assert (found.entropy >= 2 * np.log(2) * error - 1e-9).all()
    if V == 2:
        np.testing.assert_allclose(found.gap, 2 * found.expected_max - 1, atol=1e-12)


def two_contexts(weight: float, first: tuple[float, ...], second: tuple[float, ...]) -> np.ndarray:
    """One context token with P(0) = weight, over as many symbols as the laws have; the others never occur."""
    block = np.zeros((len(first), len(first)))
    block[0], block[1] = weight * np.array(first), (1 - weight) * np.array(second)
    return block


def test_what_does_not_hold():
    """Pointwise, strictly, for most contexts, for the margin, for the ratio: each fails on a law of two contexts."""
    pointwise = gap_statistics(two_contexts(0.5, (0.4, 0.6), (0.9, 0.1)))
    assert pointwise.gap == pytest.approx([0.30, 0.50])
    assert (pointwise.violating_mass[1], pointwise.violation_depth[1]) == pytest.approx((0.5, 0.1))
    strict = gap_statistics(two_contexts(0.5, (0.5, 0.5), (1.0, 0.0)))
    assert strict.gap == pytest.approx([0.5, 0.5])
    most = gap_statistics(two_contexts(0.01, (1.0, 0.0), (0.5, 0.5)))
    assert most.violating_mass[1] == pytest.approx(0.99)
    assert most.gap == pytest.approx([0.01, 0.01])
    margin = two_contexts(0.5, (0.55, 0.35, 0.10), (0.55, 0.10, 0.35))
    assert gap_statistics(margin).margin == pytest.approx([0.325, 0.20])
    assert gap_statistics(margin).gap == pytest.approx([0.325, 0.45])
    assert counterexample(margin, "margin") == (1, pytest.approx(0.125))
    ratio = two_contexts(0.5, (0.45, 0.10, 0.45), (0.75, 0.12, 0.13))
    assert gap_statistics(ratio).ratio == pytest.approx([0.60 / 0.11, 5.375])
    assert counterexample(ratio, "ratio")[0] == 1
    assert counterexample(np.full((2, 2), 0.25), "margin") is None


def test_xor_and_certainty():
    x = np.indices((2,) * 3)
    assert gap_statistics((x.sum(axis=0) % 2 == 0) / 4).gap.tolist() == [0.0, 0.0, 1.0]
    certain = gap_statistics(np.array([[0.0, 0.5], [0.5, 0.0]]))
    assert certain.entropy[1] == 0.0
    assert certain.gap[1] == 1.0


@pytest.mark.parametrize(
    "source",
    [
        MarkovSource(golden_kernel()),
        MarkovSource([[0.0, 1.0, 0.0], [0.0, 0.5, 0.5], [0.0, 1.0, 0.0]]),  # symbol 0 never occurs
        build({"type": "golden_mean"}),
    ],
    ids=lambda source: source.type_name,
)
def test_sources(source):
    """The source's own conditional entropies, and its Bayes laws drawn along a long sample."""
    found = source_gap(source, 3)
    np.testing.assert_allclose(found.entropy, np.asarray(source.conditional_entropies(3).value), atol=1e-9)
    tokens = source.sample(400, 60, seed=0)
    for m in (0, 2):
        laws = source.predict(tokens, context=m)[:, 10:]
        gaps = (laws.max(axis=-1) - laws.min(axis=-1)).mean(axis=1)  # one number a sequence: independent
        z = (gaps.mean() - found.gap[m]) / (gaps.std(ddof=1) / np.sqrt(len(gaps)) + 1e-9)
        assert abs(z) < 5.2  # false alarm 2e-7


def test_sources_that_cannot():
    with pytest.raises(ResourceError, match="max_context"):
        source_gap(MarkovSource(golden_kernel()), 30)
    with pytest.raises(ConfigError, match="max_context: given -1"):
        source_gap(MarkovSource(golden_kernel()), -1)
    with pytest.raises(UndefinedError, match="stationary"):
        source_gap(build("associative_recall"), 2)


# ------------------------------------------------------------------------------------------------ samples
@given(st.integers(0, 10**6), st.sampled_from([2, 4]))
@settings(max_examples=15)
def test_the_plug_in_never_falls_whatever_the_data(seed, vocab_size):
    tokens = np.random.default_rng(seed).integers(vocab_size, size=(20, 30))
    found = sampled_gap(tokens, vocab_size, 4)
    assert (np.diff(found.plug_in) >= -1e-12).all()
    empirical = np.zeros((vocab_size,) * 5)
    for row in tokens:
        for t in range(4, 30):
            empirical[tuple(row[t - 4 : t + 1])] += 1
    np.testing.assert_allclose(found.plug_in, gap_statistics(empirical / empirical.sum()).gap, atol=1e-12)
    assert found.n == empirical.sum()


def test_noise_formula():
    """V = 4, N = 10^4: plug-in gaps of uniform noise .0102 .0201 .0424 .0815 .1633 .3203, and split ones near 0."""
    table = [(2, 1.128), (3, 1.693), (4, 2.059), (8, 2.847), (16, 3.532)]
    assert [mean_normal_range(n) for n, _ in table] == pytest.approx([value for _, value in table], abs=1e-3)
    formula = plug_in_noise(4, np.arange(6), 10_000)
    assert formula == pytest.approx([0.0103, 0.0206, 0.0412, 0.0824, 0.165, 0.329], rel=0.005)
    rng = np.random.default_rng(0)
    runs = [sampled_gap(rng.integers(4, size=(100, 105)), 4, 5) for _ in range(20)]
    np.testing.assert_allclose(runs[0].noise, formula)
    plug_in, split = (np.mean([getattr(run, name) for run in runs], axis=0) for name in ("plug_in", "split"))
    np.testing.assert_allclose(plug_in, formula, rtol=0.15)
    assert np.abs(split).max() < 0.014


def test_plug_in_and_split_bracket_the_truth():
    """Order 1, V = 4, gap .3 from m = 1 on: plug-in above, split below, and shrinking helps, on average over 30."""
    kernel = np.array([np.roll([0.475, 0.175, 0.175, 0.175], row) for row in range(4)])
    source = MarkovSource(kernel)
    truth = source_gap(source, 4).gap
    runs = [sampled_gap(source.sample(50, 24, seed=seed), 4, 4) for seed in range(30)]
    plug_in, split, shrunk = (
        np.mean([getattr(run, k) for run in runs], axis=0) for k in ("plug_in", "split", "shrunk")
    )
    assert truth[1:] == pytest.approx(0.3)
    assert (plug_in[3:] > truth[3:] + 0.01).all()
    assert (split[3:] < truth[3:] - 0.01).all()
    assert (np.abs(shrunk - truth)[3:] < np.abs(plug_in - truth)[3:]).all()
    assert [plug_in[4], shrunk[4]] == pytest.approx([0.5175, 0.4202], abs=0.02)


def test_bootstrap():
    source = MarkovSource(golden_kernel())
    tokens = source.sample(200, 52, seed=1)
    found = sampled_gap(tokens, 3, 2, resamples=60, seed=3)
    assert found.bootstrap.shape == (60, 3)
    np.testing.assert_array_equal(found.bootstrap, sampled_gap(tokens, 3, 2, resamples=60, seed=3).bootstrap)
    truth = source_gap(source, 2).gap
    low, high = found.interval(0.999)
    assert low[2] < truth[2] < high[2]
    assert (found.bias_corrected <= found.plug_in + 1e-3).all()
    with pytest.raises(UndefinedError, match="resamples"):
        _ = sampled_gap(tokens, 3, 2).bias_corrected


def test_laws_of_a_model_need_not_be_of_one_joint_law():
    """One law a context length, as a model trained on each would give them: the gap may then fall."""
    weights = [np.ones(1), np.array([0.5, 0.5])]
    laws = [np.array([[0.9, 0.1]]), np.array([[0.6, 0.4], [0.5, 0.5]])]
    found = gap_of_laws(weights, laws)
    assert found.gap == pytest.approx([0.8, 0.1 * 1.0])
    assert found.violating_mass[1] == 1.0


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: gap_statistics(np.full((2, 3), 1 / 6)), "block: given the shape"),
        (lambda: gap_statistics(np.full((2, 2), 0.3)), "sum to 1"),
        (lambda: sampled_gap(np.zeros((5, 3), dtype=int), 2, 3), "L > max_context = 3"),
        (lambda: sampled_gap(np.full((5, 9), 2), 2, 3), "must lie in 0 .. 1"),
    ],
)
def test_bad_input(call, said):
    with pytest.raises(ConfigError, match=said):
        call()


def test_quantiles():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([0.25, 0.5, 0.25])
    assert weighted_quantiles(values, weights, np.array([0.0, 0.5, 0.6, 0.75, 1.0])).tolist() == [1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: gap_of_laws([], []), "given 0 and 0 arrays"),
        (lambda: gap_of_laws([np.ones(1)], [np.array([[2.0, -1.0]])]), r"laws\[0\]: the row .* is no law"),
        (lambda: gap_of_laws([np.ones(2)], [np.array([[0.5, 0.5]])]), r"weights\[0\], laws\[0\]: given the shapes"),
        (lambda: gap_of_laws([-np.ones(1)], [np.array([[0.5, 0.5]])]), r"weights\[0\]: must be finite"),
        (lambda: gap_statistics(np.array([0.5 + 0j, 0.5])), "block: must be one array .* not complex"),
        (lambda: gap_statistics("law"), "block: must be one array"),
        (lambda: gap_statistics(np.array([1.2, -0.2])), "a least entry of -0.2"),
        (
            lambda: gap_of_laws(
                [np.ones(1), np.array([1.0, 0.0]), np.ones(4)], [np.full((n, 2), 0.5) for n in (1, 2, 4)]
            ),
            r"weights\[2\]: a context has probability",
        ),
        (lambda: plug_in_noise(4, 3, 0), "n: given 0"),
        (lambda: mean_normal_range(0), "n: given 0"),
        (lambda: counterexample(np.array([0.5, 0.5]), "entropy"), "statistic: given 'entropy'"),
        (lambda: sampled_gap(np.zeros((3, 4), dtype=int), 2, True), "max_context: given True"),
        (lambda: sampled_gap(np.zeros((3, 4), dtype=int), 2, 1.5), "max_context: given 1.5"),
        (lambda: sampled_gap(np.zeros((3, 4), dtype=int), 2.5, 1), "vocab_size: given 2.5"),
        (lambda: sampled_gap(np.zeros((3, 4), dtype=int), 1, 1), "vocab_size: given 1"),
        (lambda: sampled_gap(np.zeros((3, 4), dtype=int), 2, 1, resamples=-1), "resamples: given -1"),
        (lambda: sampled_gap(np.zeros((3, 4)), 2, 1), "tokens: need integers .* given float64"),
    ],
)
def test_bad_arguments_by_name(call, said):
    with pytest.raises(ConfigError, match=said):
        call()


def test_huge_contexts_are_refused_at_once():
    with pytest.raises(ResourceError):
        sampled_gap(np.zeros((3, 4), dtype=int), 3, 10**9)


def test_unsigned_tokens_count_alike():
    tokens = np.random.default_rng(0).integers(3, size=(20, 5))
    expected = sampled_gap(tokens, 3, 2)
    for dtype in (np.uint8, np.uint64):
        np.testing.assert_array_equal(sampled_gap(tokens.astype(dtype), 3, 2).plug_in, expected.plug_in)
