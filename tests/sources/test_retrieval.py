"""Retrieval sources: the finite ones against their stories, the real-valued ones against densities and quadrature.

Statistical tests are seeded and allow 5.5 standard errors, a false alarm of 4e-8 each.
"""

import itertools
import math

import numpy as np
import pytest
from generated_strings import Draw, alike, assert_same_law
from numpy.typing import NDArray

from testbed.core import ConfigError, UndefinedError
from testbed.sources.recall._value_query import ValueQuery
from testbed.sources.recall.argmax_retrieval import ArgmaxRetrieval
from testbed.sources.recall.gaussian_retrieval import GaussianRetrieval
from testbed.sources.recall.key_value_recall import KeyValueRecall
from testbed.sources.recall.noisy_retrieval import NoisyRetrieval
from testbed.sources.recall.scalar_argmax import ScalarArgmax
from testbed.sources.sampled_truth import law_entropies, sampled_position_losses

Z = 5.5


def assert_contexts_are_marginals(source: ValueQuery, n: int, law: dict[tuple[int, ...], float]) -> None:
    """predict(context=l) of the answer against the sum of the story's law over the far sites."""
    width = source.site_length
    for l in range(n + 1):
        joint: dict[tuple[int, ...], NDArray[np.float64]] = {}
        for string, p in law.items():
            joint.setdefault(string[width * (n - l) : -1], np.zeros(source.vocab_size))[string[-1]] += p
        strings = np.array([string for string, p in law.items() if p > 0])
        found = source.predict(strings, context=l, positions=[strings.shape[1] - 1])[:, 0]
        wanted = np.array([joint[tuple(string[width * (n - l) : -1])] for string in strings.tolist()])
        assert found == pytest.approx(wanted / wanted.sum(axis=1, keepdims=True), abs=1e-7)


# ------------------------------------------------------------------------------------------------ T1
@pytest.mark.parametrize(
    "signal, background, noise",
    [([0.25, 0.75], [0.8, 0.2], 0.1), ([0.0, 0.5, 0.5], [0.5, 0.5, 0.0], 0.0), ([0.5, 0.5], [0.5, 0.5], 0.0)],
)
def test_noisy_retrieval_is_its_story(signal, background, noise):
    source = NoisyRetrieval(n_values=2, signal=signal, background=background, noise=noise)

    def story(draw: Draw) -> list[int]:
        true = draw(alike(2))
        tokens, values = [], []
        for j in range(2):
            tokens.append(2 + draw(signal if j == true else background))
            values.append(draw(alike(2)))
            tokens.append(values[-1])
        value = values[true]
        return [*tokens, 2 + len(signal), draw([1 - noise, noise] if value == 0 else [noise, 1 - noise])]

    law = assert_same_law(source, 6, story)
    assert_contexts_are_marginals(source, 2, law)


def test_noisy_retrieval_weighs_sites_at_temperature_one():
    """T1: p = softmax over sites of the log-likelihood ratios, then mixed over the channel's rows, at any n."""
    source = NoisyRetrieval(n_values=5, signal=[0.1, 0.2, 0.7], background=[0.5, 0.4, 0.1], noise=0.15)
    for n in (1, 3, 64, 500):
        tokens = source.sample(20, source.length_of(n), seed=n).astype(int)
        evidence, values = tokens[:, 0:-2:2] - 5, tokens[:, 1:-2:2]
        scores = np.log(np.array([0.1, 0.2, 0.7]) / np.array([0.5, 0.4, 0.1]))[evidence]
        weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        wanted = np.einsum("nj,njy->ny", weights, source.channel_law[values])
        found = source.predict(tokens, positions=[tokens.shape[1] - 1])[:, 0]
        assert found[:, :5] == pytest.approx(wanted, abs=1e-7)
        assert not found[:, 5:].any()


def test_losses_that_are_the_same_in_every_sequence_are_exact():
    """Values, the first evidence, the question; the others, and all of them, against means of samples."""
    source = NoisyRetrieval(n_values=3, noise=0.1)
    losses, sampled = source.position_losses(10), sampled_position_losses(source, 10)
    known = [0, 1, 3, 5, 7, 8]
    assert np.flatnonzero(losses.standard_error == 0).tolist() == known
    assert np.array_equal(losses.lower[[1, 3, 5, 7]], np.full(4, float(law_entropies(source.value_law))))
    first = source.evidence_laws.T @ [0.75, 0.25]
    assert losses.lower[0] == pytest.approx(law_entropies(first), abs=1e-12)
    assert losses.lower == pytest.approx(sampled.lower, abs=1e-10)
    assert np.array_equal(np.delete(losses.lower, known), np.delete(sampled.lower, known))


