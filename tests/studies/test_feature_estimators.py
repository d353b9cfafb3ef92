"""The study `feature_estimators`: clouds of known state, errors, planted worlds, a smoke run."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from testbed.core import ConfigError
from testbed.studies import load_studies
from testbed.studies.feature_estimators import FeatureEstimators
from testbed.studies.feature_estimators.config import Clouds
from testbed.studies.feature_estimators.data import Data, labelled, replicates_of
from testbed.studies.feature_estimators.estimators import CONDITIONS, NAMES, cloud, sweep_values
from testbed.studies.feature_estimators.kernel import two_valued_entropy

CONFIG = Path(__file__).parents[2] / "configs" / "feature_estimators.toml"


@pytest.fixture(scope="module")
def smoke() -> FeatureEstimators:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, FeatureEstimators)
    return study


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(CONDITIONS), st.integers(1, 3))
def test_every_condition_leaves_the_state_in_the_features(seed, condition, n_bits):
    """Means of the clouds' parts are as many as there are states, apart by far more than the noise."""
    rows, states = cloud(
        Clouds(n_bits=(1, 2, 3), dimension=16, n_samples=600, noise=0.005),
        n_bits,
        condition,
        np.random.default_rng(seed),
    )
    means = np.array([rows[states == one].mean(axis=0) for one in range(2**n_bits)])
    within = np.sqrt(np.mean((rows - means[states]) ** 2))
    gaps = np.linalg.norm(means[:, None] - means[None], axis=2)
    assert gaps[~np.eye(len(means), dtype=bool)].min() > 5 * within
    assert np.bincount(states).min() > 0


def test_both_encodings_spread_alike():
    """The variance in all is l for bits and for corners of a simplex, up to sampling (8 standard errors)."""
    for condition in ("baseline", "encoding"):
        rows, _ = cloud(Clouds(n_samples=4000, noise=0.01), 3, condition, np.random.default_rng(0))
        assert rows.var(axis=0).sum() == pytest.approx(3.0, rel=0.1)


def test_entropy_of_two_values_is_the_integral():
    for spread in (0.1, 0.5, 0.9):
        m = np.sqrt(1 - spread**2)

        def density(x: float, m: float = m, s: float = spread) -> float:
            return sum(np.exp(-0.5 * ((x - one) / s) ** 2) for one in (-m, m)) / (2 * s * np.sqrt(2 * np.pi))

        def term(x: float) -> float:
            p = density(x)
            return -p * np.log(p) if p > 0 else 0.0

        expected = quad(term, -8, 8, points=[-m, m], limit=400)[0]
        assert two_valued_entropy(spread) == pytest.approx(expected, abs=1e-6)


def test_errors_are_in_units_of_the_range(smoke):
    """Estimates 3 + 2 S have none; one that is off by half the range at one l errs by half."""
    s = np.log(2) * np.array(smoke.clouds.n_bits, dtype=float)
    values = np.tile(3.0 + 2.0 * s, (6, len(NAMES), len(CONDITIONS), 1))
    values[:, :, CONDITIONS.index("dial"), 0] += np.ptp(s)
    values[:, :, CONDITIONS.index("rescaled")] *= 10
    data = Data(replicates_of(range(6)), s, labelled(smoke, values), {})
    np.testing.assert_allclose(data.errors("kernel", "baseline"), 0.0, atol=1e-12)
    np.testing.assert_allclose(data.errors("kernel", "dial"), 0.5)
    assert data.errors("kernel", "rescaled").min() > 1
    np.testing.assert_allclose(data.errors("kernel", "rescaled", refitted=True), 0.0, atol=1e-12)


def test_a_sweep_is_the_baseline_cloud_with_one_thing_changed(smoke):
    """At its base it has the covariance of a baseline cloud; a unit a multiplies a threshold count by nothing."""
    sweep = smoke.sweep
    assert {what for what, *_ in sweep.points} == {"N", "d", "a"}
    assert sum(point[1:] == (*sweep.base, 1.0) for point in sweep.points) == 3
    values = sweep_values(sweep, np.random.default_rng(5))
    assert values.shape == (len(NAMES), len(sweep.points), len(sweep.n_bits))
    counts = values[NAMES.index("dimension")]
    np.testing.assert_allclose(counts, np.tile(sweep.n_bits, (len(sweep.points), 1)))  # noise is below the threshold
    log_det, unit = values[NAMES.index("log_det")], sweep.points.index(("a", *sweep.base, 3.0))
    base = sweep.points.index(("a", *sweep.base, 1.0))
    np.testing.assert_allclose(log_det[unit] - log_det[base], sweep.base[1] * np.log(3.0), rtol=0.05)


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_cells_at_once(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells) == 3 * study.replicates
    assert all(cell.training is None for cell in cells)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("clouds.n_bits=[3, 2, 1]", "must rise within 1 .. 6"),
        ("clouds.dimension=8", "n_bits|dimension"),
        ("clouds.fewer=12", "rows are too few"),
        ("kernel.n_samples=200", None),
        ("kernel.dimensions=[2, 32, 200]", "twice the largest"),
        ("sweep.base=[100, 64]", "must be among n_samples and dimensions"),
        ("sweep.n_samples=[36, 200]", "must rise within 50"),
        ("sweep.n_samples=[60, 200]", None),
        ("sweep.scales=[0.5, 2.0]", "1 among scales"),
    ],
)
def test_bad_settings_are_named(override, message):
    if message is None or override == "clouds.dimension=8":
        load_studies(CONFIG, "smoke", [override])  # at the edge, and sound
        return
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
