"""Horizons of `memory_profile`: exact exponents, families and reference learners, each beside a slow twin."""

from pathlib import Path

import numpy as np
import pytest

from testbed.predictors import OrderTable
from testbed.sources.bits import LN2
from testbed.sources.hierarchical.random_hierarchy import RandomHierarchy
from testbed.sources.lags.staircase_design import noise_of_drop
from testbed.sources.power_law.mixture_transition import MixtureTransitionSource
from testbed.sources.power_law.renewal import RenewalSource
from testbed.studies import load_studies
from testbed.studies.memory_profile import MemoryProfile
from testbed.studies.memory_profile.config import FAMILIES, Horizon
from testbed.studies.memory_profile.data import Data
from testbed.studies.memory_profile.evidence import slopes, tabular_error
from testbed.studies.memory_profile.exponents import farthest, law_exponents, leaf_correlations, linear_risks
from testbed.studies.memory_profile.families import drawn
from testbed.studies.memory_profile.learners import divergence, pair_losses, table_losses

CONFIG = Path(__file__).parents[2] / "configs" / "memory_profile.toml"
SMALL = Horizon(
    sizes=(50, 100, 200, 400), longest=8, tested=32, copy_lags=4, mixture_reach=16, renewal_gap=64, tree_levels=3,
    keys=3, key_window=8, parity_window=12, parity_degrees=(5,), tree_depth=6, table_entries=256,
)  # fmt: skip


@pytest.fixture(scope="module")
def smoke() -> MemoryProfile:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, MemoryProfile)
    return study


# ------------------------------------------------------------------------------------------------------- horizon: exact
def test_exponents_of_planted_powers_are_found():
    lags = np.arange(1, 257)
    missing = 0.3 * np.arange(1, 258) ** -1.5
    kappa = 0.9 * lags**-0.7
    sizes = (100, 200, 400, 800)
    gamma, beta = law_exponents("renewal", missing, lags, kappa, sizes)
    assert beta == pytest.approx(0.7, abs=1e-9)
    assert gamma == pytest.approx(1.5, rel=0.1)  # (n + 1)^-1.5
    assert farthest(lags, kappa, 100) == np.flatnonzero(kappa > 0.1)[-1] + 1
    assert slopes(sizes, np.log([[s**-0.8 for s in sizes]]))[0] == pytest.approx(-0.8)


def test_copies_have_the_two_exponents_apart():
    settings = Horizon(sizes=(50, 100, 200, 400), tested=16, copy_lags=5)
    one = drawn("copy", settings, 3)
    assert one.counts == (1, 2, 4, 8, 16)
    gamma, beta = -np.diff(np.log(one.missing[one.lags[:-1] - 1])) / LN2, -np.diff(np.log(one.correlations[:-1])) / LN2
    assert np.allclose(gamma, gamma[0])
    assert 1.4 <= gamma[0] <= 2.0
    assert np.allclose(beta[-1], (gamma[0] + 1) / 2, atol=0.05)  # kappa^2 = 2 d / b but for higher powers of d
    assert one.missing[0] == pytest.approx(settings.copy_amplitude)
    assert one.missing[-1] == 0.0


@pytest.mark.parametrize("scale", ["gpu", "full"])  # a check of every run says so of the others
def test_the_horizon_stays_within_the_longest_context(scale):
    (study,) = load_studies(CONFIG, scale)
    one = study.horizon
    lags, last = np.arange(1, one.longest + 1), one.sizes[-1]
    renewal = RenewalSource(survival_exponent=one.renewal_exponent[0], max_gap=one.renewal_gap)
    mixture = MixtureTransitionSource(
        vocab_size=2, n_lags=one.mixture_reach, fresh=one.mixture_fresh, lag_exponent=one.mixture_exponent[0]
    )
    for source in (renewal, mixture):
        kappa = np.abs(np.asarray(source.two_point(lags.tolist()).value))
        assert farthest(lags, kappa, last) < one.longest
    drop = one.copy_amplitude * 2.0 ** (-(one.copy_lags - 1) * one.copy_exponent[0])  # all the last lag's bits
    assert 1 - 2 * noise_of_drop(drop / 2 ** (one.copy_lags - 1)) < last**-0.5


def test_a_constant_length_does_not_pass_for_the_law_of_tables(smoke):
    found = np.tile([1.0, 1.0, 2.0, 3.0], (6, 1))
    for named, passes in ((found, True), (np.ones((6, 4)), False), (np.full((6, 4), 2.0), False)):
        data = Data({}, {}, {"copy": {"length_table": found, "tabular": named}})
        assert (tabular_error(smoke, data, "copy") <= 0).all() == passes


