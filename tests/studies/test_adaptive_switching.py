"""Switchers of the study `adaptive_decoding` and their slow twins; what a probe knows beside the last symbol."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.studies.adaptive_decoding.config import Reading
from testbed.studies.adaptive_decoding.data import frontiers
from testbed.studies.adaptive_decoding.switching import (
    SHARES,
    auroc,
    kept_curve,
    probe_scores,
    rolling,
    skill,
    staying,
    staying_curve,
)

scores_and_gains = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 4), min_size=n, max_size=n),
        st.lists(st.floats(-0.5, 2.0), min_size=n, max_size=n).filter(lambda gains: sum(gains) > 0.5),
    )
)


@settings(max_examples=40, deadline=None)
@given(scores_and_gains)
def test_a_frontier_is_the_mean_over_orders_of_what_scores_alike(case):
    score, gain = (np.array(one, dtype=np.float64) for one in case)
    n, kept = len(score), [0.0]
    for called in range(1, n + 1):  # the slow twin: of equal scores, each is called with the same probability
        level = np.sort(score)[::-1][called - 1]
        above, alike = score > level, score == level
        kept.append(gain[above].sum() + (called - above.sum()) * gain[alike].mean())
    slow = np.interp(SHARES, np.arange(n + 1) / n, np.array(kept) / gain.sum())
    np.testing.assert_allclose(kept_curve(score, gain), slow, atol=1e-9)
    np.testing.assert_allclose(kept_curve(score, gain, np.full(n, 3.0)), slow, atol=1e-9)
    assert (kept_curve(score, gain) <= kept_curve(gain, gain) + 1e-9).all()  # none is better than the oracle
    np.testing.assert_allclose(kept_curve(np.zeros(n), gain), SHARES, atol=1e-9)  # no score: random calls
    high = gain > gain.mean()
    if 0 < high.sum() < n:
        pairs = [(a > b) + 0.5 * (a == b) for a in score[high] for b in score[~high]]
        assert auroc(score, gain) == pytest.approx(np.mean(pairs))


def test_the_oracle_has_skill_one_and_its_reverse_less_than_none():
    gain = np.random.default_rng(0).exponential(size=500)
    oracle = kept_curve(gain, gain)
    assert skill(oracle, oracle) == 1.0
    assert skill(SHARES, oracle) == pytest.approx(0.0, abs=1e-12)
    assert skill(kept_curve(-gain, gain), oracle) == pytest.approx(-1.0, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=25), st.integers(1, 6))
def test_a_switch_waits_until_its_stay_is_over(wanted, stay):
    made, lasted = [wanted[0]], stay + 1  # the first decision binds nobody
    for one in wanted[1:]:
        turn = one != made[-1] and lasted >= stay
        made.append(one if turn else made[-1])
        lasted = 1 if turn else lasted + 1
    assert staying(np.array([wanted]), stay)[0].tolist() == made
    assert staying(np.array([wanted]), 1)[0].tolist() == wanted


def test_averages_and_thresholds():
    values = np.random.default_rng(1).random((3, 9))
    np.testing.assert_allclose(rolling(values, 4)[:, 2], values[:, 2:6].mean(axis=1))
    with pytest.raises(ValueError, match="window"):
        rolling(values, 10)
    score, gain = np.random.default_rng(2).random((2, 40, 30))
    free = staying_curve(score, gain, 1)
    assert np.abs(free - kept_curve(score.ravel(), gain.ravel())).max() < 0.02  # thresholds are quantiles


def test_a_probe_reads_what_is_linear_and_only_on_sequences_it_did_not_see():
    rng = np.random.default_rng(3)
    features = rng.standard_normal((40, 10, 3))
    truth = features @ np.array([1.0, -2.0, 0.5]) + 0.3
    assert np.abs(probe_scores(features, truth, 1e-8) - truth).max() < 1e-5
    noise = rng.standard_normal(truth.shape)
    said = probe_scores(features, noise, 1e-2)
    assert abs(np.corrcoef(said.ravel(), noise.ravel())[0, 1]) < 0.25  # 400 numbers: five standard errors


def test_a_probe_is_measured_against_the_last_symbol():
    """Of features that are a function of the last symbol the two are one; of features that know more, they are not."""
    rng = np.random.default_rng(4)
    tokens = rng.integers(0, 8, (60, 31))
    gains = rng.exponential(size=(8, 8))[np.roll(tokens, 1, axis=1), tokens]  # the first column is not read
    large = {"loss": np.zeros(tokens.shape), "surprise": np.zeros(tokens.shape), "truth": rng.random(tokens.shape)}
    small = {"loss": gains, "surprise": gains, "entropy": rng.random(tokens.shape), "symbols": tokens}
    reading, found = Reading(window=2, ridge=1e-6), {}
    layers = {
        "last": rng.standard_normal((8, 16))[tokens],
        "both": rng.standard_normal((64, 80))[8 * np.roll(tokens, 1, axis=1) + tokens],
        "none": rng.standard_normal((*tokens.shape, 16)),
    }
    for name, features in layers.items():
        curves = frontiers({**small, "features": features}, large, reading)
        found[name] = float(skill(curves["probe"], curves["oracle"]) - skill(curves["last"], curves["oracle"]))
    assert abs(found["last"]) < 0.01
    assert found["both"] > 0.3
    assert found["none"] < -0.2
