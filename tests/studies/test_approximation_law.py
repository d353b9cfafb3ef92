"""The study `approximation_law`: learners against slow twins and theorems, fits, planted worlds, a smoke run."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.runs import Record
from testbed.studies import load_studies
from testbed.studies.approximation_law import ApproximationLaw, learners, neighbours
from testbed.studies.approximation_law.config import Irrelevant, Manifolds, NetworkConfig
from testbed.studies.approximation_law.data import Curve
from testbed.studies.approximation_law.grid import LAG, TUNING_OFFSET, tuned

CONFIG = Path(__file__).parents[2] / "configs" / "approximation_law.toml"


@pytest.fixture(scope="module")
def smoke() -> ApproximationLaw:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, ApproximationLaw)
    return study


# ------------------------------------------------------------------------------------------------ learners
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 8))
def test_neighbours_on_the_torus_are_those_of_a_plain_search(seed, d, k):
    rng = np.random.default_rng(seed)
    seen, asked = rng.uniform(-1, 1, (30, d)), rng.uniform(-1, 1, (5, d))
    distances, which = neighbours.neighbours(seen, asked, k)
    steps = np.abs(seen[None] - asked[:, None])
    plain = np.sqrt((np.minimum(steps, 2 - steps) ** 2).sum(axis=2))
    np.testing.assert_allclose(distances, np.sort(plain, axis=1)[:, :k], atol=1e-12)
    np.testing.assert_allclose(np.take_along_axis(plain, which, axis=1), distances, atol=1e-12)


def test_averages_count_each_label_and_half_more():
    rng = np.random.default_rng(0)
    seen, asked = rng.uniform(-1, 1, (64, 2)), rng.uniform(-1, 1, (3, 2))
    labels = np.eye(2)[rng.integers(2, size=64)]
    found = neighbours.averaged(seen, labels, asked)
    for place, k in enumerate((1, 2, 4, 8, 16, 32)):
        _, which = neighbours.neighbours(seen, asked, k)
        for row in range(3):
            expected = (labels[which[row]].sum(axis=0) + 0.5) / (k + 1.0)
            np.testing.assert_allclose(found[place, row], expected, atol=1e-12)


def test_a_plane_through_log_odds_is_exact_where_they_are_one():
    rng = np.random.default_rng(1)
    seen, asked = rng.uniform(-0.3, 0.3, (200, 2)), rng.uniform(-0.1, 0.1, (5, 2))
    odds = [one @ np.array([1.0, -2.0]) for one in (seen, asked)]
    laws, expected = (np.stack([1 / (1 + np.exp(-o)), 1 / (1 + np.exp(o))], axis=1) for o in odds)
    found = neighbours.local_plane(seen, np.asarray(laws), asked)
    assert np.abs(found - expected).max() < 1e-3  # normalised logs of a logistic law are nearly planes themselves


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(-12, 0.5))
def test_excess_is_the_mean_divergence(seed, log_size):
    rng = np.random.default_rng(seed)
    laws = rng.dirichlet(np.ones(3) * 5, size=20)
    found = laws * np.exp(10.0**log_size * rng.standard_normal(laws.shape))
    found /= found.sum(axis=1, keepdims=True)
    plain = float((laws * np.log(laws / found)).sum(axis=1).mean())
    assert learners.excess(laws, found) == pytest.approx(plain, rel=1e-9, abs=1e-15)
    assert learners.excess(laws, found) >= -1e-15


def test_windows_of_bits_carry_their_answer():
    """The asked bit stands tau places back, and the exact law names it with the noise left out."""
    irrelevant = Irrelevant(size=64)
    bits, tau, laws, labels = learners.lag_samples(irrelevant, 8, 200, replicate=3)
    asked = bits[np.arange(200), tau] > 0
    assert bits.shape == (200, 8)
    assert set(tau.tolist()) == {0, 1, 2, 3}
    np.testing.assert_allclose(laws[:, 1], np.where(asked, 0.9, 0.1), atol=1e-6)
    assert labels.sum() == 200


def test_one_who_knows_the_form_pays_for_its_numbers():
    """KL 2 d + 1 numbers over 2 D: its mean over 8 draws of chi-square form stays within a factor of four."""
    manifolds = Manifolds(sizes=Manifolds().sizes | {"informed": (1024, 2048, 4096)}, n_test=100)
    found = [learners.informed_excess(manifolds, 1, replicate, draws=2)[-1] for replicate in range(4)]
    assert 3 / (2 * 4096) / 4 < np.mean(found) < 4 * 3 / (2 * 4096)


def test_a_network_learns_a_smooth_law_and_repeats():
    settings_of = Manifolds(n_test=50, endless=512, sizes=Manifolds().sizes | {"network_laws": (32, 128, 512)})
    config = NetworkConfig(width=16, steps=120, path_points=3)
    first, second = (learners.manifold_excess(settings_of, "network_laws", 1, 0, config, 1e-2) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert first[0][-1] < 0.5 * first[0][0] or first[0][-1] < 0.02


# ------------------------------------------------------------------------------------------------ fits
@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 3.0), st.floats(0.0, 1e-3), st.integers(0, 10**6))
def test_exponents_of_planted_powers_are_found_above_the_floor(alpha, floor, seed):
    rng = np.random.default_rng(seed)
    sizes = np.array([64.0, 256.0, 1024.0, 4096.0])
    excess = floor + 0.5 * (sizes / 64) ** -alpha * np.exp(0.01 * rng.standard_normal((8, 4)))
    curve = Curve(sizes, excess, np.full(8, floor), gate=0.33)
    if curve.usable:
        assert curve.exponents.mean() == pytest.approx(alpha, rel=0.05)
        assert abs(curve.bends.mean()) < 0.1
    assert np.array_equal(curve.kept, floor < 0.33 * excess.mean(axis=0))


def test_bends_are_changes_of_the_local_exponent():
    sizes = np.exp(np.arange(5.0))
    curve = Curve(sizes, np.exp(-np.arange(5.0) - 0.1 * np.arange(5.0) ** 2) * np.ones((3, 1)), np.zeros(3), 0.33)
    np.testing.assert_allclose(curve.bends, 0.2, atol=1e-9)


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_first_cells(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells)
    assert all(cell.training is None for cell in cells)
    numbers = {cell.probe.replicate for cell in cells if cell.probe.kind == "tuning"}
    assert min(numbers) >= TUNING_OFFSET > max(study.numbers)
    assert {cell.probe.replicate for cell in cells} - numbers == set(study.numbers)


def test_the_rate_of_least_geometric_mean_is_chosen_and_ties_go_to_the_smaller(smoke):
    study = smoke.replace(tuning=smoke.tuning.replace(learning_rates=(1e-3, 1e-2, 1e-1)))
    rate, cells = tuned(study, LAG, 0, {})
    assert rate is None
    excess = {1e-3: 2e-2, 1e-2: 1e-2, 1e-1: 1e-2}
    finished = {
        cell.key: Record(
            cell.key, "x", cell.resolved(), "done", {}, {"excess": np.full(2, excess[cell.probe.learning_rate])}
        )
        for cell in cells
    }
    assert tuned(study, LAG, 0, finished)[0] == 1e-2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("manifolds.dimensions=[3, 2, 1]", "dimensions: given .* must rise"),
        ("manifolds.sizes={nearest = [64, 128]}", "sizes.nearest: given .* three numbers"),
        ("irrelevant.lengths=[5, 9]", "must rise from max_lag = 4"),
        ("tuning.learning_rates=[0.1, 0.01]", "must rise from above 0"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
