"""Scores against enumeration by loops, sampled ones against exact ones, and the paired check's distribution."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from testbed.models import ModelConfig
from testbed.sources import IIDSource, MarkovSource
from testbed.training import DataConfig, EvaluationConfig, TrainingSpec, first_sequence
from testbed.training.ensemble import Ensemble
from testbed.training.evaluation import NOMINAL_MEMBERS, clustered_mean, evaluation_set, is_exact, path_steps

FULL = MarkovSource.random(vocab_size=3, order=2, concentration=0.5, seed=1)
FORBIDDEN = MarkovSource(kernel=[[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.25, 0.75, 0.0]])
LONGEST = 3


def spec(length: int, source=FULL, budget: int = 2_000_000, n: int = 400, per: int = 1, seed: int = 0) -> TrainingSpec:
    return TrainingSpec(
        source=source,
        context_length=length,
        data=DataConfig(max_context=LONGEST, targets_per_sequence=per, seed=seed),
        model=ModelConfig(width=8, depth=1),
        evaluation=EvaluationConfig(evaluation_budget=budget, n_contexts=n, n_heldout=n + 7),
    )


def some_law(contexts: np.ndarray, vocab_size: int, seed: int = 0) -> np.ndarray:
    """ln q (n, V), a random function of the context."""
    codes = [int("".join(map(str, context)) or "0") for context in contexts.tolist()]
    return np.log([np.random.default_rng([seed, code]).dirichlet(np.full(vocab_size, 2.0)) for code in codes])


def brute_force_excess(source, length: int, law) -> float:
    """sum p(c) sum_x p(x | c) ln p(x | c) / q(x | c) by loops over all V^l contexts, p from `predict`."""
    total = 0.0
    for context in itertools.product(range(source.vocab_size), repeat=length):
        chain, probability = source.predict(np.array([[*context, 0]], dtype=np.uint8))[0], 1.0
        for t in range(length):
            probability *= chain[t][context[t]]
            if probability == 0:
                break
        if probability > 0:
            log_q = law(np.array([context], dtype=np.uint8).reshape(1, length))[0]
            total += probability * sum(p * (math.log(p) - log_q[x]) for x, p in enumerate(chain[length]) if p > 0)
    return total


@pytest.mark.parametrize("source", [FULL, FORBIDDEN, IIDSource([0.7, 0.2, 0.1])])
@pytest.mark.parametrize("length", range(LONGEST + 1))
def test_exact_excess_equals_enumeration(source, length):
    one = spec(length, source)
    ensemble, target = Ensemble([one]), evaluation_set(one)
    assert target.exact
    scores = target.score(ensemble.laws(0, target.contexts))
    expected = brute_force_excess(source, length, lambda context: ensemble.laws(0, context))
    assert scores.excess == pytest.approx(expected, abs=1e-6)  # the network's float32, in other batch shapes
    own = target.score(some_law(target.contexts, 3))
    assert own.excess == pytest.approx(brute_force_excess(source, length, lambda c: some_law(c, 3)), abs=1e-12)
    assert scores.excess_error == 0


@pytest.mark.parametrize("source", [FULL, FORBIDDEN])
@pytest.mark.parametrize("per", [1, 5])
def test_sampled_excess_covers_the_exact_one(source, per):
    """Beyond the budget: within 5 standard errors of the exact value (false alarm 6e-7 a case, seeded)."""
    for length in range(LONGEST + 1):
        exact = evaluation_set(spec(length, source, per=per))
        sampled = evaluation_set(spec(length, source, budget=1, n=4000, per=per))
        assert exact.exact
        assert not sampled.exact
        truth = exact.score(some_law(exact.contexts, 3)).excess
        scores = sampled.score(some_law(sampled.contexts, 3))
        assert abs(scores.excess - truth) <= 5 * scores.excess_error + 1e-12
        assert scores.excess_error < 0.1 * truth
        assert sampled.probabilities.sum() == pytest.approx(1.0)
        for context, law in zip(sampled.contexts, sampled.laws, strict=True):
            (row,) = np.flatnonzero((exact.contexts == context).all(axis=1))
            np.testing.assert_allclose(law, exact.laws[row], atol=1e-12)


@pytest.mark.parametrize("source", [FULL, FORBIDDEN])
@pytest.mark.parametrize("budget", [1, 2_000_000])
@pytest.mark.parametrize("per", [1, 3])
def test_cross_entropies_equal_a_loop(source, budget, per):
    for length in range(LONGEST + 1):
        one = spec(length, source, budget, per=per, seed=5)
        target = evaluation_set(one)
        scores = target.score(some_law(target.contexts, 3))
        for stream, n, found in (("evaluation", 400, scores.fresh), ("heldout", 407, scores.heldout)):
            rows = source.sample(-(-n // per), LONGEST + per, seed=5, first_sequence=first_sequence(stream))
            losses = []
            for i in range(n):
                row, at = rows[i // per], LONGEST + i % per
                losses.append(-some_law(row[None, at - length : at], 3)[0, row[at]])
            assert found == pytest.approx(np.mean(losses), abs=1e-12)


@pytest.mark.parametrize("source", [FULL, FORBIDDEN])
@pytest.mark.parametrize("budget", [1, 2_000_000])
def test_the_true_law_has_no_excess(source, budget):
    """ln 0 = -inf where p = 0, too."""
    for length in range(LONGEST + 1):
        target = evaluation_set(spec(length, source, budget))
        with np.errstate(divide="ignore"):
            scores = target.score(np.log(target.laws))
        assert abs(scores.excess) < 1e-12
        assert abs(scores.paired) < 1e-12
        h = source.conditional_entropies(length).value[length]
        assert abs(scores.fresh - h) <= 5 * scores.fresh_error + 1e-12  # false alarm 6e-7, seeded


@pytest.mark.parametrize("per", [1, 8])
def test_the_paired_check_is_standard_normal(per):
    """z over 300 data seeds against the normal law, and a law that is scored against the wrong truth is found out.

    Kolmogorov-Smirnov at p = 1e-6: the false-alarm rate, seeded."""
    z, wrong = [], []
    for seed in range(300):
        target = evaluation_set(spec(1, n=800, per=per, seed=seed))
        scores = target.score(some_law(target.contexts, 3))
        z.append(scores.paired / scores.paired_error)
        shifted = target.score(some_law(target.contexts, 3) + 0.1)
        wrong.append((shifted.fresh - scores.excess - FULL.conditional_entropies(1).value[1]) / shifted.fresh_error)
    assert kstest(z, "norm").pvalue > 1e-6
    assert kstest(wrong, "norm").pvalue < 1e-6


# ------------------------------------------------------------------------------------------------ clustered means
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 5)), min_size=1, max_size=40))
def test_clustered_mean_equals_a_loop(pairs):
    values, cluster = np.array([float(v) for v, _ in pairs]), np.array([c for _, c in pairs])
    mean, error = clustered_mean(values, cluster)
    assert mean == pytest.approx(sum(values) / len(values), abs=1e-12)
    labels = sorted(set(cluster.tolist()))
    if len(labels) < 2:
        assert math.isnan(error)
        return
    squares = sum(sum(v - mean for v, c in zip(values, cluster, strict=True) if c == label) ** 2 for label in labels)
    assert error == pytest.approx(math.sqrt(len(labels) / (len(labels) - 1) * squares) / len(values), abs=1e-12)


def test_clustered_mean_of_independent_values_is_the_known_formula():
    values = np.random.default_rng(0).normal(size=100)
    mean, error = clustered_mean(values, np.arange(100))
    assert error == pytest.approx(values.std(ddof=1) / 10)
    doubled_mean, doubled = clustered_mean(np.repeat(values, 7), np.repeat(np.arange(100), 7))
    assert (doubled_mean, doubled) == (pytest.approx(mean), pytest.approx(error)), "copies are no new information"


# ------------------------------------------------------------------------------------------------ budget and path
def test_the_budget_counts_contexts_times_positions_times_members():
    for length in range(4):
        needed = 3**length * (length + 1) * NOMINAL_MEMBERS
        assert is_exact(FULL, length, EvaluationConfig(evaluation_budget=needed))
        assert not is_exact(FULL, length, EvaluationConfig(evaluation_budget=needed - 1))


@given(st.integers(1, 100_000), st.integers(1, 12))
def test_path_steps_end_at_the_last_step(n_steps, n_points):
    steps = path_steps(n_steps, n_points)
    assert len(steps) <= n_points
    assert steps == sorted(set(steps))
    assert steps[-1] == n_steps
    assert steps[0] >= 1