def test_leaf_correlations_are_those_of_the_joint_law_of_leaves():
    source = RandomHierarchy(vocab_size=4, n_rules=2, branching=2, depth=3, seed=3)
    tokens = np.asarray(source.sample(60_000, 8, seed=0))
    found = leaf_correlations(source.tree)
    assert found.shape == (7,)
    for n in range(1, 8):  # sampled joint laws: sqrt(chi^2 / 3) has errors of 0.004
        joint = np.histogram2d(tokens[:, 7 - n], tokens[:, 7], bins=[np.arange(5)] * 2)[0] / len(tokens)
        product = np.outer(joint.sum(1), joint.sum(0))
        assert found[n - 1] == pytest.approx(np.sqrt(np.sum((joint - product) ** 2 / product) / 3), abs=0.03)


def test_the_best_linear_prediction_is_the_law_where_the_law_is_linear():
    source = MixtureTransitionSource(vocab_size=2, n_lags=4, fresh=0.4)
    kappa = np.asarray(source.two_point(list(range(9))).value)
    past = np.asarray(source.sample(512, 60, seed=1))[:, -9:]
    laws = source.predict(past, positions=[8])[:, 0]
    risks = linear_risks(kappa, past[:, :8], laws)
    exact = np.asarray(source.conditional_entropies(8).value) - float(source.entropy_rate().value)
    assert np.all(risks[4:] < 1e-12)
    assert np.allclose(risks[:4], exact[:4], rtol=0.35, atol=2e-3)  # 512 contexts


# ---------------------------------------------------------------------------------------------------- horizon: learners
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_aligned_data_and_falling_entropies(family):
    one = drawn(family, SMALL, seed=2)
    assert np.all(np.diff(one.missing) <= 1e-9) or family == "mixture"
    assert len(one.lags) == len(one.correlations)
    for stream in one.streams:
        assert stream.contexts.shape == (SMALL.sizes[-1], stream.longest)
        assert stream.tested.shape == (SMALL.tested, stream.longest)
        assert np.allclose(stream.laws.sum(axis=1), 1.0)
    again = drawn(family, SMALL, seed=2)
    assert np.array_equal(one.streams[0].contexts, again.streams[0].contexts)
    if family not in ("hierarchy", "parity", "twin"):  # successive targets of one sequence
        first = one.streams[0]
        assert np.array_equal(first.contexts[1, -1], first.targets[0])
    assert (one.correlations.max() < 1e-9) == (family == "parity")


def test_parities_and_their_twins_have_the_same_profile():
    parity, twin = drawn("parity", SMALL, 0), drawn("twin", SMALL, 0)
    assert np.array_equal(parity.missing, twin.missing)


def test_tables_are_those_of_the_library():
    stream = drawn("renewal", SMALL, seed=3).streams[0]
    found = table_losses(stream, SMALL, np.arange(4))
    for row, size in enumerate(SMALL.sizes):
        for order in range(4):
            table = OrderTable(2, order).fit(stream.contexts[:size], stream.targets[:size])
            assert found[row, order] == pytest.approx(divergence(stream.laws, table.laws(stream.tested)), abs=1e-12)


@pytest.mark.parametrize("family", ["mixture", "hierarchy"])
def test_pairs_are_least_squares_by_the_library(family):
    stream = drawn(family, SMALL, seed=4).streams[0]
    v, lengths = stream.vocab_size, np.array([0, 2, stream.longest])
    dense, screened = pair_losses(stream, SMALL, lengths)
    assert dense.shape == (4, 3)
    assert np.isfinite(screened).all()
    n = SMALL.sizes[1]
    for column, length in enumerate(lengths):

        def hot(tokens):
            return (tokens[:, :, None] == np.arange(1, v)).reshape(len(tokens), -1).astype(float)

        seen, y = hot(stream.contexts[:n, stream.longest - length :]), hot(stream.targets[:n, None])
        centred = seen - seen.mean(axis=0)
        prior = np.eye(seen.shape[1])  # a unit ridge as further rows
        weights = np.linalg.lstsq(
            np.vstack([centred, prior]), np.vstack([y - y.mean(axis=0), np.zeros((seen.shape[1], v - 1))]), rcond=None
        )[0]
        guess = y.mean(axis=0) + (hot(stream.tested[:, stream.longest - length :]) - seen.mean(axis=0)) @ weights
        law = np.maximum(np.column_stack([1 - guess.sum(axis=1), guess]), SMALL.least)
        slow = divergence(stream.laws, law / law.sum(axis=1, keepdims=True))
        assert dense[1, column] == pytest.approx(slow, rel=1e-4, abs=1e-6)