@pytest.mark.parametrize("missing, exact", [(0.5, [*range(8)]), (0.0, [*range(8), 9, 11])])
def test_repeated_keys_leave_only_queries_to_samples(missing, exact):
    source = KeyValueRecall(n_keys=3, n_values=2, n_queries=2, distinct=False, missing=missing, noise=0.1)
    losses, sampled = source.position_losses(12), sampled_position_losses(source, 12)
    assert set(exact) <= set(np.flatnonzero(losses.standard_error == 0).tolist())
    assert losses.lower == pytest.approx(sampled.lower, abs=1e-10)
    assert np.all(losses.standard_error[[8, 10]] > 0)


@pytest.mark.parametrize("signal, background", [([0.2, 0.8], [0.8, 0.2]), ([0.6, 0.4], [1.0, 0.0])])
def test_evidence_is_drowned_as_n_grows(signal, background):
    source = NoisyRetrieval(n_values=4, signal=signal, background=background, noise=0.1)
    mean, error = source._sampled_target_loss(source.length_of(4000), n_sequences=400)
    assert abs(mean - source.entropy_rate().value) < Z * error + 5e-3


def test_gaussian_evidence_equals_its_densities():
    source = GaussianRetrieval(n_values=3, shift=1.7, n_dimensions=2, noise=0.2, seed=5)
    batch = source.batch(40, source.length_of(4), seed=1)
    assert batch.inputs is not None
    x, values = batch.inputs[:, :4], batch.tokens[:, :4].astype(int)
    for seen in range(5):
        near = range(4 - seen, 4)
        density = np.zeros((40, 4))  # of the seen evidence, if j is the true site
        for j in range(4):
            for i in near:
                mean = 1.7 * source.direction if i == j else 0.0
                density[:, j] += -((x[:, i] - mean) ** 2).sum(axis=1) / 2
        weights = np.exp(density) / np.exp(density).sum(axis=1, keepdims=True)
        wanted = np.zeros((40, 3))
        for j in range(4):
            row = source.channel_law[values[:, j]] if j in near else source.answer_law
            wanted += weights[:, [j]] * row
        found = source.predict(batch.tokens, context=seen, positions=[5], inputs=batch.inputs)[:, 0, :3]
        assert found == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("n_dimensions", [1, 6])
@pytest.mark.parametrize("shift", [0.5, 1.5, 4.0])
def test_gaussian_loss_by_quadrature(shift, n_dimensions):
    """Two sites, two values: if they differ, the loss is E H_b(sigmoid(mu (x_1 - x_2))), x_1 - x_2 ~ N(mu, 2)."""
    source = GaussianRetrieval(n_values=2, shift=shift, n_dimensions=n_dimensions)
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    p = 1 / (1 + np.exp(-shift * (shift + math.sqrt(2) * nodes)))
    wanted = 0.5 * weights @ law_entropies(np.stack([p, 1 - p], axis=1)) / weights.sum()
    losses = source.position_losses(4)
    assert abs(losses.value[-1] - wanted) < Z * losses.standard_error[-1]
    assert losses.standard_error[:-1].max() == 0


def test_gaussian_evidence_is_standard_normal_off_site():
    source = GaussianRetrieval(n_values=2, shift=3.0, n_dimensions=3, seed=2)
    batch = source.batch(20_000, source.length_of(2), seed=4)
    assert batch.inputs is not None
    x = batch.inputs[:, :2]
    mean = x.mean(axis=0)
    assert np.abs(mean - 1.5 * source.direction).max() < Z * math.sqrt(3.3 / 20_000)
    covariance = np.cov(x[:, 0].T)  # unit noise, and 9/4 along u from the random site
    assert np.abs(covariance - np.eye(3) - 2.25 * np.outer(source.direction, source.direction)).max() < 0.2
    assert not batch.inputs[:, 2:].any()
    with pytest.raises(ConfigError, match="inputs"):
        source.predict(batch.tokens)
    with pytest.raises(ConfigError, match="inputs: given shape"):
        source.predict(batch.tokens, inputs=batch.inputs[:, :3])


