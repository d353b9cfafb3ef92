"""The study `bayes_risk_law`: batched fits against the library's, the rule on planted curves, a smoke run, worlds."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.decay import LAWS, POWER, extrapolation_of, fit_decay
from testbed.runs import Record
from testbed.studies import load_studies
from testbed.studies.bayes_risk_law import BayesRiskLaw
from testbed.studies.bayes_risk_law.classes import KINDS, OTHERS, POWERS, exact_risk, source_of, window_of
from testbed.studies.bayes_risk_law.config import Bounds, Reading, Rule
from testbed.studies.bayes_risk_law.data import gather
from testbed.studies.bayes_risk_law.evidence import levelling, rises
from testbed.studies.bayes_risk_law.fits import extrapolated, power_fits, power_intervals, ruled, scores, seen_part
from testbed.studies.bayes_risk_law.residual_figure import residuals

CONFIG = Path(__file__).parents[2] / "configs" / "bayes_risk_law.toml"
LENGTHS = window_of(KINDS["selector"], 8, 4096, 15).astype(np.float64)


@pytest.fixture(scope="module")
def smoke() -> BayesRiskLaw:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, BayesRiskLaw)
    return study


# ------------------------------------------------------------------------------------------------ fits
def curves(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gamma = rng.uniform(0.4, 1.5, (n, 1))
    return 0.5 + (LENGTHS / 8) ** -gamma + 0.01 * rng.standard_normal((n, len(LENGTHS)))


def test_many_curves_at_once_are_fitted_as_one_by_one():
    many = curves(0, 2)
    error = np.array([0.01, 0.02])
    found = scores(LENGTHS, many, error)
    intervals = power_intervals(LENGTHS, many, error)
    ahead = extrapolated(LENGTHS, many)
    for row, curve in enumerate(many):
        each = np.full(len(LENGTHS), error[row])
        alone = [fit_decay(law, LENGTHS, curve, each, threshold=0.0).aicc for law in LAWS]
        assert found[row] == pytest.approx(alone, abs=1e-4)
        assert intervals[row] == pytest.approx(fit_decay(POWER, LENGTHS, curve, each).interval, rel=1e-6)
        predicted = extrapolation_of(POWER, LENGTHS, curve).predicted
        assert ahead[row][~seen_part(LENGTHS)] == pytest.approx(predicted, abs=1e-7)


@given(gamma=st.floats(0.3, 2.5), limit=st.floats(0, 2), fall=st.floats(0.01, 2))
@settings(max_examples=20, deadline=None)
def test_planted_exponents_and_limits_are_found(gamma, limit, fall):
    found, constant, r_squared = power_fits(LENGTHS, (limit + fall * (LENGTHS / 8) ** -gamma)[None])
    assert found[0] == pytest.approx(gamma, rel=1e-4)
    assert constant[0] == pytest.approx(limit, abs=1e-3 * fall)
    assert r_squared[0] == pytest.approx(1.0)


def test_residuals_are_what_the_fit_leaves():
    """None of a power law; of other curves those of the fit done one by one."""
    power = (0.4 + 0.3 * (LENGTHS / 8) ** -0.8)[None]
    np.testing.assert_allclose(residuals(LENGTHS, power), 0.0, atol=1e-6)
    line = 0.5 + 0.2 * (1 - LENGTHS / 5000)
    found = fit_decay(POWER, LENGTHS, line, np.full(len(LENGTHS), 0.01))
    expected = (line - found.predict(LENGTHS)) / np.ptp(line)
    np.testing.assert_allclose(residuals(LENGTHS, line[None])[0], expected, atol=1e-4)


def test_the_rule_tells_power_laws_from_others():
    """With errors of 1 %, seeded: a power, a line, a logarithm (its limit is no entropy), and one that fell before."""
    rng = np.random.default_rng(3)
    power = 0.5 + 0.2 * (LENGTHS / 8) ** -0.7
    line = 0.5 + 0.2 * (1 - LENGTHS / 5000)
    logarithm = 0.7 * (1 - np.log(LENGTHS) / np.log(20000))
    flat = 0.5 + 1e-5 * power
    exact = np.array([power, line, logarithm, flat])
    error = 0.01 * np.ptp(exact, axis=1)
    noisy = exact + error[:, None] * rng.standard_normal(exact.shape)
    found = ruled(LENGTHS, noisy, error, np.full(4, 0.2), Rule())
    assert found["accepted"].tolist() == [1, 0, 0, 0]
    assert found["limit"][2] < 0
    assert found["above"][1] > 100
    assert found["r_squared"][2] > 0.99  # R^2 alone takes the logarithm for a power law


def test_short_windows_are_halved_on_a_logarithmic_scale():
    assert seen_part(np.array([20.0, 40.0, 50.0, 100.0])).tolist() == [True, True, False, False]
    assert seen_part(np.array([8.0, 512.0, 513.0, 4096.0])).tolist() == [True, True, False, False]


# ------------------------------------------------------------------------------------------------ sources
@pytest.mark.parametrize("name", ["selector", "staircase", "coin"])
def test_power_classes_have_their_exponent_in_the_end(name):
    kind = KINDS[name]
    source, gamma = source_of(kind, 3, 256)
    far = np.array([1023, 4095])
    risk, _, rate, _ = exact_risk(kind, source, far)
    local = -np.log((risk[1] - rate) / (risk[0] - rate)) / np.log(4096 / 1024)
    assert local == pytest.approx(gamma, rel=0.02)


def test_horizons_are_where_nothing_is_left():
    for name in ("markov", "even", "parity_b"):
        kind = KINDS[name]
        assert kind.horizon is not None
        for number in range(3):
            source, _ = source_of(kind, number, 256)
            truth = np.asarray(source.conditional_entropies(kind.horizon).value)
            assert truth[-1] == pytest.approx(float(source.entropy_rate().value), abs=1e-6)


def test_draws_depend_on_class_and_number_alone():
    for name in ("renewal", "selector", "markov"):
        again = [source_of(KINDS[name], number, 256)[0].fingerprint for number in (5, 5, 6)]
        assert again[0] == again[1] != again[2]


def test_staircases_are_judged_on_their_steps():
    found = window_of(KINDS["staircase"], 8, 4096, 19)
    assert found.tolist() == [2**j - 1 for j in range(3, 13)]


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_cells_at_once(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells) == len(KINDS)
    assert all(cell.training is None for cell in cells)


def test_verdicts_come_from_draws_that_development_did_not_see(smoke):
    (laptop,) = load_studies(CONFIG, "laptop")
    assert laptop.first_replicate >= 1000
    assert smoke.first_replicate + smoke.replicates <= 100


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [one.claim for one in judgement.verdicts] == list(smoke.claims())
    figures = smoke.figures(finished)
    shown = {claim for figure in figures.values() for claim in figure.claims}
    assert shown == {one.id for one in smoke.claims()}
    data = gather(smoke, finished)
    assert data is not None
    share = {name: data.kinds[name]["accepted"].mean() for name in KINDS}
    assert all(share[name] >= 0.6 for name in POWERS if name != "coin")
    assert all(share[name] <= 0.4 for name in OTHERS if name != "parity_a")


def test_missing_records_and_failed_checks_void_the_study(smoke, finished):
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    spoilt = [
        Record(r.key, r.study, r.cell, r.status, {}, r.arrays | {"width": r.arrays["width"] + 1}) for r in finished
    ]
    judgement = smoke.judge(spoilt)
    assert [check.passed for check in judgement.checks].count(False) == 1
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}


def test_states_that_level_off_and_states_that_do_not():
    doublings = np.arange(13.0)
    states = np.array([doublings, 2.0**doublings, 1 - 0.5**doublings, np.minimum(doublings, 3)])
    assert levelling(states) == pytest.approx([1.0, 4.0, 1 / 4, 0.0])
    assert rises(states).tolist() == [True, True, True, False]


def test_configs_that_make_no_sense_are_refused(smoke):
    with pytest.raises(ConfigError, match="late_start"):
        Reading(late_start=512, longest=4096)
    with pytest.raises(ConfigError, match=r"few: given 0\.9"):
        smoke.replace(bounds=Bounds(few=0.9))