# ------------------------------------------------------------------------------------------------ T3
@pytest.mark.parametrize("ties", ["first", "last", "random"])
def test_argmax_retrieval_is_its_story(ties):
    levels = [0.7, 0.3]
    source = ArgmaxRetrieval(n_values=2, n_levels=2, level_law=levels, ties=ties, noise=0.25)

    def story(draw: Draw) -> list[int]:
        sites = [(draw(levels), draw(alike(2))) for _ in range(2)]
        highest = [value for level, value in sites if level == max(sites)[0]]
        pick = {"first": 0, "last": len(highest) - 1}.get(ties)
        value = highest[draw(alike(len(highest))) if pick is None else pick]
        tokens = [token for level, value in sites for token in (2 + level, value)]
        return [*tokens, 4, draw([0.75, 0.25] if value == 0 else [0.25, 0.75])]

    law = assert_same_law(source, 6, story)
    if ties == "random":
        with pytest.raises(UndefinedError, match="ties"):
            assert_contexts_are_marginals(source, 2, law)
    else:
        assert_contexts_are_marginals(source, 2, law)


def test_argmax_losses_stay_while_ties_grow():
    known = ArgmaxRetrieval(n_values=4, n_levels=4, noise=0.1)
    for n in (1, 10, 1000):
        losses = known.position_losses(known.length_of(n))
        assert losses.kind == "exact"
        assert losses.value[-1] == pytest.approx(known.known_loss)
    tied = known.replace(ties="random")
    mean, error = tied._sampled_target_loss(tied.length_of(4000), n_sequences=200)
    assert abs(mean - tied.entropy_rate().value) < Z * error + 5e-3


@pytest.mark.parametrize("law", ["uniform", "exponential", "gaussian"])
def test_scalar_argmax(law):
    source = ScalarArgmax(n_values=3, law=law)
    n, n_sequences = 6, 20_000
    batch = source.batch(n_sequences, source.length_of(n), seed=3)
    assert batch.inputs is not None
    x = batch.inputs[:, :n, 0]
    assert np.array_equal(batch.tokens[:, -1], batch.tokens[np.arange(n_sequences), x.argmax(axis=1)])
    # Kolmogorov-Smirnov, at 3.0 / sqrt(n): a false alarm of 3e-8
    ranks = np.sort(source.cdf(x[:, 0]))
    assert np.abs(ranks - (np.arange(n_sequences) + 0.5) / n_sequences).max() < 3.0 / math.sqrt(n_sequences)
    # Given the nearest l sites: calibrated, also where the largest seen scalar is small or large
    for l in range(n + 1):
        predicted = source.predict(batch.tokens, context=l, positions=[n + 1], inputs=batch.inputs)[:, 0, :3]
        largest = x[:, n - l :].max(axis=1, initial=-np.inf)
        for group in (largest <= np.median(largest), largest > np.median(largest)):
            for y in range(3):
                hits, chance = (batch.tokens[group, -1] == y).sum(), predicted[group, y]
                assert abs(hits - chance.sum()) <= Z * math.sqrt((chance * (1 - chance)).sum()) + 1e-6


def test_gaps_between_the_two_largest():
    """Mean gap 1/(n + 1) for uniform scalars, 1 for exponential ones (Renyi's representation)."""
    for law, wanted in (("uniform", 1 / 33), ("exponential", 1.0)):
        source = ScalarArgmax(law=law)
        inputs = source.batch(20_000, source.length_of(32), seed=8).inputs
        assert inputs is not None
        top = np.sort(inputs[:, :32, 0], axis=1)
        gap = top[:, -1] - top[:, -2]
        assert abs(gap.mean() - wanted) < Z * gap.std() / math.sqrt(len(gap))


def test_long_sequences_have_exact_laws_too():
    """64 times 64 sites, at the judged position."""
    for source in (NoisyRetrieval(), GaussianRetrieval(), ArgmaxRetrieval(), ScalarArgmax()):
        length = source.length_of(4096)
        laws = source.predict_batch(source.batch(4, length), positions=[length - 1])
        assert laws.sum(axis=-1) == pytest.approx(np.ones((4, 1)), abs=1e-9)


def test_what_is_refused():
    with pytest.raises(ConfigError, match="background: has 3"):
        NoisyRetrieval(background=[0.2, 0.3, 0.5])
    with pytest.raises(ConfigError, match="level_law"):
        ArgmaxRetrieval(n_levels=3, level_law=[0.5, 0.5])
    with pytest.raises(ConfigError, match="channel"):
        ScalarArgmax(n_values=2, channel=[[0.5, 0.5]])
    with pytest.raises(ConfigError, match="a channel is given too"):
        ScalarArgmax(n_values=2, noise=0.1, channel=[[0.5, 0.5], [0.0, 1.0]])
    for source, most in itertools.product((NoisyRetrieval(), GaussianRetrieval()), (0, 5)):
        with pytest.raises(UndefinedError, match="number grows"):
            source.conditional_entropies(most)
    with pytest.raises(ConfigError, match="max_context"):
        NoisyRetrieval().conditional_entropies(-1)
